"""Gaussian blurs that are quick however wide they are, and the linear way from few values to many."""

import numpy as np

LEAST_SIGMA = 2.0  # pixels, to which a picture is shrunk before it is blurred


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """A picture [H, W] or [H, W, C] blurred by a Gaussian of so many pixels; beyond its edge its edge repeats.

    For wide ones means of blocks are blurred, and enlarged by straight lines.
    """
    stride = max(1, int(sigma / LEAST_SIGMA))
    if stride == 1:
        return _gaussian(picture, sigma)
    height, width = picture.shape[:2]
    left = np.sqrt(sigma**2 - (stride**2 - 1.0) / 12.0) / stride  # of the variance, what blocks have not taken
    small = _gaussian(_block_means(picture, stride), left)
    rows, columns = (_within_blocks(side, stride) for side in (height, width))
    return enlarge(small, rows, columns)


def enlarge(coarse: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Linear interpolation at places of the rows and columns of [h, w] or [h, w, C]: float32 [H, W] or [H, W, C]."""
    tall = np.tensordot(_weights(rows, coarse.shape[0]), coarse, 1)
    across = np.tensordot(_weights(columns, coarse.shape[1]), tall, (1, 1))  # [W, H, ...]
    return np.ascontiguousarray(across.swapaxes(0, 1))


def _gaussian(picture: np.ndarray, sigma: float) -> np.ndarray:
    from scipy import ndimage

    return ndimage.gaussian_filter(picture, (sigma, sigma, 0.0)[: picture.ndim], mode="nearest", truncate=3.0)


def _block_means(picture: np.ndarray, stride: int) -> np.ndarray:
    """[H, W, ...] -> [ceil(H / stride), ceil(W / stride), ...]"""
    height, width = picture.shape[:2]
    more = [(0, -height % stride), (0, -width % stride), *[(0, 0)] * (picture.ndim - 2)]
    padded = np.pad(picture, more, mode="edge")
    tall = np.sum([padded[row::stride] for row in range(stride)], axis=0)
    return np.sum([tall[:, column::stride] for column in range(stride)], axis=0) / np.float32(stride**2)


def _within_blocks(side: int, stride: int) -> np.ndarray:
    """Where pixels lie among the middles of blocks: [side]."""
    return (np.arange(side) + 0.5) / stride - 0.5


def _weights(places: np.ndarray, count: int) -> np.ndarray:
    """What each of `count` values counts at each place: float32 [places, count], rows that sum to 1."""
    inside = np.clip(places, 0.0, count - 1.0)
    return np.maximum(0.0, 1.0 - np.abs(inside[:, None] - np.arange(count))).astype(np.float32)
