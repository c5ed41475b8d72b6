"""Paths between codes and the pictures that are written of them."""

import os
import re
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from facezoo import __version__
from facezoo import pictures as drawing
from facezoo.experiments.codes.morphing import save_morph
from facezoo.latents.interpolation import (
    PATHS,
    equalise_change,
    even_alphas,
    find_equal_change,
    interpolate,
    interpolate_through,
)
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


def test_even_alphas_of_a_closed_way_come_to_the_start_once():
    np.testing.assert_allclose(even_alphas(4, closed=True), [0, 0.25, 0.5, 0.75])


def test_a_way_through_codes_gives_each_stretch_an_equal_share():
    codes = np.float32([[0, 0], [1, 0], [1, 4]])
    way = interpolate_through(codes, np.array([0.0, 0.25, 0.5, 0.625, 1.0]))
    np.testing.assert_allclose(way, [[0, 0], [0.5, 0], [1, 0], [1, 1], [1, 4]])
    assert way.dtype == np.float32


@over_paths
def test_a_way_through_codes_is_one_path_after_the_other(codes, path):
    stops = np.stack([*codes, codes[0] - codes[1]]).reshape(3, 2, 8)
    way = interpolate_through(stops, even_alphas(9), path)
    assert way.shape == (9, 2, 8)
    for number in (0, 1):
        expected = interpolate(stops[number], stops[number + 1], even_alphas(5), path)
        np.testing.assert_allclose(way[4 * number : 4 * number + 5], expected, atol=1e-5)


@over_paths
def test_a_closed_way_leads_back(codes, path):
    stops = np.stack([*codes, codes[0] - codes[1]])
    way = interpolate_through(stops, even_alphas(12, closed=True), path, closed=True)
    np.testing.assert_allclose(way[[0, 4, 8]], stops, atol=1e-5)
    np.testing.assert_allclose(way[8:], interpolate(stops[2], stops[0], even_alphas(5), path)[:4], atol=1e-5)
    around = interpolate_through(stops, np.array([-0.25, 1.0, 1.75]), path, closed=True)
    np.testing.assert_allclose(around, way[[9, 0, 9]], atol=1e-5)


def test_a_way_through_two_codes_is_the_path_between_them_and_one_is_none(codes):
    np.testing.assert_array_equal(
        interpolate_through(np.stack(codes), even_alphas(5), "slerp"), interpolate(*codes, even_alphas(5), "slerp")
    )
    with pytest.raises(ValueError, match="a way needs at least 2 codes, not 1"):
        interpolate_through(codes[0][None], even_alphas(3))
    with pytest.raises(ValueError, match="path='bent'"):
        interpolate_through(np.stack(codes), even_alphas(3), "bent")


# The dynamic step.


def test_equalise_change_by_hand():
    # One pixel that stands still until alpha 0.5, then rises 1, then 3.
    trials = np.array([0.0, 0.5, 0.75, 1.0])
    path = np.array([0.0, 0.0, 1.0, 4.0]).reshape(4, 1, 1, 1)
    alphas = equalise_change(trials, path, 5)
    np.testing.assert_allclose(alphas, [0, 0.75, 0.75 + 0.25 / 3, 0.75 + 0.5 / 3, 1])
    changes = np.diff(np.interp(alphas, trials, path.ravel()))
    np.testing.assert_allclose(changes, np.ones(4))


def test_equalise_change_begin_and_end_at_the_codes():
    path = np.array([0.0, 0.0, 1.0, 1.0]).reshape(4, 1, 1, 1)
    alphas = equalise_change(even_alphas(4), path, 3)
    np.testing.assert_allclose(alphas[[0, -1]], [0, 1])


def test_pictures_that_do_not_change_give_even_alphas():
    np.testing.assert_allclose(equalise_change(even_alphas(4), np.ones((4, 2, 2, 3)), 3), [0, 0.5, 1])


def test_distances_along_the_way_are_made_equal():
    # Along x, then along y: each of three steps goes 2/3.
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(equalise_change(even_alphas(3), corner, 4), even_alphas(4))


def test_features_that_are_not_numbers_or_not_one_for_each_alpha_are_refused():
    with pytest.raises(ValueError, match="4 alphas need as many features of finite numbers, not 3"):
        equalise_change(even_alphas(4), np.ones((3, 2)), 3)
    with pytest.raises(ValueError, match="finite numbers"):
        equalise_change(even_alphas(2), np.array([[0.0], [np.nan]]), 3)


def helix(alphas):
    return np.stack([np.cos(40 * alphas**2), np.sin(40 * alphas**2), alphas], axis=1)


def circle(alphas):
    """Once around, slowly at first."""
    return np.stack([np.cos(2 * np.pi * alphas**3), np.sin(2 * np.pi * alphas**3)], axis=1)


def corner(alphas):
    return np.stack([np.minimum(alphas, 0.4), np.maximum(alphas - 0.4, 0) * 3], axis=1)


def pause(alphas):
    return np.where(alphas < 0.3, alphas, np.maximum(alphas - 0.4, 0) * 5 + 0.3)[:, None]


def there_and_back(alphas):
    return np.abs(2 * alphas - 1)[:, None]


def cliff(alphas):
    return (np.tanh((alphas - 0.37) * 2000) + 0.01 * alphas)[:, None]


def passing(alphas):
    """A bright spot that goes through a picture: pictures far apart are no more different than those less far apart."""
    return np.exp(-(((np.linspace(0, 1, 200) - alphas[:, None] ** 2) / 0.02) ** 2)).reshape(-1, 10, 20)


def wandering(alphas):
    """So bent that hardly any length is left between two pictures."""
    steps = np.cumsum(np.random.default_rng(0).normal(size=(3, 2001)), axis=1)
    return np.stack([np.interp(alphas, np.linspace(0, 1, 2001), axis) for axis in steps], axis=1)


# By how much of the mean the largest distance may be above it.
CURVES = {helix: 0.02, circle: 0.02, corner: 0.02, pause: 0.02, there_and_back: 0.06, cliff: 0.02, passing: 0.03} | {
    wandering: 0.25
}


def chords(features):
    return np.linalg.norm(np.diff(features.reshape(len(features), -1), axis=0), axis=1)


@pytest.mark.parametrize(("curve", "excess"), CURVES.items())
def test_of_twenty_frames_no_two_neighbours_are_much_further_apart_than_the_mean(curve, excess):
    alphas = find_equal_change(curve, 20)
    assert (alphas[0], alphas[-1], len(alphas)) == (0, 1, 20)
    assert (np.diff(alphas) >= 0).all()
    found = chords(curve(alphas))
    assert found.max() < (1 + excess) * found.mean()
    np.testing.assert_array_equal(alphas, find_equal_change(curve, 20))


@pytest.mark.parametrize("curve", [helix, circle, corner, pause, cliff])
@pytest.mark.parametrize("steps", [2, 20, 61])
def test_distances_are_equal_within_the_tolerance(curve, steps):
    found = chords(curve(find_equal_change(curve, steps, tolerance=0.02)))
    np.testing.assert_allclose(found / found.mean(), 1, atol=0.02)


def test_equal_distances_on_a_circle_are_equal_angles():
    alphas = find_equal_change(circle, 9, tolerance=1e-4)
    np.testing.assert_allclose(alphas**3, even_alphas(9), atol=1e-3)
    closed = find_equal_change(circle, 8, closed=True, tolerance=1e-4)
    np.testing.assert_allclose(closed, alphas[:-1], atol=1e-9)


def test_no_frame_stays_in_a_pause():
    alphas = find_equal_change(pause, 20)
    assert np.count_nonzero((alphas > 0.301) & (alphas < 0.399)) == 0


def test_a_path_of_no_length_gets_even_alphas():
    np.testing.assert_allclose(find_equal_change(lambda alphas: np.full((len(alphas), 3), 0.1), 5), even_alphas(5))


@pytest.mark.parametrize("curve", [helix, wandering, there_and_back])
@pytest.mark.parametrize("closed", [False, True])
def test_the_work_is_bounded(curve, closed):
    asked = []

    def features_at(alphas):
        asked.append(len(alphas))
        assert (np.diff(alphas) >= 0).all()
        assert (alphas[0], alphas[-1]) == (0, 1)
        return curve(alphas)

    find_equal_change(features_at, 20, closed=closed, tolerance=0.0, rounds=5)
    assert sum(asked) <= (1 + 5) * 21


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
    sheet = drawing.draw_labelled_sheet(np.zeros((3, 40, 40, channels)), ["one", "", "three"], columns=3, label_lines=1)
    assert sheet.shape == (40 + 15, 120, 3)
    assert not sheet[:40].any()
    assert sheet[40:, :40].min() < 255
    assert sheet[40:, 40:80].min() == 255


def test_labels_are_written_above_where_that_is_asked():
    sheet = drawing.draw_labelled_sheet(np.zeros((2, 40, 40, 3)), ["one", "two"], 1, label_lines=1, is_above=True)
    assert not sheet[15:55].any()
    assert not sheet[70:].any()
    assert sheet[:15].min() < 255
    assert sheet[55:70].min() < 255


def test_a_long_label_goes_on_below_pictures_without_one():
    for second, reaches in (("", True), ("b", False)):
        sheet = drawing.draw_labelled_sheet(np.zeros((4, 40, 40, 3)), ["w" * 30, second, "c", "d"], 2, 1)
        assert (sheet[40:55, 70:80].min() < 255) == reaches
        assert sheet[95:, 60:80].min() == 255  # the next row's last cell has a short one


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
    drawing.save_gif(tmp_path / "a.gif", drawing.there_and_back(frames(4, channels)), "a morph", frames_per_second=5)
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
    drawing.save_gif(tmp_path / "a.gif", drawing.there_and_back(frames(2)), "a morph")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 2


def ffmpeg(path, *arguments):
    return subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-i", f"file:{path}", *arguments], capture_output=True)


def film(path):
    """The frames of a film, and what ffmpeg says of it."""
    said = ffmpeg(path).stderr.decode()
    width, height = map(int, re.search(r"Video: .* (\d+)x(\d+)", said).groups())
    decoded = ffmpeg(path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-").stdout
    return np.frombuffer(decoded, np.uint8).reshape(-1, height, width, 3), said


@pytest.mark.parametrize("channels", [1, 3])
def test_a_film_is_read_again_and_says_what_made_it(tmp_path, channels):
    drawing.save_mp4(tmp_path / "a.mp4", frames(7, channels), "a morph of ß = 1", frames_per_second=12.5)
    pictures, said = film(tmp_path / "a.mp4")
    assert pictures.shape == (7, 6 * 51 + 0, 5 * 51 + 1, 3)
    np.testing.assert_allclose(pictures[:, 100, 100], np.linspace(0, 255, 7)[:, None].repeat(3, axis=1), atol=3)
    assert f"comment         : facezoo {__version__}: a morph of ß = 1\n" in said
    assert re.search(r"Video: h264 .*yuv420p.* 12\.50? fps", said), said
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_film_of_small_pictures_stays_crisp(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (3, 32, 64, 3), np.uint8)  # the hardest that there is
    drawing.save_mp4(tmp_path / "a.mp4", colours, "noise")
    pictures, _ = film(tmp_path / "a.mp4")
    assert pictures.shape == (3, 256, 512, 3)
    assert np.abs(pictures[:, 4::8, 4::8].astype(int) - colours).mean() < 10


@pytest.mark.parametrize(
    ("shape", "size"), [((300, 301), (300, 302)), ((299, 260), (300, 260)), ((127, 200), (254, 400))]
)
def test_a_film_has_even_sides(tmp_path, shape, size):
    drawing.save_mp4(tmp_path / "a.mp4", np.full((1, *shape, 3), 0.5), "gray")
    pictures, _ = film(tmp_path / "a.mp4")
    assert pictures.shape == (1, *size, 3)
    np.testing.assert_allclose(pictures, 128, atol=2)


def test_a_film_may_be_of_a_file_s_name_of_any_bytes_and_be_called_anything(tmp_path):
    path = tmp_path / "-f: %03d é"
    drawing.save_mp4(path, frames(2), os.fsdecode(b"of caf\xe9.png"))
    assert "of caf\\udce9.png" in film(path)[1]


def test_a_film_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    with pytest.raises(OSError, match=r"none/a\.mp4 cannot be written: .*No such file or directory$"):
        drawing.save_mp4(tmp_path / "none" / "a.mp4", frames(2), "a morph")
    monkeypatch.setattr("facezoo.pictures.files.FILM_QUALITY", "best")
    with pytest.raises(OSError, match="cannot be written") as error:
        drawing.save_mp4(tmp_path / "a.mp4", frames(2), "a morph")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_without_ffmpeg_a_morph_comes_without_its_film(tmp_path, monkeypatch, caplog):
    def find_none():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", find_none)
    with pytest.raises(OSError, match="there is no ffmpeg: pip install"):
        drawing.save_mp4(tmp_path / "a.mp4", frames(2), "a morph")
    assert not list(tmp_path.iterdir())
    with caplog.at_level("WARNING"):
        save_morph(tmp_path, frames(2), "a morph")
    assert {path.name for path in tmp_path.iterdir()} == {"000.png", "001.png", "row.png", "sheet.png", "morph.gif"}
    assert "morph.mp4 is left out: there is no ffmpeg" in caplog.text
