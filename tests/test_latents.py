"""Paths between codes and the pictures that are written of them."""

import os

import numpy as np
import pytest
from facezoo import __version__
from facezoo.latents import pictures as drawing
from facezoo.latents.interpolation import PATHS, alphas_of_equal_change, even_alphas, interpolate
from PIL import Image

over_paths = pytest.mark.parametrize("path", PATHS)


@pytest.fixture
def codes():
    """Two codes of different norms, in no particular relation."""
    numbers = np.random.default_rng(0)
    return numbers.normal(size=16).astype(np.float32), 3 * numbers.normal(size=16).astype(np.float32)


def norms(path):
    return np.linalg.norm(path.reshape(len(path), -1), axis=1)


def angles(path):
    """Between neighbours on the path, in radians."""
    units = path.reshape(len(path), -1) / norms(path)[:, None]
    return np.arccos(np.clip((units[1:] * units[:-1]).sum(axis=1), -1, 1))


# Paths.


@over_paths
def test_ends_are_the_codes_themselves(codes, path):
    way = interpolate(*codes, even_alphas(7), path)
    assert way.shape == (7, 16)
    assert way.dtype == np.float32
    np.testing.assert_allclose(way[0], codes[0], rtol=1e-6)
    np.testing.assert_allclose(way[-1], codes[1], rtol=1e-6)


def test_linear_ends_are_exact(codes):
    way = interpolate(*codes, even_alphas(5), "linear")
    np.testing.assert_array_equal(way[[0, -1]], np.stack(codes))


def test_linear_is_the_straight_line(codes):
    way = interpolate(*codes, np.array([0.25, 0.5]), "linear")
    np.testing.assert_allclose(way, [0.75 * codes[0] + 0.25 * codes[1], (codes[0] + codes[1]) / 2], rtol=1e-6)


@pytest.mark.parametrize("path", ["slerp", "normalized"])
def test_the_norm_is_interpolated_apart(codes, path):
    way = interpolate(*codes, even_alphas(9), path)
    np.testing.assert_allclose(norms(way), np.linspace(*norms(np.stack(codes)), 9), rtol=1e-5)


def test_slerp_turns_by_equal_angles(codes):
    turns = angles(interpolate(*codes, even_alphas(9), "slerp"))
    np.testing.assert_allclose(turns, np.full(8, angles(np.stack(codes))[0] / 8), rtol=1e-3)
    assert np.ptp(angles(interpolate(*codes, even_alphas(9), "normalized"))) > 0.01


def test_slerp_of_a_right_angle_by_hand():
    way = interpolate(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([1 / 3, 0.5]), "slerp")
    np.testing.assert_allclose(way, [[np.cos(np.pi / 6), 0.5], [0.5**0.5, 0.5**0.5]], rtol=1e-6)


def test_normalized_does_not_bend_where_the_scales_differ():
    way = interpolate(np.array([1.0, 0.0]), np.array([0.0, 100.0]), np.array([0.5]), "normalized")
    np.testing.assert_allclose(way, [[50.5 / 2**0.5, 50.5 / 2**0.5]], rtol=1e-6)


@over_paths
def test_parallel_codes_stay_on_their_line(path):
    code = np.float32([3, 4])
    way = interpolate(code, 2 * code, even_alphas(3), path)
    np.testing.assert_allclose(way, [[3, 4], [4.5, 6], [6, 8]], rtol=1e-5)


@over_paths
def test_equal_opposite_and_zero_codes_give_numbers(path):
    code = np.float32([3, 4])
    for end in (code, -code, 0 * code):
        way = interpolate(code, end, even_alphas(3), path)
        assert np.isfinite(way).all()
        np.testing.assert_allclose(way[[0, -1]], [code, end], atol=1e-5)


@over_paths
def test_a_spatial_code_is_one_long_vector(codes, path):
    start, end = (code.reshape(2, 2, 4) for code in codes)
    way = interpolate(start, end, even_alphas(4), path)
    assert way.shape == (4, 2, 2, 4)
    np.testing.assert_allclose(way.reshape(4, 16), interpolate(*codes, even_alphas(4), path), rtol=1e-6)


def test_codes_of_two_shapes_and_unknown_paths_are_refused():
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\)"):
        interpolate(np.zeros(2), np.zeros(3), even_alphas(2))
    with pytest.raises(ValueError, match="path='bent' must be one of linear, normalized, slerp, uniform"):
        interpolate(np.zeros(2), np.zeros(2), even_alphas(2), "bent")


def test_even_alphas_hold_both_ends():
    np.testing.assert_allclose(even_alphas(5), [0, 0.25, 0.5, 0.75, 1])
    with pytest.raises(ValueError, match="steps=1 must be at least 2"):
        even_alphas(1)


def test_alphas_of_equal_change_by_hand():
    # One pixel that stands still until alpha 0.5, then rises 1, then 3.
    trials = np.array([0.0, 0.5, 0.75, 1.0])
    path = np.array([0.0, 0.0, 1.0, 4.0]).reshape(4, 1, 1, 1)
    alphas = alphas_of_equal_change(trials, path, 5)
    np.testing.assert_allclose(alphas, [0, 0.75, 0.75 + 0.25 / 3, 0.75 + 0.5 / 3, 1])
    changes = np.diff(np.interp(alphas, trials, path.ravel()))
    np.testing.assert_allclose(changes, np.ones(4))


def test_alphas_of_equal_change_begin_and_end_at_the_codes():
    path = np.array([0.0, 0.0, 1.0, 1.0]).reshape(4, 1, 1, 1)
    alphas = alphas_of_equal_change(even_alphas(4), path, 3)
    np.testing.assert_allclose(alphas[[0, -1]], [0, 1])


def test_pictures_that_do_not_change_give_even_alphas():
    np.testing.assert_allclose(alphas_of_equal_change(even_alphas(4), np.ones((4, 2, 2, 3)), 3), [0, 0.5, 1])


# Pictures.


def frames(count=4, channels=3):
    """Pictures [count, 6, 5, channels] of one brightness each."""
    levels = np.linspace(0, 1, count, dtype=np.float32)
    return np.broadcast_to(levels[:, None, None, None], (count, 6, 5, channels))


def test_to_uint8_rounds_and_clips():
    np.testing.assert_array_equal(drawing.to_uint8(np.array([-1, 0, 0.5, 0.999, 1, 2])), [0, 0, 128, 255, 255, 255])
    untouched = np.uint8([0, 7, 255])
    np.testing.assert_array_equal(drawing.to_uint8(untouched), untouched)


def test_a_grid_goes_row_by_row_and_fills_up_with_white():
    sheet = drawing.grid(frames(3), columns=2)
    assert sheet.shape == (12, 10, 3)
    assert sheet.dtype == np.uint8
    np.testing.assert_array_equal(sheet[[0, 0, 6, 6], [0, 5, 0, 5], 0], [0, 128, 255, 255])
    levels = drawing.grid(frames(4), columns=2)[[0, 0, 6, 6], [0, 5, 0, 5], 0]
    np.testing.assert_array_equal(levels, [0, 85, 170, 255])


def test_a_row_is_one_high():
    np.testing.assert_array_equal(drawing.row(frames(3))[0, ::5, 0], [0, 128, 255])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_labelled_sheet_keeps_the_pictures_and_writes_below(channels):
    sheet = drawing.labelled_sheet(np.zeros((3, 40, 40, channels)), ["one", "", "three"], columns=3, label_lines=1)
    assert sheet.shape == (40 + 15, 120, 3)
    assert not sheet[:40].any()
    assert sheet[40:, :40].min() < 255
    assert sheet[40:, 40:80].min() == 255


@pytest.mark.parametrize(("channels", "side"), [(1, 1), (3, 2)])
def test_dots_are_seen_on_dark_and_light_and_hide_no_more(channels, side):
    size = 128 * side
    halves = np.zeros((2, size, size, channels), np.uint8)
    halves[:, :, size // 2 :] = 255
    points = np.array([[[0.25, 0.5], [0.75, 0.5], [1.5, 0.5]], [[-0.1, 0.2], [0.1, 7.0], [0.75, -3.0]]])
    dotted = drawing.with_dots(halves, points)
    assert (dotted.shape, dotted.dtype) == ((2, size, size, 3), np.uint8)
    is_changed = (dotted != halves).any(axis=-1)
    assert (is_changed[0].sum(), is_changed[1].sum()) == (2 * side**2, 0)
    on_dark, on_light = (
        Image.fromarray(dotted[0]).convert("L").getpixel((x, size // 2)) for x in (size // 4, size * 3 // 4)
    )
    assert on_dark > 100
    assert on_light < 100


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_png_says_what_made_it_and_of_what(tmp_path, channels, mode):
    drawing.save_png(tmp_path / "a.png", frames(3, channels)[1], "une tête of ß")
    with Image.open(tmp_path / "a.png") as image:
        assert image.text["Software"] == f"facezoo {__version__}"
        assert image.text["Description"] == "une tête of ß"
        assert (image.mode, image.size) == (mode, (5, 6))
        assert np.asarray(image).ravel()[0] == 128


def test_a_description_may_hold_a_file_s_name_of_any_bytes(tmp_path):
    description = os.fsdecode(b"of caf\xe9.png")
    drawing.save_png(tmp_path / "a.png", frames(1)[0], description)
    drawing.save_gif(tmp_path / "a.gif", frames(2), description)
    with Image.open(tmp_path / "a.png") as picture, Image.open(tmp_path / "a.gif") as animation:
        assert picture.text["Description"] == r"of caf\udce9.png"
        assert animation.info["comment"].decode().endswith(r"of caf\udce9.png")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gif_goes_there_and_back_and_says_what_made_it(tmp_path, channels):
    drawing.save_gif(tmp_path / "a.gif", frames(4, channels), "a morph", frames_per_second=5)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["comment"].decode() == f"facezoo {__version__}: a morph"
        assert image.n_frames == 4 + 2
        assert image.info["loop"] == 0
        levels, durations = [], []
        for number in range(image.n_frames):
            image.seek(number)
            levels.append(np.asarray(image.convert("L"))[0, 0])
            durations.append(image.info["duration"])
    np.testing.assert_allclose(levels, [0, 85, 170, 255, 170, 85], atol=2)
    assert set(durations) == {200}


def test_a_gif_of_two_frames_has_two(tmp_path):
    drawing.save_gif(tmp_path / "a.gif", frames(2), "a morph")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 2
