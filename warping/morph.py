"""Two faces warped onto each other and blended: the face inside of an oval, its surroundings from one end at a time.

Ghosts in the mean of two faces come from what does not lie in the same places. Inside of a face landmarks bring it
there; hair, hats and backgrounds have no counterpart. So one end's are shown until, around the middle, the other's take
their place from the face outwards; the colours of skin and of all else lead from one end to the other all the way.
"""

import itertools
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .bands import blend
from .blurring import blur
from .colours import measure_colours, recolour
from .palettes import SKIN, Palette
from .ramps import rising, smooth_step
from .shapes import Scheme, border, box_around, radius_map
from .thin_plates import Box, Sampler, bend_plate

CHANGE = 0.4  # of the way, around its middle, in which the surroundings change
EDGE = 0.4  # logarithm of radii, over which what has changed goes over into what has not
OVAL, FEATHER = 0.9, 0.3  # where the oval's edge lies, and over how much of its radius it fades
REACH = OVAL + FEATHER / 2.0  # of the face, in radii
WHOLE: Box = (slice(None), slice(None))
# How different two faces' colours (Euclidean, each in 0..1) may be around a place before it counts as covered in one
# of them, and from where on it does wholly; and what around it is, and how soft its edge, in widths of the oval.
COVERED = (0.12, 0.3)
AROUND, SOFTNESS = 0.0375, 0.025
# In the middle of the face, where mouths open and eyes look elsewhere, differences count less, up to these radii.
INNER, INNER_RADII = 0.5, (0.5, 0.8)
FINEST_BANDS = (1.0, 2.0)  # pixels
COARSEST_BAND = 0.05  # of the oval's width
MOST_THREADS = 4


def warp_to(picture: np.ndarray, points: np.ndarray, wanted: np.ndarray, scheme: Scheme) -> np.ndarray:
    """A picture whose face has another shape; its border stays.

    Args:
      picture: float32 [H, W, C] in [0, 1].
      points: its landmarks [L, 2], (x, y) in sides.
      wanted: where they are to be, [L, 2].
      scheme: of the landmarks.

    Returns:
      float32 [H, W, C] in [0, 1].
    """
    field = _field(wanted, points - wanted, picture.shape[:2], scheme)
    return np.clip(Sampler(picture)(field), 0.0, 1.0)


def _field(points: np.ndarray, moves: np.ndarray, size: tuple[int, int], scheme: Scheme) -> np.ndarray:
    """The plate that moves a face's points, and leaves the border where it is: [H, W, 2]."""
    held, used = border(), list(scheme.used)
    every = np.concatenate([points[used], held])
    return bend_plate(every, np.concatenate([moves[used], np.zeros_like(held)]), size, scheme.stiffness)


class WarpMorph:
    """The way from one face to another.

    Args:
      start: float32 [H, W, C] in [0, 1].
      end: the same of the other.
      start_points: landmarks of the first, [L, 2], (x, y) in sides.
      end_points: those of the second.
      scheme: of the landmarks.
      change: in which part of the way, around its middle, surroundings change; 0 changes them at once.
      has_energy: details are given back the energy that averaging takes.
      spares_covered: where one of the faces is covered, the nearer end is shown instead of the mean.

    Raises:
      ValueError: pictures of different shapes, or points that are not the scheme's.
    """

    def __init__(
        self,
        start: np.ndarray,
        end: np.ndarray,
        start_points: np.ndarray,
        end_points: np.ndarray,
        scheme: Scheme,
        change: float = CHANGE,
        has_energy: bool = True,
        spares_covered: bool = True,
    ):
        if start.shape != end.shape or start.ndim != 3:
            raise ValueError(f"pictures of shapes {start.shape} and {end.shape} cannot be morphed")
        for points in (start_points, end_points):
            if points.shape != (scheme.num_points, 2):
                raise ValueError(f"points of shape {points.shape} are not {scheme.num_points} landmarks")
        self.size, self.scheme, self.change = start.shape[:2], scheme, change
        self.has_energy, self.spares_covered = has_energy, spares_covered
        self.samplers = Sampler(start), Sampler(end)
        self.shapes = start_points.astype(np.float64), end_points.astype(np.float64)
        radii = [radius_map(scheme.outline(shape), self.size, WHOLE) for shape in self.shapes]
        self.palettes = [Palette(picture, own) for picture, own in zip((start, end), radii, strict=True)]
        self.shares = [Sampler(palette.share[..., None]) for palette in self.palettes]

    def frames(self, alphas: Sequence[float] | np.ndarray, faces: Iterable[np.ndarray] | None = None) -> np.ndarray:
        """Pictures on the way, 0 is the start and 1 the end, `faces` as for `frame`: float32 [N, H, W, C] in [0, 1]."""
        from threadpoolctl import threadpool_limits

        # One thread a frame: more of them for one matrix mostly wait for each other.
        with threadpool_limits(1), ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
            return np.stack(
                list(
                    threads.map(
                        self.frame, np.asarray(alphas).tolist(), itertools.repeat(None) if faces is None else faces
                    )
                )
            )

    def frame(self, alpha: float, face: np.ndarray | None = None) -> np.ndarray:
        """One picture on the way: float32 [H, W, C] in [0, 1].

        Args:
          alpha: how far on the way, from 0 to 1.
          face: what is shown of the face instead of the mean of both, in the shape of its place, [H, W, C].
        """
        if alpha in (0.0, 1.0):
            return self.samplers[int(alpha)].picture.copy()
        shape = self.shapes[0] + alpha * (self.shapes[1] - self.shapes[0])
        field = _field(shape, self.shapes[1] - self.shapes[0], self.size, self.scheme)
        fields = -alpha * field, (1.0 - alpha) * field
        outline = self.scheme.outline(shape)
        box = box_around(outline, REACH + 0.05, self.size)
        radii = radius_map(outline, self.size, box)
        late = self._lateness(alpha, outline)
        picture, first, second = self._seen(alpha, fields, late, box)
        width = float(np.ptp(outline[:, 0]) * self.size[1])
        hidden = find_covered(first, second, width, radii) if self.spares_covered else np.zeros_like(radii)
        if face is not None:
            shown = self._in_colours_of_skin(face[box], radii, alpha)
            shown += hidden[..., None] * (first + late[box][..., None] * (second - first) - shown)
        else:
            share = alpha + hidden * (late[box] - alpha)
            shown = blend(first, second, share, choose_bands(width) if self.has_energy else ())
        mask = smooth_step((OVAL - radii) / FEATHER + 0.5)[..., None]
        picture[box] += mask * (shown - picture[box])
        return np.clip(picture, 0.0, 1.0, out=picture)

    def changed(self, alpha: float) -> float:
        """How far the change of the surroundings has come."""
        if not self.change:
            return float(alpha > 0.5)
        return float(np.clip((alpha - 0.5) / self.change + 0.5, 0.0, 1.0))

    def _lateness(self, alpha: float, outline: np.ndarray) -> np.ndarray:
        """How much of each pixel around the face is the end's: [H, W]."""
        changed = self.changed(alpha)
        if changed in (0.0, 1.0):
            return np.full(self.size, changed, np.float32)
        radii = radius_map(outline, self.size, WHOLE)
        distances = np.log(np.maximum(radii, 1e-6))  # so that the edge is the softer the farther out
        nearest, farthest = np.log(REACH) - EDGE, float(distances.max()) + EDGE / 2.0
        return smooth_step((nearest + changed * (farthest - nearest) - distances) / EDGE + 0.5)

    def _seen(
        self, alpha: float, fields: tuple[np.ndarray, np.ndarray], late: np.ndarray, box: Box
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The surroundings, [H, W, C], and both pictures in a box, which alone is warped where no more is seen."""
        if late.min() == late.max():
            end = int(late.max())
            picture, other = self._warped(end, alpha, fields[end]), self._warped(1 - end, alpha, fields[1 - end], box)
            first, second = (picture[box], other) if end == 0 else (other, picture[box])
            return picture.copy(), first, second
        first, second = (self._warped(end, alpha, fields[end]) for end in (0, 1))
        return first + late[..., None] * (second - first), first[box], second[box]

    def _warped(self, end: int, alpha: float, field: np.ndarray, box: Box = WHOLE) -> np.ndarray:
        """One of the pictures in the colours of its place on the way: [h, w, C]."""
        pixels, share = self.samplers[end](field, box), self.shares[end](field, box)[..., 0]
        way = alpha if end == 0 else 1.0 - alpha
        return self.palettes[end].led(pixels, np.clip(share, 0.0, 1.0), self.palettes[1 - end], way)

    def _in_colours_of_skin(self, face: np.ndarray, radii: np.ndarray, alpha: float) -> np.ndarray:
        """A face in the skin's colours of its place on the way."""
        own = measure_colours(face, (radii < SKIN).astype(np.float32))
        return recolour(face, own, self.palettes[0].skin.towards(self.palettes[1].skin, alpha))


def find_covered(first: np.ndarray, second: np.ndarray, width: float, radii: np.ndarray) -> np.ndarray:
    """Where one of two faces shows no face, but hair, glasses, a hand: its colours are too different there.

    The mean of a fringe and a forehead is neither, so there the nearer end is shown, as around the face.

    Args:
      first: float32 [H, W, C].
      second: the same.
      width: of the faces' oval, in pixels.
      radii: as `radius_map` gives them, [H, W].

    Returns:
      float32 [H, W] in [0, 1].
    """
    difference = blur(second - first, AROUND * width)
    distance = np.sqrt((difference**2).mean(axis=-1) * 3.0)
    distance *= INNER + (1.0 - INNER) * rising(radii, *INNER_RADII)
    return blur(rising(distance, *COVERED), SOFTNESS * width)


def choose_bands(width: float) -> tuple[float, ...]:
    """The blurs between the bands of a face so many pixels wide: each twice the one before."""
    sigmas = list(FINEST_BANDS)
    while 2.0 * sigmas[-1] <= COARSEST_BAND * width:
        sigmas.append(2.0 * sigmas[-1])
    return tuple(sigmas)


def stretches(alphas: np.ndarray, count: int, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Where places on a way through faces lie: between which neighbours, and how far from the first of them: two [N].

    Args:
      alphas: from 0 to 1, of which each stretch takes an equal share.
      count: of the faces, at least two.
      closed: the last face leads back to the first, and the way repeats itself.
    """
    last = count if closed else count - 1
    places = np.round((np.mod(alphas, 1.0) if closed else np.asarray(alphas)) * last, 9)  # as a multiple may not be
    numbers = np.clip(np.floor(places), 0, last - 1).astype(int)
    return numbers, places - numbers


def morph_through(
    pictures: np.ndarray, points: np.ndarray, scheme: Scheme, alphas: np.ndarray, closed: bool = False
) -> np.ndarray:
    """Pictures on the way through any number of faces, one after the other.

    Args:
      pictures: float32 [K, H, W, C] in [0, 1], at least two.
      points: their landmarks [K, L, 2], (x, y) in sides.
      scheme: of the landmarks.
      alphas: [N], from 0 to 1.
      closed: the last face leads back to the first.

    Returns:
      float32 [N, H, W, C] in [0, 1].

    Raises:
      ValueError: fewer than two faces, or points that are not the scheme's.
    """
    return frame_through(pictures, points, scheme, alphas, None, closed)


def frame_through(
    pictures: np.ndarray,
    points: np.ndarray,
    scheme: Scheme,
    alphas: np.ndarray,
    faces: np.ndarray | None,
    closed: bool = False,
) -> np.ndarray:
    """`morph_through` around faces that are given.

    Args:
      pictures, points, scheme, alphas, closed: as there.
      faces: what is shown inside of the oval, float32 [N, H, W, C], each in the shape of its place; None is the mean.
    """
    if len(pictures) < 2:
        raise ValueError(f"a way needs at least 2 faces, not {len(pictures)}")
    numbers, shares = stretches(alphas, len(pictures), closed)
    frames = np.empty((len(numbers), *pictures.shape[1:]), np.float32)
    for number in np.unique(numbers):
        ends = [number, (number + 1) % len(pictures)]
        here = numbers == number
        (start, end), (start_points, end_points) = pictures[ends], points[ends]
        way = WarpMorph(start, end, start_points, end_points, scheme)
        frames[here] = way.frames(shares[here], None if faces is None else faces[here])
    return frames
