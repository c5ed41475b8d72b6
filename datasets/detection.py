"""Faces found in a photograph, by MTCNN."""

import functools
import importlib.util
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .alignment import NoFaceError
from .source import DatasetError

# A photograph is brought to such a longer side before it is looked at. Five points are read from 48x48 pixels of a
# face whatever its size, so more pixels only find smaller faces: here those of a 48th of the longer side.
SIDES = (320, 960)
SMALLEST_FACE = 20
NONE_FOUND = "no face found"


class Face(NamedTuple):
    """One face.

    Attributes:
      box: (left, top, width, height) in pixels of the photograph; it may reach outside of it.
      points: `alignment.POINT_NAMES`, float64 [5, 2], (x, y) in pixels of the photograph from its left top corner.
      confidence: the detector's, in [0, 1].
    """

    box: tuple[float, float, float, float]
    points: np.ndarray
    confidence: float

    @property
    def area(self) -> float:
        return self.box[2] * self.box[3]


def find_faces(photograph: Image.Image) -> list[Face]:
    """The faces of an RGB photograph, the largest first.

    Zhang et al., "Joint face detection and alignment using multitask cascaded convolutional networks" (2016), by the
    package mtcnn, whose weights come with it.

    Raises:
      DatasetError: mtcnn is not installed.
    """
    low, high = SIDES
    scale = np.clip(max(photograph.size), low, high) / max(photograph.size)
    size = tuple(max(1, round(side * scale)) for side in photograph.size)
    small = photograph.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    rows = _detector().detect_faces(
        np.asarray(small), output_type="numpy", box_format="xyxy", fit_to_image=False, min_face_size=SMALLEST_FACE
    )
    across = np.array(photograph.size) / size
    return sorted((_face(row, across) for row in rows), key=lambda face: -face.area)


def largest_face(photograph: Image.Image) -> Face:
    """The largest face of an RGB photograph.

    Raises:
      NoFaceError: none is found.
    """
    faces = find_faces(photograph)
    if not faces:
        raise NoFaceError(NONE_FOUND)
    return faces[0]


def check_installed() -> None:
    """Raises DatasetError where the detector is not installed."""
    if importlib.util.find_spec("mtcnn") is None:
        raise DatasetError("faces are found by mtcnn, which is not installed: pip install 'facezoo[align]'")


def _face(row: np.ndarray, across: np.ndarray) -> Face:
    """A row of the detector: picture, two corners, confidence, five x, five y; in pixels `across` wide and high."""
    corners = (row[1:5].reshape(2, 2)) * across
    left, top = corners[0].tolist()
    width, height = (corners[1] - corners[0]).tolist()
    points = (row[6:16].reshape(2, 5).T + 0.5) * across  # it counts from the first pixel's centre
    return Face((left, top, width, height), points, float(row[5]))


@functools.cache
def _detector() -> Any:
    check_installed()
    from mtcnn import MTCNN  # It brings TensorFlow.

    return MTCNN()
