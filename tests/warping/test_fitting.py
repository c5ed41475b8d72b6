"""Faces fitted to those that they cover."""

import numpy as np
import pytest
from facezoo.datasets.procedural import procedural_people
from facezoo.warping.colours import measure_colours
from facezoo.warping.fitting import below_the_brows, fit_face
from facezoo.warping.shapes import SCHEMES, five_points, radius_map

DRAWN = SCHEMES["drawn"]
WHOLE = (slice(None), slice(None))


@pytest.fixture(scope="module")
def pair():
    """Two people: their pictures [64, 64, 3] and landmarks [70, 2]."""
    examples = procedural_people("test", image_size=64).load(np.arange(40))
    places = [int(np.argmax(examples["identity"] == person)) for person in (0, 1)]
    return examples["image"][places].astype(np.float32) / 255.0, examples["landmarks"][places].astype(np.float64)


def test_a_face_fitted_to_itself_is_itself(pair):
    (face, _), (points, _) = pair
    fitted = fit_face(face, points, face, points, DRAWN)
    np.testing.assert_allclose(fitted.face, face, atol=0.01)


def test_only_what_lies_between_brows_and_chin_is_seen(pair):
    (face, covered), (points, covered_points) = pair
    mask = fit_face(face, points, covered, covered_points, DRAWN).mask
    radii = radius_map(DRAWN.outline(covered_points), (64, 64), WHOLE)
    assert mask[radii > 1.1].max() == 0.0
    five = five_points(covered_points, DRAWN)
    assert all(mask[int(64 * y), int(64 * x)] > 0.9 for x, y in five[:3])
    eyes, mouth = five[:2].mean(axis=0), five[3:].mean(axis=0)
    x, y = eyes + 0.9 * (eyes - mouth)  # the forehead
    assert mask[int(64 * max(y, 0.0)), int(64 * x)] == 0.0


def test_on_a_head_that_looks_aside_five_points_are_brought_to_their_places(pair):
    (face, covered), (points, covered_points) = pair
    aside = covered_points.copy()
    aside[list(DRAWN.five[2])] = five_points(covered_points, DRAWN)[1]  # the nose at an eye
    hiding = DRAWN._replace(aside=SCHEMES["five"])
    fives = [five_points(own, DRAWN) for own in (points, aside)]
    expected = fit_face(face, fives[0], covered, fives[1], SCHEMES["five"])
    np.testing.assert_array_equal(fit_face(face, points, covered, aside, hiding).face, expected.face)
    assert not np.array_equal(fit_face(face, points, covered, aside, DRAWN).face, expected.face)


def test_it_takes_the_colours_that_it_covers_unless_told_otherwise(pair):
    (face, covered), (points, covered_points) = pair
    fitted = fit_face(face, points, covered, covered_points, DRAWN)
    plain = fit_face(face, points, covered, covered_points, DRAWN, match_colour=False)
    wanted = measure_colours(covered, fitted.mask).mean
    distances = [np.abs(measure_colours(one.face, fitted.mask).mean - wanted).max() for one in (fitted, plain)]
    assert distances[0] < 0.01 < distances[1]


def test_its_features_lie_where_those_of_the_covered_face_do(pair):
    (face, covered), (points, covered_points) = pair
    marked = face.copy()
    x, y = (64 * five_points(points, DRAWN)[2]).astype(int)
    marked[y - 1 : y + 2, x - 1 : x + 2] = (0.0, 1.0, 0.0)
    fitted = fit_face(marked, points, covered, covered_points, DRAWN, match_colour=False).face
    greenness = fitted[..., 1] - fitted[..., 0]
    row, column = np.unravel_index(np.argmax(greenness), greenness.shape)
    np.testing.assert_allclose((column / 64, row / 64), five_points(covered_points, DRAWN)[2], atol=0.05)


def test_an_outline_ends_above_the_brows(pair):
    _, (points, _) = pair
    cut = below_the_brows(points, DRAWN)
    assert cut[:, 1].min() > DRAWN.outline(points)[:, 1].min()
    np.testing.assert_array_equal(cut[8], DRAWN.outline(points)[8])  # the chin
