"""Measures of single pictures against TensorFlow, SciPy, and by hand."""

import os

import numpy as np
import pytest
import tensorflow as tf
from facezoo.metrics import laplacian_variance, lattice, log_lattices, ms_ssim
from facezoo.metrics.reconstruction import MS_SSIM_WEIGHTS, num_scales
from PIL import Image
from scipy.ndimage import gaussian_filter, laplace


def noisy(shape, seed=0):
    """Smooth pictures, and the same with noise of growing strength."""
    numbers = np.random.default_rng(seed)
    images = gaussian_filter(numbers.uniform(0, 1, shape), (0, 3, 3, 0))
    images = (images - images.min()) / np.ptp(images)
    noise = numbers.normal(0, 0.1, shape) * np.linspace(0.1, 1, shape[0])[:, None, None, None]
    return images.astype(np.float32), np.clip(images + noise, 0, 1).astype(np.float32)


@pytest.mark.parametrize(("side", "scales"), [(16, 1), (32, 2), (64, 3), (65, 3), (100, 4), (176, 5), (200, 5)])
def test_ms_ssim_is_tensorflow_s_with_as_many_scales_as_there_is_room_for(side, scales):
    first, second = noisy((3, side, side, 3))
    weights = np.array(MS_SSIM_WEIGHTS[:scales]) / sum(MS_SSIM_WEIGHTS[:scales])
    assert num_scales(side) == scales
    expected = tf.image.ssim_multiscale(first, second, 1.0, power_factors=weights.tolist())
    np.testing.assert_allclose(ms_ssim(first, second), expected, atol=1e-4)
    np.testing.assert_allclose(ms_ssim(first, first), np.ones(3), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_variance_of_the_laplacian_is_scipy_s(channels):
    images, _ = noisy((3, 24, 30, channels))
    gray = images @ np.array([0.2989, 0.587, 0.114], np.float32) if channels == 3 else images[..., 0]
    expected = [laplace(picture.astype(np.float64))[1:-1, 1:-1].var() for picture in gray]
    np.testing.assert_allclose(laplacian_variance(images), expected, rtol=1e-4)


def test_a_chequered_picture_s_laplacian_by_hand():
    # Each pixel differs from its four neighbours by 1: the Laplacian is +-4, its variance 16.
    board = np.indices((10, 10)).sum(axis=0) % 2
    assert laplacian_variance(board[None, ..., None].astype(np.float32)).numpy()[0] == pytest.approx(16)


def of_grain(images, grain):
    return lattice(log_lattices(grain), log_lattices(images))


@pytest.fixture(scope="module")
def grain():
    """Pictures of grain in every direction, float64 [8, 64, 64, 3] around 0.5."""
    numbers = np.random.default_rng(0)
    return 0.5 + gaussian_filter(numbers.normal(0, 0.3, (8, 64, 64, 3)), (0, 0.7, 0.7, 0))


def woven(images, levels, period, colours=(1, 1, 1)):
    """Pictures with stripes along rows and columns, of so many of 255 levels."""
    stripes = np.cos(2 * np.pi * np.arange(64) / period + 0.7)
    return images + levels / 255 * (stripes[:, None] + stripes)[..., None] * np.array(colours)


def test_detail_in_every_direction_is_no_lattice_however_blurred(grain):
    np.testing.assert_allclose(np.exp(log_lattices(grain).mean(axis=0)), 1, atol=0.4)
    for sigma in (0.7, 1.5, 3.0):
        assert 0.5 < of_grain(gaussian_filter(grain, (0, sigma, sigma, 0)), grain) < 1.2
    assert of_grain(grain[:, :, ::-1], grain) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("period", [2, 4, 5])
@pytest.mark.parametrize("colours", [(1, 1, 1), (1, -1, 0)])
def test_a_faint_lattice_on_a_blurred_picture_is_seen(grain, period, colours):
    blurred = gaussian_filter(grain, (0, 2.0, 2.0, 0))
    faint, plain = (of_grain(woven(blurred, levels, period, colours), grain) for levels in (2, 4))
    assert plain > faint > 2


def test_a_lattice_in_flat_parts_is_seen_beside_a_large_edge(grain):
    edged = gaussian_filter(grain, (0, 2.0, 2.0, 0))
    edged[:, :, 40:] += 0.4
    assert of_grain(edged, grain) < 1.3
    assert of_grain(woven(edged, 3, 4), grain) > 4


def test_the_lattice_of_one_tile_by_the_definition():
    image = np.random.default_rng(0).uniform(0, 1, (16, 16))
    image -= np.polynomial.polynomial.polyval2d(*np.indices((16, 16)), nearest_plane(image))
    window = np.hanning(18)[1:-1]
    spectrum = np.abs(np.fft.fft2(image * np.outer(window, window))) ** 2
    floor = (1 / 255) ** 2 / 12 * (window**2).sum() ** 2
    logarithms = []
    for ring in range(3, 9):
        along, across = [], []
        for (row, column), power in np.ndenumerate(spectrum):
            y, x = min(row, 16 - row), min(column, 16 - column)
            if round(float(np.hypot(x, y))) == ring and min(x, y) != 1:
                (across if min(x, y) else along).append(power + floor)
        logarithms.append(np.log(np.mean(along) / np.mean(across)))
    np.testing.assert_allclose(log_lattices(image[None, ..., None]), [[np.mean(logarithms)]], rtol=1e-6)


def nearest_plane(image):
    """The coefficients of the plane that lies nearest to a picture, as polyval2d takes them."""
    y, x = np.indices(image.shape).reshape(2, -1)
    constant, down, across = np.linalg.lstsq(np.stack([np.ones(y.size), y, x], axis=1), image.ravel(), rcond=None)[0]
    return np.array([[constant, across], [down, 0]])


@pytest.mark.skipif("FACEZOO_WOVEN_PICTURE" not in os.environ, reason="FACEZOO_WOVEN_PICTURE is not set")
def test_a_real_mesh_is_seen():
    """A sheet of photographs above their reconstructions, 64 pixels each enlarged three times by repeating."""
    with Image.open(os.environ["FACEZOO_WOVEN_PICTURE"]) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))[1::3, 1::3] / 255
    real, made = pixels.reshape(2, 64, -1, 64, 3).swapaxes(1, 2)
    assert lattice(log_lattices(real), log_lattices(made)) > 5
