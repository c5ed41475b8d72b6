"""Starts a model for larger pictures from one for smaller ones: as it is inside, with a stage more outside."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ..compressing import FIRST_GRID, PlaceBias, count_channels, count_grids

LEAST_FILTERS = 8  # of an outer stage: the colours of a picture and their negatives find room
LEAST_KERNEL = 3  # of a decoder's convolutions: the last one's, which a new stage takes over
BLOCK_SLOPE = 0.2  # of the leaky ReLUs of `blocks.residual_block`
SAMPLES = 32  # codes whose pictures tell what a decoder's maps are like
PICTURE_MEAN, PICTURE_VARIANCE = 0.5, 0.0625  # of the colours of faces, about

Layers = dict[type[keras.layers.Layer], list[keras.layers.Layer]]


def count_doublings(image_size: int, own_size: int) -> int:
    """How many times `own_size` can be doubled without being above `image_size`.

    >>> [count_doublings(size, 64) for size in (28, 64, 96, 128, 256)]
    [0, 0, 0, 1, 2]
    """
    return max(0, (image_size // own_size).bit_length() - 1)


def add_stages(filters: Sequence[int], count: int) -> tuple[int, ...]:
    """An encoder's stages with some more outside, each half as wide as the next one, but of `LEAST_FILTERS` at least.

    >>> add_stages((32, 64), 2)
    (8, 16, 32, 64)
    """
    grown = tuple(filters)
    for _ in range(count):
        grown = (max(LEAST_FILTERS, grown[0] // 2), *grown)
    return grown


def fit_stages(filters: Sequence[int], image_size: int, own_size: int) -> tuple[int, ...]:
    """The stages of a model for pictures of another size: one more for each doubling, as far as halves have no rest.

    Args:
      filters: of the stages, each of which halves the picture, for pictures of `own_size`.
      image_size: of the pictures.
      own_size: of those that the stages were chosen for.

    >>> fit_stages((32, 64), 256, 64), fit_stages((32, 64), 132, 64)
    ((8, 16, 32, 64), (32, 64))
    """
    count = count_doublings(image_size, own_size)
    while count and image_size % 2 ** (len(filters) + count):
        count -= 1
    return add_stages(filters, count)


def enlarge_arguments(arguments: Mapping[str, Any], image_size: int, has_stages: bool = True) -> dict[str, Any]:
    """A model's arguments for larger pictures, with a stage more for each time that these are doubled.

    Args:
      arguments: of the model for smaller pictures.
      image_size: of the larger ones.
      has_stages: stages are added; networks of convolutions alone need none.

    Raises:
      ValueError: the pictures are not 2, 4, 8, ... times as large.
    """
    own = arguments["image_size"]
    count = count_doublings(image_size, own)
    decoder_kernel = arguments.get("decoder_kernel_size", LEAST_KERNEL)
    if has_stages and count and arguments.get("upsampling") != "transposed" and decoder_kernel < LEAST_KERNEL:
        raise ValueError(f"decoder_kernel_size={decoder_kernel} leaves a new stage no room to make a picture in")
    if image_size != own * 2**count:
        raise ValueError(f"image_size is {own}, not {image_size}, which is not 2, 4 or 8 times as much")
    added: dict[str, Any] = {}
    if has_stages and count:
        added["filters"] = add_stages(arguments["filters"], count)
        if "strides" in arguments:
            added["strides"] = (*((2,) * count), *arguments["strides"])
        if "decoder_filters" in arguments:
            added["decoder_filters"] = add_stages(arguments["decoder_filters"][::-1], count)[::-1]
    return {**arguments, "image_size": image_size, **added}


def grow_encoder(small: keras.Model, large: keras.Model, channels: int) -> None:
    """Gives an encoder the weights of one with a stage less, which so sees what it saw, half as large.

    The new stage hands the colours on; what else it finds has no effect yet.

    Args:
      small: pictures [B, H, W, C] -> anything.
      large: pictures [B, 2 H, 2 W, C] -> the same; its weights are new.
      channels: C.
    """
    there = _list_layers(small)
    for kind, layers in _list_layers(large).items():
        old = there.get(kind, [])
        added = len(layers) - len(old)
        for source, layer in zip(old, layers[added:], strict=True):
            _copy(source, layer)
        for layer in layers[:added]:
            if isinstance(layer, keras.layers.BatchNormalization):
                mean, variance = np.full(channels, PICTURE_MEAN), np.full(channels, PICTURE_VARIANCE)
                _keep_moments(layer, np.arange(channels), mean, variance, mean)
            else:
                _hand_colours_on(layer, channels)


def grow_decoder(
    small: keras.Model, large: keras.Model, *, slope: float, blocks: int = 0, has_skips: bool = False, finish: int = 0
) -> None:
    """Gives a decoder the weights of one with a stage less, whose pictures it then gives enlarged.

    The small one's last convolution becomes the new stage's, which makes the picture and its negative: a leaky ReLU
    changes one of them only. The new last convolution puts them together. What else the new stage makes has no effect
    yet. A transposed convolution sees too few pixels for that; it gets what comes nearest of each pixel by itself.

    Args:
      small: codes, or whatever it is given -> pictures [B, H, W, C].
      large: the same -> pictures [B, 2 H, 2 W, C]; its weights are new.
      slope: of the stage's leaky ReLU; 0 is a ReLU.
      blocks: residual blocks of each stage.
      has_skips: pictures are the sum of what all stages see; the new one sees nothing yet.
      finish: convolutions after the last one that makes pictures.
    """
    there, here = _list_layers(small), _list_layers(large)
    trailing = finish + (not has_skips)
    last = None if has_skips else there[keras.layers.Conv2D][-trailing]
    stage: Layers = {}
    for kind, layers in here.items():
        old = there.get(kind, [])
        start = len(old) - (trailing if kind is keras.layers.Conv2D else 0)
        end = start + len(layers) - len(old)
        stage[kind] = layers[start:end]
        for source, layer in zip(old, [*layers[:start], *layers[end:]], strict=True):
            if source is not last:
                _copy(source, layer)
    convolutions = [*stage.get(keras.layers.Conv2DTranspose, []), *stage.get(keras.layers.Conv2D, [])]
    if last is None:
        _empty(convolutions[-1])
        return
    for block in range(blocks):
        _empty(convolutions[2 * block + 2])
    norms = [layer for kind, own in stage.items() if issubclass(kind, keras.layers.BatchNormalization) for layer in own]
    end_layer = here[keras.layers.Conv2D][-trailing]
    _make_pictures(small, last, convolutions[0], norms, end_layer.kernel.shape[2])
    _read_pictures(end_layer, 1.0 / (1.0 + slope * BLOCK_SLOPE**blocks))


def check_room_on_grids(arguments: Mapping[str, Any], image_size: int) -> None:
    """A ValueError where no grid can be added to a decoder on grids for pictures that are twice as large, or more.

    Args:
      arguments: of the model for smaller pictures: its `decoder_width`, `image_size` and `channels`.
      image_size: of the larger ones.
    """
    own, width, channels = (arguments[name] for name in ("image_size", "decoder_width", "channels"))
    count = count_grids(own, FIRST_GRID)
    if count == 1:
        raise ValueError(f"a decoder that works on one grid, as of {own} pixels, takes no second one")
    patch = own // (FIRST_GRID * 2 ** (count - 1))
    try:
        check_room_for_quarters("decoder_width", width, count_grids(image_size, FIRST_GRID) - 1, patch, channels)
    except ValueError as error:
        raise ValueError(f"{error}, as of pictures of {own}") from error


def check_room_for_quarters(name: str, width: int, grid: int, patch: int, channels: int) -> None:
    """A ValueError where a new grid has no room for what the one before drew.

    Args:
      name: of the argument that says the width.
      width: channels of the first grid.
      grid: number of the new one, the first is 0.
      patch: height and width of the patches that the one before draws, of which each of four places gets a quarter.
      channels: of the picture.
    """
    narrowest = count_channels(width, grid)
    if patch % 2 or (patch // 2) ** 2 * channels > narrowest:
        room = f"a grid of {narrowest} channels, as of {name}={width}, cannot draw"
        raise ValueError(f"{room} quarters of patches of {patch} pixels")


def see_patches_reduced(small: keras.Model, large: keras.Model, patch: int, channels: int) -> None:
    """Gives a network on grids the weights of one of half as large patches, of which it then sees means of 2x2 pixels.

    Args:
      small: maps whose first patch * patch * C channels are patches -> anything.
      large: maps of four times as many such channels, and the same others -> the same; its weights are new.
      patch: height and width of the smaller patches.
      channels: C.
    """
    there, here = ([layer for layer in network.layers if layer.weights] for network in (small, large))
    for source, layer in zip(there, here, strict=True):
        if source.name != "widen":
            _copy(source, layer)
            continue
        kernel, bias = source.get_weights()
        seen = patch * patch * channels
        patches = kernel[0, 0, :seen].reshape(patch, patch, channels, -1) / 4.0
        wide = np.repeat(np.repeat(patches, 2, axis=0), 2, axis=1).reshape(4 * seen, -1)
        layer.set_weights([np.concatenate([wide, kernel[0, 0, seen:]])[None, None], bias])


def grow_grids(small: keras.Model, large: keras.Model, channels: int, last: str = "patches") -> None:
    """Gives a decoder on grids (`compressing.draw_on_grids`) the weights of one with a grid less.

    The new grid's places know those pixels of the small one's patches that they draw twice as large. What else the new
    grid makes has no effect yet. Convolutions that change the picture afterwards are taken as they are.

    Args:
      small: codes, or whatever it is given -> pictures [B, H, W, C] or their patches, by several grids (see
        `check_room_on_grids`).
      large: the same -> pictures [B, 2 H, 2 W, C] or their patches, by one grid more; its weights are new.
      channels: C.
      last: name of the layer that makes the patches.
    """
    there, here = ([layer for layer in network.layers if layer.weights] for network in (small, large))
    new = {layer.name: layer for layer in here}
    grid = sum(isinstance(layer, PlaceBias) for layer in there)
    ends = [next(place for place, layer in enumerate(layers) if layer.name == last) for layers in (there, here)]
    for layer in there[: ends[0]]:
        _copy(layer, new.pop(layer.name))
    for layer, taking in zip(there[ends[0] + 1 :], here[ends[1] + 1 :], strict=True):
        _copy(layer, new.pop(taking.name))
    _tell_quarters(there[ends[0]], new[f"enlarge_{grid}"], channels)
    _draw_quarters(new[last], channels)
    for name, layer in new.items():
        if name.endswith("_narrow"):
            _empty(layer)


def _tell_quarters(patches, layer, channels: int) -> None:
    """Has a convolution tell four places each its quarter of a patch, which another one draws whole.

    Args:
      patches: maps -> [B, H, W, patch * patch * C].
      layer: the same maps -> [B, H, W, 4 * width]; its first channels of each place become those of the quarter.
      channels: C.
    """
    kernel, bias = patches.get_weights()
    half = math.isqrt(len(bias) // channels) // 2
    width, known = layer.kernel.shape[-1] // 4, half * half * channels
    drawn = np.concatenate([kernel[0, 0], bias[None]]).reshape(-1, 2, half, 2, half, channels)
    quarters = drawn.transpose(0, 1, 3, 2, 4, 5).reshape(len(drawn), 4, known)  # of the inputs, and of the bias
    weights = np.concatenate([layer.get_weights()[0][0, 0], np.zeros((1, 4 * width))]).reshape(-1, 4, width)
    weights[..., :known] = quarters
    *told, told_bias = weights.reshape(len(drawn), 4 * width)
    layer.set_weights([np.stack(told)[None, None], told_bias])


def _draw_quarters(patches, channels: int) -> None:
    """Has a convolution make patches of what `_tell_quarters` has told each place, every pixel twice as large."""
    kernel, bias = patches.get_weights()
    patch = math.isqrt(len(bias) // channels)
    twice = np.repeat(np.eye(patch // 2), 2, axis=1)  # [patch / 2, patch]
    drawn = np.einsum("iy,jx,cd->ijcyxd", twice, twice, np.eye(channels)).reshape(-1, len(bias))
    kernel[:] = 0.0
    kernel[0, 0, : len(drawn)] = drawn
    patches.set_weights([kernel, np.zeros_like(bias)])


def copy_layers(small: keras.Model, large: keras.Model) -> None:
    """Gives a network's own layers, without the networks in it, the weights of those of one that is made alike."""
    here = _list_layers(large)
    for kind, layers in _list_layers(small).items():
        for source, layer in zip(layers, here[kind], strict=True):
            if not hasattr(source, "networks"):
                _copy(source, layer)


def _list_layers(network: keras.Model) -> Layers:
    """The layers that have weights, by their class, in the order that they were made in; no networks."""
    found: Layers = {}
    for layer in sorted(network.layers, key=_find_number):
        if layer.weights and not isinstance(layer, keras.Model):
            found.setdefault(type(layer), []).append(layer)
    return found


def _find_number(layer) -> float:
    """Which of its class a layer is, as Keras numbers them; those with names of their own come last."""
    title, _, number = layer.name.rpartition("_")
    if title and number.isdigit():
        return int(number)
    return 0 if layer.name.replace("_", "") == type(layer).__name__.lower() else math.inf


def _copy(source, layer) -> None:
    """The weights of one layer to another; a kernel that reads more channels than there were, reads 0 of those."""
    weights = []
    for old, own in zip(source.get_weights(), layer.get_weights(), strict=True):
        if old.shape != own.shape:
            wide = np.zeros_like(own)
            wide[:, :, : old.shape[2]] = old
            old = wide
        weights.append(old)
    layer.set_weights(weights)


def _empty(layer) -> None:
    layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])


def _hand_colours_on(layer, channels: int) -> None:
    """The first channels that come out are those that come in, means of 2x2 pixels where there are strides."""
    kernel, *bias = layer.get_weights()
    size = len(kernel)
    taps = np.zeros(size)
    if layer.strides[0] == 2 and size > 1:
        first = (size - 2) // 2
        taps[first : first + 2] = 0.5
    else:
        taps[(size - 1) // 2] = 1.0
    kernel[..., :channels] = np.einsum("a,b,io->abio", taps, taps, np.eye(channels))
    layer.set_weights([kernel, *bias])


def _make_pictures(small: keras.Model, last, layer, norms: list, filters: int) -> None:
    """Has a new stage make what the last convolution of a small decoder makes, and its negative, as first channels.

    Args:
      small: the decoder.
      last: its last convolution.
      layer: the new stage's.
      norms: the new stage's batch normalisation, if there is one.
      filters: channels of the new stage, before which pixels may have been channels.
    """
    maps, made = _see(small, [last.input, last.output])
    kernel, bias = last.get_weights()
    weights, *own_bias = layer.get_weights()
    count = 2 * len(bias)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        rows = np.concatenate([maps, np.ones_like(maps[..., :1])], axis=-1).reshape(-1, maps.shape[-1] + 1)
        fitted = np.linalg.lstsq(rows, made.reshape(len(rows), -1), rcond=None)[0]
        kernel, bias, made = fitted[None, None, :-1], fitted[-1], rows @ fitted
        first = (len(weights) - 2) // 2
        weights[:, :, :count] = 0.0
        weights[first : first + 2, first : first + 2, :count] = np.concatenate([kernel, -kernel], axis=-1)[0, 0].T
        places = np.arange(count)
    else:
        first = (len(weights) - 1) // 2 - (len(kernel) - 1) // 2
        inside = slice(first, first + len(kernel))
        wide = np.zeros((*weights.shape[:3], count))
        wide[inside, inside] = np.concatenate([kernel, -kernel], axis=-1)
        copies = weights.shape[-1] // filters
        places = (filters * np.arange(copies)[:, None] + np.arange(count)).ravel()
        weights[..., places] = np.tile(wide, copies)
    signed = np.resize(np.concatenate([bias, -bias]), len(places))
    for one in own_bias:
        one[places] = signed
    layer.set_weights([weights, *own_bias])
    if norms:
        pairs = made.reshape(-1, len(bias))
        mean = np.resize(np.concatenate([pairs.mean(0), -pairs.mean(0)]), len(places))
        _keep_moments(norms[0], places, mean - signed, np.resize(pairs.var(0), len(places)), mean)


def _read_pictures(layer, share: float) -> None:
    """Has the last convolution put together the pictures and their negatives that come in."""
    kernel, bias = layer.get_weights()
    channels, middle = len(bias), (len(kernel) - 1) // 2
    kernel[:] = 0.0
    both = share * np.eye(channels)
    kernel[middle, middle, : 2 * channels] = np.concatenate([both, -both])
    layer.set_weights([kernel, np.zeros_like(bias)])


def _keep_moments(layer, places, mean, variance, wanted) -> None:
    """Batch normalisation that changes the mean of some channels, if they have these moments, and nothing else."""
    weights = {weight.name: value for weight, value in zip(layer.weights, layer.get_weights(), strict=True)}
    weights["gamma"][places], weights["beta"][places] = np.sqrt(variance + layer.epsilon), wanted
    weights["moving_mean"][places], weights["moving_variance"][places] = mean, variance
    layer.set_weights(list(weights.values()))


def _see(network: keras.Model, tensors: list) -> list[np.ndarray]:
    """What is seen within a network for codes that are drawn, float32."""
    numbers = np.random.default_rng(0)
    drawn = [numbers.standard_normal((SAMPLES, *one.shape[1:])).astype(np.float32) for one in network.inputs]
    seen = keras.Model(network.inputs, tensors)(drawn, training=False)
    return [keras.ops.convert_to_numpy(keras.ops.cast(one, "float32")) for one in seen]
