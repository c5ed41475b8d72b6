"""Thin plates and pictures looked up where they lead."""

import numpy as np
import pytest
from facezoo.warping.blurring import blur, enlarge
from facezoo.warping.thin_plates import Sampler, bend_plate
from scipy import ndimage
from scipy.interpolate import RBFInterpolator


def random_points(count=20):
    numbers = np.random.default_rng(0)
    return numbers.uniform(0.1, 0.9, (count, 2)), numbers.normal(0.0, 0.03, (count, 2))


def pixel_centres(height, width):
    y, x = (np.mgrid[0:height, 0:width] + 0.5) / np.array([height, width])[:, None, None]
    return np.stack([x, y], axis=-1)


def test_a_plate_is_scipy_s():
    points, moves = random_points()
    expected = RBFInterpolator(points, moves, kernel="thin_plate_spline")(pixel_centres(48, 40).reshape(-1, 2))
    np.testing.assert_allclose(bend_plate(points, moves, (48, 40)), expected.reshape(48, 40, 2), atol=1e-4)


def test_a_plate_goes_through_its_points_and_a_stiff_one_hardly_bends():
    points, moves = random_points()
    field = bend_plate(points, moves, (200, 200))
    at_points = [field[int(200 * y), int(200 * x)] for x, y in points]
    np.testing.assert_allclose(at_points, moves, atol=8e-3)
    stiff = bend_plate(points, moves, (200, 200), stiffness=1e6)
    affine = np.linalg.lstsq(np.c_[np.ones(20), points], moves, rcond=None)[0]
    np.testing.assert_allclose(stiff, affine[0] + pixel_centres(200, 200) @ affine[1:], atol=1e-4)


def test_points_told_twice_and_an_affine_move_are_no_trouble():
    points, _ = random_points()
    twice = np.concatenate([points, points])
    moves = twice @ np.array([[0.1, 0.02], [-0.03, 0.05]]) + 0.01
    expected = pixel_centres(64, 64) @ np.array([[0.1, 0.02], [-0.03, 0.05]]) + 0.01
    np.testing.assert_allclose(bend_plate(twice, moves, (64, 64)), expected, atol=1e-4)


@pytest.mark.parametrize("points", [np.zeros((2, 2)), np.full((5, 2), np.nan)])
def test_what_is_no_plate_is_refused(points):
    with pytest.raises(ValueError, match="at least 3 points"):
        bend_plate(points, np.zeros_like(points), (8, 8))


def test_a_sampler_gives_the_picture_back_and_moves_it(pictures):
    sampler = Sampler(pictures[0])
    np.testing.assert_allclose(sampler(np.zeros((32, 32, 2), np.float32)), pictures[0], atol=1e-4)
    one_pixel = np.broadcast_to(np.float32([1 / 32, 0.0]), (32, 32, 2))
    np.testing.assert_allclose(sampler(one_pixel)[:, :-1], pictures[0][:, 1:], atol=1e-4)
    np.testing.assert_allclose(sampler(one_pixel)[:, -1], pictures[0][:, -1], atol=1e-4)
    box = slice(3, 9), slice(20, 30)
    np.testing.assert_array_equal(sampler(one_pixel, box), sampler(one_pixel)[box])


@pytest.mark.parametrize(("sigma", "tolerance"), [(1.0, 1e-6), (6.0, 0.01), (13.0, 0.01)])
def test_a_wide_blur_is_as_good_as_the_slow_one(sigma, tolerance):
    picture = np.random.default_rng(0).random((101, 90, 3), np.float32)
    expected = ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="nearest", truncate=3.0)
    inside = slice(30, -30), slice(30, -30)  # near the edge whole blocks are repeated
    np.testing.assert_allclose(blur(picture, sigma)[inside], expected[inside], atol=tolerance)
    np.testing.assert_allclose(blur(picture[..., 0], sigma), blur(picture, sigma)[..., 0], atol=1e-5)


def test_straight_lines_are_enlarged_to_straight_lines():
    coarse = np.add.outer(np.arange(4.0), 10.0 * np.arange(3.0)).astype(np.float32)
    found = enlarge(coarse, np.array([0.0, 0.5, 3.0, 7.0]), np.array([0.25, 2.0]))
    np.testing.assert_allclose(found, [[2.5, 20.0], [3.0, 20.5], [5.5, 23.0], [5.5, 23.0]])
