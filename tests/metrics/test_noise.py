"""Noise that was found, held against noise that is drawn."""

import numpy as np
import pytest
from facezoo.metrics import noise_deviation, noise_kurtosis


def test_normal_noise_has_deviation_1_and_kurtosis_3():
    noise = np.random.default_rng(0).standard_normal((4, 8, 8, 500)).astype(np.float32)
    np.testing.assert_allclose(noise_deviation(noise), 1.0, atol=0.02)
    np.testing.assert_allclose(noise_kurtosis(noise), 3.0, atol=0.1)
    np.testing.assert_allclose(noise_kurtosis(5.0 * noise + 1.0), noise_kurtosis(noise), rtol=1e-4)


def test_known_distributions():
    flat = np.tile(np.linspace(-1.0, 1.0, 100_001), (2, 1))
    np.testing.assert_allclose(noise_deviation(flat), 3.0**-0.5, rtol=1e-4)
    np.testing.assert_allclose(noise_kurtosis(flat), 1.8, rtol=1e-4)
    assert noise_kurtosis(np.array([[1.0, -1.0, 1.0, -1.0]])) == pytest.approx(1.0)
