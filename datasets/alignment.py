"""Faces turned, scaled and moved so that their eyes, nose and mouth lie where a template has them."""

import math

import numpy as np
from PIL import Image

from .source import DatasetError

# As the viewer sees them, as CelebA and face detectors count: the left eye is the person's right one.
POINT_NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
# Where those points lie, (x, y) in sides of the crop.
TEMPLATES = {
    # Means over drawn faces that look ahead (|yaw| < 10 degrees): a model of drawn faces reads photographs aligned so.
    "facezoo": ((0.385, 0.484), (0.615, 0.484), (0.500, 0.590), (0.402, 0.702), (0.598, 0.702)),
    # Medians of MTCNN's points in the centre 148x148 pixels of 500 of CelebA's aligned pictures.
    "celeba": ((0.369, 0.519), (0.629, 0.519), (0.496, 0.679), (0.382, 0.791), (0.613, 0.791)),
}
MOST_MARGIN = 2.0
BLUR, FADE = 0.04, 0.08  # in sides of a crop: of what lies beyond the photograph, and until it is blurred wholly
SMALLEST = 4  # pixels of a photograph: the side of a crop that is still looked at


class NoFaceError(DatasetError):
    """The points are no face's; the message is the reason in a few words."""


def template_points(
    template: str = "facezoo", margin: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """Where the five points of a face are to lie, (x, y) in sides of the crop: float64 [5, 2].

    Args:
      template: a key of `TEMPLATES`.
      margin: how much more of the photograph the crop shows on each side, in sides of the template's own crop, 0 to
        `MOST_MARGIN`; below 0 it shows less.
      shift: how far right and down of the template's own middle that of the crop lies, in the same sides.
    """
    return 0.5 + (np.array(TEMPLATES[template]) - 0.5 - shift) / (1.0 + 2.0 * margin)


def crop_to_photograph(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The matrices from crop to photograph of the similarities that bring points nearest to where they are wanted.

    With points as complex numbers p and wanted ones as w, a similarity is w = a p + b, and a and b follow by linear
    least squares: in two dimensions, where nothing is mirrored, the solution of Umeyama, "Least-squares estimation of
    transformation parameters between two point patterns" (1991).

    Args:
      points: [..., N, 2], (x, y) in pixels of the photograph.
      wanted: [N, 2], (x, y) in sides of the crop.

    Returns:
      float64 [..., 2, 3]: (x, y, 1) in sides of the crop -> (x, y) in pixels of the photograph.

    Raises:
      NoFaceError: the points are not finite, or all in one place.
    """
    if not np.isfinite(points).all():
        raise NoFaceError("its points are not numbers")
    p, w = (np.asarray(places, np.float64) @ (1.0, 1.0j) for places in (points, wanted))  # [..., N], [N]
    middle = p.mean(axis=-1, keepdims=True)
    spread = (np.abs(p - middle) ** 2).sum(axis=-1)
    a = ((p - middle).conj() * (w - w.mean())).sum(axis=-1) / np.maximum(spread, 1e-12)
    if (spread < 1e-12).any() or (np.abs(a) < 1e-9).any():
        raise NoFaceError("its points lie in one place")
    back, shift = 1.0 / a, middle[..., 0] - w.mean() / a  # p = w / a + shift
    rows = [[back.real, -back.imag, shift.real], [back.imag, back.real, shift.imag]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def align_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points [..., N, 2] in pixels of the photograph -> (x, y) in sides of the crop, float32 [..., N, 2]."""
    moved = points - matrix[..., None, :, 2]
    return (moved @ np.linalg.inv(matrix[..., :2]).swapaxes(-1, -2)).astype(np.float32)


def cut(photograph: Image.Image, matrix: np.ndarray, image_size: int, channels: int = 3) -> np.ndarray:
    """The crop that a matrix of `crop_to_photograph` cuts out of a photograph.

    Where it is larger than the crop, the photograph is first shrunk with Lanczos over the whole footprint of each
    pixel; then it is sampled by cubic splines. Beyond its edge the photograph is mirrored, and the more blurred the
    further beyond it is, so that no stripes of edge pixels and no second chin are learned from.

    Args:
      photograph: RGB.
      matrix: [2, 3].
      image_size: side S of the crop in pixels.
      channels: C, 3 for RGB or 1 for gray.

    Returns:
      uint8 [S, S, C].

    Raises:
      NoFaceError: the crop's middle is outside of the photograph, or the crop is no larger than a few of its pixels.
    """
    from skimage.transform import AffineTransform, warp

    left, top, right, bottom = _box(photograph.size, matrix)
    side = math.sqrt(np.linalg.det(matrix[:, :2]))
    middle = matrix @ (0.5, 0.5, 1.0)
    if not (np.zeros(2) <= middle).all() or not (middle <= photograph.size).all() or side < SMALLEST:
        raise NoFaceError("its points lie outside of the picture, or as good as in one place")
    shrinking = max(1.0, side / image_size)
    size = math.ceil((right - left) / shrinking), math.ceil((bottom - top) / shrinking)
    # Not Image.crop, which warns above 89 megapixels.
    region = Image.fromarray(np.asarray(photograph)[top:bottom, left:right])
    region = region.convert("L" if channels == 1 else "RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.asarray(region, np.float32).reshape(size[1], size[0], channels)

    to_region = np.diag([size[0] / (right - left), size[1] / (bottom - top)]) @ (matrix - [[0, 0, left], [0, 0, top]])
    # scikit-image counts from the first pixel's centre.
    in_pixels = to_region @ np.array(
        [[1 / image_size, 0, 0.5 / image_size], [0, 1 / image_size, 0.5 / image_size], [0, 0, 1]]
    )
    inverse = AffineTransform(np.vstack([in_pixels - [[0, 0, 0.5], [0, 0, 0.5]], [0, 0, 1]]))
    crop = warp(pixels, inverse, output_shape=(image_size, image_size), order=3, mode="symmetric", preserve_range=True)
    crop = _blurred_beyond(crop, _pixels_beyond(photograph.size, matrix, image_size))
    return np.rint(np.clip(crop, 0.0, 255.0)).astype(np.uint8)  # [S, S, C]


def _pixels_beyond(size: tuple[int, int], matrix: np.ndarray, image_size: int) -> np.ndarray:
    """How many pixels of the crop each lies beyond the edge of a photograph (width, height): [S, S], 0 inside."""
    centres = (np.arange(image_size) + 0.5) / image_size
    across, down = np.meshgrid(centres, centres)
    places = np.stack([across, down, np.ones_like(across)], axis=-1) @ matrix.T  # [S, S, 2]
    beyond = np.maximum(0.0, np.maximum(-places, places - size))
    return np.hypot(*np.moveaxis(beyond, -1, 0)) * image_size / math.sqrt(np.linalg.det(matrix[:, :2]))


def _blurred_beyond(crop: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """The crop [S, S, C] with its pixels blurred, but for those inside of the photograph."""
    if not beyond.any():
        return crop
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(crop, (BLUR * len(crop), BLUR * len(crop), 0.0), mode="nearest")
    share = np.clip(beyond / (FADE * len(crop)), 0.0, 1.0)[..., None]
    return crop + share * (blurred - crop)


def _box(size: tuple[int, int], matrix: np.ndarray) -> tuple[int, int, int, int]:
    """What of a photograph (width, height) the crop shows and a little more: left, top, right, bottom."""
    corners = matrix @ np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])  # [2, 4]
    more = 0.05 * (corners.max(axis=1) - corners.min(axis=1)) + 2.0
    low, high = np.floor(corners.min(axis=1) - more), np.ceil(corners.max(axis=1) + more)
    left, top = np.clip(low, 0, np.array(size) - 1).astype(int).tolist()
    right, bottom = np.clip(high, (left + 1, top + 1), size).astype(int).tolist()
    return left, top, right, bottom
