"""Kernel distance: how far one set of features is from another, without bias however few they are."""

import numpy as np
from threadpoolctl import threadpool_limits

from .feature_sets import check_feature_sets

ROWS_AT_ONCE = 1000  # bounds the memory of a comparison of all with all


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The squared maximum mean discrepancy of two sets of features, [N, D] and [M, D], by the kernel (x.y / D + 1)^3.

    With features of the Inception network this is the KID (Binkowski et al., "Demystifying MMD GANs", 2018, section 4).
    The estimate is the unbiased one (Gretton et al., "A kernel two-sample test", 2012, equation 3): sets drawn alike
    are 0 apart on average, so it may be below 0.

    >>> first, second = np.random.default_rng(0).normal(size=(2, 64, 4))
    >>> kernel_distance(first, second + 1.0) > kernel_distance(first, second)
    True

    Raises:
      ValueError: sets of different features, of fewer than two, or of numbers that are not finite.
    """
    check_feature_sets(first, second)
    with threadpool_limits(1):  # several threads wait for each other, five times as long beside other work
        within = sum(_average_pairs(features) for features in (first, second))
        return within - 2.0 * _kernel_sum(first, second) / (len(first) * len(second))


def _average_pairs(features: np.ndarray) -> float:
    """The kernel's mean over pairs of different rows."""
    squares = np.einsum("nd,nd->n", features, features, dtype=np.float64)
    of_themselves = np.sum((squares / features.shape[1] + 1.0) ** 3)
    return float(_kernel_sum(features, features) - of_themselves) / (len(features) * (len(features) - 1))


def _kernel_sum(first: np.ndarray, second: np.ndarray) -> float:
    """The kernel's sum over all pairs."""
    dimensions = first.shape[1]
    return float(
        sum(
            np.sum((first[start : start + ROWS_AT_ONCE] @ second.T / dimensions + 1.0) ** 3, dtype=np.float64)
            for start in range(0, len(first), ROWS_AT_ONCE)
        )
    )
