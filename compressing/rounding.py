"""Kernels on a coarse grid: as many numbers as four or eight bits tell apart, with a step for each output channel."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np

from .kernels import Kernel, find_kernels, read

# Of 4 bits: the largest number of a kernel in root mean squares of its channel, to which larger ones are set. 2.7 makes
# the squared error of a normal distribution smallest; trained decoders, which have more large numbers, lose less here.
CLIPPED_AT = {4: 3.1}
NEAR = 1e-4  # how near to integers numbers of a grid are


class Grid(NamedTuple):
    """What a kernel is rounded to: `scale * integers`. Grids are symmetric, so that the zero point is 0.

    Attributes:
      integers: int8, as the kernel; in [-7, 7] of 4 bits, in [-127, 127] of 8.
      scale: float32, of each output channel; its shape goes with the kernel's.
      zero_point: 0.
    """

    integers: np.ndarray
    scale: np.ndarray
    zero_point: int = 0


def find_grid(kernel: Kernel, bits: int) -> Grid:
    """The grid that a kernel is rounded to.

    A kernel that is rounded already has its own grid: the integers times the scale are the kernel, within rounding of
    float32. A quantiser which takes the largest number of a channel for the largest integer finds the same.

    Args:
      kernel: of `find_kernels`.
      bits: 4 or 8.
    """
    numbers = read(kernel.variable)
    plain = _find_scale(numbers, kernel.other_axes, bits, is_clipped=False)
    is_rounded = np.max(np.abs(numbers / plain - np.round(numbers / plain))) < NEAR
    return _as_grid(numbers, plain if is_rounded else _find_scale(numbers, kernel.other_axes, bits), bits)


def find_plain_grid(numbers: np.ndarray, axes: tuple[int, ...], bits: int) -> Grid:
    """The grid that quantisers take: the largest number of a channel is the largest integer.

    Args:
      numbers: of a kernel, float32 of any shape.
      axes: those that belong to one output channel.
      bits: 4 or 8.
    """
    return _as_grid(numbers, _find_scale(numbers, axes, bits, is_clipped=False), bits)


def round_kernels(networks, bits: int) -> None:
    """Rounds the kernels of a network to their grids, each output channel to its own."""
    for kernel in find_kernels(networks):
        grid = find_grid(kernel, bits)
        kernel.variable.assign(grid.scale * grid.integers)


class KernelRounding(keras.callbacks.Callback):
    """Trains a network whose kernels are rounded: quantisation-aware training of weights.

    The network's kernels always are the rounded ones, in training, in validation and when it is saved, so that a later
    quantiser loses nothing. What an update changes them by is added to exact kernels that are kept here, and those are
    rounded anew. That is the straight-through gradient (Bengio et al., "Estimating or propagating gradients through
    stochastic neurons" (2013); Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference" (2018)): found at the rounded kernels, applied to the exact ones.

    For `fit`, or for any loop that calls `on_train_begin` before its first update, and `on_train_batch_end` after each;
    under every strategy of tf.distribute. What is saved within `exact()` goes on as if it had not been interrupted,
    bit for bit.

    Args:
      networks: whose kernels are rounded, built; None is the model that is trained.
      bits: 4 or 8.

    Raises:
      ValueError: other bits.
    """

    def __init__(self, networks=None, *, bits: int = 4):
        super().__init__()
        if bits not in (4, 8):
            raise ValueError(f"bits={bits} must be 4 or 8")
        self.networks, self.bits = networks, bits
        self._kernels: list[Kernel] = []
        self._exact: list[keras.Variable] = []

    def on_train_begin(self, logs=None):
        """Takes the kernels as they are for the exact ones, and rounds them."""
        self._kernels = find_kernels(self.model if self.networks is None else self.networks)
        self._exact = [
            keras.Variable(read(kernel.variable), dtype=kernel.variable.dtype, trainable=False)
            for kernel in self._kernels
        ]
        self._round()

    def on_train_batch_end(self, batch, logs=None):
        """Moves the exact kernels as the update has moved the rounded ones, and rounds them anew."""
        for kernel, exact in zip(self._kernels, self._exact, strict=True):
            rounded = _round(kernel, exact.value, self.bits)
            exact.assign(exact.value + (kernel.variable.value - rounded))
        self._round()

    def _round(self) -> None:
        for kernel, exact in zip(self._kernels, self._exact, strict=True):
            kernel.variable.assign(_round(kernel, exact.value, self.bits))

    @contextlib.contextmanager
    def exact(self) -> Iterator[None]:
        """Within, the network has its exact kernels: what a training goes on from is saved here."""
        for kernel, exact in zip(self._kernels, self._exact, strict=True):
            kernel.variable.assign(exact.value)
        try:
            yield
        finally:
            self._round()


def _round(kernel: Kernel, numbers, bits: int):
    scale = _find_scale(numbers, kernel.other_axes, bits)
    return scale * keras.ops.cast(_find_integers(numbers, scale, bits), scale.dtype)


def _find_scale(numbers, axes: tuple[int, ...], bits: int, is_clipped: bool = True):
    """The step of each output channel's grid: by its largest number, or by what that is clipped to."""
    numbers = keras.ops.convert_to_tensor(numbers)
    largest = keras.ops.max(keras.ops.abs(numbers), axis=axes, keepdims=True)
    if is_clipped and bits in CLIPPED_AT:
        clip = CLIPPED_AT[bits] * keras.ops.sqrt(keras.ops.mean(keras.ops.square(numbers), axis=axes, keepdims=True))
        largest = keras.ops.minimum(largest, clip)
    return keras.ops.maximum(largest, 1e-30) / (2 ** (bits - 1) - 1)


def _as_grid(numbers: np.ndarray, scale, bits: int) -> Grid:
    integers = read(_find_integers(numbers, scale, bits))
    return Grid(integers.astype(np.int8), read(scale).astype(np.float32))


def _find_integers(numbers, scale, bits: int):
    most = 2 ** (bits - 1) - 1
    return keras.ops.clip(keras.ops.round(numbers / scale), -most, most)
