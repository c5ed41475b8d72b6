"""Measures of reconstruction and of the code."""

import numpy as np
import tensorflow as tf

from ..losses.ssim import WINDOW_SIZE, similarity_maps

MAX_PSNR = 100.0
ACTIVE_VARIANCE = 0.01
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of five scales, the finest first


def psnr(images, reconstructions):
    """Peak signal-to-noise ratio per picture in dB, capped at 100: two float [B, H, W, C] in [0, 1] -> [B].

    >>> psnr(np.ones((1, 4, 4, 3)), np.full((1, 4, 4, 3), 0.9)).numpy().round(3).tolist()
    [20.0]
    """
    squared = tf.math.squared_difference(tf.cast(images, tf.float32), tf.cast(reconstructions, tf.float32))
    mean_squared = tf.maximum(tf.reduce_mean(squared, axis=(1, 2, 3)), 10.0 ** (-MAX_PSNR / 10.0))
    return -10.0 / np.log(10.0) * tf.math.log(mean_squared)


def ms_ssim(images, reconstructions):
    """Structural similarity at several scales: two float [B, H, W, C] in [0, 1] -> [B].

    Wang, Simoncelli, Bovik, "Multi-scale structural similarity for image quality assessment" (2003), equation 7, with
    its weights of five scales. In pictures of less than 161 pixels the window of 11 finds no room at the coarsest: the
    weights of the scales that there are, three at 64 pixels, are then divided by their sum.

    >>> picture = np.full((1, 32, 32, 3), 0.5)
    >>> ms_ssim(picture, picture).numpy().tolist()
    [1.0]

    Raises:
      ValueError: the pictures are smaller than the window.
    """
    first, second = (tf.cast(pictures, tf.float32) for pictures in (images, reconstructions))
    count = num_scales(min(first.shape[1], first.shape[2]))
    weights = np.array(MS_SSIM_WEIGHTS[:count]) / sum(MS_SSIM_WEIGHTS[:count])
    value = tf.ones((), tf.float32)
    for scale, weight in enumerate(weights):
        luminance, contrast_structure = similarity_maps(first, second)
        maps = luminance * contrast_structure if scale == count - 1 else contrast_structure
        value *= tf.nn.relu(tf.reduce_mean(maps, axis=(1, 2))) ** weight  # [B, C]
        first, second = (tf.nn.avg_pool2d(pictures, 2, 2, "SAME") for pictures in (first, second))
    return tf.reduce_mean(value, axis=-1)


def num_scales(side: int) -> int:
    """How many scales `ms_ssim` has for pictures of a side in pixels, at least 1."""
    fitting = [count for count in range(1, len(MS_SSIM_WEIGHTS)) if -(-side // 2**count) >= WINDOW_SIZE]
    return 1 + len(fitting)


def active_units(means: np.ndarray) -> int:
    """How many dimensions of the code carry something: variance of the mean over the data above 0.01.

    >>> active_units(np.array([[0.0, 1.0], [0.0, -1.0]]))
    1

    Args:
      means: [N, D].

    Source: Burda, Grosse, Salakhutdinov, "Importance weighted autoencoders" (2016), section 5.
    """
    return int((np.var(means.astype(np.float64), axis=0) > ACTIVE_VARIANCE).sum())
