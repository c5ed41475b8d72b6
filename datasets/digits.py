"""The 1,797 scans of handwritten digits that come with scikit-learn: real scans without a download."""

import functools

import numpy as np
from PIL import Image

from . import photographs
from .source import SPLITS, DatasetError, Source, choose_split

DIGIT_NAMES = tuple(f"digit_{digit}" for digit in range(10))
BRIGHTEST = 16


def digits(split: str, *, image_size: int = 32, channels: int = 1) -> Source:
    """Handwritten digits, scanned at 8x8 in 17 steps of gray and enlarged smoothly; white on black.

    >>> digits("test").image_shape
    (32, 32, 1)

    Args:
      split: train, validation or test, 80/10/10 by the scan's number, see `choose_split`.
      image_size: side S of the pictures in pixels.
      channels: C, 1 for gray or 3 for the same thrice.

    Returns:
      Pictures [S, S, C] named by their number among all scans, with the digit as one of ten `attributes`.

    Raises:
      DatasetError: no such split, or `channels` is neither 1 nor 3.
    """
    if split not in SPLITS:
        raise DatasetError(f"digits: split={split!r} is none of {', '.join(SPLITS)}")
    if channels not in (1, 3):
        raise DatasetError(f"digits: channels={channels} is neither 1 (gray) nor 3 (RGB)")
    scans, labels = _scans()
    members = np.array([number for number in range(len(scans)) if choose_split(str(number)) == split])

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        chosen = members[positions]
        images = np.empty((len(chosen), image_size, image_size, channels), np.uint8)
        for image, scan in zip(images, scans[chosen], strict=True):
            image[:] = photographs.fit(Image.fromarray(scan), image_size, channels=channels)
        return {"image": images, "attributes": one_hot(labels[chosen])}

    return Source(
        name=f"digits/{split}",
        names=[str(number) for number in members],
        load=load,
        image_shape=(image_size, image_size, channels),
        attribute_names=DIGIT_NAMES,
    )


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Digits [n] -> float32 [n, 10], the columns of `DIGIT_NAMES`."""
    return (labels[:, np.newaxis] == np.arange(len(DIGIT_NAMES))).astype(np.float32)


@functools.cache
def _scans() -> tuple[np.ndarray, np.ndarray]:
    """All scans, uint8 [1797, 8, 8] in 0..255, and their digits [1797]."""
    from sklearn.datasets import load_digits  # It takes a second.

    bunch = load_digits()
    return np.rint(bunch.images * (255 / BRIGHTEST)).astype(np.uint8), bunch.target
