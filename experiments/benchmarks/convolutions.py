"""The best rate at which this machine convolves: the yardstick of a training step's share."""

import time

import tensorflow as tf

from .flops import count_flops

# Side, channels in, channels out, kernel: of VGG, and of facenet's blocks.
VGG_SHAPES = ((64, 64, 64, 3), (32, 128, 128, 3), (16, 256, 256, 3))
BLOCK_SHAPES = ((32, 32, 32, 4), (16, 64, 64, 4), (8, 128, 128, 4))
REPETITIONS = 5


class BestConvolution:
    """That forward convolution among the shapes above that has the highest rate; calling it does so many.

    Args:
      batch_size: pictures at once.
      dtype: "bfloat16", "float16" or "float32".
    """

    def __init__(self, batch_size: int, dtype: str):
        self._chosen = max((_Convolution(shape, batch_size, dtype) for shape in VGG_SHAPES + BLOCK_SHAPES), key=_rate)

    def __call__(self, count: int) -> None:
        self._chosen.repeat(count)

    def flops(self) -> int:
        """Returns those of one convolution."""
        return self._chosen.flops()


class _Convolution:
    def __init__(self, shape: tuple[int, int, int, int], batch_size: int, dtype: str):
        side, channels, filters, kernel_size = shape
        self._maps = tf.cast(tf.random.normal((batch_size, side, side, channels)), dtype)
        self._kernel = tf.cast(tf.random.normal((kernel_size, kernel_size, channels, filters)), dtype)
        self._convolve = tf.function(lambda maps, kernel: tf.nn.conv2d(maps, kernel, 1, "SAME"))

    def repeat(self, count: int) -> None:
        for _ in range(count):
            maps = self._convolve(self._maps, self._kernel)
        maps.numpy()

    def flops(self) -> int:
        return count_flops(self._convolve.get_concrete_function(self._maps, self._kernel).graph)


def _rate(convolution: _Convolution) -> float:
    """Floating-point operations a second."""
    convolution.repeat(1)
    start = time.perf_counter()
    convolution.repeat(REPETITIONS)
    return convolution.flops() * REPETITIONS / (time.perf_counter() - start)
