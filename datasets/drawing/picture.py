"""A batch of faces from their factors to their pixels.

A picture is painted back to front into planes [3, n, h, w] by signed distances (below 0 inside, in head units) and by
the normals of an ellipsoid-like head. Small features are painted inside a window cut round them, for speed.
"""

import numpy as np

from .accessories import draw_clothes, draw_glasses
from .canvas import Canvas, draw_chosen
from .eyes import draw_eyes
from .factors import FACTOR_NAMES, HAIR_STYLES
from .geometry import SCALE, Face
from .hair import CUTS, draw_beard, draw_bun, draw_hair, draw_hair_behind, draw_locks
from .head import draw_ears, draw_head, draw_neck, draw_nostrils, draw_wrinkles
from .mouth import draw_mouth
from .scenery import draw_background
from .surface import solve_surface


def draw_pictures(factors: np.ndarray, image_size: int) -> np.ndarray:
    """Factors [n, F] of a few faces -> pictures uint8 [n, S, S, 3]."""
    canvas = new_canvas(factors, image_size)
    style = np.array(HAIR_STYLES)[factors[:, FACTOR_NAMES.index("hair_style")].astype(int)]
    falls = np.array([CUTS[name].fall > 0.0 for name in style])
    draw_background(canvas)
    draw_chosen(canvas, style == "bun", draw_bun)
    draw_chosen(canvas, falls, draw_hair_behind)
    draw_neck(canvas.below(0.55))
    draw_clothes(canvas.below(0.86))
    draw_chosen(canvas, falls, draw_locks)
    for layer in (draw_head, draw_wrinkles, draw_nostrils, draw_beard, draw_mouth, draw_eyes):
        layer(canvas)
    # Thick hair covers the ears, tight hair ends behind them.
    thick = np.array([CUTS[name].beside > 0.08 for name in style])
    draw_glasses(canvas)
    draw_chosen(canvas, thick & ~falls, draw_ears)
    draw_chosen(canvas, style != "bald", draw_hair)
    draw_chosen(canvas, ~thick, draw_ears)
    pixels = np.clip(canvas.picture * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(1, 2, 3, 0))  # [n, S, S, 3]


def new_canvas(factors: np.ndarray, image_size: int) -> Canvas:
    """An empty canvas for factors [n, F], with the head's surface solved."""
    places = (np.arange(image_size, dtype=np.float32) + 0.5) / np.float32(image_size)
    column, row = places.reshape(1, 1, -1), places.reshape(1, -1, 1)
    picture = np.zeros((3, len(factors), image_size, image_size), np.float32)
    face = Face(factors, num_dims=3)
    surface = solve_surface(face, *face.from_picture(column, row))
    return Canvas(factors, column, row, np.float32(1.0 / (SCALE * image_size)), picture, surface)
