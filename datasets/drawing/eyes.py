"""Eyes and brows."""

import numpy as np

from .canvas import Canvas
from .colours import IRIS, hair_colour, palette, rgb, skin_colour
from .shapes import step


def draw_eyes(canvas: Canvas) -> None:
    """Paints both eyes and brows, each inside a window of its own."""
    for side in (-1, 1):
        face = canvas.face
        with canvas.window(face.on_face(side * face.eye_x, face.eye_y - 0.09), 0.17, 0.20) as part:
            _draw_brow(part, side)
            _draw_eye(part, side)


def _draw_brow(canvas: Canvas, side: int) -> None:
    face = canvas.face
    u = (side * canvas.surface.x - face.brow_x(face.zero)) / np.float32(0.185)
    middle, thickness = face.brow(np.clip(u, -1.0, 1.0))
    distance = np.maximum(np.abs(canvas.surface.y - middle) - thickness, (np.abs(u) - 1.0) * 0.185)
    strands = 1.0 - 0.09 * np.sin(14.0 * u + 22.0 * (canvas.surface.y - middle))
    shadow = skin_colour(face) * rgb(0.42, 0.38, 0.38)
    hair = 0.62 * hair_colour(face) + 0.30 * shadow
    canvas.paint_on_head(hair * strands, 0.90 * canvas.cover(distance, 0.028) * (1.0 - 0.25 * step(0.3, 1.0, -u)))


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
    canvas.paint_on_head(skin_colour(face) * rgb(0.20, 0.15, 0.15), 0.92 * canvas.cover(lash, 0.012))


def _draw_lids(canvas: Canvas, u: np.ndarray, above: np.ndarray, below: np.ndarray) -> None:
    face = canvas.face
    fade = np.maximum(1.0 - 0.72 * u * u, 0.0)
    crease = np.exp(-(((above + 0.050 - 0.012 * face.age) / 0.020) ** 2)) * fade
    lid = canvas.cover(np.abs(above + 0.025) - 0.025, 0.02) * fade
    rim = np.exp(-(((below - 0.004) / 0.014) ** 2)) * fade
    bag = np.exp(-(((below - 0.075) / 0.030) ** 2)) * fade * (0.06 + 0.20 * face.age)
    dark = 0.36 * crease + 0.10 * lid + 0.26 * rim + bag
    canvas.picture *= 1.0 - dark * rgb(0.80, 1.0, 1.0)


def _draw_eyeball(canvas: Canvas, x: np.ndarray, y: np.ndarray, under_lid: np.ndarray, alpha: np.ndarray) -> None:
    face = canvas.face
    shade = 1.0 - 0.42 * np.exp(-np.maximum(under_lid, 0.0) / 0.030) - 1.2 * x * x
    white = rgb(0.95, 0.93, 0.91) * (0.30 + 0.70 * canvas.surface.light) * shade
    canvas.paint(white, alpha)
    from_pupil = np.sqrt((x - face.gaze_x) ** 2 + (y - face.gaze_y) ** 2)
    colour = palette(IRIS, face["eye_colour"]) * (0.55 + 0.45 * canvas.surface.light)
    glow = 0.75 + 0.6 * step(-0.02, 0.06, y - face.gaze_y)
    canvas.paint(colour * glow * shade, alpha * canvas.cover(from_pupil - face.iris_radius, 0.006))
    ring = np.exp(-(((from_pupil - face.iris_radius + 0.006) / 0.012) ** 2))
    canvas.paint(0.3 * colour, alpha * 0.6 * ring)
    canvas.paint(rgb(0.03, 0.03, 0.04), alpha * canvas.cover(from_pupil - 0.028, 0.006))
    glint_x, glint_y = face.gaze_x + 0.020 + 0.016 * face["light_x"], face.gaze_y - 0.022 + 0.008 * face["light_y"]
    glint = np.sqrt((x - glint_x) ** 2 + (y - glint_y) ** 2) - 0.014
    canvas.paint(rgb(1.0, 1.0, 1.0), 0.92 * alpha * canvas.cover(glint, 0.008))
