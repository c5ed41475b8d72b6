"""Measures against scikit-image and by hand."""

import numpy as np
import pytest
import tensorflow as tf
from facezoo.metrics import active_units, psnr
from skimage.metrics import peak_signal_noise_ratio


def test_psnr_is_scikit_images(pictures):
    noise = np.random.default_rng(0).normal(0, 0.05, pictures.shape) * np.linspace(0.1, 2, 8)[:, None, None, None]
    noisy = np.clip(pictures + noise, 0, 1).astype(np.float32)
    expected = [peak_signal_noise_ratio(one, other, data_range=1) for one, other in zip(pictures, noisy, strict=True)]
    np.testing.assert_allclose(psnr(pictures, noisy), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("difference", "decibel"), [(1.0, 0.0), (0.1, 20.0), (0.01, 40.0), (1e-6, 100.0), (0.0, 100.0)]
)
def test_psnr_by_hand_capped_at_a_hundred(difference, decibel):
    black = np.zeros((2, 4, 4, 3), np.float32)
    np.testing.assert_allclose(psnr(black, black + difference), [decibel, decibel], atol=1e-3)


def test_psnr_is_per_picture_and_in_float32():
    black = np.zeros((2, 4, 4, 1), np.float32)
    other = np.stack([black[0], black[1] + 0.5])
    values = psnr(tf.cast(black, tf.float16), tf.cast(other, tf.float16))
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, [100, -20 * np.log10(0.5)], atol=1e-3)


def test_active_units_count_variances_above_a_hundredth():
    # Two values +-s have the variance s^2: 0.0081, 0.0121, 0 and 4.
    signs = np.float32([[1], [-1], [1], [-1]])
    assert active_units(signs * np.float32([0.09, 0.11, 0.0, 2.0])) == 2


def test_active_units_ignore_a_constant_however_large():
    means = np.full((1000, 3), 1000.0, np.float32)
    means[:, 1] += np.linspace(-1, 1, 1000)
    assert active_units(means) == 1
