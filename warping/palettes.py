"""The colours of a face's skin and of all else in its picture, led towards those of another picture."""

import numpy as np

from .blurring import blur
from .colours import Colours, measure_colours, recolour
from .ramps import rising

# In radii of the face's oval: what is taken for skin, and for all else; where all counts as skin; and where skin ends,
# which may be a neck, ears or hands.
SKIN, ELSE, WHOLLY, END = 0.8, 1.2, 0.95, (1.7, 2.5)
LEAST_VARIANCE = 1e-3  # of the colours of skin and of all else, in telling them apart
MOST_LIKELY = 30.0  # of a logarithm of likelihoods
SOFTNESS = 0.01  # of the picture's height, and half a pixel


class Palette:
    """What of a picture is skin, and the colours of it and of the rest.

    Args:
      picture: float32 [H, W, C] in [0, 1].
      radii: of its pixels, as `radius_map` gives them, [H, W].

    Attributes:
      skin: colours of the face.
      rest: those around it.
      share: how much of each pixel is skin's, float32 [H, W] in [0, 1].
    """

    def __init__(self, picture: np.ndarray, radii: np.ndarray):
        self.skin = measure_colours(picture, (radii < SKIN).astype(np.float32))
        around = (radii > ELSE).astype(np.float32)
        self.rest = measure_colours(picture, around) if around.any() else self.skin  # else the face fills the picture
        likelier = _log_likelihood(picture, self.skin) - _log_likelihood(picture, self.rest)
        share = 1.0 / (1.0 + np.exp(-np.clip(likelier, -MOST_LIKELY, MOST_LIKELY)))
        share = np.where(radii < WHOLLY, 1.0, share * (1.0 - rising(radii, *END))).astype(np.float32)
        self.share = blur(share, SOFTNESS * picture.shape[0] + 0.5)

    def led(self, pixels: np.ndarray, share: np.ndarray, other: "Palette", way: float) -> np.ndarray:
        """Pixels of this picture on the way to another's colours.

        Args:
          pixels: float32 [H, W, C].
          share: how much of each is skin's, [H, W].
          other: of the other picture.
          way: how far, from 0 to 1.

        Returns:
          float32 [H, W, C], which may leave [0, 1].
        """
        skin = recolour(pixels, self.skin, self.skin.towards(other.skin, way))
        rest = recolour(pixels, self.rest, self.rest.towards(other.rest, way))
        return rest + share[..., None] * (skin - rest)


def _log_likelihood(picture: np.ndarray, colours: Colours) -> np.ndarray:
    """Of the pixels, in a normal distribution of these colours, but for a constant: [H, W]."""
    covariance = colours.covariance + LEAST_VARIANCE * np.eye(len(colours.mean))
    away = picture - colours.mean
    distance = ((away @ np.linalg.inv(covariance)) * away).sum(axis=-1)
    return -0.5 * (distance + np.linalg.slogdet(covariance)[1])
