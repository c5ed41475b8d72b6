"""Two pictures blended band by band of detail, each with the energy that averaging takes given back."""

import numpy as np

from .blurring import blur

MOST_GAIN = 2.0
FLOOR = 1e-6  # of an energy


def blend(
    first: np.ndarray, second: np.ndarray, share: np.ndarray | float, sigmas: tuple[float, ...], most: float = MOST_GAIN
) -> np.ndarray:
    """The mean of two pictures, as sharp as they are.

    Details that do not lie in the same places average out. So each band (what one Gaussian blur keeps and the next one
    takes) is multiplied, place by place, by what its energy lacks to that of the pictures.

    Args:
      first: float32 [H, W, C].
      second: the same.
      share: of the second one, a number or [H, W].
      sigmas: of the blurs between the bands, in pixels, rising; none blends the pictures as they are.
      most: most that a band is multiplied by.

    Returns:
      float32 [H, W, C], which may leave [0, 1] a little.
    """
    share = np.asarray(share, np.float32)
    weight = share[..., None] if share.ndim else share
    result, rest = np.zeros_like(first), [first, second]
    for sigma in sigmas:
        smooth = [blur(picture, sigma) for picture in rest]
        bands = [picture - low for picture, low in zip(rest, smooth, strict=True)]
        mean = bands[0] + weight * (bands[1] - bands[0])
        result += mean * _gain(mean, bands, share, 2.0 * sigma, most)[..., None]
        rest = smooth
    return result + rest[0] + weight * (rest[1] - rest[0])


def _gain(mean: np.ndarray, bands: list[np.ndarray], share, sigma: float, most: float) -> np.ndarray:
    """What a band is multiplied by to have the energy of both, around each place: [H, W]."""
    energies = [blur((band**2).mean(axis=-1), sigma) for band in (mean, *bands)]
    wanted = (1.0 - share) * energies[1] + share * energies[2]
    return np.clip(np.sqrt((wanted + FLOOR) / (energies[0] + FLOOR)), 1.0, most)
