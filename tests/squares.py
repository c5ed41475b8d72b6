"""Films of coloured squares, which a detector that is put in the place of the true one takes for faces."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from facezoo.datasets import alignment
from facezoo.datasets.detection import Face
from facezoo.films import Film, FilmWriter, probe

RED, BLUE = (220, 40, 40), (40, 40, 220)
EYES_AND_MOUTH = np.array(alignment.TEMPLATES["celeba"]) * 40.0  # in a square of 40 pixels


def save_film(frames, name="in.mp4"):
    """Frames as a film of 10 a second."""
    source = Film(Path("none"), Fraction(10), None, None)
    FilmWriter(Path(name), source, "test").write(iter(frames), "a test")
    return probe(Path(name))


def draw_squares(*middles):
    """A gray frame with a coloured square around each (x, colour); later ones lie in front."""
    frame = np.full((80, 320, 3), 128, np.uint8)
    for x, colour in middles:
        frame[20:60, max(0, x - 20) : x + 20] = colour
    return frame


def find_squares(image):
    """Coloured squares as faces; one that is hidden in part is not found."""
    pixels = np.asarray(image).astype(int)
    found = []
    for own, other in ((0, 2), (2, 0)):
        rows, columns = np.nonzero(pixels[..., own] - pixels[..., other] > 100)
        if len(columns) > 1500:
            left, top = columns.min(), rows.min()
            found.append(Face((left, top, 40.0, 40.0), np.add(EYES_AND_MOUTH, (left, top)), 1.0))
    return found


def find_near(image, points):
    """The square whose points are near to some, or None."""
    near = [face for face in find_squares(image) if np.abs(face.points - points).max() < 45.0]
    return min(near, key=lambda face: np.abs(face.points - points).sum(), default=None)
