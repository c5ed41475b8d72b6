"""Two faces warped onto each other and blended: the face inside of an oval, its surroundings from the nearer end.

Ghosts in the mean of two faces come from what does not lie in the same places. Inside of a face landmarks bring it
there; hair, hats and backgrounds have no counterpart, so one end's are shown until, around the middle, the other's are.
"""

import itertools
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .bands import blend
from .blurring import blur
from .colours import Colours, measure_colours, recolour
from .shapes import Scheme, border, box_around, radius_map
from .thin_plates import Sampler, bend_plate

DISSOLVE = 0.2  # of the way, around its middle, in which the surroundings change
OVAL, FEATHER = 0.9, 0.3  # where the oval's edge lies, and over how much of its radius it fades
RING = (0.85, 1.15)  # where colours are compared, in radii
# How different two faces' colours (Euclidean, each in 0..1) may be around a place before it counts as covered in one
# of them, and from where on it does wholly; and what around it is, and how soft its edge, in widths of the oval.
COVERED = (0.12, 0.3)
AROUND, SOFTNESS = 0.0375, 0.025
# In the middle of the face, where mouths open and eyes look elsewhere, differences count less, up to these radii.
INNER, INNER_RADII = 0.5, (0.5, 0.8)
FINEST_BANDS = (1.0, 2.0)  # pixels
COARSEST_BAND = 0.05  # of the oval's width
MOST_THREADS = 4


def smooth_step(values):
    """From 0 at 0 and below to 1 at 1 and above, without a kink."""
    values = np.clip(values, 0.0, 1.0)
    return values * values * (3.0 - 2.0 * values)


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
      dissolve: in which part of the way, around its middle, surroundings change; 0 changes them at once.
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
        dissolve: float = DISSOLVE,
        has_energy: bool = True,
        spares_covered: bool = True,
    ):
        if start.shape != end.shape or start.ndim != 3:
            raise ValueError(f"pictures of shapes {start.shape} and {end.shape} cannot be morphed")
        for points in (start_points, end_points):
            if points.shape != (scheme.num_points, 2):
                raise ValueError(f"points of shape {points.shape} are not {scheme.num_points} landmarks")
        self.size, self.scheme, self.dissolve = start.shape[:2], scheme, dissolve
        self.has_energy, self.spares_covered = has_energy, spares_covered
        self.samplers = Sampler(start), Sampler(end)
        self.shapes = start_points.astype(np.float64), end_points.astype(np.float64)

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
        late = self.lateness(alpha)
        picture = self._surround(fields, late)
        outline = self.scheme.outline(shape)
        box = box_around(outline, RING[1] + 0.05, self.size)
        radii = radius_map(outline, self.size, box)
        ends = zip(self.samplers, fields, (0.0, 1.0), strict=True)
        faces = [picture[box] if late == end else sampler(field, box) for sampler, field, end in ends]
        if face is not None:
            faces.append(face[box])
        first, second, *given = self._colour(faces, picture[box], radii)
        width = float(np.ptp(outline[:, 0]) * self.size[1])
        hidden = find_covered(first, second, width, radii) if self.spares_covered else np.zeros_like(radii)
        if given:
            shown = given[0] + hidden[..., None] * (first + late * (second - first) - given[0])
        else:
            bands = choose_bands(width) if self.has_energy else ()
            shown = blend(first, second, alpha + hidden * (late - alpha), bands)
        mask = smooth_step((OVAL - radii) / FEATHER + 0.5)[..., None]
        picture[box] += mask * (shown - picture[box])
        return np.clip(picture, 0.0, 1.0, out=picture)

    def lateness(self, alpha: float) -> float:
        """How much of the surroundings is the end's."""
        if not self.dissolve:
            return float(alpha > 0.5)
        return float(smooth_step((alpha - 0.5) / self.dissolve + 0.5))

    def _surround(self, fields: tuple[np.ndarray, np.ndarray], late: float) -> np.ndarray:
        """Both pictures warped as far as they are seen, dissolved: [H, W, C]."""
        if late in (0.0, 1.0):
            return self.samplers[int(late)](fields[int(late)])
        first, second = (sampler(field) for sampler, field in zip(self.samplers, fields, strict=True))
        return first + late * (second - first)

    def _colour(self, faces: list[np.ndarray], around: np.ndarray, radii: np.ndarray) -> list[np.ndarray]:
        """Faces, each with the colours that its surroundings have on the ring."""
        ring = ((radii > RING[0]) & (radii < RING[1])).astype(np.float32)
        if not ring.any():  # a face that fills the picture
            return faces
        wanted: Colours = measure_colours(around, ring)
        return [recolour(face, measure_colours(face, ring), wanted) for face in faces]


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
    distance *= INNER + (1.0 - INNER) * _rise(radii, *INNER_RADII)
    return blur(_rise(distance, *COVERED), SOFTNESS * width)


def _rise(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return smooth_step((values - low) / (high - low))


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
    places = (np.mod(alphas, 1.0) if closed else np.asarray(alphas)) * last
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
