"""How sure a figure is: intervals that hold the true one 19 times of 20."""

from collections.abc import Callable, Sequence

import numpy as np

CONFIDENCE = 0.95
DEVIATIONS = 1.96  # of a normal distribution, that hold so much
RESAMPLES = 1000
HALVES = 10

Interval = tuple[float, float]


def bootstrap_interval(
    statistic: Callable[..., float], *columns: np.ndarray, is_paired: bool = False, seed: int = 0
) -> Interval:
    """The middle 95 % of a statistic over 1,000 sets drawn from the pictures with replacement.

    Efron, "Bootstrap methods" (1979); the percentile interval.

    Args:
      statistic: of the columns.
      columns: one row for each picture.
      is_paired: rows of all columns belong together; otherwise each column is drawn from by itself.
      seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        rows = [rng.integers(len(column), size=len(column)) for column in (columns[:1] if is_paired else columns)]
        found.append(statistic(*(column[rows[0 if is_paired else n]] for n, column in enumerate(columns))))
    low, high = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def half_sample_interval(
    statistic: Callable[..., float], value: float, *columns: np.ndarray, seed: int = 0
) -> Interval:
    """95 % around the value of a statistic that repeated rows would distort, as a distance of sets.

    McCarthy, "Pseudo-replication: half samples" (1969): halves drawn without replacement vary about as much as whole
    sets do; what depends on the count alone is the same in all, and does not widen it.

    Args:
      statistic: of the columns.
      value: of it for all rows.
      columns: one row for each picture; halves of each are drawn by themselves.
      seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    halves: Sequence[float] = [
        statistic(*(column[rng.permutation(len(column))[: (len(column) + 1) // 2]] for column in columns))
        for _ in range(HALVES)
    ]
    margin = DEVIATIONS * float(np.std(halves, ddof=1))
    return value - margin, value + margin
