"""What people wear: glasses and clothes."""

import numpy as np

from .canvas import Canvas
from .colours import hue_colour, rgb
from .factors import FACTOR_NAMES
from .geometry import Face
from .light import light_colour
from .shapes import box, ellipse, segment

# One for each kind of glasses; the first, "none", is never seen.
FRAMES = ((0.0, 0.0, 0.0), (0.20, 0.12, 0.08), (0.08, 0.08, 0.10), (0.55, 0.42, 0.24), (0.07, 0.07, 0.08))


def draw_glasses(canvas: Canvas) -> None:
    """Paints round, square or dark glasses on those who wear them: temples, lenses, frame."""
    with canvas.where(canvas.factors[:, FACTOR_NAMES.index("glasses")] > 0) as worn:
        if len(worn.factors):
            _draw_temples(worn)
            with worn.window(worn.face.on_face(worn.face.zero, worn.face.eye_y, 0.1), 0.56, 0.34) as part:
                _draw_frame(part)


def _lens_plane(face: Face) -> np.ndarray:
    return face.depth_at(face.eye_x, face.eye_y) + 0.15


def _draw_temples(canvas: Canvas) -> None:
    face = canvas.face
    kind = face["glasses"].astype(int)
    colour = np.array(FRAMES, np.float32).T[:, kind]
    for side in (-1, 1):
        hinge = face.to_view(side * (face.eye_x + 0.215), face.eye_y - 0.03, _lens_plane(face) - 0.02)
        ear = face.to_view(side * 1.0 * face.half_width, face.eye_y + 0.01, face.zero)
        distance = segment(*canvas.view, hinge[:2], ear[:2]) - 0.020
        near = np.clip(0.6 - 8.0 * side * face.sin_yaw, 0.0, 1.0)
        canvas.paint_lit(colour, 0.9 * near * canvas.cover(distance) * canvas.cover(canvas.surface.rim - 1.02))


def _lens(kind: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance to the lens of each kind of frame, x and y from its middle."""
    shapes = (
        ellipse(x, y, 0.185, 0.180),
        box(x, y, 0.200, 0.150, 0.06),
        box(x, y + 0.02 - 0.10 * x * (x > 0), 0.215, 0.135, 0.11),
        box(x, y, 0.215, 0.180, 0.13),
    )
    return np.select([kind == number for number in range(1, 5)], shapes)


def _draw_frame(canvas: Canvas) -> None:
    face = canvas.face
    start = face.to_head(*canvas.view, face.zero)
    ray = face.sight
    distance = (_lens_plane(face) - start[2]) / ray[2]
    x, y = start[0] + distance * ray[0], start[1] + distance * ray[1] - face.eye_y - 0.025
    kind = face["glasses"]
    lens = _lens(kind, np.abs(x) - face.eye_x - 0.008, y)
    tint = np.where(kind == 4, 0.80, 0.05)
    gradient = rgb(0.10, 0.10, 0.12) + 0.10 * np.clip(y + 0.1, 0.0, 1.0)
    canvas.paint(gradient, tint * canvas.cover(lens))
    glare = np.exp(-(((x - 0.5 * y - np.sign(x) * face.eye_x + 0.06) / 0.05) ** 2))
    canvas.picture += 0.09 * glare * canvas.cover(lens + 0.01)
    canvas.picture *= 1.0 - 0.14 * np.exp(-((np.maximum(lens - 0.03, 0.0) / 0.03) ** 2)) * canvas.cover(-lens)
    half_rim = np.where(kind == 3, 0.020, np.where(kind == 1, 0.013, 0.018))
    bridge = np.abs(y + 0.045 + 0.05 * (1.0 - (x / 0.14) ** 2)) + np.maximum(np.abs(x) - face.eye_x + 0.17, 0.0)
    rim = np.minimum(np.abs(lens), bridge) - half_rim
    colour = np.array(FRAMES, np.float32).T[:, kind.astype(int)]
    canvas.paint_lit(colour, 0.95 * canvas.cover(rim))


def draw_clothes(canvas: Canvas) -> None:
    """Paints the shoulders and a round or V neck over the neck."""
    face = canvas.face
    x, y = canvas.body
    shoulder = 1.24 + 0.15 * x * x - y
    crew = ellipse(x, y - 1.04, 0.50, 0.38)
    cut_deep = 1.0 * (face["clothes_hue"] > 0.5)
    collar = crew + cut_deep * (0.10 - 0.55 * np.maximum(0.42 - np.abs(x), 0.0))
    colour = hue_colour(face["clothes_hue"] * 2.0, 0.55 - 0.2 * face["clothes_brightness"], face["clothes_brightness"])
    light = 0.85 + 0.25 * face["light_x"] * face["light_strength"] * np.clip(x, -1.2, 1.2) - 0.15 * np.abs(x)
    seam = 1.0 - 0.25 * np.exp(-(((collar - 0.05) / 0.03) ** 2))
    alpha = canvas.cover(np.maximum(shoulder, -collar))
    canvas.paint(colour * (light * seam) * light_colour(face), alpha)
