"""The mouth: lips, teeth and tongue."""

import numpy as np

from .canvas import Canvas
from .colours import rgb, skin_colour
from .shapes import spot


def draw_mouth(canvas: Canvas) -> None:
    """Paints the mouth inside a window: its inside with teeth, then the lips."""
    face = canvas.face
    with canvas.window(face.on_face(face.zero, face.mouth_y + 0.02), 0.27, 0.22) as part:
        face, x, y = part.face, part.surface.x, part.surface.y
        u = x / face.mouth_half_width
        edges = face.lips(np.clip(u, -1.0, 1.0))
        corner = (np.abs(u) - 1.0) * face.mouth_half_width
        _draw_mouth_corners(part, u, y - edges[1])
        _draw_lips(part, u, y, edges, corner)
        _draw_inside(part, u, y, edges, corner)


def _draw_mouth_corners(canvas: Canvas, u: np.ndarray, y: np.ndarray) -> None:
    dimple = spot(np.abs(u) - 1.04, y, 0.10, 0.045)
    canvas.picture *= 1.0 - (0.30 + 0.10 * np.clip(canvas.face["smile"], 0.0, 1.0)) * dimple


def _draw_lips(canvas: Canvas, u: np.ndarray, y: np.ndarray, edges: tuple[np.ndarray, ...], corner: np.ndarray) -> None:
    face = canvas.face
    skin = skin_colour(face)
    lips = skin * rgb(0.85, 0.61, 0.60) + rgb(0.04, 0.0, 0.01)
    upper = np.maximum(np.maximum(edges[0] - y, y - edges[1]), corner)
    lower = np.maximum(np.maximum(edges[2] - y, y - edges[3]), corner)
    canvas.paint_on_head(0.86 * lips, 0.9 * canvas.cover(upper, 0.012))
    canvas.paint_on_head(lips, 0.9 * canvas.cover(lower, 0.012))
    middle = 0.45 * edges[2] + 0.55 * edges[3]
    shine = spot(u, y - middle, 0.5, 0.026) * (0.10 + 0.10 * face["light_strength"])
    canvas.picture += shine * canvas.cover(lower)
    shadow = spot(u, y - edges[3] - 0.040, 0.62, 0.038)
    canvas.picture *= 1.0 - 0.20 * shadow * (y > edges[3])


def _draw_inside(
    canvas: Canvas, u: np.ndarray, y: np.ndarray, edges: tuple[np.ndarray, ...], corner: np.ndarray
) -> None:
    face = canvas.face
    inside = np.maximum(np.maximum(edges[1] - y, y - edges[2]), corner)
    alpha = canvas.cover(inside) * np.clip(face.gap / 0.02, 0.0, 1.0)
    canvas.paint_on_head(rgb(0.20, 0.06, 0.06), alpha)
    tongue = spot(u, y - edges[2] - 0.01, 0.55, 0.35 * face.gap + 0.01)
    canvas.paint_on_head(rgb(0.62, 0.27, 0.27), 0.8 * alpha * tongue)
    teeth = y - edges[1] - np.minimum(0.075, 0.75 * face.gap) * (1.0 - 0.45 * u * u)
    white = rgb(0.96, 0.94, 0.89) * (1.0 - 0.38 * u * u)
    canvas.paint_on_head(white, alpha * canvas.cover(np.maximum(teeth, (np.abs(u) - 0.90) * 0.2), 0.010))
    line = np.abs(y - edges[1] - 0.3 * face.gap) - 0.008 - 0.5 * face.gap + np.maximum(corner, 0.0) * 3.0
    closed = np.clip(1.0 - face.gap / 0.03, 0.0, 1.0)
    canvas.paint_on_head(skin_colour(face) * rgb(0.30, 0.16, 0.16), 0.85 * closed * canvas.cover(line, 0.014))
