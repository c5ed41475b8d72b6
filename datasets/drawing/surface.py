"""The head's surface behind each pixel, and its normals with the relief of a face."""

from collections.abc import Sequence

import numpy as np

from .geometry import Face, Triple
from .shapes import spot


class Surface:
    """The head's surface behind each pixel.

    x, y: place in the head frame, [n, h, w]. across, down, out: the same on the unit sphere. rim: below 1 inside the
    outline. light: colour of the light that the head sends back, [3, n, h, w], known once the head is painted.
    """

    x: np.ndarray
    y: np.ndarray
    across: np.ndarray
    down: np.ndarray
    out: np.ndarray
    rim: np.ndarray
    light: np.ndarray

    def __init__(self, **planes: np.ndarray):
        self.__dict__.update(planes)


class SurfaceCut(Surface):
    """A part of a surface; each of its planes is cut out when first asked for."""

    def __init__(self, whole: Surface, index: tuple):
        super().__init__()
        self._whole, self._index = whole, index

    def __getattr__(self, name: str) -> np.ndarray:
        plane = getattr(self._whole, name)[self._index]
        setattr(self, name, plane)
        return plane


def solve_surface(face: Face, x: np.ndarray, y: np.ndarray) -> Surface:
    """Meets the line of sight through each view point with the head.

    The widths depend on the height of the meeting point, so the quadratic of the ellipsoid is solved again with the
    height last found; where the head is not pitched the first answer is exact already.
    """
    start, ray = face.to_head(x, y, face.zero), face.sight
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


def normals(face: Face, surface: Surface, view: tuple[np.ndarray, np.ndarray], relief: bool) -> Triple:
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
    nose = face.to_head(*Nose(face, *view).slopes(), face.zero)
    return normal[0] - across - nose[0], normal[1] - down - nose[1], normal[2] - nose[2]


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
    across, down = _total(single)
    mirrored_across, mirrored_down = _total(mirrored)
    return across + side * mirrored_across, down + mirrored_down


class Nose:
    """The nose in the view frame: `along` runs from the bridge (0) down to the tip (length), `aside` across."""

    def __init__(self, face: Face, x: np.ndarray, y: np.ndarray):
        bridge, tip = (face.to_view(*point) for point in face.nose_points())
        base_y = face.nose_y
        base = face.to_view(face.zero, base_y, face.depth_at(face.zero, base_y) + 0.07)
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


def _bump(x: np.ndarray, y: np.ndarray, radius_x, radius_y, height) -> tuple[np.ndarray, np.ndarray]:
    """Slope (across, down) of a soft hill `height` high."""
    hill = height * spot(x, y, radius_x, radius_y)
    return x * hill * (-2.0 / (radius_x * radius_x)), y * hill * (-2.0 / (radius_y * radius_y))


def _total(slopes: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    across, down = slopes[0]
    for slope in slopes[1:]:
        across, down = across + slope[0], down + slope[1]
    return across, down
