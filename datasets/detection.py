"""Faces found in a photograph, by MTCNN, however the photograph lies."""

import functools
import importlib.util
import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .alignment import TEMPLATES, NoFaceError, crop_to_photograph
from .source import DatasetError

# A photograph is brought to such a longer side before it is looked at. Five points are read from 48x48 pixels of a
# face whatever its size, so more pixels only find smaller faces: here those of a 48th of the longer side.
SIDES = (320, 960)
SMALLEST_FACE = 20
NONE_FOUND = "no face found"
# MTCNN knows faces that are tilted by up to some 40 degrees, and takes one that lies on its side or upside down for
# nothing, or for a face elsewhere. Such a one is found at its own turn and at the two beside it.
TURNS = tuple(range(0, 360, 45))
QUARTERS = TURNS[::2]
# Pixels to which the face in question is brought while a photograph is turned about: to see whether there is any
# doubt, and to decide where there is.
SIDES_OF_DOUBTFUL = (96.0, 192.0)
SIDE_WITHOUT_FACES = 480  # pixels of the longer side while a photograph is turned that shows none as it lies
DOUBT = 0.5  # a face that is looked for is surer than this times any other, or all turns are tried
PART_OF_SUREST = 0.2  # a larger face has at least such a part of the surest one's sureness, or it is none
# How much surer a face that lies is to be than one that is upright, as most photographs are. Of 41 photographs turned
# by quarters the true face is at least 1.75 times as sure as an upright one; of two that lay right and were turned, the
# wrong one was 1.05 and 1.29 times as sure.
UPRIGHT = 1.4
MOST_TILT = 20.0  # degrees at which points are still read well
# What is seen of a film's frame where a face was in the frame before: sides of a crop from its middle, and pixels.
NEAR, SIDE_NEAR = 1.1, 192
_APART = 0.25  # sides of a crop by which the points of one face differ at two turns, at most
_POWER = 20  # of a confidence: of 0.95 is left 0.36, of 0.99 0.82
_MOST_RESIDUAL = 0.1  # sides of a crop, from a template's points; of faces that look ahead it is below 0.05


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

    @property
    def tilt(self) -> float:
        """By how many degrees it is turned clockwise in the photograph, -180 to 180."""
        return float(tilts(self.points))


def tilts(points: np.ndarray) -> np.ndarray:
    """By how many degrees faces are turned clockwise, by their points [..., 5, 2]: -180 to 180, [...]."""
    matrices = crop_to_photograph(points, np.array(TEMPLATES["celeba"]))
    return np.degrees(np.arctan2(matrices[..., 1, 0], matrices[..., 0, 0]))


def are_lying(degrees: np.ndarray | float) -> np.ndarray:
    """Whether faces that are turned by so many degrees lie on the side or upside down."""
    return np.abs(degrees) > 45.0


def describe_turns(degrees: np.ndarray) -> str:
    """What is told of photographs whose faces are turned by so many degrees; "" where all are about upright."""
    lying = np.abs(degrees[are_lying(degrees)])
    on_side, upside_down = int((lying <= 135.0).sum()), int((lying > 135.0).sum())
    told = [f"{on_side} lay on the side"] if on_side else []
    told += [f"{upside_down} lay upside down"] if upside_down else []
    return f"{' and '.join(told)}, and {'was' if len(lying) == 1 else 'were'} turned" if told else ""


def find_faces(photograph: Image.Image) -> list[Face]:
    """The faces of an RGB photograph, the largest first, however it lies.

    Zhang et al., "Joint face detection and alignment using multitask cascaded convolutional networks" (2016), by the
    package mtcnn, whose weights come with it. It is given the photograph as it is; where it finds nothing, or what it
    finds is not much surer than what it finds in the photograph turned by quarters, it is given all of `TURNS`, and
    that turn is taken whose face is found most surely, and at those beside it.

    Raises:
      DatasetError: mtcnn is not installed.
    """
    small = _bring_to_side(photograph)
    faces = _detect(small, 0.0)
    turn = _find_turn(small, faces)
    if turn:
        faces = _detect(small, turn) or faces
    return _scale_back(faces, small, photograph)


def find_upright_faces(photograph: Image.Image) -> list[Face]:
    """The faces of an RGB photograph that lies right, the largest first: in a fraction of the time of `find_faces`."""
    small = _bring_to_side(photograph)
    return _scale_back(_detect(small, 0.0), small, photograph)


def largest_face(photograph: Image.Image) -> Face:
    """The largest face of an RGB photograph, of those that are about as sure as the surest.

    Raises:
      NoFaceError: none is found.
    """
    faces = find_faces(photograph)
    if not faces:
        raise NoFaceError(NONE_FOUND)
    surest = max(map(_sureness, faces))
    return next(face for face in faces if _sureness(face) >= PART_OF_SUREST * surest)


def find_near(photograph: Image.Image, points: np.ndarray) -> Face | None:
    """The face that lies about where one lay in the frame before, found in its surroundings alone.

    Args:
      photograph: RGB.
      points: of the face before, [5, 2].

    Returns:
      None where no face is found whose points are near to those, or more of the photograph would have to be seen.
    """
    matrix = crop_to_photograph(points, np.array(TEMPLATES["celeba"]))
    side, middle = math.sqrt(np.linalg.det(matrix[:, :2])), matrix @ (0.5, 0.5, 1.0)
    low = np.maximum(np.floor(middle - NEAR * side), 0).astype(int)
    high = np.minimum(np.ceil(middle + NEAR * side), photograph.size).astype(int)
    if (high - low < SMALLEST_FACE).any():
        return None
    region = photograph.crop((*low.tolist(), *high.tolist()))
    small = _bring_to(region, min(max(region.size), SIDE_NEAR))
    before = points - low
    tilt = float(tilts(points))
    across = np.array(region.size) / small.size
    faces = [_scale(face, across) for face in _detect(small, tilt if abs(tilt) > MOST_TILT else 0.0)]
    near = [face for face in faces if np.sqrt(((face.points - before) ** 2).sum(axis=1).mean()) < _APART * side]
    if not near:
        return None
    best = min(near, key=lambda face: np.abs(face.points - before).sum())
    left, top, width, height = best.box
    return Face((left + low[0], top + low[1], width, height), best.points + low, best.confidence)


def check_installed() -> None:
    """Raises DatasetError where the detector is not installed, or Keras computes by what it does not know."""
    if importlib.util.find_spec("mtcnn") is None:
        raise DatasetError("faces are found by mtcnn, which is not installed: pip install 'facezoo[align]'")
    if (backend := os.environ.get("KERAS_BACKEND", "tensorflow")) != "tensorflow":
        way = "unset it, or take pictures that `facezoo align` has cut out"
        raise DatasetError(f"KERAS_BACKEND={backend}: faces are found by mtcnn, which runs on TensorFlow: {way}")


def _bring_to_side(photograph: Image.Image) -> Image.Image:
    return _bring_to(photograph, float(np.clip(max(photograph.size), *SIDES)))


def _scale_back(faces: Sequence[Face], small: Image.Image, photograph: Image.Image) -> list[Face]:
    across = np.array(photograph.size) / small.size
    return sorted((_scale(face, across) for face in faces), key=lambda face: -face.area)


# Turning a photograph about.


class _Hit(NamedTuple):
    """A face at one turn; its points are those of the photograph as it lies."""

    face: Face
    sureness: float


def _find_turn(photograph: Image.Image, faces: Sequence[Face]) -> float:
    """By how many degrees, anticlockwise, the photograph is to be turned so that faces are upright; 0 where it is."""
    if not faces:
        small = _bring_to(photograph, min(max(photograph.size), SIDE_WITHOUT_FACES))
        return _surest_turn([hit for turn in TURNS for hit in _hits(small, turn)])
    here = max((_Hit(face, _sureness(face, face.tilt)) for face in faces), key=lambda hit: hit.sureness)
    small, large = (
        _bring_to(photograph, max(photograph.size) * min(1.0, side / math.sqrt(here.face.area)))
        for side in SIDES_OF_DOUBTFUL
    )
    known = [_scale(face, np.array(small.size) / photograph.size) for face in faces]
    others = [hit for turn in QUARTERS[1:] for hit in _hits(small, turn)]
    rivals = [hit for hit in others if not any(is_same(face, hit.face) for face in known)]
    if all(hit.sureness < DOUBT * here.sureness for hit in rivals):
        return here.face.tilt if abs(here.face.tilt) > MOST_TILT else 0.0
    return _surest_turn([hit for turn in TURNS for hit in _hits(large, turn)])


def _surest_turn(hits: Sequence[_Hit]) -> float:
    """The turn of that face which is found most surely over all turns."""
    groups: list[list[_Hit]] = []
    for hit in sorted(hits, key=lambda hit: -hit.sureness):
        for group in groups:
            if is_same(group[0].face, hit.face):
                group.append(hit)
                break
        else:
            groups.append([hit])
    if not groups:
        return 0.0

    def weigh(group: list[_Hit]) -> float:
        return sum(hit.sureness for hit in group) * (1.0 if are_lying(group[0].face.tilt) else UPRIGHT)

    tilt = max(groups, key=weigh)[0].face.tilt
    return tilt if abs(tilt) > MOST_TILT else 0.0


def _hits(photograph: Image.Image, turn: float) -> list[_Hit]:
    return [_Hit(face, _sureness(face, face.tilt - turn)) for face in _detect(photograph, turn)]


def _sureness(face: Face, tilt: float = 0.0) -> float:
    """How sure it is that a face is one, 0 to 1: confidence, times how near to a face's its points lie, upright.

    Args:
      face: as found.
      tilt: of the face as it was seen, in degrees.
    """
    template = np.array(TEMPLATES["celeba"])
    matrix = crop_to_photograph(face.points, template)
    fitted = template @ matrix[:, :2].T + matrix[:, 2]
    residual = math.sqrt(((fitted - face.points) ** 2).sum(axis=1).mean() / np.linalg.det(matrix[:, :2]))
    away = abs((tilt + 180.0) % 360.0 - 180.0) / 90.0
    return face.confidence**_POWER * max(0.0, 1.0 - residual / _MOST_RESIDUAL) * max(0.0, 1.0 - away)


def is_same(face: Face, other: Face) -> bool:
    """Whether two are the same face, by their points."""
    side = math.sqrt(np.linalg.det(crop_to_photograph(face.points, np.array(TEMPLATES["celeba"]))[:, :2]))
    return bool(math.sqrt(((face.points - other.points) ** 2).sum(axis=1).mean()) < _APART * side)


def _detect(photograph: Image.Image, turn: float) -> list[Face]:
    """The faces that the detector finds in a photograph turned anticlockwise by so many degrees, as they lie in it."""
    turned = photograph.rotate(turn, Image.Resampling.BICUBIC, expand=True) if turn else photograph
    rows = _detector().detect_faces(
        np.asarray(turned), output_type="numpy", box_format="xyxy", fit_to_image=False, min_face_size=SMALLEST_FACE
    )
    return [_turn_back(_face(row), turn, turned.size, photograph.size) for row in rows]


def _turn_back(face: Face, turn: float, size: tuple[int, int], before: tuple[int, int]) -> Face:
    """A face of a turned picture of (width, height) `size`, in pixels of what it was `before`."""
    if not turn:
        return face
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    back = np.array([[cosine, sine], [-sine, cosine]])  # [x, y] @ back
    middle, middle_before = np.array(size) / 2.0, np.array(before) / 2.0
    left, top, width, height = face.box
    box_middle = (np.array([left + width / 2.0, top + height / 2.0]) - middle) @ back + middle_before
    left, top = (box_middle - (width / 2.0, height / 2.0)).tolist()
    return face._replace(box=(left, top, width, height), points=(face.points - middle) @ back + middle_before)


def _bring_to(photograph: Image.Image, side: float) -> Image.Image:
    scale = side / max(photograph.size)
    width, height = (max(1, round(length * scale)) for length in photograph.size)
    size = (width, height)
    return photograph.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _scale(face: Face, across: float | np.ndarray) -> Face:
    """A face in a picture so many times as wide and high."""
    left, top, width, height = (np.array(face.box).reshape(2, 2) * across).reshape(-1).tolist()
    return face._replace(box=(left, top, width, height), points=face.points * across)


def _face(row: np.ndarray) -> Face:
    """A row of the detector: picture, two corners, confidence, five x, five y."""
    left, top, right, bottom = row[1:5].tolist()
    points = row[6:16].reshape(2, 5).T + 0.5  # it counts from the first pixel's centre
    return Face((left, top, right - left, bottom - top), points, float(row[5]))


def is_loaded() -> bool:
    """True once the detector has been needed, which takes seconds the first time."""
    return _detector.cache_info().currsize > 0


@functools.cache
def _detector() -> Any:
    check_installed()
    import tensorflow as tf
    from mtcnn import MTCNN

    detector = MTCNN()
    for stage in detector.stages:  # as graphs: layer by layer, nearly all of the time is Keras', not the network's
        stage.model.call = tf.function(stage.model.call, reduce_retracing=True)
    return detector
