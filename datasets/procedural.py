"""Drawn faces: pictures that are a pure function of true factors, so attributes and landmarks are exact.

A picture is painted back to front into planes [3, n, h, w] by signed distances (below 0 inside, in head units) and by
the normals of an ellipsoid-like head. Small features are painted inside a window cut round them, for speed.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator

import numpy as np

from .face_factors import (
    ATTRIBUTE_NAMES,
    BACKGROUNDS,
    DISCRETE_FACTORS,
    FACTOR_NAMES,
    FACTOR_RANGES,
    FACTORS,
    HAIR_STYLES,
    PICTURES_PER_IDENTITY,
    face_attributes,
    identity_of,
    sample_factors,
)
from .face_geometry import CENTRE_Y, LANDMARK_NAMES, SCALE, Face, Triple, face_landmarks
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

# Colours in the order that factors 0 to 1 run through them.
SKIN = (
    *((0.98, 0.87, 0.80), (0.95, 0.79, 0.68), (0.88, 0.69, 0.55), (0.76, 0.55, 0.41)),
    *((0.58, 0.39, 0.28), (0.37, 0.24, 0.18), (0.27, 0.18, 0.14)),
)
HAIR = (
    *((0.07, 0.06, 0.07), (0.18, 0.11, 0.08), (0.35, 0.21, 0.12)),
    *((0.50, 0.24, 0.12), (0.70, 0.52, 0.30), (0.90, 0.77, 0.50)),
)
IRIS = (
    *((0.16, 0.09, 0.05), (0.34, 0.20, 0.10), (0.44, 0.36, 0.18)),
    *((0.30, 0.46, 0.28), (0.28, 0.47, 0.68), (0.52, 0.58, 0.62)),
)
GRAY_HAIR = (0.74, 0.74, 0.75)
# One for each kind of glasses; the first, "none", is never seen.
FRAMES = ((0.0, 0.0, 0.0), (0.20, 0.12, 0.08), (0.08, 0.08, 0.10), (0.55, 0.42, 0.24), (0.07, 0.07, 0.08))


def _rgb(*colour: float) -> np.ndarray:
    return np.array(colour, np.float32).reshape(3, 1, 1, 1)


def _palette(anchors: tuple[tuple[float, float, float], ...], position: np.ndarray) -> np.ndarray:
    """Colours between evenly spaced anchors: position [n, 1, 1] in [0, 1] -> [3, n, 1, 1]."""
    places = np.linspace(0.0, 1.0, len(anchors))
    return np.stack([np.interp(position, places, channel) for channel in zip(*anchors, strict=True)]).astype(np.float32)


def _hue(hue: np.ndarray, saturation: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    """HSV [n, 1, 1] -> RGB [3, n, 1, 1], the colour circle rounded by cosines."""
    turns = hue[None] - np.array([0.0, 1.0 / 3.0, 2.0 / 3.0], np.float32).reshape(3, 1, 1, 1)
    wheel = 0.5 + 0.5 * np.cos(np.float32(2.0 * np.pi) * turns)
    return brightness * (1.0 - saturation * (1.0 - wheel))


def _step(low: float, high: float, value: np.ndarray) -> np.ndarray:
    share = np.clip((value - low) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def _spot(x: np.ndarray, y: np.ndarray, radius_x: np.ndarray | float, radius_y: np.ndarray | float) -> np.ndarray:
    """A soft round spot: 1 in its middle, 1/e at the radii."""
    across, down = x / radius_x, y / radius_y
    return np.exp(-(across * across + down * down))


def _paint(picture: np.ndarray, colour: np.ndarray, alpha: np.ndarray) -> None:
    """Lays a colour over the picture [3, n, h, w] in place, as opaque as alpha [n, h, w] says."""
    picture += alpha * (colour - picture)


def _ellipse(x: np.ndarray, y: np.ndarray, radius_x: np.ndarray | float, radius_y: np.ndarray | float) -> np.ndarray:
    """Signed distance to an ellipse, exact on its edge and right to first order near it."""
    across, down = x / radius_x, y / radius_y
    inside = across * across + down * down
    slope = np.sqrt((across / radius_x) ** 2 + (down / radius_y) ** 2) + 1e-3
    return 0.5 * (inside - 1.0) / slope


def _box(x: np.ndarray, y: np.ndarray, half_x: float, half_y: float, corner: float) -> np.ndarray:
    """Signed distance to a box with round corners."""
    across, down = np.abs(x) - (half_x - corner), np.abs(y) - (half_y - corner)
    outside = np.sqrt(np.maximum(across, 0.0) ** 2 + np.maximum(down, 0.0) ** 2)
    return outside + np.minimum(np.maximum(across, down), 0.0) - corner


def _segment(x: np.ndarray, y: np.ndarray, start: tuple, end: tuple) -> np.ndarray:
    """Distance to a straight line between two points."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    length = along_x * along_x + along_y * along_y + 1e-6
    share = np.clip(((x - start[0]) * along_x + (y - start[1]) * along_y) / length, 0.0, 1.0)
    return np.sqrt((x - start[0] - share * along_x) ** 2 + (y - start[1] - share * along_y) ** 2)


class Surface:
    """The head's surface behind each pixel.

    x, y: place in the head frame, [n, h, w]. across, down, out: the same on the unit sphere. rim: below 1 inside the
    outline. light: colour of the light that the head sends back, [3, n, h, w], known once the head is painted.
    """

    def __init__(self, **planes: np.ndarray):
        self.__dict__.update(planes)

    def __getattr__(self, name: str) -> np.ndarray:
        raise AttributeError(f"this surface has no {name!r} yet")


class SurfaceCut(Surface):
    """A part of a surface; each of its planes is cut out when first asked for."""

    def __init__(self, whole: Surface, index: tuple):
        super().__init__()
        self._whole, self._index = whole, index

    def __getattr__(self, name: str) -> np.ndarray:
        plane = getattr(self._whole, name)[self._index]
        setattr(self, name, plane)
        return plane


@dataclasses.dataclass
class Canvas:
    """A picture or a window of it, and what the layers need to know about its pixels.

    Attributes:
      factors: [n, F].
      column, row: place of the pixels in the picture, [0, 1]: [1, 1, S] and [1, S, 1], or [n, 1, w] and [n, h, 1] in
        a window (which is not cut again).
      pixel: side of a pixel in head units.
      picture: planes [3, n, h, w] in [0, 1].
      surface: the head behind each pixel.
    """

    factors: np.ndarray
    column: np.ndarray
    row: np.ndarray
    pixel: np.float32
    picture: np.ndarray
    surface: Surface

    @functools.cached_property
    def face(self) -> Face:
        return Face(self.factors, num_dims=3)

    @functools.cached_property
    def view(self) -> tuple[np.ndarray, np.ndarray]:
        return self.face.from_picture(self.column, self.row)

    @functools.cached_property
    def body(self) -> tuple[np.ndarray, np.ndarray]:
        """Head units from the picture's middle, upright: the frame of what does not turn with the head."""
        return (self.column - 0.5) * np.float32(1.0 / SCALE), (self.row - CENTRE_Y) * np.float32(1.0 / SCALE)

    def cover(self, distance: np.ndarray, softness: float = 0.0) -> np.ndarray:
        """Share of each pixel inside an edge; `softness` in head units blurs the edge."""
        return np.clip(0.5 - distance / (self.pixel + np.float32(softness)), 0.0, 1.0)

    def paint(self, colour: np.ndarray, alpha: np.ndarray) -> None:
        """Lays a colour, broadcastable to [3, n, h, w], over the picture, as opaque as alpha [n, h, w] says."""
        self.picture += alpha * (colour - self.picture)

    @functools.cached_property
    def on_head(self) -> np.ndarray:
        """Share of each pixel inside the head's outline, [n, h, w]."""
        return self.cover((self.surface.rim - 1.0) * self.face.half_width)

    def paint_lit(self, colour: np.ndarray, alpha: np.ndarray) -> None:
        """Paints something lit like the head behind it."""
        self.paint(colour * self.surface.light, alpha)

    def paint_on_head(self, colour: np.ndarray, alpha: np.ndarray) -> None:
        """Paints something that lies on the head: it ends with the outline."""
        self.paint_lit(colour, alpha * self.on_head)

    @contextlib.contextmanager
    def window(self, place: tuple[np.ndarray, np.ndarray], width: float, height: float) -> Iterator["Canvas"]:
        """The canvas of a window round places (x, y), its sides shares of the picture's; painted back at the end."""
        size = self.picture.shape[-1]
        rows, columns = (_span(at, side, size) for at, side in zip(place[::-1], (height, width), strict=True))
        members = np.arange(len(rows))
        index = (..., members[:, None, None], rows[:, :, None], columns[:, None, :])
        part = self._cut(index, self.factors, self.column[0, 0][columns][:, None, :], self.row[0][rows])
        yield part
        self.picture[index] = part.picture

    @contextlib.contextmanager
    def where(self, chosen: np.ndarray) -> Iterator["Canvas"]:
        """The canvas of the pictures for which chosen [n] holds; painted back at the end."""
        index = (..., np.flatnonzero(chosen), slice(None), slice(None))
        part = self._cut(index, self.factors[chosen], self.column, self.row)
        yield part
        self.picture[index] = part.picture

    def _cut(self, index: tuple, factors: np.ndarray, column: np.ndarray, row: np.ndarray) -> "Canvas":
        return Canvas(factors, column, row, self.pixel, self.picture[index], SurfaceCut(self.surface, index))


def _span(middle: np.ndarray, share: float, size: int) -> np.ndarray:
    """Pixels of a window along one side: middles [n] in [0, 1] -> numbers [n, pixels], all inside the picture."""
    length = min(size, 2 + round(share * size))
    start = np.clip(np.floor(middle.reshape(-1) * size - 0.5 * length + 0.5).astype(int), 0, size - length)
    return start[:, None] + np.arange(length)


# The head.


def _solve_surface(face: Face, x: np.ndarray, y: np.ndarray) -> Surface:
    """Meets the line of sight through each view point with the head.

    The widths depend on the height of the meeting point, so the quadratic of the ellipsoid is solved again with the
    height last found; where the head is not pitched the first answer is exact already.
    """
    start, ray = (
        face.to_head(x, y, np.float32(0.0)),
        face.to_head(0.0 * face.lower, 0.0 * face.lower, 1.0 + 0.0 * face.lower),
    )
    height = start[1] + np.float32(0.6) * ray[1]
    for _ in range(3):
        axes = (face.width_at(height), face.height_at(height), face.half_depth)
        forward = face.forward_at(height)
        point = (start[0] / axes[0], start[1] / axes[1], (start[2] - forward) / axes[2])
        step = (ray[0] / axes[0], ray[1] / axes[1], ray[2] / axes[2])
        square = step[0] * step[0] + step[1] * step[1] + step[2] * step[2]
        nearest = -(point[0] * step[0] + point[1] * step[1] + point[2] * step[2]) / square
        miss = point[0] * point[0] + point[1] * point[1] + point[2] * point[2] - nearest * nearest * square
        distance = nearest + np.sqrt(np.maximum(1.0 - miss, 0.0) / square)
        height = start[1] + distance * ray[1]
    rim = np.sqrt(np.maximum(miss, 1e-6))
    scale = 1.0 / np.maximum(rim, 1.0)
    across, down, out = ((p + distance * s) * scale for p, s in zip(point, step, strict=True))
    return Surface(x=across * axes[0], y=down * axes[1], across=across, down=down, out=out, rim=rim)


def _bump(x: np.ndarray, y: np.ndarray, radius_x, radius_y, height) -> tuple[np.ndarray, np.ndarray]:
    """Slope (across, down) of a soft hill `height` high."""
    hill = height * _spot(x, y, radius_x, radius_y)
    return x * hill * (-2.0 / (radius_x * radius_x)), y * hill * (-2.0 / (radius_y * radius_y))


def _relief(face: Face, surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of sockets, brow ridges, cheeks, lips and chin over the frontal plane."""
    x, y, side = np.abs(surface.x), surface.y, np.sign(surface.x)
    smile = np.clip(face["smile"], 0.0, 1.0)
    mirrored = (
        _bump(x - face.eye_x + 0.03, y - face.eye_y + 0.03, 0.19, 0.13, -0.055),
        _bump(x - face.eye_x, y - face.brow_y + 0.01, 0.24, 0.09, 0.028),
        _bump(x - 0.37, y - 0.33 + 0.03 * smile, 0.17, 0.15, 0.045 + 0.03 * smile),
    )
    single = (
        _bump(surface.x, y - face.mouth_y, 0.27, 0.17, 0.030),
        _bump(surface.x, y - face.mouth_y - 0.175 - 0.7 * face.gap, 0.16, 0.05, -0.020),
        _bump(surface.x, y - 0.87 * face.lower, 0.17, 0.12, 0.050),
    )
    across = side * sum(bump[0] for bump in mirrored) + sum(bump[0] for bump in single)
    return across, sum(bump[1] for bump in mirrored) + sum(bump[1] for bump in single)


class _Nose:
    """The nose in the view frame: `along` runs from the bridge (0) down to the tip (length), `aside` across."""

    def __init__(self, face: Face, x: np.ndarray, y: np.ndarray):
        bridge, tip = (face.to_view(*point) for point in face.nose_points())
        base_y = face.nose_y + 0.0 * face.nose_half_width
        base = face.to_view(0.0 * base_y, base_y, face.depth_at(0.0 * base_y, base_y) + 0.07)
        self.length = np.sqrt((tip[0] - bridge[0]) ** 2 + (tip[1] - bridge[1]) ** 2)
        self.axis = ((tip[0] - bridge[0]) / self.length, (tip[1] - bridge[1]) / self.length)
        self.along, self.aside = self._turn(x - bridge[0], y - bridge[1])
        self.base_along, self.base_aside = self._turn(base[0] - bridge[0], base[1] - bridge[1])
        self.half_width = face.nose_half_width * face.cos_yaw

    def _turn(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x * self.axis[0] + y * self.axis[1], x * self.axis[1] - y * self.axis[0]

    def slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """Slopes of the nose's relief along x and y of the view frame."""
        wing = np.abs(self.aside - self.base_aside)
        toward = np.sign(self.aside - self.base_aside)
        ridge = _bump(self.aside, self.along - 0.55 * self.length, 0.075, 0.5 * self.length, 0.085)
        tip = _bump(self.aside, self.along - 0.97 * self.length, 0.095, 0.085, 0.080)
        wings = _bump(wing - 0.72 * self.half_width, self.along - self.base_along + 0.035, 0.055, 0.06, 0.040)
        aside = ridge[0] + tip[0] + toward * wings[0]
        along = ridge[1] + tip[1] + wings[1]
        return along * self.axis[0] + aside * self.axis[1], along * self.axis[1] - aside * self.axis[0]


def _normals(face: Face, surface: Surface, view: tuple[np.ndarray, np.ndarray], relief: bool) -> Triple:
    """Unit normals of the head in its own frame, with the face's relief or of the bare ellipsoid."""
    width = face.width_at(surface.y)
    widening = face.widening_at(surface.y)
    below = np.maximum(surface.y, 0.0)
    x = surface.across / width
    y = surface.down / face.height_at(surface.y)
    y = y - surface.across * x * widening - surface.out * (0.72 * below) / face.half_depth
    z = surface.out / face.half_depth
    if relief:
        x, y, z = _add_relief(face, surface, view, (x, y, z))
    length = 1.0 / np.sqrt(x * x + y * y + z * z)
    return x * length, y * length, z * length


def _add_relief(face: Face, surface: Surface, view: tuple[np.ndarray, np.ndarray], normal: Triple) -> Triple:
    across, down = _relief(face, surface)
    nose = face.to_head(*_Nose(face, *view).slopes(), np.float32(0.0))
    return normal[0] - across - nose[0], normal[1] - down - nose[1], normal[2] - nose[2]


def _light_direction(face: Face) -> Triple:
    """Where the light comes from, in the head frame."""
    x, y = 0.95 * face["light_x"], 0.75 * face["light_y"] - 0.12
    length = 1.0 / np.sqrt(x * x + y * y + 0.8)
    x, y, z = x * length, y * length, np.float32(0.8**0.5) * length
    return face.to_head(x * face.cos_roll + y * face.sin_roll, y * face.cos_roll - x * face.sin_roll, z)


def _light_colour(face: Face) -> np.ndarray:
    return 1.0 + _rgb(0.07, 0.01, -0.09) * face["light_warmth"]


def _shade(face: Face, normal: Triple, softness: float = 0.35) -> np.ndarray:
    """Light that a matt surface sends back, [3, n, h, w]: a key light that wraps round, and a fill from above."""
    light = _light_direction(face)
    facing = normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]
    key = np.maximum((facing + softness) * np.float32(1.0 / (1.0 + softness)), 0.0)
    strength = 0.35 + 0.55 * face["light_strength"]
    fill = (1.02 - 0.92 * strength) * (0.93 - 0.07 * normal[1])
    # Light that passes through skin reddens the edge of the shade.
    edge = 0.05 * strength * np.maximum(1.0 - np.abs(facing) * 2.5, 0.0)
    return _light_colour(face) * (strength * key)[None] + fill + _rgb(1.0, 0.1, 0.0) * edge


def _gloss(face: Face, normal: Triple, sharpness: int) -> np.ndarray:
    """Highlight where the normal halves the angle between light and eye."""
    light, eye = _light_direction(face), face.to_head(np.float32(0), np.float32(0) * face.lower, 1.0 + 0.0 * face.lower)
    half = [a + b for a, b in zip(light, eye, strict=True)]
    length = 1.0 / np.sqrt(sum(part * part for part in half))
    facing = np.maximum(sum(a * b for a, b in zip(normal, half, strict=True)) * length, 0.0)
    for _ in range(sharpness):
        facing = facing * facing
    return facing


def _skin_colour(face: Face) -> np.ndarray:
    return _palette(SKIN, face["skin_tone"])


def _hair_colour(face: Face) -> np.ndarray:
    colour = _palette(HAIR, face["hair_colour"])
    return colour + face["hair_gray"] * (_rgb(*GRAY_HAIR) - colour)


def _draw_head(canvas: Canvas) -> None:
    face, surface = canvas.face, canvas.surface
    normal = _normals(face, surface, canvas.view, relief=True)
    canvas.surface.light = _shade(face, normal)
    skin = _skin_colour(face)
    cheeks = 0.35 * _spot(np.abs(surface.x) - 0.40, surface.y - 0.36, 0.20, 0.16)
    albedo = skin * (1.0 - cheeks * _rgb(0.02, 0.20, 0.16))
    sockets = 0.20 * _spot(np.abs(surface.x) - face.eye_x + 0.02, surface.y - face.eye_y + 0.02, 0.19, 0.12)
    canvas.surface.light *= 1.0 - sockets
    shine = (0.10 + 0.06 * face["light_strength"]) * _gloss(face, normal, 4)
    canvas.paint(albedo * canvas.surface.light + shine, canvas.on_head)


def _draw_ears(canvas: Canvas) -> None:
    for side in (-1, 1):
        face = canvas.face
        place = face.to_view(side * 0.98 * face.half_width, 0.16 + 0.0 * face.lower, -0.04 + 0.0 * face.lower)
        with canvas.window(face.to_picture(place[0], place[1]), 0.18, 0.25) as part:
            _draw_ear(part, side, (place[0], place[1]))


def _draw_ear(canvas: Canvas, side: int, place: tuple[np.ndarray, np.ndarray]) -> None:
    face = canvas.face
    x, y = side * (canvas.view[0] - place[0]), canvas.view[1] - place[1]
    x = x + 0.25 * y
    turned_here = np.clip(0.25 - 2.2 * side * face.sin_yaw, 0.0, 1.0)
    alpha = canvas.cover(_ellipse(x, y, 0.095 + 0.05 * turned_here, 0.185))
    head = canvas.cover((canvas.surface.rim - 0.985) * face.half_width, 0.02)
    fold = 0.30 * _spot(x + 0.01, y + 0.02, 0.045, 0.10)
    normal = (side * (0.75 + 2.0 * x), 0.0 * y - 0.2, 0.55 + 0.0 * x)
    # A little shade where the ear leaves the head.
    canvas.picture *= 1.0 - 0.22 * turned_here * head * _spot(x, y, 0.12, 0.20)
    colour = _skin_colour(face) * (1.0 - fold * _rgb(0.7, 1.0, 1.0)) * _rgb(1.0, 0.94, 0.93)
    canvas.paint(colour * _shade(face, normal), alpha * (1.0 - head * (1.0 - turned_here)))


def _draw_nostrils(canvas: Canvas) -> None:
    face = canvas.face
    base_y = face.nose_y + 0.0 * face.lower
    with canvas.window(face.on_face(0.0 * base_y, base_y, 0.07), 0.19, 0.13) as part:
        face, nose = part.face, _Nose(part.face, *part.view)
        aside, along = nose.aside - nose.base_aside, nose.along - nose.base_along
        shade = 0.30 * _spot(aside + 0.04 * face["light_x"], along - 0.055, nose.half_width, 0.045)
        part.picture *= 1.0 - shade * (0.35 - 0.65 * np.minimum(face["light_y"], 0.0))
        crease = _segment(np.abs(aside), along, (nose.half_width * 0.98, -0.07), (nose.half_width * 0.90, 0.0))
        part.picture *= 1.0 - 0.28 * np.exp(-((crease / 0.028) ** 2))
        hole = _ellipse(np.abs(aside) - 0.48 * nose.half_width, along + 0.002 + 0.1 * face.sin_pitch, 0.040, 0.022)
        part.paint_on_head(_skin_colour(face) * _rgb(0.28, 0.18, 0.17), 0.85 * part.cover(hole, 0.035))


# Eyes and brows.


def _draw_eyes(canvas: Canvas) -> None:
    for side in (-1, 1):
        face = canvas.face
        with canvas.window(face.on_face(side * face.eye_x, face.eye_y - 0.09), 0.17, 0.20) as part:
            _draw_brow(part, side)
            _draw_eye(part, side)


def _draw_brow(canvas: Canvas, side: int) -> None:
    face = canvas.face
    u = (side * canvas.surface.x - face.brow_x(np.float32(0.0))) / np.float32(0.185)
    middle, thickness = face.brow(np.clip(u, -1.0, 1.0))
    distance = np.maximum(np.abs(canvas.surface.y - middle) - thickness, (np.abs(u) - 1.0) * 0.185)
    strands = 1.0 - 0.18 * np.sin(14.0 * u + 22.0 * (canvas.surface.y - middle))
    shadow = _skin_colour(face) * _rgb(0.42, 0.38, 0.38)
    hair = 0.62 * _hair_colour(face) + 0.30 * shadow
    canvas.paint_on_head(hair * strands, 0.90 * canvas.cover(distance, 0.028) * (1.0 - 0.25 * _step(0.3, 1.0, -u)))


def _draw_eye(canvas: Canvas, side: int) -> None:
    face = canvas.face
    x, y = side * canvas.surface.x - face.eye_x, canvas.surface.y - face.eye_y
    u = x / face.eye_half_width
    upper, lower = face.eyelids(np.clip(u, -1.0, 1.0))
    slope = 1.0 / np.sqrt(1.0 + (1.9 * face.eye_opening * u / face.eye_half_width) ** 2)
    corner = (np.abs(u) - 1.0) * face.eye_half_width
    opening = np.maximum(np.maximum(upper - y, y - lower) * slope, corner)
    _draw_lids(canvas, u, (y - upper) * slope, (y - lower) * slope)
    _draw_eyeball(canvas, side * x, y, y - upper, canvas.cover(opening) * canvas.on_head)
    beyond = np.maximum(corner - 0.018, 0.0) * 4.0
    lash = np.abs((y - upper) * slope + 0.004) - 0.015 * (1.0 - 0.55 * np.minimum(u * u, 1.0)) + beyond
    canvas.paint_on_head(_skin_colour(face) * _rgb(0.20, 0.15, 0.15), 0.92 * canvas.cover(lash, 0.012))


def _draw_lids(canvas: Canvas, u: np.ndarray, above: np.ndarray, below: np.ndarray) -> None:
    face = canvas.face
    fade = np.maximum(1.0 - 0.72 * u * u, 0.0)
    crease = np.exp(-(((above + 0.050 - 0.012 * face.age) / 0.020) ** 2)) * fade
    lid = canvas.cover(np.abs(above + 0.025) - 0.025, 0.02) * fade
    rim = np.exp(-(((below - 0.004) / 0.014) ** 2)) * fade
    bag = np.exp(-(((below - 0.075) / 0.030) ** 2)) * fade * (0.06 + 0.20 * face.age)
    dark = 0.36 * crease + 0.10 * lid + 0.26 * rim + bag
    canvas.picture *= 1.0 - dark * _rgb(0.80, 1.0, 1.0)


def _draw_eyeball(canvas: Canvas, x: np.ndarray, y: np.ndarray, under_lid: np.ndarray, alpha: np.ndarray) -> None:
    face = canvas.face
    shade = 1.0 - 0.42 * np.exp(-np.maximum(under_lid, 0.0) / 0.030) - 1.2 * x * x
    white = _rgb(0.95, 0.93, 0.91) * (0.30 + 0.70 * canvas.surface.light) * shade
    canvas.paint(white, alpha)
    from_pupil = np.sqrt((x - face.gaze_x) ** 2 + (y - face.gaze_y) ** 2)
    colour = _palette(IRIS, face["eye_colour"]) * (0.55 + 0.45 * canvas.surface.light)
    glow = 0.75 + 0.6 * _step(-0.02, 0.06, y - face.gaze_y)
    canvas.paint(colour * glow * shade, alpha * canvas.cover(from_pupil - face.iris_radius, 0.006))
    ring = np.exp(-(((from_pupil - face.iris_radius + 0.006) / 0.012) ** 2))
    canvas.paint(0.3 * colour, alpha * 0.6 * ring)
    canvas.paint(_rgb(0.03, 0.03, 0.04), alpha * canvas.cover(from_pupil - 0.028, 0.006))
    glint_x, glint_y = face.gaze_x + 0.020 + 0.016 * face["light_x"], face.gaze_y - 0.022 + 0.008 * face["light_y"]
    glint = np.sqrt((x - glint_x) ** 2 + (y - glint_y) ** 2) - 0.014
    canvas.paint(_rgb(1.0, 1.0, 1.0), 0.92 * alpha * canvas.cover(glint, 0.008))


# The mouth.


def _draw_mouth(canvas: Canvas) -> None:
    face = canvas.face
    with canvas.window(face.on_face(0.0 * face.mouth_y, face.mouth_y + 0.02), 0.27, 0.22) as part:
        face, x, y = part.face, part.surface.x, part.surface.y
        u = x / face.mouth_half_width
        edges = face.lips(np.clip(u, -1.0, 1.0))
        corner = (np.abs(u) - 1.0) * face.mouth_half_width
        _draw_mouth_corners(part, u, y - edges[1])
        _draw_lips(part, u, y, edges, corner)
        _draw_inside(part, u, y, edges, corner)


def _draw_mouth_corners(canvas: Canvas, u: np.ndarray, y: np.ndarray) -> None:
    dimple = _spot(np.abs(u) - 1.04, y, 0.10, 0.045)
    canvas.picture *= 1.0 - (0.30 + 0.10 * np.clip(canvas.face["smile"], 0.0, 1.0)) * dimple


def _draw_lips(canvas: Canvas, u: np.ndarray, y: np.ndarray, edges: tuple[np.ndarray, ...], corner: np.ndarray) -> None:
    face = canvas.face
    skin = _skin_colour(face)
    lips = skin * _rgb(0.85, 0.61, 0.60) + _rgb(0.04, 0.0, 0.01)
    upper = np.maximum(np.maximum(edges[0] - y, y - edges[1]), corner)
    lower = np.maximum(np.maximum(edges[2] - y, y - edges[3]), corner)
    canvas.paint_on_head(0.86 * lips, 0.9 * canvas.cover(upper, 0.012))
    canvas.paint_on_head(lips, 0.9 * canvas.cover(lower, 0.012))
    middle = 0.45 * edges[2] + 0.55 * edges[3]
    shine = _spot(u, y - middle, 0.5, 0.026) * (0.10 + 0.10 * face["light_strength"])
    canvas.picture += shine * canvas.cover(lower)
    shadow = _spot(u, y - edges[3] - 0.040, 0.62, 0.038)
    canvas.picture *= 1.0 - 0.20 * shadow * (y > edges[3])


def _draw_inside(
    canvas: Canvas, u: np.ndarray, y: np.ndarray, edges: tuple[np.ndarray, ...], corner: np.ndarray
) -> None:
    face = canvas.face
    inside = np.maximum(np.maximum(edges[1] - y, y - edges[2]), corner)
    alpha = canvas.cover(inside) * np.clip(face.gap / 0.02, 0.0, 1.0)
    canvas.paint_on_head(_rgb(0.20, 0.06, 0.06), alpha)
    tongue = _spot(u, y - edges[2] - 0.01, 0.55, 0.35 * face.gap + 0.01)
    canvas.paint_on_head(_rgb(0.62, 0.27, 0.27), 0.8 * alpha * tongue)
    teeth = y - edges[1] - np.minimum(0.075, 0.75 * face.gap) * (1.0 - 0.45 * u * u)
    white = _rgb(0.96, 0.94, 0.89) * (1.0 - 0.38 * u * u)
    canvas.paint_on_head(white, alpha * canvas.cover(np.maximum(teeth, (np.abs(u) - 0.90) * 0.2), 0.010))
    line = np.abs(y - edges[1] - 0.3 * face.gap) - 0.008 - 0.5 * face.gap + np.maximum(corner, 0.0) * 3.0
    closed = np.clip(1.0 - face.gap / 0.03, 0.0, 1.0)
    canvas.paint_on_head(_skin_colour(face) * _rgb(0.30, 0.16, 0.16), 0.85 * closed * canvas.cover(line, 0.014))


# Age.


def _draw_wrinkles(canvas: Canvas) -> None:
    face, x, y = canvas.face, np.abs(canvas.surface.x), canvas.surface.y
    smile = np.clip(face["smile"], 0.0, 1.0)
    start = (face.nose_half_width + 0.025, face.nose_y - 0.04)
    end = (face.mouth_half_width + 0.065, face.mouth_y - face.corner_lift * 0.4 + 0.03)
    bow = _segment(x, y, start, end)
    fold = np.exp(-((bow / 0.030) ** 2)) * np.clip(0.02 + 0.20 * face.age + 0.13 * smile, 0.0, 0.5)
    forehead = sum(np.exp(-(((y - at + 0.10 * x * x) / 0.020) ** 2)) for at in (-0.42, -0.33))
    forehead = forehead * np.maximum(1.0 - (x / 0.42) ** 2, 0.0) * 0.13 * np.clip(face.age - 0.25, 0.0, 1.0)
    foot = np.exp(-(((y - face.eye_y - 0.02) / 0.06) ** 2 + ((x - face.eye_x - 0.21) / 0.045) ** 2))
    crow = foot * (0.5 + 0.5 * np.cos((y - face.eye_y) * 90.0)) * (0.30 * face.age + 0.06 * smile)
    jowl = _spot(x - 0.33, y - 0.86, 0.05, 0.12) * 0.16 * np.clip(face.age - 0.4, 0.0, 1.0)
    dark = (fold + forehead + crow + jowl) * (canvas.surface.rim < 1.0)
    canvas.picture *= 1.0 - dark * _rgb(0.75, 1.0, 1.0)


# Beards.


def _draw_beard(canvas: Canvas) -> None:
    kind = canvas.factors[:, FACTOR_NAMES.index("beard")]
    with canvas.where(kind > 0) as part:
        if len(part.factors):
            _paint_beard(part)


def _paint_beard(canvas: Canvas) -> None:
    face, surface = canvas.face, canvas.surface
    kind = face["beard"]
    stubble, moustache, goatee, full = (kind == number for number in range(1, 5))
    x, y = np.abs(surface.x), surface.y
    edges = face.lips(np.clip(x / face.mouth_half_width, -1.0, 1.0))
    droop = 0.09 * (x / face.mouth_half_width) ** 2
    lip = np.maximum(face.nose_y + 0.055 + droop - y, y - edges[1] - 0.6 * droop)
    lip = np.maximum(lip, x - 1.12 * face.mouth_half_width)
    chin_y = 0.55 * (face.mouth_y + face.lower)
    chin = _ellipse(x, y - chin_y, 0.27 + 0.0 * x, face.lower + 0.06 - chin_y)
    chin = np.maximum(chin, face.mouth_y - 0.02 - y)
    cheek = face.nose_y + 0.19 - 0.42 * _step(0.30, 0.95, np.abs(surface.across)) - y
    everything = np.minimum(cheek, lip)
    distance = np.where(moustache, lip, np.where(goatee, np.minimum(lip, chin), everything))
    alpha = canvas.cover(distance, 0.10) * np.where(stubble, 0.42, 0.92) * _step(-0.45, -0.15, surface.out)
    thick = np.where(full, 0.075, np.where(goatee, 0.04, 0.0)) * _step(0.35, 0.8, y)
    alpha = alpha * canvas.cover((surface.rim - 1.0 - thick) * face.half_width, 0.02)
    texture = 1.0 + 0.10 * np.sin(19.0 * surface.x + 4.0 * y) * np.sin(11.0 * y + 5.0 * surface.x)
    colour = (0.72 * _hair_colour(face) + _skin_colour(face) * 0.10) * texture
    canvas.paint_lit(colour, alpha)


# Glasses.


def _draw_glasses(canvas: Canvas) -> None:
    with canvas.where(canvas.factors[:, FACTOR_NAMES.index("glasses")] > 0) as worn:
        if len(worn.factors):
            _draw_temples(worn)
            with worn.window(worn.face.on_face(0.0 * worn.face.eye_x, worn.face.eye_y, 0.1), 0.56, 0.34) as part:
                _draw_frame(part)


def _lens_plane(face: Face) -> np.ndarray:
    return face.depth_at(face.eye_x, face.eye_y) + 0.15


def _draw_temples(canvas: Canvas) -> None:
    face = canvas.face
    kind = face["glasses"].astype(int)
    colour = np.array(FRAMES, np.float32).T[:, kind]
    for side in (-1, 1):
        hinge = face.to_view(side * (face.eye_x + 0.215), face.eye_y - 0.03, _lens_plane(face) - 0.02)
        ear = face.to_view(side * 1.0 * face.half_width, face.eye_y + 0.01, 0.0 * face.lower)
        distance = _segment(*canvas.view, hinge[:2], ear[:2]) - 0.020
        near = np.clip(0.6 - 8.0 * side * face.sin_yaw, 0.0, 1.0)
        canvas.paint_lit(colour, 0.9 * near * canvas.cover(distance) * canvas.cover(canvas.surface.rim - 1.02))


def _lens(kind: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance to the lens of each kind of frame, x and y from its middle."""
    shapes = (
        _ellipse(x, y, 0.185, 0.180),
        _box(x, y, 0.200, 0.150, 0.06),
        _box(x, y + 0.02 - 0.10 * x * (x > 0), 0.215, 0.135, 0.11),
        _box(x, y, 0.215, 0.180, 0.13),
    )
    return np.select([kind == number for number in range(1, 5)], shapes)


def _draw_frame(canvas: Canvas) -> None:
    face = canvas.face
    start = face.to_head(*canvas.view, np.float32(0.0))
    ray = face.to_head(0.0 * face.lower, 0.0 * face.lower, 1.0 + 0.0 * face.lower)
    distance = (_lens_plane(face) - start[2]) / ray[2]
    x, y = start[0] + distance * ray[0], start[1] + distance * ray[1] - face.eye_y - 0.025
    kind = face["glasses"]
    lens = _lens(kind, np.abs(x) - face.eye_x - 0.008, y)
    tint = np.where(kind == 4, 0.80, 0.05)
    gradient = _rgb(0.10, 0.10, 0.12) + 0.10 * np.clip(y + 0.1, 0.0, 1.0)
    canvas.paint(gradient, tint * canvas.cover(lens))
    glare = np.exp(-(((x - 0.5 * y - np.sign(x) * face.eye_x + 0.06) / 0.05) ** 2))
    canvas.picture += 0.09 * glare * canvas.cover(lens + 0.01)
    canvas.picture *= 1.0 - 0.14 * np.exp(-((np.maximum(lens - 0.03, 0.0) / 0.03) ** 2)) * canvas.cover(-lens)
    half_rim = np.where(kind == 3, 0.020, np.where(kind == 1, 0.013, 0.018))
    bridge = np.abs(y + 0.045 + 0.05 * (1.0 - (x / 0.14) ** 2)) + np.maximum(np.abs(x) - face.eye_x + 0.17, 0.0)
    rim = np.minimum(np.abs(lens), bridge) - half_rim
    colour = np.array(FRAMES, np.float32).T[:, kind.astype(int)]
    canvas.paint_lit(colour, 0.95 * canvas.cover(rim))


# Hair.


@dataclasses.dataclass(frozen=True)
class Cut:
    """A hair style on the unit sphere of the head (y is -1 at the crown, 1 at the chin).

    Attributes:
      line: height of the hairline over the middle of the forehead.
      parting: how much lower the hairline runs on one side.
      recess: how much higher it runs over the temples.
      side: height where the hair beside the face ends; 3 for hair that falls over the ears.
      open_from, open_to: cosines of the angles from straight ahead between which the hair turns from forehead to side.
      top, beside: thickness above the crown and at the ears.
      curl: depth of the waves of the outline.
      fall: how far the hair hangs down, in head units below the middle of the head; 0 for none.
      spread: half-width of the hanging hair.
    """

    line: float = -0.60
    parting: float = 0.0
    recess: float = 0.0
    side: float = 0.05
    open_from: float = 0.80
    open_to: float = 0.30
    top: float = 0.10
    beside: float = 0.035
    curl: float = 0.0
    fall: float = 0.0
    spread: float = 0.0


_OPEN_SIDES = {"side": 3.0, "open_from": 0.83, "open_to": 0.45}
CUTS = {
    "bald": Cut(),
    "short": Cut(line=-0.60, top=0.10, beside=0.03),
    "side_part": Cut(line=-0.56, parting=0.22, top=0.17, beside=0.05),
    "long_straight": Cut(line=-0.62, top=0.11, beside=0.10, fall=1.9, spread=0.98, **_OPEN_SIDES),
    "afro": Cut(line=-0.58, side=0.15, top=0.40, beside=0.34, curl=0.018),
    "bun": Cut(line=-0.66, side=-0.05, top=0.05, beside=0.02),
    "bob_with_fringe": Cut(
        line=-0.27, side=3.0, open_from=0.74, open_to=0.46, top=0.12, beside=0.13, fall=0.93, spread=0.96
    ),
    "receding": Cut(line=-0.76, recess=0.16, side=0.02, top=0.05, beside=0.05),
    "long_wavy": Cut(
        line=-0.58, parting=-0.20, top=0.16, beside=0.16, curl=0.028, fall=1.6, spread=1.06, **_OPEN_SIDES
    ),
    "short_curly": Cut(line=-0.53, side=0.08, top=0.24, beside=0.11, curl=0.03),
}
_CUT_TABLE = {
    field.name: np.array([getattr(CUTS[style], field.name) for style in HAIR_STYLES], np.float32)
    for field in dataclasses.fields(Cut)
}


def _cut_of(face: Face, name: str) -> np.ndarray:
    return _CUT_TABLE[name][face["hair_style"].astype(int)]


def _hair_outline(canvas: Canvas, line: np.ndarray) -> np.ndarray:
    """Distance outside the hair's outer edge, in head units; hair is thinner near the hairline."""
    face, surface = canvas.face, canvas.surface
    fullness = 1.0 + 0.30 * face["hair_volume"]
    up = np.clip(0.45 - 0.55 * surface.down, 0.0, 1.0)
    top, beside = _cut_of(face, "top"), _cut_of(face, "beside")
    thickness = fullness * (beside + (top - beside) * up) * (0.2 + 0.8 * _step(0.05, -0.30, line))
    angle = np.arctan2(canvas.view[0], -canvas.view[1])
    curl = _cut_of(face, "curl") * (np.sin(11.0 * angle) + 0.6 * np.sin(17.0 * angle + 1.0))
    return (surface.rim - 1.0 - thickness - curl) * face.half_width


def _hair_line(canvas: Canvas) -> np.ndarray:
    """Distance on the head below the hairline, about in head units."""
    face, surface = canvas.face, canvas.surface
    ahead = surface.out / np.sqrt(surface.out**2 + surface.across**2 + 1e-4)
    nape = 0.50 * _step(-0.02, -0.50, ahead)
    ahead = ahead + (1.0 - ahead) * _step(0.60, 0.94, surface.down)
    across = surface.across
    front = _cut_of(face, "line") + _cut_of(face, "parting") * (across + 0.25) + 0.22 * across * across
    front = front - 0.010 * np.clip(face["age"] - 40.0, 0.0, 20.0) * 0.3
    front = front - _cut_of(face, "recess") * _spot(np.abs(across) - 0.42, surface.down + 0.7, 0.22, 0.4)
    low, high = _cut_of(face, "open_to"), _cut_of(face, "open_from")
    share = np.clip((high - ahead) / (high - low), 0.0, 1.0)
    side = share * share * (3.0 - 2.0 * share)
    drop = _cut_of(face, "side") + nape - front
    steep = np.sqrt(1.0 + (np.minimum(drop, 2.0) * 6.0 * share * (1.0 - share) / (high - low)) ** 2)
    return (surface.down - front - drop * side) / steep


def _paint_hair(canvas: Canvas, alpha: np.ndarray, strand: np.ndarray) -> None:
    """Hair with its own light: a matt part, a band of highlight, strands. strand [n, h, w] numbers the strands."""
    face = canvas.face
    normal = _normals(face, canvas.surface, canvas.view, relief=False)
    light = _shade(face, normal, softness=0.5)
    band = _gloss(face, normal, 3)
    colour = _hair_colour(face)
    strands = 1.0 + 0.09 * np.sin(strand) + 0.06 * np.sin(1.7 * strand + 2.0)
    shine = band * (0.10 + 0.35 * colour) * (0.6 + 0.4 * strands)
    canvas.paint((0.20 + 0.70 * light) * colour * strands + 0.55 * shine * light, alpha)


def _strands(canvas: Canvas) -> np.ndarray:
    surface = canvas.surface
    combed = 13.0 * surface.across * (1.25 + 0.5 * surface.down) + 3.0 * surface.down
    x, y = canvas.view
    lumps = 0.9 * np.sin(14.0 * x + 1.5 * np.sin(9.0 * y)) + 0.9 * np.sin(15.0 * y + 1.5 * np.sin(11.0 * x))
    curl, fall = _cut_of(canvas.face, "curl"), _cut_of(canvas.face, "fall")
    waves = combed + 50.0 * curl * np.sin(6.0 * y + 3.0 * surface.across)
    return np.where((curl > 0.0) & (fall == 0.0), lumps, waves)


def _draw_hair(canvas: Canvas) -> None:
    line = _hair_line(canvas)
    inside = canvas.cover(_hair_outline(canvas, line), 0.02)
    shadow = np.exp(-((np.maximum(line, 0.0) / 0.10) ** 2)) * canvas.on_head
    canvas.picture *= 1.0 - 0.22 * shadow
    _paint_hair(canvas, inside * canvas.cover(line, 0.05), _strands(canvas))


def _hanging(canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance to the hair that hangs behind and beside the neck, and its strands."""
    face = canvas.face
    x, y = canvas.body
    centre_x, centre_y = (face.centre_x - 0.5) / SCALE, (face.centre_y - CENTRE_Y) / SCALE
    x = x - centre_x + 0.22 * face.sin_yaw * _step(0.0, 1.0, y) + 0.5 * face.sin_roll * (y - 0.2)
    y = y - centre_y
    wave = _cut_of(face, "curl") * 2.0 * np.sin(7.0 * y + 1.0)
    spread = _cut_of(face, "spread") * (1.0 + 0.10 * face["hair_volume"]) * face.half_width / 0.735 * 0.92
    # Domed at the top, so that it vanishes behind the hair on the head.
    dome = np.sqrt(np.maximum(1.0 - (np.minimum(y - 0.35, 0.0) / 0.80) ** 2, 0.0))
    side = np.abs(x) - (spread + wave) * dome - 0.05 * _step(0.5, 1.5, y)
    fall = _cut_of(face, "fall") + 0.08 * face["hair_volume"]
    bottom = y - fall
    corner = np.sqrt(np.maximum(side + 0.2, 0.0) ** 2 + np.maximum(bottom + 0.2, 0.0) ** 2) - 0.2
    return np.maximum(corner, -0.35 - y), 11.0 * x + 2.0 * np.sin(3.0 * y)


def _draw_hair_behind(canvas: Canvas) -> None:
    distance, strand = _hanging(canvas)
    fallen = _cut_of(canvas.face, "fall") > 0.0
    _paint_hanging(canvas, canvas.cover(distance, 0.02) * fallen, strand, 0.62)


def _draw_locks(canvas: Canvas) -> None:
    """The parts of long hair that lie in front of the shoulders."""
    distance, strand = _hanging(canvas)
    opening = 0.50 - np.abs(canvas.body[0] - (canvas.face.centre_x - 0.5) / SCALE) - 0.10 * (canvas.body[1] - 1.0)
    fallen = _cut_of(canvas.face, "fall") > 0.0
    _paint_hanging(canvas, canvas.cover(np.maximum(distance, opening), 0.03) * fallen, strand, 0.85)


def _paint_hanging(canvas: Canvas, alpha: np.ndarray, strand: np.ndarray, brightness: float) -> None:
    face = canvas.face
    strands = 1.0 + 0.10 * np.sin(strand) + 0.06 * np.sin(1.6 * strand + 2.0)
    side = 1.0 + 0.35 * face["light_strength"] * face["light_x"] * np.clip(canvas.view[0], -1.0, 1.0)
    colour = brightness * _hair_colour(face) * _light_colour(face)
    canvas.paint(colour * (strands * side), alpha)


def _draw_bun(canvas: Canvas) -> None:
    face = canvas.face
    place = face.to_view(0.0 * face.lower, -1.08 + 0.0 * face.lower, -0.25 + 0.0 * face.lower)
    x, y = canvas.view[0] - place[0], canvas.view[1] - place[1]
    radius = 0.27 + 0.05 * face["hair_volume"]
    distance = np.sqrt(x * x + y * y) - radius
    lit = 0.85 + 0.5 * (x * face["light_x"] + y * (face["light_y"] - 0.2)) / radius
    swirl = 1.0 + 0.10 * np.sin(14.0 * (x + y) + 3.0 * np.sin(6.0 * y))
    canvas.paint(_hair_colour(face) * (lit * swirl) * _light_colour(face), canvas.cover(distance, 0.02))


def _draw_chosen(canvas: Canvas, chosen: np.ndarray, *layers: Callable[[Canvas], None]) -> None:
    """Paints layers on those pictures only for which chosen [n] holds."""
    if chosen.all():
        for layer in layers:
            layer(canvas)
    elif chosen.any():
        with canvas.where(chosen) as part:
            for layer in layers:
                layer(part)


# Neck and clothes.


def _draw_neck(canvas: Canvas) -> None:
    face = canvas.face
    x, y = canvas.body
    top_x = (face.centre_x - 0.5) / SCALE - 0.10 * face.sin_yaw - 0.55 * face.sin_roll
    middle = top_x * _step(1.7, 0.6, y)
    half = 0.40 + 0.04 * face["face_width"] + 0.04 * face["jaw_width"] + 0.55 * np.maximum(y - 1.15, 0.0) ** 2
    aside = (x - middle) / half
    normal = (np.clip(aside, -1.0, 1.0), 0.12 + 0.0 * y, np.sqrt(np.maximum(1.0 - aside * aside, 0.05)))
    light = _shade(_Upright(face), normal)
    below_jaw = np.exp(-np.maximum(canvas.surface.rim - 1.0, 0.0) * 5.5)
    throat = 1.0 - 0.10 * np.exp(-(((np.abs(x - middle) - 0.16 - 0.25 * (1.5 - y)) / 0.06) ** 2))
    colour = _skin_colour(face) * _rgb(0.97, 0.93, 0.91) * (light * ((1.0 - 0.48 * below_jaw) * throat))
    canvas.paint(colour, canvas.cover(np.maximum((np.abs(aside) - 1.0) * half, 0.3 - y)))


class _Upright:
    """A face's light for what does not turn with the head."""

    def __init__(self, face: Face):
        self._face = face
        self.sin_roll, self.cos_roll = np.float32(0.0), np.float32(1.0)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._face[name]

    def to_head(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Triple:
        return x, y, z


def _draw_clothes(canvas: Canvas) -> None:
    face = canvas.face
    x, y = canvas.body
    shoulder = 1.24 + 0.15 * x * x - y
    crew = _ellipse(x, y - 1.04, 0.50, 0.38)
    cut_deep = 1.0 * (face["clothes_hue"] > 0.5)
    collar = crew + cut_deep * (0.10 - 0.55 * np.maximum(0.42 - np.abs(x), 0.0))
    colour = _hue(face["clothes_hue"] * 2.0, 0.55 - 0.2 * face["clothes_brightness"], face["clothes_brightness"])
    light = 0.85 + 0.25 * face["light_x"] * face["light_strength"] * np.clip(x, -1.2, 1.2) - 0.15 * np.abs(x)
    seam = 1.0 - 0.25 * np.exp(-(((collar - 0.05) / 0.03) ** 2))
    alpha = canvas.cover(np.maximum(shoulder, -collar))
    canvas.paint(colour * (light * seam) * _light_colour(face), alpha)


# Backgrounds.


def _draw_background(canvas: Canvas) -> None:
    face = canvas.face
    kind = canvas.factors[:, FACTOR_NAMES.index("background_pattern")]
    base = _hue(face["background_hue"], face["background_saturation"], face["background_brightness"])
    canvas.picture[:] = base * (1.06 - 0.22 * canvas.row)
    for number, name in enumerate(BACKGROUNDS):
        _draw_chosen(canvas, kind == number, BACKGROUND_LAYERS[name])


def _second_colour(face: Face, turn: float, factor: float) -> np.ndarray:
    brightness = np.clip(face["background_brightness"] * np.float32(factor), 0.05, 0.98)
    return _hue(face["background_hue"] + np.float32(turn), face["background_saturation"], brightness)


def _gradient(canvas: Canvas) -> None:
    face = canvas.face
    angle = np.float32(2.0 * np.pi) * face["background_shift"]
    along = 0.5 + (canvas.column - 0.5) * np.cos(angle) + (canvas.row - 0.5) * np.sin(angle)
    canvas.paint(_second_colour(face, 0.12, 0.45), 0.9 * _step(0.0, 1.0, along))


def _two_tone_wall(canvas: Canvas) -> None:
    face = canvas.face
    edge = 0.25 + 0.5 * face["background_shift"]
    slant = 0.5 * np.sin(9.0 * face["background_shift"])
    lower = np.clip(0.5 + (canvas.row - edge - slant * (canvas.column - 0.5)) * 30.0, 0.0, 1.0)
    canvas.paint(_second_colour(face, 0.35, 0.60), lower)


def _bokeh(canvas: Canvas) -> None:
    face, shift = canvas.face, canvas.face["background_shift"]
    canvas.picture *= 0.62
    for number in range(6):
        x = 0.5 + 0.55 * np.sin(2.4 * number + 5.0 * shift + 0.5)
        y = 0.30 + 0.32 * np.sin(4.1 * number + 8.0 * shift)
        radius = 0.10 + 0.05 * np.sin(1.7 * number + 6.0 * shift)
        distance = np.sqrt((canvas.column - x) ** 2 + (canvas.row - y) ** 2) - radius
        glow = np.clip(0.5 - distance * 22.0, 0.0, 1.0)
        canvas.paint(_second_colour(face, 0.07 * number, 1.5), 0.45 * glow)


def _window(canvas: Canvas) -> None:
    face, shift = canvas.face, canvas.face["background_shift"]
    middle = 0.06 + 0.88 * _step(0.2, 0.8, shift)
    pane = _box(canvas.column - middle, canvas.row - 0.32, 0.20, 0.30, 0.01)
    bars = np.minimum(np.abs(canvas.column - middle), np.abs(canvas.row - 0.30)) - 0.012
    sky = _rgb(0.72, 0.84, 0.95) + _rgb(0.22, 0.12, 0.0) * canvas.row * 1.4
    canvas.picture *= 0.85
    canvas.paint(sky, np.clip(0.5 - np.maximum(pane, -bars) * 45.0, 0.0, 1.0))
    canvas.paint(_second_colour(face, 0.0, 0.5), 0.6 * np.clip(0.5 - (np.abs(pane) - 0.02) * 45.0, 0.0, 1.0))


def _panels(canvas: Canvas) -> None:
    wave = np.sin(np.float32(2.0 * np.pi) * (3.2 * canvas.column + canvas.face["background_shift"]))
    canvas.paint(_second_colour(canvas.face, 0.08, 0.62), 0.5 + 0.5 * np.clip(2.2 * wave, -1.0, 1.0))


BACKGROUND_LAYERS: dict[str, Callable[[Canvas], None]] = {
    "gradient": _gradient,
    "two_tone_wall": _two_tone_wall,
    "bokeh": _bokeh,
    "window": _window,
    "panels": _panels,
}


# The picture.


def _new_canvas(factors: np.ndarray, image_size: int) -> Canvas:
    places = (np.arange(image_size, dtype=np.float32) + 0.5) / np.float32(image_size)
    column, row = places.reshape(1, 1, -1), places.reshape(1, -1, 1)
    picture = np.zeros((3, len(factors), image_size, image_size), np.float32)
    face = Face(factors, num_dims=3)
    surface = _solve_surface(face, *face.from_picture(column, row))
    return Canvas(factors, column, row, np.float32(1.0 / (SCALE * image_size)), picture, surface)


def _draw(factors: np.ndarray, image_size: int) -> np.ndarray:
    """Factors [n, F] of a few faces -> uint8 [n, S, S, 3]."""
    canvas = _new_canvas(factors, image_size)
    style = np.array(HAIR_STYLES)[factors[:, FACTOR_NAMES.index("hair_style")].astype(int)]
    falls = np.array([CUTS[name].fall > 0.0 for name in style])
    _draw_background(canvas)
    _draw_chosen(canvas, style == "bun", _draw_bun)
    _draw_chosen(canvas, falls, _draw_hair_behind)
    _draw_neck(canvas)
    _draw_clothes(canvas)
    _draw_chosen(canvas, falls, _draw_locks)
    for layer in (_draw_head, _draw_wrinkles, _draw_nostrils, _draw_beard, _draw_mouth, _draw_eyes):
        layer(canvas)
    # Thick hair covers the ears, tight hair ends behind them.
    thick = np.array([CUTS[name].beside > 0.08 for name in style])
    _draw_glasses(canvas)
    _draw_chosen(canvas, thick & ~falls, _draw_ears)
    _draw_chosen(canvas, style != "bald", _draw_hair)
    _draw_chosen(canvas, ~thick, _draw_ears)
    pixels = np.clip(canvas.picture * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(1, 2, 3, 0))  # [n, S, S, 3]


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
        pictures[members] = _draw(factors[members], image_size)
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
