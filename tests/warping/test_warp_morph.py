"""Faces warped onto each other: bands, colours, ovals, and the way between."""

import numpy as np
import pytest
from facezoo.datasets.procedural import procedural_faces
from facezoo.warping.bands import blend
from facezoo.warping.colours import measure_colours, recolour
from facezoo.warping.morph import WarpMorph, find_covered, morph_through, stretches, warp_to
from facezoo.warping.ramps import smooth_step
from facezoo.warping.shapes import (
    SCHEMES,
    border,
    box_around,
    choose_points,
    five_points,
    is_turned,
    look_apart,
    radius_map,
)

DRAWN = SCHEMES["drawn"]


@pytest.fixture(scope="module")
def faces():
    """Three drawn faces of 64 pixels and their landmarks."""
    examples = procedural_faces("test", image_size=64).load(np.array([17, 53, 401]))
    return examples["image"].astype(np.float32) / 255.0, examples["landmarks"].astype(np.float64)


def noise(seed, size=64):
    return np.random.default_rng(seed).random((size, size, 3), np.float32)


# Bands.


def test_equal_pictures_and_both_ends_stay_as_they_are():
    first, second = noise(0), noise(1)
    np.testing.assert_allclose(blend(first, first, 0.3, (1.0, 2.0)), first, atol=1e-4)
    np.testing.assert_allclose(blend(first, second, 0.0, (1.0, 2.0)), first, atol=1e-4)
    np.testing.assert_allclose(blend(first, second, np.ones((64, 64)), (1.0, 2.0)), second, atol=1e-4)


def test_details_have_the_energy_that_averaging_takes():
    first, second = noise(0, 128), noise(1, 128)
    plain, whole = blend(first, second, 0.5, ()), blend(first, second, 0.5, (1.0, 2.0))
    np.testing.assert_allclose(plain, (first + second) / 2.0, atol=1e-6)
    assert plain.var() == pytest.approx(first.var() / 2.0, rel=0.05)
    assert whole.var() == pytest.approx(first.var(), rel=0.05)
    opposite = blend(first, 1.0 - first, 0.5, (1.0,))
    assert np.abs(opposite - 0.5).max() < 0.1  # nothing is left to be given back


# Colours.


def test_colours_are_taken_over():
    first, second = noise(0), 0.1 + noise(1) @ np.float32([[0.9, 0.3, 0], [0, 0.8, 0.2], [0, 0, 1.2]])
    weight = np.ones((64, 64))
    wanted = measure_colours(second, weight)
    found = measure_colours(recolour(first, measure_colours(first, weight), wanted), weight)
    np.testing.assert_allclose(found.mean, wanted.mean, atol=1e-6)
    np.testing.assert_allclose(found.covariance, wanted.covariance, atol=2e-3)
    np.testing.assert_allclose(recolour(first, wanted, wanted), first, atol=1e-6)


def test_a_flat_picture_is_not_spread_without_end():
    flat, weight = np.full((8, 8, 3), 0.5, np.float32), np.ones((8, 8))
    found = recolour(flat + 0.01 * noise(0, 8), measure_colours(flat, weight), measure_colours(noise(1, 8), weight))
    assert np.ptp(found, axis=(0, 1)).max() < 0.021


# Shapes.


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_speaks_of_points_that_it_has(name):
    scheme = SCHEMES[name]
    points = np.random.default_rng(0).random((scheme.num_points, 2))
    assert five_points(points, scheme).shape == (5, 2)
    assert max(scheme.used) < scheme.num_points
    assert len(set(scheme.used)) == len(scheme.used)
    assert np.isfinite(scheme.outline(points)).all()


def test_the_oval_of_a_drawn_face_holds_its_landmarks(faces):
    for points in faces[1]:
        outline = DRAWN.outline(points)
        box = slice(0, 64), slice(0, 64)
        radii = radius_map(outline, (64, 64), box)
        inner = points[17:68]  # brows, nose, eyes, mouth
        assert max(radii[int(64 * y), int(64 * x)] for x, y in inner) < 0.95
        five = SCHEMES["five"].outline(five_points(points, DRAWN))
        assert 0.4 < np.prod(np.ptp(five, axis=0)) / np.prod(np.ptp(outline, axis=0)) < 1.1


def test_a_radius_is_1_on_a_circle_and_its_box_holds_it():
    angles = np.linspace(0.0, 2.0 * np.pi, 60, endpoint=False)
    circle = np.stack([0.5 + 0.2 * np.cos(angles), 0.4 + 0.2 * np.sin(angles)], axis=-1)
    box = box_around(circle, 1.25, (100, 200))
    np.testing.assert_allclose([[side.start, side.stop] for side in box], [[15, 65], [50, 150]], atol=1)
    radii = radius_map(circle, (100, 200), box)
    on_it = radii[40 - box[0].start, 140 - box[1].start]  # a pixel's centre at (0.7025, 0.405)
    assert on_it == pytest.approx(np.hypot(0.2025, 0.005) / 0.2, abs=0.01)


def test_a_face_turned_aside_is_told_from_one_that_is_not():
    ahead = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.6], [0.2, 1.0], [0.8, 1.0]])
    aside = ahead + np.array([[0, 0], [0, 0], [0.45, 0], [0, 0], [0, 0]])
    assert (is_turned(ahead), is_turned(aside)) == (False, True)
    assert is_turned(aside @ np.array([[0.0, 1.0], [-1.0, 0.0]]))  # lying, too
    other = aside * (-1.0, 1.0)
    other[[0, 1, 3, 4]] = other[[1, 0, 4, 3]]  # left and right as the viewer sees them
    scheme = SCHEMES["five"]._replace(aside=SCHEMES["five"])
    for faces, are_apart in (
        ((ahead, aside), True),
        ((aside, other), True),
        ((ahead,) * 2, False),
        ((other,) * 2, False),
    ):
        assert (choose_points(faces, scheme)[1] is scheme) != are_apart
        assert choose_points(faces, SCHEMES["five"])[1] is SCHEMES["five"]
    half_aside = ahead + np.array([[0, 0], [0, 0], [0.3, 0], [0, 0], [0, 0]])
    other_half = half_aside * (-1.0, 1.0)
    other_half[[0, 1, 3, 4]] = other_half[[1, 0, 4, 3]]
    assert look_apart(other_half, half_aside, SCHEMES["five"]) and look_apart(half_aside, other_half, SCHEMES["five"])
    assert not look_apart(ahead, half_aside, SCHEMES["five"])
    assert not look_apart(other, half_aside, SCHEMES["five"])  # which is turned far aside by itself


def test_the_border_is_all_around():
    assert len(np.unique(border(4), axis=0)) == 16
    assert (np.isin(border(4), (0.0, 1.0)).any(axis=1)).all()


# The way.


def test_a_warped_face_has_the_wanted_shape(faces):
    """A face warped to another's shape and back is itself, and on the way its landmarks lie there."""
    pictures, points = faces
    there = warp_to(pictures[0], points[0], points[1], DRAWN)
    back = warp_to(there, points[1], points[0], DRAWN)
    assert np.abs(there - pictures[0]).mean() > 0.02
    assert np.abs(back - pictures[0]).mean() < 0.012
    np.testing.assert_allclose(warp_to(pictures[0], points[0], points[0], DRAWN), pictures[0], atol=1e-3)


def test_a_way_begins_and_ends_with_the_faces_and_is_half_way_in_the_middle(faces):
    pictures, points = faces
    morph = WarpMorph(*pictures[:2], *points[:2], DRAWN)
    first, middle, last = morph.frames([0.0, 0.5, 1.0])
    np.testing.assert_array_equal(first, pictures[0])
    np.testing.assert_array_equal(last, pictures[1])
    assert middle.shape == (64, 64, 3) and middle.min() >= 0.0 and middle.max() <= 1.0
    same = WarpMorph(pictures[0], pictures[0], points[0], points[0], DRAWN).frame(0.5)
    np.testing.assert_allclose(same, pictures[0], atol=0.01)


def test_surroundings_are_the_nearer_end_s_in_colours_on_the_way_to_the_other_s(faces):
    pictures, points = faces
    morph = WarpMorph(*pictures[:2], *points[:2], DRAWN)
    np.testing.assert_allclose(
        [morph.changed(alpha) for alpha in (0.0, 0.3, 0.5, 0.7, 1.0)], [0, 0, 0.5, 1, 1], atol=1e-9
    )
    at_once = WarpMorph(*pictures[:2], *points[:2], DRAWN, change=0.0)
    assert [at_once.changed(alpha) for alpha in (0.5, 0.51)] == [0.0, 1.0]
    corner = slice(0, 4), slice(0, 4)  # far from both faces, and held by the border
    colours = [morph.frame(alpha)[corner].mean(axis=(0, 1)) for alpha in (0.0, 0.1, 0.2, 0.3)]
    ends = [np.concatenate([picture[:4].reshape(-1, 3)]).mean(axis=0) for picture in pictures[:2]]
    towards = ends[1] - ends[0]
    along = [(colour - colours[0]) @ towards for colour in colours]
    assert along == sorted(along) and along[-1] > 0.0
    textures = [morph.frame(alpha)[corner] for alpha in (0.3, 0.7)]
    for texture, own in zip(textures, pictures[:2], strict=True):
        change = np.linalg.lstsq(np.c_[own[corner].reshape(-1, 3), np.ones(16)], texture.reshape(-1, 3), rcond=None)
        assert np.abs(change[1]).sum() < 0.05  # nothing but the colours has changed


def test_surroundings_change_from_the_face_outwards_without_a_mean_of_both(faces):
    pictures, points = faces
    morph = WarpMorph(*pictures[:2], *points[:2], DRAWN)
    late = morph._lateness(0.5, DRAWN.outline(points[0]))
    assert late.min() == 0.0 and late.max() == 1.0
    assert ((late > 0.05) & (late < 0.95)).mean() < 0.35


def test_skin_of_both_ends_has_one_colour_on_the_way(faces):
    pictures, points = faces
    morph = WarpMorph(*pictures[:2], *points[:2], DRAWN)
    inside = [radius_map(DRAWN.outline(own), (64, 64), (slice(None), slice(None))) < 0.8 for own in points[:2]]
    led = [
        palette.led(picture, palette.share, other, 0.5)[own].mean(axis=0)
        for palette, other, picture, own in zip(morph.palettes, morph.palettes[::-1], pictures[:2], inside, strict=True)
    ]
    np.testing.assert_allclose(led[0], led[1], atol=0.02)


def test_a_face_that_is_given_stands_inside_of_the_oval_and_nowhere_else(faces):
    pictures, points = faces
    same = WarpMorph(pictures[0], pictures[0], points[0], points[0], DRAWN)
    np.testing.assert_allclose(same.frame(0.5, pictures[0]), pictures[0], atol=0.01)
    x, y = np.rint(64 * points[0][17:68].mean(axis=0)).astype(int)  # between brows and mouth
    given = pictures[0].copy()
    given[y - 2 : y + 2, x - 2 : x + 2] = [1.0, 0.0, 0.0]
    given[:4] = 0.0
    found = same.frame(0.3, given)
    assert found[y, x, 0] - found[y, x, 1] > 0.5
    np.testing.assert_allclose(found[:4], pictures[0][:4], atol=1e-3)


def test_energy_makes_the_middle_sharper_but_not_sharper_than_its_ends(faces):
    def sharpness(picture):
        return np.abs(np.diff(picture[16:48, 16:48], axis=1)).mean()

    pictures, points = faces
    ends = sorted(sharpness(picture) for picture in pictures[:2])
    with_it, without = (
        sharpness(WarpMorph(*pictures[:2], *points[:2], DRAWN, has_energy=has_energy).frame(0.5))
        for has_energy in (True, False)
    )
    assert 1.1 * without < with_it < ends[1]
    assert with_it > ends[0]


def test_what_covers_a_face_is_the_nearer_end_s():
    skin = np.full((60, 60, 3), 0.7, np.float32)
    fringe = skin.copy()
    fringe[:20] = 0.2
    edge = np.ones((60, 60), np.float32)
    share = find_covered(skin, fringe, 40.0, edge)
    assert share[:15].min() > 0.95 and share[26:].max() < 0.05
    assert find_covered(skin, skin, 40.0, edge).max() == 0.0
    slight = find_covered(skin, skin - 0.12, 40.0, edge), find_covered(skin, skin - 0.12, 40.0, 0.0 * edge)
    assert slight[0].min() > 0.3 and slight[1].max() == 0.0  # an open mouth covers nothing


def test_a_way_through_faces_meets_each(faces):
    pictures, points = faces
    frames = morph_through(pictures, points, DRAWN, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(frames, pictures)
    closed = morph_through(pictures, points, DRAWN, np.arange(6) / 6.0, closed=True)
    np.testing.assert_array_equal(closed[::2], pictures)
    home = WarpMorph(pictures[2], pictures[0], points[2], points[0], DRAWN).frame(0.5)
    np.testing.assert_allclose(closed[5], home, atol=1e-6)


def test_stretches_share_a_way():
    numbers, shares = stretches(np.array([0.0, 0.25, 0.5, 1.0]), 3, False)
    assert (numbers.tolist(), shares.tolist()) == ([0, 0, 1, 1], [0.0, 0.5, 0.0, 1.0])
    numbers, shares = stretches(np.array([0.0, 0.5, 1.0]), 3, True)
    assert (numbers.tolist(), shares.tolist()) == ([0, 1, 0], [0.0, 0.5, 0.0])


def test_gray_pictures_are_morphed_too(faces):
    pictures, points = faces
    gray = pictures.mean(axis=-1, keepdims=True)
    assert WarpMorph(*gray[:2], *points[:2], DRAWN).frame(0.4).shape == (64, 64, 1)


def test_what_does_not_go_together_is_refused(faces):
    pictures, points = faces
    with pytest.raises(ValueError, match="cannot be morphed"):
        WarpMorph(pictures[0], pictures[1][:32], *points[:2], DRAWN)
    with pytest.raises(ValueError, match="not 478 landmarks"):
        WarpMorph(*pictures[:2], *points[:2], SCHEMES["mediapipe"])
    with pytest.raises(ValueError, match="at least 2 faces"):
        morph_through(pictures[:1], points[:1], DRAWN, np.array([0.0]))


def test_a_step_is_smooth():
    assert smooth_step(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
