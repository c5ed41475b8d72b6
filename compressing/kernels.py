"""The kernels of a network: what is pruned and rounded, and along which axis their output channels lie."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

# Of what is made of these the axis of output channels is the last one, but for what follows.
_LAYERS = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
)
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


class Kernel(NamedTuple):
    """A layer's kernel.

    Attributes:
      layer: whose it is.
      variable: of its numbers.
      channel_axes: of the output channels: one axis, or two of a depthwise kernel.
    """

    layer: keras.layers.Layer
    variable: keras.Variable
    channel_axes: tuple[int, ...]

    @property
    def other_axes(self) -> tuple[int, ...]:
        """Those that belong to one output channel."""
        return tuple(axis for axis in range(len(self.variable.shape)) if axis not in self.channel_axes)


def find_kernels(networks: Any) -> list[Kernel]:
    """The kernels of all dense and convolutional layers of a built network, at any depth, each once.

    Args:
      networks: a network, a layer, or several.

    Raises:
      ValueError: there is none.
    """
    parts = [networks] if hasattr(networks, "weights") else list(networks)
    found = {id(layer): layer for part in parts for layer in _walk(part) if isinstance(layer, _LAYERS)}
    if not found:
        names = ", ".join(part.name for part in parts)
        raise ValueError(f"{names or 'nothing'} has no dense or convolutional layers")
    return [_as_kernel(layer) for layer in found.values()]


def _walk(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """A layer and all that it holds: a model's layers, or what stands in a layer's attributes."""
    yield layer
    if hasattr(layer, "layers"):  # which models have
        held = layer.layers
    else:
        parts = [part for value in vars(layer).values() for part in (value if isinstance(value, list) else [value])]
        held = [part for part in parts if isinstance(part, keras.layers.Layer)]
    for part in held:
        yield from _walk(part)


def _as_kernel(layer) -> Kernel:
    last = len(layer.kernel.shape) - 1
    if isinstance(layer, _DEPTHWISE):
        return Kernel(layer, layer.kernel, (last - 1, last))
    return Kernel(layer, layer.kernel, (last - 1,) if isinstance(layer, _TRANSPOSED) else (last,))


def read(variable: keras.Variable) -> np.ndarray:
    """The numbers of a variable."""
    return keras.ops.convert_to_numpy(variable)
