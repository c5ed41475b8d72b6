"""Errors of fine detail as the eye sees them: plain in flat parts, hidden where the picture has detail of its own."""

import functools

import numpy as np
import tensorflow as tf

TAPS = np.array((1.0, 4.0, 6.0, 4.0, 1.0), np.float32) / 16.0  # of a blur, twice on each axis: 1.4 pixels
LEAST_CONTRAST = 1.0 / 255.0


class DetailError:
    """Squared difference of fine detail over the picture's own detail nearby, as log(1 + x); its mean, [B].

    A difference as faint as a step of eight bits counts where the picture is flat, and hardly where it has texture:
    contrast masking, as in the normalised Laplacian pyramid (Laparra, Balle, Berardino, Simoncelli, "Perceptual image
    quality assessment using a normalized Laplacian pyramid", 2016), of which this is the finest level. Squared errors
    and SSIM do not see the grids that decoders weave into flat parts. The logarithm keeps edges from outweighing all.

    >>> flat = tf.fill((1, 8, 8, 3), 0.5)
    >>> DetailError()({"image": flat}, {"reconstruction": flat}).numpy().tolist()
    [0.0]

    Raises:
      ValueError: when it is called, the pictures are smaller than the blur.
    """

    def __call__(self, batch, outputs):
        wanted, given = (_detail(tf.cast(x, tf.float32)) for x in (batch["image"], outputs["reconstruction"]))
        contrast = _blur(tf.square(wanted)) + LEAST_CONTRAST**2
        return tf.reduce_mean(tf.math.log1p(tf.math.squared_difference(wanted, given) / contrast), axis=(1, 2, 3))


def _detail(images):
    return images - _blur(images)


def _blur(images):
    """Pictures averaged with their neighbours; beyond the edges they are mirrored: [B, H, W, C] -> the same shape.

    By products of matrices, of which a CPU does more in a second than of convolutions of few channels.
    """
    height, width = images.shape[1:3]
    if min(height, width) < len(TAPS) - 1:
        raise ValueError(f"detail needs pictures of at least {len(TAPS) - 1} pixels, got {height}x{width}")
    images = tf.einsum("hi,biwc->bhwc", _blurring(height), images)
    return tf.einsum("wj,bhjc->bhwc", _blurring(width), images)


@functools.cache
def _blurring(size: int) -> np.ndarray:
    """The matrix that blurs a line of pixels, [size, size]."""
    taps = np.convolve(TAPS, TAPS)
    reach = len(taps) // 2
    places = np.pad(np.arange(size), reach, "symmetric")  # of what is read beyond the edges
    matrix = np.zeros((size, size), np.float32)
    for row in range(size):
        np.add.at(matrix[row], places[row : row + len(taps)], taps)
    return matrix
