"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", 2004, eq. 13)."""

import numpy as np
import tensorflow as tf

WINDOW_SIZE = 11
WINDOW_SIGMA = 1.5
MOST_MATRIX = 256  # pixels of a side, beyond which matrices are slower than windows
_C1, _C2 = 0.01**2, 0.03**2  # (K1 L)^2 and (K2 L)^2 with the data range L = 1


def ssim(first, second):
    """Mean structural similarity of pictures in [0, 1]: two [B, H, W, C] -> [B], float32.

    Gaussian window of 11 pixels, sigma 1.5, biased covariance, valid positions only, averaged over channels.

    >>> picture = tf.fill((1, 16, 16, 3), 0.5)
    >>> ssim(picture, picture).numpy().tolist()
    [1.0]

    Raises:
      ValueError: the pictures are smaller than the window.
    """
    luminance, contrast_structure = similarity_maps(first, second)
    return tf.reduce_mean(luminance * contrast_structure, axis=(1, 2, 3))


def similarity_maps(first, second):
    """The two factors of `ssim` at every position: two [B, H, W, C] -> two float32 [B, H - 10, W - 10, C].

    Returns:
      How alike means are, and how alike deviations and patterns are, together.
    """
    first, second = tf.cast(first, tf.float32), tf.cast(second, tf.float32)
    if min(first.shape[1], first.shape[2]) < WINDOW_SIZE:
        raise ValueError(f"SSIM needs pictures of at least {WINDOW_SIZE} pixels, got {first.shape[1]}x{first.shape[2]}")
    mean_first, mean_second = _blur(first), _blur(second)
    squared_first, squared_second, product = (
        mean_first * mean_first,
        mean_second * mean_second,
        mean_first * mean_second,
    )
    # Picture by picture, so that of a picture with itself numerator and denominator are equal to the bit.
    variances = (_blur(first * first) - squared_first) + (_blur(second * second) - squared_second)
    covariance = _blur(first * second) - product
    luminance = (2 * product + _C1) / (squared_first + squared_second + _C1)
    contrast_structure = (2 * covariance + _C2) / (variances + _C2)
    return luminance, contrast_structure


class DSSIM:
    """Structural dissimilarity (1 - SSIM) / 2 of picture and reconstruction, [B], in [0, 1].

    >>> picture = tf.fill((1, 16, 16, 3), 0.5)
    >>> DSSIM()({"image": picture}, {"reconstruction": picture}).numpy().tolist()
    [0.0]
    """

    def __call__(self, batch, outputs):
        return (1.0 - ssim(batch["image"], outputs["reconstruction"])) / 2.0


def _blur(images):
    """Gaussian window in two passes of one dimension: [B, H, W, C] -> [B, H - 10, W - 10, C]."""
    # A GPU rounds matrices to ten bits (TensorFloat-32), too few for variances; a CPU is slow with windows.
    is_small = images.shape[2] <= MOST_MATRIX
    return _by_matrices(images) if is_small and not tf.config.list_physical_devices("GPU") else _by_windows(images)


def _by_windows(images):
    channels = images.shape[-1]
    for shape in ((WINDOW_SIZE, 1, 1, 1), (1, WINDOW_SIZE, 1, 1)):
        kernel = np.tile(_window().reshape(shape), (1, 1, channels, 1))
        images = tf.nn.depthwise_conv2d(images, kernel, strides=(1, 1, 1, 1), padding="VALID")
    return images


def _by_matrices(images):
    height, width, channels = images.shape[1:]
    rows = tf.reshape(images, (-1, width * channels))
    rows = tf.matmul(rows, np.kron(_band(width), np.eye(channels, dtype=np.float32)), transpose_b=True)
    columns = tf.einsum("oh,bhk->bok", _band(height), tf.reshape(rows, (-1, height, rows.shape[-1])))
    return tf.reshape(columns, (-1, height - WINDOW_SIZE + 1, width - WINDOW_SIZE + 1, channels))


def _band(size: int) -> np.ndarray:
    """A matrix [size - 10, size] that moves the window along a line."""
    places = np.arange(size - WINDOW_SIZE + 1)[:, None]
    band = np.zeros((len(places), size), np.float32)
    band[places, places + np.arange(WINDOW_SIZE)] = _window()
    return band


def _window() -> np.ndarray:
    offsets = np.arange(WINDOW_SIZE) - WINDOW_SIZE // 2
    window = np.exp(-0.5 * (offsets / WINDOW_SIGMA) ** 2)
    return (window / window.sum()).astype(np.float32)
