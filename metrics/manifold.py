"""Precision and recall: are made pictures like real ones, and are all kinds of real ones made?"""

import numpy as np
from threadpoolctl import threadpool_limits

NEIGHBOURS = 3
ROWS_AT_ONCE = 1000  # bounds the memory of a comparison of all with all


def precision_and_recall(real: np.ndarray, made: np.ndarray, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Shares of made pictures among the real ones, and of real pictures among the made ones, each 0 to 1.

    Kynkaanniemi et al., "Improved precision and recall metric for assessing generative models" (2019), equations 1 and
    2: a picture is among others if it is no farther from one of them than that one's k-th nearest is.

    >>> real = np.random.default_rng(0).normal(size=(32, 4))
    >>> precision_and_recall(real, real)
    (1.0, 1.0)

    Args:
      real: features [N, D].
      made: features [M, D].
      neighbours: k, 3 as in the paper.

    Raises:
      ValueError: sets of different features, or of no more than k pictures.
    """
    for features in (real, made):
        if features.ndim != 2 or len(features) <= neighbours:
            raise ValueError(f"features [N, D] of more than {neighbours} pictures are needed, not {features.shape}")
    if real.shape[1] != made.shape[1]:
        raise ValueError(f"features of {real.shape[1]} and of {made.shape[1]} dimensions cannot be compared")
    with threadpool_limits(1):  # several threads wait for each other, five times as long beside other work
        return _share_among(made, real, neighbours), _share_among(real, made, neighbours)


def _share_among(pictures: np.ndarray, others: np.ndarray, neighbours: int) -> float:
    reach = np.concatenate(  # squared, of each of the others; the nearest of all is itself
        [np.partition(rows, neighbours, axis=1)[:, neighbours] for rows in _squared_distances(others, others)]
    )
    return float(np.concatenate([(rows <= reach).any(axis=1) for rows in _squared_distances(pictures, others)]).mean())


def _squared_distances(first: np.ndarray, second: np.ndarray):
    """Rows of them, some at a time."""
    first, second = first.astype(np.float64), second.astype(np.float64)
    squares = np.square(second).sum(axis=1)
    for start in range(0, len(first), ROWS_AT_ONCE):
        rows = first[start : start + ROWS_AT_ONCE]
        yield np.maximum(np.square(rows).sum(axis=1)[:, None] + squares - 2.0 * rows @ second.T, 0.0)
