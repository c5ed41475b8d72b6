"""What the points of a face say: the schemes of landmarks that a warp follows, and the oval that each draws."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .thin_plates import Box

BORDER_POINTS = 4  # on each side of the picture, which hold it in place
FOREHEAD = 0.5  # how far above the ears' line a forehead is taken to reach, by how far the chin lies below
ARC_POINTS = 9
# Of an oval around five points: half its width in distances of the eyes; its top above the eyes and its bottom below
# them, in distances from the eyes to the mouth. Medians of the mesh's outline over 786 of CelebA's faces.
HALF_WIDTH, TOP, BOTTOM = 1.12, 0.8, 1.7
MOST_TURNED = 0.75  # of the way from the middle between the eyes to one of them
MOST_APART = 0.85  # of the same way, between two faces


class Scheme(NamedTuple):
    """A kind of landmarks: (x, y) from a picture's left top corner, in any unit.

    Attributes:
      num_points: how many there are.
      used: those that a warp follows; too many in one place fold it.
      five: of which points eyes, nose and corners of the mouth are the means, as the viewer sees them from left to
        right: the five of face detectors.
      outline: from all points [L, 2] to those around the face, in order: [N, 2].
      stiffness: of a thin plate through them: how little they are to be trusted.
      aside: the scheme of five points that is followed instead where faces look in different directions, of which the
        points of a half that is not seen would fold a plate; None where they do not.
    """

    num_points: int
    used: Sequence[int]
    five: Sequence[Sequence[int]]
    outline: Callable[[np.ndarray], np.ndarray]
    stiffness: float
    aside: "Scheme | None" = None


def five_points(points: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Left eye, right eye, nose, left and right corner of the mouth: [L, 2] -> float64 [5, 2]."""
    return np.stack([points[list(members)].mean(axis=0) for members in scheme.five]).astype(np.float64)


def is_turned(five: np.ndarray) -> bool:
    """Whether a face of five points looks so far aside that one of its halves cannot be seen."""
    return abs(_turn(five)) > MOST_TURNED


def look_apart(first: np.ndarray, second: np.ndarray, scheme: Scheme) -> bool:
    """Whether two faces, [L, 2] each, look so far apart that a warp bends both, though neither is turned far aside."""
    turns = [_turn(five_points(points, scheme)) for points in (first, second)]
    return max(map(abs, turns)) <= MOST_TURNED and abs(turns[0] - turns[1]) > MOST_APART


def choose_points(faces: Sequence[np.ndarray], scheme: Scheme) -> tuple[list[np.ndarray], Scheme]:
    """The points that a warp of faces onto each other follows, [L, 2] each, and of which scheme they are.

    They are the faces' own, or five where one of them looks far aside, and not all of them to the same side.
    """
    fives = [five_points(points, scheme) for points in faces]
    turns = [_turn(five) for five in fives]
    apart = max(map(abs, turns)) > MOST_TURNED and not (min(turns) > MOST_TURNED or max(turns) < -MOST_TURNED)
    return (fives, scheme.aside) if apart and scheme.aside else (list(faces), scheme)


def _turn(five: np.ndarray) -> float:
    """Where the nose lies across a face: -1 below the left eye, 1 below the right one."""
    left, right, nose = five[:3]
    across = right - left
    return float(2.0 * ((nose - left) @ across) / max(across @ across, 1e-12) - 1.0)


def border(count: int = BORDER_POINTS) -> np.ndarray:
    """Points all around a picture, (x, y) in sides: float64 [4 count, 2]."""
    side, one, zero = np.arange(count) / count, np.ones(count), np.zeros(count)
    sides = ((side, zero), (one, side), (1.0 - side, one), (zero, 1.0 - side))
    return np.concatenate([np.stack(pair, axis=-1) for pair in sides])


def box_around(outline: np.ndarray, reach: float, size: tuple[int, int]) -> Box:
    """Rows and columns of a picture of (height, width) up to where an outline, so many times enlarged, reaches."""
    middle, half = _middle(outline), reach * np.ptp(outline, axis=0) / 2.0
    sides = np.array(size[::-1])
    low = np.clip(np.floor((middle - half) * sides), 0, sides - 1).astype(int)
    high = np.clip(np.ceil((middle + half) * sides), low + 1, sides).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def radius_map(outline: np.ndarray, size: tuple[int, int], box: Box) -> np.ndarray:
    """How far the pixels of a box lie from the middle of an outline, by how far it does there: float32 [h, w].

    Args:
      outline: [N, 2], (x, y) in sides, around the face.
      size: (height, width) of the picture.
      box: rows and columns.
    """
    middle = _middle(outline)
    y, x = ((np.arange(side)[part] + 0.5) / side for side, part in zip(size, box, strict=True))
    across, down = x[None, :] - middle[0], y[:, None] - middle[1]
    spokes = outline - middle
    angles, radii = np.arctan2(spokes[:, 1], spokes[:, 0]), np.hypot(spokes[:, 0], spokes[:, 1])
    edge = np.interp(np.arctan2(down, across).ravel(), angles, radii, period=2.0 * np.pi)
    return (np.hypot(across, down) / np.maximum(edge.reshape(down.shape[0], -1), 1e-6)).astype(np.float32)


def _middle(outline: np.ndarray) -> np.ndarray:
    return (outline.min(axis=0) + outline.max(axis=0)) / 2.0


# Outlines.


def _mesh_outline(points: np.ndarray) -> np.ndarray:
    return points[list(_OVAL)]


def _jaw_outline(points: np.ndarray) -> np.ndarray:
    """The jaw, from ear to ear, and half an ellipse over the forehead, where there are no points."""
    jaw = points[:17]
    middle, half = (jaw[0] + jaw[16]) / 2.0, (jaw[0] - jaw[16]) / 2.0
    up = FOREHEAD * (middle - jaw[8])
    angles = np.linspace(0.0, np.pi, ARC_POINTS + 2)[1:-1, None]
    return np.concatenate([jaw, middle - np.cos(angles) * half + np.sin(angles) * up])


def _five_outline(points: np.ndarray) -> np.ndarray:
    """An ellipse around eyes and mouth."""
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    down = mouth - eyes
    half = HALF_WIDTH * (points[1] - points[0])
    angles = np.linspace(0.0, 2.0 * np.pi, 4 * ARC_POINTS, endpoint=False)[:, None]
    middle = eyes + 0.5 * (BOTTOM - TOP) * down
    return middle + np.cos(angles) * half + 0.5 * (BOTTOM + TOP) * np.sin(angles) * down


# The schemes.

# Of MediaPipe's face mesh.
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_EYES = (
    *(33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    *(263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
)
_BROWS = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107, 276, 283, 282, 295, 285, 300, 293, 334, 296, 336)
_LIPS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
_NOSE = (168, 6, 197, 195, 5, 4, 1, 2, 98, 97, 326, 327, 129, 358, 48, 278)
_CHEEKS = (50, 280, 205, 425, 117, 346)
_IRISES = (468, 473)

# The five points of face detectors: both eyes, the nose, both corners of the mouth.
_FIVE = Scheme(num_points=5, used=range(5), five=((0,), (1,), (2,), (3,), (4,)), outline=_five_outline, stiffness=1e-2)

SCHEMES = {
    # The face landmarker of MediaPipe: its mesh of 468 points, and five in each iris.
    "mediapipe": Scheme(
        num_points=478,
        used=(*_OVAL, *_EYES, *_BROWS, *_LIPS, *_NOSE, *_CHEEKS, *_IRISES),
        five=((33, 133), (362, 263), (1,), (61,), (291,)),
        outline=_mesh_outline,
        stiffness=1e-5,
        aside=_FIVE,
    ),
    # iBUG's 68 points and both pupils, as drawn faces have them.
    "drawn": Scheme(
        num_points=70,
        used=range(70),
        five=(range(36, 42), range(42, 48), (30,), (48,), (54,)),
        outline=_jaw_outline,
        stiffness=1e-5,
    ),
    "five": _FIVE,
}
