"""Thin plates: the smoothest field that moves given points as is told, and pictures looked up where a field leads."""

import numpy as np

from .blurring import enlarge

MOST_CELLS = 64  # of a side: a smooth field needs no more, and is enlarged
LEAST_STIFFNESS = 1e-7  # of points that are told twice
PADDING = 2  # pixels, so that a spline at a picture's edge sees the edge repeated

Box = tuple[slice, slice]


def bend_plate(points: np.ndarray, moves: np.ndarray, size: tuple[int, int], stiffness: float = 0.0) -> np.ndarray:
    """The thin plate through moves of points, at each pixel's centre: float32 [H, W, 2], in sides.

    Bookstein, "Principal warps: thin-plate splines and the decomposition of deformations" (1989); a stiffness as in
    Wahba, "Spline models for observational data" (1990), section 2.4. Computed on a coarse grid, and enlarged.

    Args:
      points: [N, 2], (x, y) in sides of the picture from its left top corner, not all in a line.
      moves: [N, 2], how far each is moved, in sides.
      size: (height, width) of the picture in pixels.
      stiffness: 0 moves every point as told; the higher, the less the plate bends.

    Raises:
      ValueError: points or moves that are not finite, or fewer than three points.
    """
    if len(points) < 3 or points.shape != moves.shape or not (np.isfinite(points).all() and np.isfinite(moves).all()):
        raise ValueError(f"a thin plate needs at least 3 points and their moves, finite, not {points.shape}")
    weights, affine = _solve(points.astype(np.float64), moves.astype(np.float64), max(stiffness, LEAST_STIFFNESS))
    rows, columns = (min(side, MOST_CELLS) for side in size)
    y, x = (np.linspace(0.5 / full, 1.0 - 0.5 / full, few) for full, few in zip(size, (rows, columns), strict=True))
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # [rows * columns, 2]
    values = _bending(places, points) @ weights + affine[0] + places @ affine[1:]
    coarse = values.reshape(rows, columns, 2).astype(np.float32)
    return enlarge(coarse, np.linspace(0.0, rows - 1.0, size[0]), np.linspace(0.0, columns - 1.0, size[1]))


def _solve(points: np.ndarray, moves: np.ndarray, stiffness: float) -> tuple[np.ndarray, np.ndarray]:
    """The plate's weights [N, 2], and the affine part [3, 2] of (1, x, y)."""
    count = len(points)
    affine = np.concatenate([np.ones((count, 1)), points], axis=1)
    matrix = np.zeros((count + 3, count + 3))
    matrix[:count, :count] = _bending(points, points) + stiffness * np.eye(count)
    matrix[:count, count:], matrix[count:, :count] = affine, affine.T
    solution = np.linalg.solve(matrix, np.concatenate([moves, np.zeros((3, 2))]))
    return solution[:count], solution[count:]


def _bending(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """r^2 log r of all distances: [M, 2], [N, 2] -> [M, N]."""
    squares = ((places[:, None] - points[None]) ** 2).sum(axis=-1)
    return 0.5 * squares * np.log(np.maximum(squares, 1e-20))


class Sampler:
    """A picture that is looked up between its pixels, by cubic splines; beyond its edge its edge repeats.

    Args:
      picture: float32 [H, W, C].
    """

    def __init__(self, picture: np.ndarray):
        from scipy import ndimage

        self.picture = picture
        padded = np.pad(picture, ((PADDING, PADDING), (PADDING, PADDING), (0, 0)), mode="edge")
        self.planes = [ndimage.spline_filter(plane, 3, np.float32, "mirror") for plane in np.moveaxis(padded, -1, 0)]

    def __call__(self, field: np.ndarray, box: Box = (slice(None), slice(None))) -> np.ndarray:
        """What lies where a field [H, W, 2], in sides, leads from the pixels of a box: float32 [h, w, C]."""
        from scipy import ndimage

        height, width, channels = self.picture.shape
        y, x = np.mgrid[0:height, 0:width][(slice(None), *box)].astype(np.float32)
        rows = np.clip(y + field[(*box, 1)] * height, -1.0, height) + PADDING
        columns = np.clip(x + field[(*box, 0)] * width, -1.0, width) + PADDING
        found = np.empty((*y.shape, channels), np.float32)
        for channel, plane in enumerate(self.planes):
            ndimage.map_coordinates(plane, (rows, columns), found[..., channel], 3, "mirror", prefilter=False)
        return found
