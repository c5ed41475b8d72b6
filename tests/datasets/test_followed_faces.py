"""A face is found again near to where it was a frame before, in its surroundings alone, and no other for it."""

import numpy as np
import pytest
from clutter import clutter, placed_faces
from facezoo.datasets.detection import find_near, find_upright_faces

FIRST = 10  # whose face is found upright


@pytest.fixture(scope="module")
def face():
    """A picture, and the face in it."""
    pytest.importorskip("mtcnn")
    (placed,) = placed_faces([FIRST], degrees=10, scales=(0.9, 1.0))
    found = find_upright_faces(placed.picture)
    assert np.abs(found[0].points[:2] - placed.eyes).max() < 8.0
    return placed.picture, found[0]


@pytest.mark.parametrize("moved", [(0, 0), (9, -6), (-12, 8)])
def test_a_face_that_has_moved_is_found_where_it_is(face, moved):
    picture, before = face
    found = find_near(picture, before.points + moved)
    assert found is not None
    apart = np.linalg.norm(found.points - before.points, axis=1).mean()
    assert apart < 0.15 * np.linalg.norm(before.points[1] - before.points[0])  # of the distance of the eyes
    assert found.confidence > 0.9


def test_a_face_elsewhere_is_none_of_it(face):
    picture, before = face
    side = np.ptp(before.points, axis=0).max()
    assert find_near(picture, np.add(before.points, (1.5 * side, 0.0))) is None
    assert find_near(picture, np.add(before.points, (-4.0 * side, 0.0))) is None


def test_where_nobody_is_nobody_is_found(face):
    _, before = face
    assert find_near(clutter(np.random.default_rng(1)), before.points) is None


def test_outside_of_the_picture_nothing_is_looked_at(face):
    picture, before = face
    assert find_near(picture, before.points + 5000.0) is None
