"""Distances of whole sets: the kernel distance by hand, and both in the right order with the real features."""

import itertools
import os

import numpy as np
import pytest
from facezoo.datasets.procedural import procedural_faces
from facezoo.metrics import PooledFeatures, frechet_distance, kernel_distance, standardise
from scipy.ndimage import gaussian_filter

needs_real_weights = pytest.mark.skipif("FACEZOO_WEIGHTS" not in os.environ, reason="FACEZOO_WEIGHTS is not set")


def kernel(x, y):
    return (float(np.dot(x, y)) / len(x) + 1.0) ** 3


def by_hand(first, second):
    within = [np.mean([kernel(x, y) for x, y in itertools.permutations(rows, 2)]) for rows in (first, second)]
    return sum(within) - 2 * np.mean([kernel(x, y) for x in first for y in second])


def test_the_kernel_distance_is_the_formula():
    first, second = np.random.default_rng(0).normal(size=(2, 9, 4))
    assert kernel_distance(first, second[:7]) == pytest.approx(by_hand(first, second[:7]), rel=1e-9)


def test_the_kernel_distance_in_numbers_by_hand():
    # k(1, 3) = 64, k(0, 2) = 1; k(1, 0) = k(3, 0) = 1, k(1, 2) = 27, k(3, 2) = 343.
    first, second = np.array([[1.0], [3.0]]), np.array([[0.0], [2.0]])
    assert kernel_distance(first, second) == pytest.approx(64 + 1 - 2 * (1 + 1 + 27 + 343) / 4)


def test_sets_drawn_alike_are_0_apart_on_average():
    numbers = np.random.default_rng(0)
    found = [kernel_distance(*numbers.normal(size=(2, 30, 3))) for _ in range(60)]
    assert np.mean(found) == pytest.approx(0, abs=3 * np.std(found) / np.sqrt(60))
    assert np.mean(found) < kernel_distance(numbers.normal(size=(30, 3)), 1 + numbers.normal(size=(30, 3)))


def test_more_rows_than_are_compared_at_once(monkeypatch):
    first, second = np.random.default_rng(0).normal(size=(2, 50, 4)).astype(np.float32)
    expected = kernel_distance(first, second)
    monkeypatch.setattr("facezoo.metrics.kernel.ROWS_AT_ONCE", 7)
    assert kernel_distance(first, second) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros((5, 3)), np.zeros((5, 2)), "3 and of 2 dimensions"),
        (np.zeros((1, 3)), np.zeros((5, 3)), r"at least 2 pictures must be finite numbers, not \(1, 3\)"),
        (np.zeros((5, 3)), np.full((5, 3), np.inf), "finite numbers"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(first, second, message):
    with pytest.raises(ValueError, match=message):
        kernel_distance(first, second)


def test_standardised_features_vary_alike_but_for_those_that_hardly_ever_fire():
    features = np.random.default_rng(0).normal(size=(500, 6)) * [1, 10, 1e-4, 100, 100, 0] + 3
    (found, other) = standardise(features, features[:3], layer_size=3)
    layers = np.sqrt(np.mean(np.square(features.std(axis=0).reshape(2, 3)), axis=1))
    np.testing.assert_allclose(found.std(axis=0)[[1, 3, 4]], 1, rtol=1e-4)
    np.testing.assert_allclose(found.std(axis=0)[2], features.std(axis=0)[2] / (0.1 * layers[0]), rtol=1e-2, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0)[5], 0, atol=1e-5)
    np.testing.assert_array_equal(found[:3], other)
    assert found.dtype == np.float32


@needs_real_weights
def test_a_set_is_nearest_to_itself_then_to_its_mirror_then_to_its_blur():
    faces = procedural_faces("test", image_size=32).load(np.arange(96))["image"].astype(np.float32) / 255
    features_of = PooledFeatures(32)
    blurred = [gaussian_filter(faces, (0, sigma, sigma, 0)) for sigma in (1.0, 2.0)]
    sets = [features_of(images).numpy() for images in (faces, faces[:, :, ::-1], *blurred)]
    assert sets[0].shape == (96, 1024)
    pairs = [standardise(sets[0], other) for other in sets]
    for distance in (kernel_distance, frechet_distance):
        found = [distance(*pair) for pair in pairs]
        assert found == sorted(found), distance
        assert found[2] > found[1] + 1e-3, found
    assert frechet_distance(*pairs[0]) == pytest.approx(0, abs=1e-2)
