"""A face made to take the place of another one: its shape, and its colours where skin is seen."""

from typing import NamedTuple

import numpy as np

from .blurring import blur
from .colours import Colours, measure_colours, recolour
from .ramps import rising, smooth_step
from .shapes import Scheme, choose_points, five_points, radius_map
from .thin_plates import Box, Sampler, bend_plate

WHOLE: Box = (slice(None), slice(None))
BROWS = 0.5  # how far above the eyes a fitted face reaches, by how far these lie above the mouth: brows, no hair
EDGE, FEATHER = 0.9, 0.25  # where it ends, and over how much it fades, in radii of what is seen of it

# Outside of the middle of the face, which ends between these radii, and so far from eyes, nose and mouth (of the
# distance of the eyes, or from them to the mouth), what has not the colours of the middle is hair before it, or a
# background, and stays: from so many standard deviations on, which are at least these.
MIDDLE, FEATURE = (0.45, 0.65), (0.3, 0.45)
OTHER, LEAST_DEVIATION = (1.5, 3.0), 0.03
SOFTNESS = 0.01  # of a picture's height, and half a pixel


class Fitted(NamedTuple):
    """A face in the place of another one.

    Attributes:
      face: float32 [S, S, C] in [0, 1].
      mask: how much of it is seen, float32 [S, S] in [0, 1].
    """

    face: np.ndarray
    mask: np.ndarray


def fit_face(
    face: np.ndarray,
    points: np.ndarray,
    covered: np.ndarray,
    covered_points: np.ndarray,
    scheme: Scheme,
    match_colour: bool = True,
) -> Fitted:
    """A face with the outline of the one that it covers, eyes, nose and mouth in the same places, and its colours.

    Args:
      face: float32 [S, S, C] in [0, 1].
      points: its landmarks [L, 2], (x, y) in sides.
      covered: the picture that it is laid onto, of the same shape.
      covered_points: landmarks of the face there.
      scheme: of the landmarks.
      match_colour: gives it the mean and the covariance of what it covers.
    """
    fitted = bend_face(face, points, covered, covered_points, scheme)
    colours = measure_pair(fitted, covered) if match_colour else None
    return fitted if colours is None else Fitted(np.clip(recolour(fitted.face, *colours), 0.0, 1.0), fitted.mask)


def measure_pair(fitted: Fitted, covered: np.ndarray) -> tuple[Colours, Colours] | None:
    """The colours of a face where it is seen, and of what it covers there; None where it is not seen at all."""
    if not fitted.mask.any():
        return None
    return measure_colours(fitted.face, fitted.mask), measure_colours(covered, fitted.mask)


def bend_face(
    face: np.ndarray, points: np.ndarray, covered: np.ndarray, covered_points: np.ndarray, scheme: Scheme
) -> Fitted:
    """As `fit_face`, with its own colours.

    What is seen of it goes from the brows to the chin: hair and forehead stay those of the covered one, and so does how
    far its head is turned; where one of both heads looks far aside, only eyes, nose and mouth come to their places.
    """
    (points, covered_points), scheme = choose_points([points, covered_points], scheme)
    own, wanted = (
        np.concatenate([scheme.outline(some), five_points(some, scheme)]).astype(np.float64)
        for some in (points, covered_points)
    )
    field = bend_plate(wanted, own - wanted, face.shape[:2], scheme.stiffness)
    fitted = Sampler(face)(field)
    radii = radius_map(below_the_brows(covered_points, scheme), face.shape[:2], WHOLE)
    elsewhere = rising(radii, *MIDDLE) * away_from_features(five_points(covered_points, scheme), face.shape[:2])
    mask = smooth_step((EDGE - radii) / FEATHER + 0.5)
    for picture in (fitted, covered):
        mask = mask * (1.0 - elsewhere * unlike_the_middle(picture, radii))
    return Fitted(np.clip(fitted, 0.0, 1.0), mask)


def unlike_the_middle(picture: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """How far each pixel has other colours than the middle of the face: [H, W] in [0, 1].

    Args:
      picture: float32 [H, W, C].
      radii: of its pixels, as `radius_map` gives them.
    """
    middle = measure_colours(picture, (radii < MIDDLE[0]).astype(np.float32))
    soft = blur(picture, SOFTNESS * picture.shape[0] + 0.5) - middle.mean.astype(np.float32)
    inverse = np.linalg.inv(middle.covariance + LEAST_DEVIATION**2 * np.eye(len(middle.mean)))
    return rising(np.sqrt(((soft @ inverse) * soft).sum(axis=-1)), *OTHER)


def away_from_features(five: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """0 around eyes, nose and mouth, which have colours of their own, and 1 elsewhere: [H, W].

    Args:
      five: as `five_points` gives them, (x, y) in sides.
      size: (height, width) of the picture.
    """
    y, x = ((np.arange(side) + 0.5) / side for side in size)
    distances = [np.hypot(x[None, :] - across, y[:, None] - down) for across, down in five]
    apart = max(
        float(np.hypot(*(five[1] - five[0]))), float(np.hypot(*(five[:2].mean(axis=0) - five[3:].mean(axis=0))))
    )
    return rising(np.min(distances, axis=0), *(share * apart for share in FEATURE))


def below_the_brows(points: np.ndarray, scheme: Scheme) -> np.ndarray:
    """The outline of a face without its forehead: [N, 2]."""
    outline, five = scheme.outline(points).astype(np.float64), five_points(points, scheme)
    eyes, mouth = five[:2].mean(axis=0), five[3:].mean(axis=0)
    up = (eyes - mouth) / max(float(np.hypot(*(eyes - mouth))), 1e-6)
    most = BROWS * np.hypot(*(eyes - mouth))
    above = np.maximum((outline - eyes) @ up - most, 0.0)
    return outline - above[:, None] * up
