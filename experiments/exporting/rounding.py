"""Kernels rounded to a few levels: symmetric, with a scale for each channel of a layer's output."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

# Where a kernel has its channels, by the class of its layer; the last dimension of all others.
CHANNEL_AXES = {"Conv2DTranspose": -2, "DepthwiseConv2D": -2}
TINY = 1e-30  # scale of a channel of zeros


def round_kernel(kernel: np.ndarray, axis: int, bits: int) -> np.ndarray:
    """A kernel on the grid of -m ... m times a channel's scale, where m = 2^(bits - 1) - 1 is its largest weight.

    Whoever takes the scale from the largest weight, as quantisers do, finds the same grid; and a kernel that lies on it
    stays as it is. To clip a few large weights for finer steps is better for some decoders and much worse for others.

    Args:
      kernel: float32, of any shape.
      axis: of its channels.
      bits: at least 2.
    """
    numbers, scales = find_levels(kernel, axis, bits)
    return (numbers * scales).astype(np.float32)


def find_levels(kernel: np.ndarray, axis: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The whole numbers of such a grid, int8 of the kernel's shape, and the scales that they are multiplied by."""
    most = 2 ** (bits - 1) - 1
    others = tuple(place for place in range(kernel.ndim) if place != axis % kernel.ndim)
    scales = np.maximum(np.abs(kernel).max(axis=others, keepdims=True) / most, TINY).astype(np.float32)
    return np.clip(np.rint(kernel / scales), -most, most).astype(np.int8), scales


@contextlib.contextmanager
def rounded_kernels(layers: Iterable[Any], bits: int) -> Iterator[None]:
    """Within, Keras layers have their kernels rounded."""
    before = [(layer.kernel, np.array(layer.kernel), CHANNEL_AXES.get(type(layer).__name__, -1)) for layer in layers]
    try:
        for variable, kernel, axis in before:
            variable.assign(round_kernel(kernel, axis, bits))
        yield
    finally:
        for variable, kernel, _ in before:
            variable.assign(kernel)
