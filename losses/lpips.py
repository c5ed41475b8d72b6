"""LPIPS: the distance of pictures that is fitted to what people call alike.

Zhang, Isola, Efros, Shechtman, Wang, "The unreasonable effectiveness of deep features as a perceptual metric" (2018),
equation 1, in version 0.1 of its weights: feature maps of AlexNet or SqueezeNet 1.1, of unit length over channels, and
for the squared difference of each channel a weight that is not negative.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .colours import as_colours
from .weights import find_weights, read_arrays

# Of red, green and blue in -1..1.
MEANS = (-0.030, -0.088, -0.188)
DEVIATIONS = (0.458, 0.448, 0.450)
ALEX_FILTERS = (64, 192, 384, 256, 256)
ALEX_KERNELS = (11, 5, 3, 3, 3)
# Of SqueezeNet's fire modules, slice by slice: channels that the first convolution leaves.
SQUEEZED = ((16, 16), (32, 32), (48,), (48,), (64,), (64,))
EXPANSION = 4  # each of the two expanding convolutions gives so many times as many
SMALLEST = {"alex": 31, "squeeze": 17}  # pixels of a side

Shapes = dict[str, tuple[int, ...]]
Arrays = dict[str, np.ndarray]


@keras.saving.register_keras_serializable("facezoo")
class LPIPSPreprocessing(keras.layers.Layer):
    """RGB or gray in [0, 1] to what the networks were trained on: [B, H, W, 3 or 1] -> [B, H, W, 3].

    Raises:
      ValueError: pictures of neither 1 nor 3 channels.
    """

    def call(self, images):
        colours = as_colours(images, "LPIPS")
        means, deviations = (tf.constant(numbers, images.dtype) for numbers in (MEANS, DEVIATIONS))
        return (2.0 * colours - 1.0 - means) / deviations

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 3)


@keras.saving.register_keras_serializable("facezoo")
class WeighedUnitFeatures(keras.layers.Layer):
    """Features of unit length over channels, each times a weight: [B, H, W, C] -> the same."""

    def build(self, input_shape):
        self.weight = self.add_weight(name="weight", shape=input_shape[-1:], initializer="ones")

    def call(self, features):
        # A vector of zeros stays one, and has the gradient 0.
        lengths = tf.sqrt(tf.reduce_sum(tf.square(features), axis=-1, keepdims=True) + 1e-20)
        return self.weight * features / (lengths + 1e-10)

    def compute_output_shape(self, input_shape):
        return input_shape


def lpips_network(name: str, weights: str | None, image_size: int) -> keras.Model:
    """A frozen network between whose outputs `perceptual_loss`, without scales, is LPIPS.

    The square root of the paper's weights is in the features, with what makes the mean over layers and channels of
    `perceptual_loss` the sum that LPIPS is. It preprocesses by itself, and is float32 throughout.

    Args:
      name: "alex" or "squeeze".
      weights: `.npz` file or its folder; None looks for it as `find_weights` does.
      image_size: H and W in pixels.

    Returns:
      float32 [B, H, W, 3 or 1] in [0, 1] -> list of feature maps, 5 or 7.

    Raises:
      ValueError: no such network, or pictures too small for it.
      WeightsError: the weights cannot be had, or are damaged or another network's.
    """
    network, channels = slice_network(name, image_size), _channels(name)
    arrays = read_lpips(name, weights)
    set_slices(network, arrays)
    maps = []
    for number, (features, count) in enumerate(zip(network.outputs, channels, strict=True)):
        layer = WeighedUnitFeatures(dtype="float32", name=f"lin{number}")
        maps.append(layer(features))
        layer.set_weights([np.sqrt(np.maximum(arrays[f"lin{number}"], 0.0) * count * len(channels))])
    model = keras.Model(network.inputs, maps, name=f"lpips_{name}")
    model.trainable = False
    return model


def read_lpips(name: str, weights: str | None = None) -> Arrays:
    """The arrays of a file of weights, see `lpips_network`.

    Raises:
      ValueError: no such network.
      WeightsError: the weights cannot be had, or are damaged or another network's.
    """
    shapes = list_arrays(name)
    return read_arrays(find_weights(f"lpips_{name}.npz", weights), shapes)


def slice_network(name: str, image_size: int, channels: int | None = None) -> keras.Model:
    """The network under LPIPS, frozen and all zeros: float32 [B, H, W, 3 or 1] in [0, 1] -> 5 or 7 feature maps.

    Args:
      name: "alex" or "squeeze".
      image_size: H and W in pixels.
      channels: of the pictures; None takes both.

    Raises:
      ValueError: no such network, or pictures too small for it.
    """
    shapes = list_arrays(name)
    if image_size < SMALLEST[name]:
        raise ValueError(
            f"{name}, as LPIPS has it, needs pictures of at least {SMALLEST[name]} pixels, not {image_size}"
        )
    images = keras.Input((image_size, image_size, channels), dtype="float32")
    slices = _NETWORKS[name][1](LPIPSPreprocessing(dtype="float32")(images), shapes)
    model = keras.Model(images, slices, name=f"slices_{name}")
    model.trainable = False
    return model


def set_slices(network: keras.Model, arrays: Arrays) -> None:
    """Gives a `slice_network` its weights, as `read_lpips` gives them."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            place = layer.name.replace(".", "/")
            layer.set_weights([arrays[f"{place}/conv2d/vars/{number}"] for number in (0, 1)])


def list_arrays(name: str) -> Shapes:
    """The arrays of a file of weights and their shapes: each convolution's kernel and bias in turn, then the heads.

    Kernels are (height, width, inputs, outputs); heads are vectors of a weight for each channel.

    >>> list(list_arrays("alex"))[-1]
    'lin4'

    Raises:
      ValueError: no such network.
    """
    if name not in _NETWORKS:
        raise ValueError(f"no network {name!r} of LPIPS; there are {', '.join(_NETWORKS)}")
    heads = {f"lin{number}": (count,) for number, count in enumerate(_channels(name))}
    return _NETWORKS[name][0]() | heads


def _channels(name: str) -> Sequence[int]:
    """Of each slice's features."""
    return ALEX_FILTERS if name == "alex" else (64, *(2 * EXPANSION * counts[-1] for counts in SQUEEZED))


def _alex_shapes() -> Shapes:
    shapes: Shapes = {}
    channels = 3
    for number, (size, filters) in enumerate(zip(ALEX_KERNELS, ALEX_FILTERS, strict=True), 1):
        shapes |= _convolution_shapes(f"slice{number}/layers/sequential/layers", size, channels, filters)
        channels = filters
    return shapes


def _alex_slices(x: Any, shapes: Shapes) -> list[Any]:
    """Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014): the five convolutions."""
    slices = []
    for number in range(1, len(ALEX_FILTERS) + 1):
        place = f"slice{number}/layers/sequential/layers"
        if number == 1:
            x = _convolution(keras.layers.ZeroPadding2D(2, dtype="float32")(x), shapes, place, 4, "valid")
        else:
            if number <= 3:
                x = keras.layers.MaxPooling2D(3, 2, dtype="float32")(x)
            x = _convolution(x, shapes, place)
        slices.append(x)
    return slices


def _squeeze_shapes() -> Shapes:
    shapes = _convolution_shapes("slice1/layers/sequential/layers", 3, 3, 64)
    channels = 64
    for place, squeezed in _fires():
        expanded = EXPANSION * squeezed
        shapes |= _convolution_shapes(f"{place}/layers/sequential/layers", 1, channels, squeezed)
        shapes |= _convolution_shapes(f"{place}/expand1x1/layers", 1, squeezed, expanded)
        shapes |= _convolution_shapes(f"{place}/expand3x3/layers", 3, squeezed, expanded)
        channels = 2 * expanded
    return shapes


def _squeeze_slices(x: Any, shapes: Shapes) -> list[Any]:
    """Iandola et al., "SqueezeNet" (2016), version 1.1: a convolution and eight fire modules, in seven slices."""
    slices = [_convolution(x, shapes, "slice1/layers/sequential/layers", 2, "valid")]
    places = [place for place, _ in _fires()]
    for number in range(2, 2 + len(SQUEEZED)):
        x = _pool_to_the_edge(slices[-1]) if number <= 4 else slices[-1]
        for place in (place for place in places if place.startswith(f"slice{number}/")):
            x = _convolution(x, shapes, f"{place}/layers/sequential/layers")
            expanded = [_convolution(x, shapes, f"{place}/expand{kind}/layers") for kind in ("1x1", "3x3")]
            x = keras.layers.Concatenate(dtype="float32")(expanded)
        slices.append(x)
    return slices


def _fires() -> list[tuple[str, int]]:
    """Where in the file each fire module is, and what its first convolution leaves."""
    return [
        (f"slice{number}/layers/__fire{f'_{place}' if place else ''}", squeezed)
        for number, counts in enumerate(SQUEEZED, 2)
        for place, squeezed in enumerate(counts)
    ]


def _pool_to_the_edge(x: Any) -> Any:
    """Maxima of 3x3 at every second pixel, also where only a part of the window is inside: sizes are rounded up."""
    height, width = x.shape[1:3]
    beyond = ((0, (height - 3) % 2), (0, (width - 3) % 2))  # zeros, below no feature after a ReLU
    return keras.layers.MaxPooling2D(3, 2, dtype="float32")(keras.layers.ZeroPadding2D(beyond, dtype="float32")(x))


def _convolution_shapes(place: str, size: int, channels: int, filters: int) -> Shapes:
    return {f"{place}/conv2d/vars/0": (size, size, channels, filters), f"{place}/conv2d/vars/1": (filters,)}


def _convolution(x: Any, shapes: Shapes, place: str, stride: int = 1, padding: str = "same") -> Any:
    size, _, _, filters = shapes[f"{place}/conv2d/vars/0"]
    options = {"activation": "relu", "kernel_initializer": "zeros", "dtype": "float32"}
    return keras.layers.Conv2D(filters, size, stride, padding, name=place.replace("/", "."), **options)(x)


_NETWORKS: dict[str, tuple[Callable[[], Shapes], Callable[[Any, Shapes], list[Any]]]] = {
    "alex": (_alex_shapes, _alex_slices),
    "squeeze": (_squeeze_shapes, _squeeze_slices),
}
