"""Where the face is in a picture: the convex hull of its landmarks."""

import dataclasses

import numpy as np

from .drawing.geometry import LANDMARK_NAMES
from .source import Source

JAW = slice(0, 17)
BROWS = slice(17, 27)
OUTLINE_NAMES = LANDMARK_NAMES[: BROWS.stop]
CHIN = 8
FOREHEAD = 0.15  # how far the outline reaches above the brows, in distances from the chin to the brows
PIXELS_AT_ONCE = 16 * 64 * 64  # keeps a plane of floats inside the processor's cache
TOLERANCE = 1e-9


def face_masks(landmarks: np.ndarray, image_size: int) -> np.ndarray:
    """Draws masks of faces: the convex hull of jaw and brows, with some of the forehead.

    As the hull masks of DeepFaceLab (Perov et al. 2020, arXiv:2005.05535), which lift the brows too.

    Args:
      landmarks: [n, L, 2], (x, y) in sides from the left top corner, the first 27 as in iBUG's 68: jaw and brows.
      image_size: side S of the masks in pixels.

    Returns:
      float32 [n, S, S, 1]: 1 in the face, 0 outside, between them within half a pixel of the edge.

    Raises:
      ValueError: the landmarks are not [n, L, 2] with at least 27.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.ndim != 3 or landmarks.shape[1] < BROWS.stop or landmarks.shape[2] != 2:
        raise ValueError(f"landmarks must be [n, {BROWS.stop} or more, 2], not {list(landmarks.shape)}")
    masks = np.empty((len(landmarks), image_size, image_size, 1), np.float32)
    at_once = max(1, PIXELS_AT_ONCE // image_size**2)
    for start in range(0, len(landmarks), at_once):
        outline = _outline(landmarks[start : start + at_once]) * image_size
        masks[start : start + at_once, ..., 0] = _fill(*_hull(outline), image_size)
    return masks


def with_masks(source: Source) -> Source:
    """The source with `mask` uint8 [n, S, S, 1] in 0..255 in its examples, from their landmarks.

    A source whose landmarks do not begin with jaw and brows as iBUG's 68, or that has none, is returned unchanged.
    """
    if tuple(source.landmark_names[: BROWS.stop]) != OUTLINE_NAMES:
        return source

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        examples = source.load(positions)
        masks = face_masks(examples["landmarks"], source.image_shape[0])
        return {**examples, "mask": np.rint(255.0 * masks).astype(np.uint8)}

    return dataclasses.replace(source, load=load)


def _outline(landmarks: np.ndarray) -> np.ndarray:
    """The jaw, and the brows moved away from the chin: [n, 27, 2]."""
    brows = landmarks[:, BROWS]
    up = brows.mean(axis=1, keepdims=True) - landmarks[:, CHIN : CHIN + 1]
    return np.concatenate([landmarks[:, JAW], brows + FOREHEAD * up], axis=1)


def _hull(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The convex hulls of points [n, P, 2] as half-planes: x is inside where normals x <= limits.

    A hull's edge goes from one of its points to another with all points on one side. Each point has a row of
    `normals` [n, P, 2] (of length 1) and `limits` [n, P] for the edge that begins there; where none does, the normal
    is zero and everything is within the limit.
    """
    steps = points[:, None] - points[:, :, None]  # [n, from, to, 2]
    x, y = steps[..., 0], steps[..., 1]
    sides = x[..., None] * y[:, :, None] - y[..., None] * x[:, :, None]  # [n, from, to, P]
    lengths = np.hypot(x, y)
    is_edge = (sides >= -TOLERANCE).all(axis=-1) & (lengths > TOLERANCE)
    # Of several points on one line the last, so that there is one edge.
    end = np.argmax(is_edge * lengths, axis=-1)[..., None]  # [n, P, 1]
    begins = is_edge.any(axis=-1)
    length = np.where(begins, np.take_along_axis(lengths, end, axis=2)[..., 0], 1.0)
    right, down = (np.take_along_axis(axis, end, axis=2)[..., 0] for axis in (x, y))
    normals = np.where(begins[..., None], np.stack([down, -right], axis=-1) / length[..., None], 0.0)
    limits = np.where(begins, (normals * points).sum(axis=-1), np.inf)
    return normals, limits


def _fill(normals: np.ndarray, limits: np.ndarray, image_size: int) -> np.ndarray:
    """How much of each pixel lies inside of half-planes, about: float32 [n, S, S] in [0, 1]."""
    centres = np.arange(image_size, dtype=np.float32) + 0.5
    normals, limits = normals.astype(np.float32), limits.astype(np.float32)
    depths = np.full((len(normals), image_size, image_size), np.inf, np.float32)
    for edge in np.flatnonzero(np.isfinite(limits).any(axis=0)):
        across = limits[:, edge, None] - normals[:, edge, :1] * centres  # [n, S]
        down = normals[:, edge, 1:] * centres  # [n, S]
        np.minimum(depths, across[:, None, :] - down[:, :, None], out=depths)
    return np.clip(0.5 + depths, 0.0, 1.0)
