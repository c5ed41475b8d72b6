"""Measures of reconstruction and of the code."""

import numpy as np
import tensorflow as tf

MAX_PSNR = 100.0
ACTIVE_VARIANCE = 0.01


def psnr(images, reconstructions):
    """Peak signal-to-noise ratio per picture in dB, capped at 100: two float [B, H, W, C] in [0, 1] -> [B]."""
    squared = tf.math.squared_difference(tf.cast(images, tf.float32), tf.cast(reconstructions, tf.float32))
    mean_squared = tf.maximum(tf.reduce_mean(squared, axis=(1, 2, 3)), 10.0 ** (-MAX_PSNR / 10.0))
    return -10.0 / np.log(10.0) * tf.math.log(mean_squared)


def active_units(means: np.ndarray) -> int:
    """How many dimensions of the code carry something: variance of the mean over the data above 0.01.

    Args:
      means: [N, D].

    Source: Burda, Grosse, Salakhutdinov, "Importance weighted autoencoders" (2016), section 5.
    """
    return int((np.var(means.astype(np.float64), axis=0) > ACTIVE_VARIANCE).sum())
