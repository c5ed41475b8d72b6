"""Colours as planes [3, n, 1, 1], and the palettes that the factors run through."""

import numpy as np

from .geometry import Face

# Colours in the order that factors 0 to 1 run through them.
SKIN = (
    *((0.98, 0.87, 0.80), (0.95, 0.79, 0.68), (0.88, 0.69, 0.55), (0.76, 0.55, 0.41)),
    *((0.58, 0.39, 0.28), (0.37, 0.24, 0.18), (0.27, 0.18, 0.14)),
)
HAIR = (
    *((0.07, 0.06, 0.07), (0.18, 0.11, 0.08), (0.35, 0.21, 0.12)),
    *((0.47, 0.25, 0.14), (0.70, 0.52, 0.30), (0.90, 0.77, 0.50)),
)
IRIS = (
    *((0.16, 0.09, 0.05), (0.34, 0.20, 0.10), (0.44, 0.36, 0.18)),
    *((0.30, 0.46, 0.28), (0.28, 0.47, 0.68), (0.52, 0.58, 0.62)),
)
GRAY_HAIR = (0.74, 0.74, 0.75)


def rgb(*colour: float) -> np.ndarray:
    """A colour in [0, 1] that broadcasts over pictures: [3, 1, 1, 1]."""
    return np.array(colour, np.float32).reshape(3, 1, 1, 1)


def palette(anchors: tuple[tuple[float, float, float], ...], position: np.ndarray) -> np.ndarray:
    """Colours between evenly spaced anchors: position [n, 1, 1] in [0, 1] -> [3, n, 1, 1]."""
    places = np.linspace(0.0, 1.0, len(anchors))
    return np.stack([np.interp(position, places, channel) for channel in zip(*anchors, strict=True)]).astype(np.float32)


def hue_colour(hue: np.ndarray, saturation: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    """HSV [n, 1, 1] -> RGB [3, n, 1, 1], the colour circle rounded by cosines."""
    turns = hue[None] - np.array([0.0, 1.0 / 3.0, 2.0 / 3.0], np.float32).reshape(3, 1, 1, 1)
    wheel = 0.5 + 0.5 * np.cos(np.float32(2.0 * np.pi) * turns)
    return brightness * (1.0 - saturation * (1.0 - wheel))


def skin_colour(face: Face) -> np.ndarray:
    """The skin's colour under white light: [3, n, 1, 1]."""
    return palette(SKIN, face["skin_tone"])


def hair_colour(face: Face) -> np.ndarray:
    """The hair's colour, grayed with age: [3, n, 1, 1]."""
    colour = palette(HAIR, face["hair_colour"])
    return colour + face["hair_gray"] * (rgb(*GRAY_HAIR) - colour)
