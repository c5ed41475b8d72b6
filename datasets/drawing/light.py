"""Where the light comes from, and what matt and glossy surfaces send back of it."""

import numpy as np

from .colours import rgb
from .geometry import Face, Triple


def light_direction(face: Face) -> Triple:
    """Where the light comes from, in the picture's own frame."""
    x, y = 0.95 * face["light_x"], 0.75 * face["light_y"] - 0.12
    length = 1.0 / np.sqrt(x * x + y * y + 0.8)
    return x * length, y * length, np.float32(0.8**0.5) * length


def light_on_head(face: Face) -> Triple:
    """Where the light comes from, in the head frame."""
    x, y, z = light_direction(face)
    return face.to_head(x * face.cos_roll + y * face.sin_roll, y * face.cos_roll - x * face.sin_roll, z)


def light_colour(face: Face) -> np.ndarray:
    """The light's colour from cold to warm: [3, n, 1, 1]."""
    return 1.0 + rgb(0.07, 0.01, -0.09) * face["light_warmth"]


def matt_light(face: Face, normal: Triple, light: Triple, softness: float = 0.35) -> np.ndarray:
    """Light that a matt surface sends back, [3, n, h, w]: a key light that wraps round, and a fill from above."""
    facing = normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]
    key = np.maximum((facing + softness) * np.float32(1.0 / (1.0 + softness)), 0.0)
    strength = 0.35 + 0.55 * face["light_strength"]
    fill = (1.02 - 0.92 * strength) * (0.93 - 0.07 * normal[1])
    # Light that passes through skin reddens the edge of the shade.
    edge = 0.05 * strength * np.maximum(1.0 - np.abs(facing) * 2.5, 0.0)
    return light_colour(face) * (strength * key)[None] + fill + rgb(1.0, 0.1, 0.0) * edge


def gloss(face: Face, normal: Triple, sharpness: int) -> np.ndarray:
    """Highlight where the normal halves the angle between light and eye."""
    light, eye = light_on_head(face), face.sight
    half = [a + b for a, b in zip(light, eye, strict=True)]
    length = 1.0 / np.sqrt(sum(part * part for part in half))
    facing = np.maximum(sum(a * b for a, b in zip(normal, half, strict=True)) * length, 0.0)
    for _ in range(sharpness):
        facing = facing * facing
    return facing
