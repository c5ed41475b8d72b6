"""Networks with fewer channels: a new functional model, from which the least important ones are gone.

What must be the same channels - before and after an activation, at both sides of a sum - is found by following the
graph. Li et al., "Pruning Filters for Efficient ConvNets" (2017); groups of layers as Fang et al., "DepGraph" (2023).
"""

import dataclasses
import functools
import math
from collections.abc import Iterable

import keras
import numpy as np

from .decoders import JoinedPatches, PlaceBias
from .kernels import read

_DENSE = (keras.layers.Dense, keras.layers.Conv2D)
_TRANSPOSED = keras.layers.Conv2DTranspose
# Layers that treat every channel by itself and alike, and have no weights.
CHANNELWISE = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianNoise,
    keras.layers.UpSampling2D,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
)
_SUMS = (keras.layers.Add, keras.layers.Subtract, keras.layers.Multiply, keras.layers.Average, keras.layers.Maximum)
_FOLDS = (keras.layers.Reshape, keras.layers.Flatten, JoinedPatches)  # after which index i is channel i % C
MULTIPLE = 4  # of which the channels that stay are a number, where there are many: what processors are made for


@dataclasses.dataclass(eq=False)
class _Group:
    """Channels that stay or go together.

    Attributes:
      size: how many there are.
      is_fixed: they are the network's own inputs or outputs, and stay.
      parent: the group that it has become a part of.
    """

    size: int
    is_fixed: bool = False
    parent: "_Group | None" = None

    def root(self) -> "_Group":
        return self if self.parent is None else self.parent.root()


@dataclasses.dataclass(frozen=True)
class _Use:
    """A layer with weights, and the groups of what goes in and comes out."""

    layer: keras.layers.Layer
    inside: _Group
    outside: _Group


def prune_channels(
    network: keras.Model, share: float, channelwise: Iterable[type] = (), folding: Iterable[type] = ()
) -> keras.Model:
    """A new model without a share of the channels of every hidden layer, with the weights of those that stay.

    Which stay is said by the norms of the kernels' parts that make and that read them. Input and output are as before.

    Args:
      network: a built functional model of one output, of convolutions, dense layers, batch normalisation, activations,
        enlargement, pooling, reshapes and sums.
      share: that goes of each hidden layer's channels, in [0, 1).
      channelwise: classes of layers without weights that treat each channel by itself, besides Keras' own.
      folding: classes of layers that move numbers from channels to places so that index i becomes channel i % C.

    Raises:
      ValueError: the share is out of its range, or the network has a layer that cannot be made narrower.
    """
    narrow = narrow_channels(network, share, channelwise, folding)
    inherit_channels(narrow, network, share, channelwise, folding)
    return narrow


def narrow_channels(
    network: keras.Model, share: float, channelwise: Iterable[type] = (), folding: Iterable[type] = ()
) -> keras.Model:
    """As `prune_channels`, with new weights: the shapes follow from the network's shapes alone."""
    if not 0.0 <= share < 1.0:
        raise ValueError(f"share={share} must be at least 0 and below 1")
    if not (hasattr(network, "inputs") and hasattr(network, "operations")):
        raise ValueError(f"{network.name} is no functional model, of which alone the graph is known")
    uses, folds = _follow(network, (*CHANNELWISE, *channelwise), (*_FOLDS, *folding))
    kept = {key: np.arange(_count_kept(group, share)) for key, group in _list_groups(uses).items()}
    widths = {use.layer.name: len(_find_rows(kept, use.outside, use.layer.output.shape[-1])) for use in uses}
    return keras.models.clone_model(
        network, clone_function=lambda layer: _narrow_layer(layer, widths, folds.get(layer.name), kept)
    )


def inherit_channels(
    narrow: keras.Model,
    network: keras.Model,
    share: float,
    channelwise: Iterable[type] = (),
    folding: Iterable[type[keras.layers.Layer]] = (),
) -> None:
    """Gives a model that `narrow_channels` has made the weights of the network's most important channels."""
    uses, _ = _follow(network, (*CHANNELWISE, *channelwise), (*_FOLDS, *folding))
    kept = _choose(uses, share)
    for use in uses:
        _copy(use, narrow.get_layer(use.layer.name), kept)


def _follow(network, channelwise: tuple[type, ...], folding: tuple[type[keras.layers.Layer], ...]):
    """The layers with weights and the groups around them; and for each reshape the group that comes out of it."""
    groups = {id(tensor): _Group(tensor.shape[-1], is_fixed=True) for tensor in network.inputs}
    uses: list[_Use] = []
    folds: dict[str, _Group] = {}
    for layer, inputs, output in _calls(network):
        inside = functools.reduce(_join, (groups[id(tensor)].root() for tensor in inputs))
        outside = inside
        if isinstance(layer, (*_DENSE, _TRANSPOSED)) and getattr(layer, "groups", 1) == 1:
            outside = _Group(output.shape[-1])
            uses.append(_Use(layer, inside, outside))
        elif _keeps_channels(layer, output):
            uses.append(_Use(layer, inside, inside))
        elif isinstance(layer, folding):
            _fold(network, layer, inside, output.shape[-1])
            folds[layer.name] = inside
        elif not (_is_sum(layer, inputs) or (len(inputs) == 1 and isinstance(layer, channelwise))):
            raise _refuse(network, layer)
        groups[id(output)] = outside
    for tensor in network.outputs:
        groups[id(tensor)].root().is_fixed = True
    return uses, folds


def _calls(network):
    """Every layer or operation of a functional model behind its inputs, with its input tensors and its output."""
    for layer in network.operations:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        try:
            inputs, output = layer.input, layer.output
        except (AttributeError, ValueError) as error:
            raise _refuse(network, layer) from error  # it is called more than once
        inputs = inputs if isinstance(inputs, list | tuple) else [inputs]
        if not inputs or not all(hasattr(tensor, "shape") for tensor in (*inputs, output)):
            raise _refuse(network, layer)
        yield layer, inputs, output


def _keeps_channels(layer, output) -> bool:
    """Whether a layer with weights treats each channel by itself."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return layer.axis in (-1, len(output.shape) - 1)
    return isinstance(layer, PlaceBias) or (
        isinstance(layer, keras.layers.DepthwiseConv2D) and layer.depth_multiplier == 1
    )


def _is_sum(layer, inputs) -> bool:
    """Whether it adds or multiplies tensors channel by channel, be it Keras' layer or what `+` makes."""
    is_known = isinstance(layer, _SUMS) or type(layer).__name__ in ("Add", "Subtract", "Multiply")
    return is_known and len(inputs) > 1 and len({tensor.shape[-1] for tensor in inputs}) == 1


def _refuse(network, layer) -> ValueError:
    return ValueError(f"{network.name}: a {type(layer).__name__} ({layer.name}) cannot be made narrower")


def _join(one: _Group, other: _Group) -> _Group:
    """Makes two groups one; where one has been folded, both are."""
    one, other = one.root(), other.root()
    if one is not other:
        one.size = math.gcd(one.size, other.size)
        one.is_fixed |= other.is_fixed
        other.parent = one
    return one


def _fold(network, layer, group: _Group, channels: int) -> None:
    """Has a group's channels be as many as come out of a layer, each of which stands for several that go in."""
    size = math.gcd(group.size, channels)
    if size != min(group.size, channels):
        raise _refuse(network, layer)
    group.size = size


def _list_groups(uses: list[_Use]) -> dict[int, _Group]:
    return {id(group.root()): group.root() for use in uses for group in (use.inside, use.outside)}


def _count_kept(group: _Group, share: float) -> int:
    if group.is_fixed or not share:
        return group.size
    multiple = MULTIPLE if group.size >= 4 * MULTIPLE else 1
    return min(group.size, max(1, round(group.size * (1.0 - share) / multiple)) * multiple)


def _choose(uses: list[_Use], share: float) -> dict[int, np.ndarray]:
    """For each group the numbers of the channels that stay, in order."""
    groups = _list_groups(uses)
    importance = {key: np.zeros(group.size) for key, group in groups.items()}
    for use in uses:
        if isinstance(use.layer, (*_DENSE, _TRANSPOSED)):
            sizes = _as_matrix(use.layer)
            for group, totals in ((use.inside.root(), sizes.sum(1)), (use.outside.root(), sizes.sum(0))):
                each = totals.reshape(-1, group.size).sum(0)
                importance[id(group)] += each / max(each.sum(), 1e-30)
    order = {key: np.argsort(-importance[key], kind="stable") for key in groups}
    return {key: np.sort(order[key][: _count_kept(group, share)]) for key, group in groups.items()}


def _as_matrix(layer) -> np.ndarray:
    """The squared size of a kernel from each input to each output channel: [inputs, outputs]."""
    kernel = read(layer.kernel)
    if isinstance(layer, _TRANSPOSED):
        kernel = np.swapaxes(kernel, -1, -2)
    return np.square(kernel).sum(axis=tuple(range(kernel.ndim - 2)))


def _find_rows(kept: dict[int, np.ndarray], group: _Group, size: int) -> np.ndarray:
    """Which of the numbers of a tensor's last axis stay, where index i is channel i % C of the group."""
    root = group.root()
    starts = np.arange(0, size, root.size)
    return (starts[:, None] + kept[id(root)]).ravel()


def _narrow_layer(layer, widths: dict[str, int], fold: _Group | None, kept: dict[int, np.ndarray]):
    """A new layer with as many channels as stay, which learns even where the old one was frozen."""
    config = layer.get_config()
    if isinstance(layer, keras.layers.Layer):  # and no operation such as `+`
        config["trainable"] = True
    if isinstance(layer, keras.layers.Dense):
        config["units"] = widths[layer.name]
    elif isinstance(layer, keras.layers.Conv2D | _TRANSPOSED):
        config["filters"] = widths[layer.name]
    elif isinstance(layer, keras.layers.Reshape) and fold is not None:
        *places, size = config["target_shape"]
        config["target_shape"] = (*places, len(_find_rows(kept, fold, size)))
    return type(layer).from_config(config)


def _copy(use: _Use, narrow: keras.layers.Layer, kept: dict[int, np.ndarray]) -> None:
    """Gives a new layer the weights of the channels that stay."""
    layer = use.layer
    weights = []
    for variable in layer.weights:
        numbers = read(variable)
        if variable is not getattr(layer, "kernel", None):
            numbers = numbers[..., _find_rows(kept, use.outside, numbers.shape[-1])]
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            numbers = numbers[..., _find_rows(kept, use.inside, numbers.shape[-2]), :]
        else:
            axes = (-1, -2) if isinstance(layer, _TRANSPOSED) else (-2, -1)
            for axis, group in zip(axes, (use.inside, use.outside), strict=True):
                numbers = np.take(numbers, _find_rows(kept, group, numbers.shape[axis]), axis)
        weights.append(numbers)
    narrow.set_weights(weights)
