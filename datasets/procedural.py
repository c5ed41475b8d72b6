"""Drawn faces: pictures that are a pure function of true factors, so attributes and landmarks are exact."""

import numpy as np

from .drawing.factors import (
    ATTRIBUTE_NAMES,
    DISCRETE_FACTORS,
    FACTOR_NAMES,
    FACTOR_RANGES,
    FACTORS,
    PICTURES_PER_IDENTITY,
    face_attributes,
    identity_of,
    sample_factors,
)
from .drawing.geometry import LANDMARK_NAMES, face_landmarks
from .drawing.picture import draw_pictures
from .source import SPLITS, DatasetError, Source

__all__ = [
    "ATTRIBUTE_NAMES",
    "DISCRETE_FACTORS",
    "FACTORS",
    "FACTOR_NAMES",
    "FACTOR_RANGES",
    "LANDMARK_NAMES",
    "PICTURES_PER_IDENTITY",
    "draw_faces",
    "face_attributes",
    "face_landmarks",
    "identity_of",
    "procedural_faces",
    "sample_factors",
]

SPLIT_SIZES = {"train": 20_000, "validation": 2_000, "test": 2_000}
IMAGE_SIZES = (32, 256)
PIXELS_AT_ONCE = 32 * 64 * 64  # keeps a plane of floats inside the processor's cache


def draw_faces(factors: np.ndarray, image_size: int) -> np.ndarray:
    """Draws faces.

    Args:
      factors: [n, F] as FACTOR_NAMES, within FACTOR_RANGES.
      image_size: side S of the pictures in pixels.

    Returns:
      uint8 [n, S, S, 3]; each picture depends on its own row only.
    """
    factors = np.asarray(factors, np.float32)
    at_once = max(1, PIXELS_AT_ONCE // image_size**2)
    pictures = np.empty((len(factors), image_size, image_size, 3), np.uint8)
    # Alike hair together: a layer that all pictures of a portion need is painted without cutting some of them out.
    order = np.argsort(factors[:, FACTOR_NAMES.index("hair_style")], kind="stable")
    for start in range(0, len(factors), at_once):
        members = order[start : start + at_once]
        pictures[members] = draw_pictures(factors[members], image_size)
    return pictures


def _gray(pictures: np.ndarray) -> np.ndarray:
    """Luma of ITU-R BT.601: uint8 [n, S, S, 3] -> [n, S, S, 1]."""
    red, green, blue = (pictures[..., channel].astype(np.float32) for channel in range(3))
    return (0.299 * red + 0.587 * green + 0.114 * blue + 0.5).astype(np.uint8)[..., None]


def _check(split: str, image_size: int, channels: int) -> None:
    if split not in SPLITS:
        raise DatasetError(f"procedural_faces has no split {split!r}: choose one of {', '.join(SPLITS)}")
    low, high = IMAGE_SIZES
    if not low <= image_size <= high:
        raise DatasetError(f"procedural_faces draws image_size {low} to {high}, not {image_size}")
    if channels not in (1, 3):
        raise DatasetError(f"procedural_faces draws channels 1 (gray) or 3 (colour), not {channels}")


def procedural_faces(split: str, *, image_size: int = 64, channels: int = 3, seed: int = 0) -> Source:
    """The embedded data set: 20,000 / 2,000 / 2,000 drawn faces, ten pictures of each person.

    Args:
      split: "train", "validation" or "test".
      image_size: side of the pictures in pixels, 32 to 256.
      channels: 3 for colour, 1 for gray.
      seed: which world of people.

    Raises:
      DatasetError: a value outside of these.
    """
    _check(split, image_size, channels)
    first = sum(SPLIT_SIZES[name] for name in SPLITS[: SPLITS.index(split)])

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        indices = first + np.asarray(positions, np.int64).reshape(-1)
        factors = sample_factors(indices, seed)
        pictures = draw_faces(factors, image_size)
        return {
            "image": pictures if channels == 3 else _gray(pictures),
            "attributes": face_attributes(factors),
            "landmarks": face_landmarks(factors),
            "identity": identity_of(indices),
            "factors": factors,
        }

    return Source(
        name=f"procedural_faces/{split}",
        names=tuple(str(first + position) for position in range(SPLIT_SIZES[split])),
        load=load,
        image_shape=(image_size, image_size, channels),
        attribute_names=ATTRIBUTE_NAMES,
        landmark_names=LANDMARK_NAMES,
        factor_names=FACTOR_NAMES,
    )
