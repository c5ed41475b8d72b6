"""Masks of faces: hulls of known shapes, of drawn faces, and as a column of a source."""

import numpy as np
import pytest
from facezoo.datasets.masks import face_masks, with_masks
from facezoo.datasets.procedural import LANDMARK_NAMES, procedural_faces
from facezoo.datasets.source import Source
from scipy.spatial import ConvexHull, Delaunay


def rectangle():
    """A jaw along three sides of a rectangle with the chin in the middle below, and brows along the fourth."""
    corners = np.array([[0.2, 0.4], [0.2, 0.8], [0.5, 0.8], [0.8, 0.8], [0.8, 0.4]])
    jaw = np.stack([np.interp(np.linspace(0, 4, 17), np.arange(5), corners[:, axis]) for axis in (0, 1)], axis=-1)
    brows = np.stack([np.linspace(0.2, 0.8, 10), np.full(10, 0.4)], axis=-1)
    return np.concatenate([jaw, brows])[None]  # [1, 27, 2]


def drawn(count=24):
    return procedural_faces("test", image_size=32).load(np.arange(0, 5 * count, 5))["landmarks"]


def outline(points):
    """The jaw and the brows lifted by 15 % of their distance from the chin: [L, 2] -> [27, 2]."""
    lift = 0.15 * (points[17:27].mean(axis=0) - points[8])
    return np.concatenate([points[:17], points[17:27] + lift]).astype(float)


def test_a_rectangle_is_filled_to_its_edges():
    # The brows, 0.4 above the chin, are lifted by 0.06.
    expected = np.zeros((50, 50), np.float32)
    expected[17:40, 10:40] = 1.0
    np.testing.assert_allclose(face_masks(rectangle(), 50)[0, :, :, 0], expected, atol=1e-4)


def test_edges_between_pixels_are_soft():
    row = face_masks(rectangle() + np.array([0.3 / 50, 0.0]), 50)[0, 30, :, 0]
    np.testing.assert_allclose(row[[9, 10, 11, 39, 40, 41]], [0.0, 0.7, 1.0, 1.0, 0.3, 0.0], atol=1e-4)


def test_drawn_faces_are_their_hulls():
    size, landmarks = 64, drawn()
    centres = (np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1) + 0.5).reshape(-1, 2) / size
    for points, mask in zip(landmarks, face_masks(landmarks, size), strict=True):
        inside = Delaunay(outline(points)).find_simplex(centres) >= 0
        wrong = (mask.reshape(-1) > 0.5) != inside
        assert wrong.mean() < 1e-3
        np.testing.assert_allclose(mask.sum() / size**2, ConvexHull(outline(points)).volume, rtol=0.01)


def test_the_whole_face_is_inside_and_the_rest_is_not():
    landmarks, size = drawn(), 128
    masks = face_masks(landmarks, size)[..., 0]
    at = (landmarks[:, 17:] * size).astype(int)
    assert (masks[np.arange(len(masks))[:, None], at[..., 1], at[..., 0]] > 0.99).mean() > 0.99
    assert masks[:, [0, 0, -1, -1], [0, -1, 0, -1]].max() == 0.0
    assert 0.1 < masks.mean() < 0.35


def test_masks_do_not_depend_on_the_size_or_the_company():
    landmarks = drawn(40)
    together = face_masks(landmarks, 64)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together[33:34], face_masks(landmarks[33:34], 64))
    half = face_masks(landmarks, 128).reshape(-1, 64, 2, 64, 2).mean(axis=(2, 4))
    assert np.abs(half - together[..., 0]).mean() < 2e-3


def test_no_faces_are_no_error():
    assert face_masks(np.empty((0, 68, 2)), 32).shape == (0, 32, 32, 1)


@pytest.mark.parametrize("shape", [(68, 2), (1, 26, 2), (1, 68, 3)])
def test_other_landmarks_are_refused(shape):
    with pytest.raises(ValueError, match=r"landmarks must be \[n, 27 or more, 2\], not"):
        face_masks(np.zeros(shape), 32)


def test_a_source_with_landmarks_gets_masks():
    source = procedural_faces("test", image_size=40)
    masked = with_masks(source)
    examples, before = masked.load(np.array([4, 1])), source.load(np.array([4, 1]))
    assert examples["mask"].shape == (2, 40, 40, 1) and examples["mask"].dtype == np.uint8
    np.testing.assert_array_equal(examples["mask"], np.rint(255 * face_masks(before["landmarks"], 40)))
    assert {0, 255} < set(np.unique(examples["mask"]))
    for name, values in before.items():
        np.testing.assert_array_equal(examples[name], values)
    assert (masked.name, masked.landmark_names, len(masked)) == (source.name, LANDMARK_NAMES, 2000)


@pytest.mark.parametrize("names", [(), ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")])
def test_a_source_without_an_outline_stays_as_it_is(names):
    source = Source("other/train", ["0"], lambda positions: {}, (4, 4, 3), landmark_names=names)
    assert with_masks(source) is source
