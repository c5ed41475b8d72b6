"""Puts a face back into the photograph that it was cut out of."""

import math
import warnings

import numpy as np
from skimage import color, filters, transform

ELLIPSE = (0.36, 0.44)  # half axes of the default mask, in sides of the face picture
FEATHER = 0.3  # how much of the ellipse's radius fades
BORDER = 0.08  # within this many sides of the border every mask fades to 0
SOFTENING = 0.02  # standard deviation by which a given mask's edge is softened, in sides


def paste(
    photograph: np.ndarray,
    face: np.ndarray,
    matrix: np.ndarray,
    mask: np.ndarray | None = None,
    match_colour: bool = True,
) -> np.ndarray:
    """The photograph with a face blended into it.

    Coordinates are (x, y) in pixels from a picture's left top corner, so that the first pixel's centre is (0.5, 0.5).

    Args:
      photograph: uint8 [H, W, 3].
      face: [S, S, 3], or gray [S, S, 1], in [0, 1].
      matrix: 2x3, from the face's coordinates to the photograph's; it may turn, and reach outside of the photograph.
      mask: [S, S] or [S, S, 1] in [0, 1], how much of the face is seen; default a soft ellipse. Its edge is softened,
        and near the border of the face picture it fades to 0.
      match_colour: gives the face the colours of what it covers, see `transfer_colour`.

    Returns:
      uint8 [H, W, 3]; where nothing of the face is seen, the photograph's own bytes.

    Raises:
      ValueError: an argument has another shape, or the matrix cannot be inverted.
    """
    _check(photograph, face, matrix, mask)
    pasted = photograph.copy()
    box = _find_covered(photograph.shape, face.shape[0], matrix)
    covered = pasted[box].astype(np.float32) / 255.0  # [h, w, 3]
    if not covered.size:
        return pasted
    coloured = np.repeat(face, 3, axis=-1) if face.shape[-1] == 1 else face
    seam = seam_mask(face.shape[0], mask)
    weight = _move(seam, matrix, box, order=1, mode="constant")
    thinned = (slice(None, None, max(1, int(_scale(matrix)))),) * 2  # about as many pixels as the face has
    if match_colour and weight[thinned].any():
        coloured = transfer_colour(coloured, seam, covered[thinned], weight[thinned])
    moved = np.clip(_move(coloured, matrix, box, order=3, mode="edge"), 0.0, 1.0)
    blended = covered + weight[..., None] * (moved - covered)
    pasted[box] = np.rint(255.0 * blended).astype(np.uint8)
    return pasted


def crop_matrix(crop: tuple[int, int, int, int], face_size: int) -> np.ndarray:
    """The matrix for `paste` of a face that was cut out by (left, top, width, height) and resized: float64 [2, 3]."""
    left, top, width, height = crop
    return np.array([[width / face_size, 0.0, left], [0.0, height / face_size, top]])


def seam_mask(face_size: int, mask: np.ndarray | None = None) -> np.ndarray:
    """How much of each pixel of a face is seen, 0 all along the border: float64 [S, S] in [0, 1].

    Args:
      face_size: S.
      mask: [S, S] or [S, S, 1] in [0, 1], what is the face; default an ellipse.
    """
    if mask is None:
        seen = _ellipse(face_size)
    else:
        seen = filters.gaussian(mask.reshape(face_size, face_size).astype(np.float64), SOFTENING * face_size)
    place = np.arange(face_size)
    to_border = np.minimum(place, place[::-1]) / max(1.0, BORDER * face_size)  # 0 in the outermost pixels
    fade = _smooth(to_border)
    return np.clip(seen, 0.0, 1.0) * fade[:, None] * fade


def transfer_colour(
    face: np.ndarray, face_weight: np.ndarray, photograph: np.ndarray, photograph_weight: np.ndarray
) -> np.ndarray:
    """The face with the photograph's mean and standard deviation of every channel in Lab, both weighed.

    Reinhard, Ashikhmin, Gooch, Shirley, "Color Transfer between Images" (2001), section 3, in CIE Lab.

    Args:
      face: [h, w, 3] in [0, 1].
      face_weight: [h, w], at least 0, somewhere above.
      photograph: what the face covers, [H, W, 3] in [0, 1].
      photograph_weight: [H, W], as `face_weight`.

    Returns:
      [h, w, 3] in [0, 1].
    """
    face_lab = color.rgb2lab(face)
    face_mean, face_deviation = _statistics(face_lab, face_weight)
    mean, deviation = _statistics(color.rgb2lab(photograph), photograph_weight)
    scale = np.divide(deviation, face_deviation, out=np.ones(3), where=face_deviation > 1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # colours outside of sRGB, which are clipped
        return np.clip(color.lab2rgb((face_lab - face_mean) * scale + mean), 0.0, 1.0)


def _statistics(pixels: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighed mean and standard deviation of each channel: [h, w, 3], [h, w] -> two [3]."""
    share = weight / weight.sum()
    mean = np.einsum("hwc,hw->c", pixels, share)
    return mean, np.sqrt(np.einsum("hwc,hw->c", (pixels - mean) ** 2, share))


def _ellipse(size: int) -> np.ndarray:
    """1 inside, falling smoothly to 0 at the edge: [S, S]."""
    place = (np.arange(size) + 0.5) / size - 0.5
    radius = np.hypot(place[None, :] / ELLIPSE[0], place[:, None] / ELLIPSE[1])
    return _smooth((1.0 - radius) / FEATHER)


def _smooth(values: np.ndarray) -> np.ndarray:
    """From 0 at 0 and below to 1 at 1 and above without a kink."""
    values = np.clip(values, 0.0, 1.0)
    return values * values * (3.0 - 2.0 * values)


def _find_covered(shape: tuple[int, ...], face_size: int, matrix: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of the photograph that the face can touch."""
    corners = matrix @ np.array([[0, face_size, 0, face_size], [0, 0, face_size, face_size], [1, 1, 1, 1]])  # [2, 4]
    low, high = np.floor(corners.min(axis=1)), np.ceil(corners.max(axis=1))
    left, top = np.clip(low, 0, (shape[1], shape[0])).astype(int)
    right, bottom = np.clip(high, 0, (shape[1], shape[0])).astype(int)
    return slice(top, bottom), slice(left, right)


def _move(picture: np.ndarray, matrix: np.ndarray, box: tuple[slice, slice], order: int, mode: str) -> np.ndarray:
    """A face picture [S, S, ...] as it lies in the photograph's box, [h, w, ...], anti-aliased where it shrinks.

    `order` is that of the splines between pixels, `mode` what is outside of the picture.
    """
    rows, columns = box
    scale = _scale(matrix)
    picture = picture.astype(np.float32)
    if scale < 1.0:
        channel_axis = -1 if picture.ndim == 3 else None
        outside = {"edge": "nearest"}.get(mode, mode)  # what one module of scikit-image calls it and the other
        picture = filters.gaussian(picture, (1.0 / scale - 1.0) / 2.0, mode=outside, channel_axis=channel_axis)
    to_photograph = np.vstack([matrix, [0.0, 0.0, 1.0]])
    # scikit-image counts from the first pixel's centre, and here from the box's.
    to_face = _shift(-0.5, -0.5) @ np.linalg.inv(to_photograph) @ _shift(columns.start + 0.5, rows.start + 0.5)
    size = (rows.stop - rows.start, columns.stop - columns.start)
    return transform.warp(picture, transform.AffineTransform(to_face), output_shape=size, order=order, mode=mode)


def _scale(matrix: np.ndarray) -> float:
    """The photograph's pixels to one of the face, along a side."""
    return math.sqrt(abs(np.linalg.det(matrix[:, :2])))


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def _check(photograph: np.ndarray, face: np.ndarray, matrix: np.ndarray, mask: np.ndarray | None) -> None:
    if photograph.ndim != 3 or photograph.shape[2] != 3 or photograph.dtype != np.uint8:
        raise ValueError(f"photograph must be uint8 [H, W, 3], not {photograph.dtype} {list(photograph.shape)}")
    if face.ndim != 3 or face.shape[0] != face.shape[1] or face.shape[2] not in (1, 3):
        raise ValueError(f"face must be [S, S, 3] or [S, S, 1], not {list(face.shape)}")
    if mask is not None and mask.shape not in (face.shape[:2], (*face.shape[:2], 1)):
        raise ValueError(f"mask must be as large as the face, {list(face.shape[:2])}, not {list(mask.shape)}")
    if np.shape(matrix) != (2, 3) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-12:
        raise ValueError("matrix must be 2x3, finite and invertible")
