"""Measures against scikit-image and by hand."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
from facezoo.metrics import active_units, psnr
from facezoo.metrics.frechet import compare_moments, frechet_distance
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


# The Fréchet distance.


def gaussians(seed=0, dimensions=5):
    """Two means and covariances in no particular relation."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(2, dimensions, dimensions))
    return rng.normal(size=(2, dimensions)), roots @ roots.swapaxes(1, 2)


def test_the_frechet_distance_of_two_gaussians_in_one_dimension():
    found = compare_moments(np.array([1.0]), np.array([[4.0]]), np.array([-2.0]), np.array([[9.0]]))
    assert found == pytest.approx(3**2 + (3 - 2) ** 2)


def test_the_frechet_distance_is_the_formula_with_the_root_of_the_product():
    means, covariances = gaussians()
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.sum((means[0] - means[1]) ** 2) + np.trace(covariances[0] + covariances[1] - 2 * root)
    found = compare_moments(means[0], covariances[0], means[1], covariances[1])
    assert found == pytest.approx(expected, rel=1e-9)
    assert found == pytest.approx(compare_moments(means[1], covariances[1], means[0], covariances[0]))


def test_equal_sets_are_0_apart_and_shifted_ones_by_the_shift():
    features = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32) * np.float32(100)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(features, features[::-1]) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(features, features + np.float32(2)) == pytest.approx(8 * 2**2, rel=1e-4)


def test_samples_come_near_the_distance_of_what_they_were_drawn_from():
    means, covariances = gaussians(dimensions=3)
    rng = np.random.default_rng(1)
    samples = [
        rng.multivariate_normal(mean, covariance, 50_000) for mean, covariance in zip(means, covariances, strict=True)
    ]
    expected = compare_moments(means[0], covariances[0], means[1], covariances[1])
    assert frechet_distance(*samples) == pytest.approx(expected, rel=0.03)


def test_singular_covariances_are_no_trouble():
    # Two lines at a right angle: the root of the product is 0.
    zeros = np.zeros(2)
    assert compare_moments(zeros, np.diag([4.0, 0]), zeros, np.diag([0, 9.0])) == pytest.approx(13)
    assert compare_moments(zeros, np.diag([4.0, 0]), zeros, np.diag([9.0, 0])) == pytest.approx(1)
    few = np.random.default_rng(0).normal(size=(10, 200))  # fewer pictures than features
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(few, 3 * few) == pytest.approx(
        np.sum((2 * few.mean(axis=0)) ** 2) + 4 * np.trace(np.cov(few.T)), rel=1e-6
    )


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros((5, 3)), np.zeros((5, 2)), "3 and of 2 dimensions"),
        (np.zeros((1, 3)), np.zeros((5, 3)), r"at least 2 pictures must be finite numbers, not \(1, 3\)"),
        (np.zeros((5, 3)), np.full((5, 3), np.nan), "finite numbers"),
        (np.zeros(5), np.zeros(5), "features"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(first, second, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(first, second)
