"""What is behind the person."""

from collections.abc import Callable

import numpy as np

from .canvas import Canvas, draw_chosen
from .colours import hue_colour, rgb
from .factors import BACKGROUNDS, FACTOR_NAMES
from .geometry import Face
from .shapes import box, step


def draw_background(canvas: Canvas) -> None:
    """Paints the background: plain, two-tone, soft lights, stripes or a window."""
    face = canvas.face
    kind = canvas.factors[:, FACTOR_NAMES.index("background_pattern")]
    base = hue_colour(face["background_hue"], face["background_saturation"], face["background_brightness"])
    canvas.picture[:] = base * (1.06 - 0.22 * canvas.row)
    for number, name in enumerate(BACKGROUNDS):
        draw_chosen(canvas, kind == number, BACKGROUND_LAYERS[name])


def _second_colour(face: Face, turn: float, factor: float) -> np.ndarray:
    brightness = np.clip(face["background_brightness"] * np.float32(factor), 0.05, 0.98)
    return hue_colour(face["background_hue"] + np.float32(turn), face["background_saturation"], brightness)


def _gradient(canvas: Canvas) -> None:
    face = canvas.face
    angle = np.float32(2.0 * np.pi) * face["background_shift"]
    along = 0.5 + (canvas.column - 0.5) * np.cos(angle) + (canvas.row - 0.5) * np.sin(angle)
    canvas.paint(_second_colour(face, 0.12, 0.45), 0.9 * step(0.0, 1.0, along))


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
    middle = 0.06 + 0.88 * step(0.2, 0.8, shift)
    pane = box(canvas.column - middle, canvas.row - 0.32, 0.20, 0.30, 0.01)
    bars = np.minimum(np.abs(canvas.column - middle), np.abs(canvas.row - 0.30)) - 0.012
    sky = rgb(0.72, 0.84, 0.95) + rgb(0.22, 0.12, 0.0) * canvas.row * 1.4
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
