"""The canvas that every layer paints on: a picture, a window of it, or some of a batch of pictures."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator

import numpy as np

from .geometry import CENTRE_Y, SCALE, Face
from .surface import Surface, SurfaceCut


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
        # Plane by plane: the numbers in between stay in the cache.
        for plane, shade in zip(self.picture, colour, strict=True):
            plane += alpha * (shade - plane)

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

    def below(self, share: float) -> "Canvas":
        """The canvas of the rows below a share of the picture's height, which it paints on directly."""
        start = int(share * self.row.shape[1])
        return self._cut((..., slice(start, None), slice(None)), self.factors, self.column, self.row[:, start:])

    def _cut(self, index: tuple, factors: np.ndarray, column: np.ndarray, row: np.ndarray) -> "Canvas":
        return Canvas(factors, column, row, self.pixel, self.picture[index], SurfaceCut(self.surface, index))


def _span(middle: np.ndarray, share: float, size: int) -> np.ndarray:
    """Pixels of a window along one side: middles [n] in [0, 1] -> numbers [n, pixels], all inside the picture."""
    length = min(size, 2 + round(share * size))
    start = np.clip(np.floor(middle.reshape(-1) * size - 0.5 * length + 0.5).astype(int), 0, size - length)
    return start[:, None] + np.arange(length)


def draw_chosen(canvas: Canvas, chosen: np.ndarray, *layers: Callable[[Canvas], None]) -> None:
    """Paints layers on those pictures only for which chosen [n] holds."""
    if chosen.all():
        for layer in layers:
            layer(canvas)
    elif chosen.any():
        with canvas.where(chosen) as part:
            for layer in layers:
                layer(part)
