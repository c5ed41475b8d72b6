"""What single dimensions of a code do, and how much they carry."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ACTIVE_VARIANCE = 0.01


def traversals(
    base: np.ndarray,
    dimensions: Sequence[int] | np.ndarray,
    steps: int = 7,
    limit: float = 3.0,
    means: np.ndarray | float = 0.0,
    deviations: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Codes that differ from one in one dimension each.

    Args:
      base: the code, [*code shape].
      dimensions: [K] positions in the code, flattened.
      steps: values that the dimension takes, evenly spaced.
      limit: from this many standard deviations below its mean to as many above.
      means: of each dimension, [*code shape] or one for all; the prior of a VAE has 0.
      deviations: its standard deviations, the same; the prior of a VAE has 1.

    Returns:
      float32 [K, steps, *code shape].

    Raises:
      ValueError: a dimension that the code has not, or fewer than two steps.
    """
    chosen = np.asarray(dimensions, int)
    if steps < 2 or not ((chosen >= 0) & (chosen < base.size)).all():
        raise ValueError(f"steps={steps} must be at least 2 and dimensions within 0 to {base.size - 1}")
    means, deviations = (np.broadcast_to(value, base.shape).ravel()[chosen] for value in (means, deviations))
    codes = np.tile(base.ravel().astype(np.float32), (len(chosen), steps, 1))  # [K, steps, D]
    values = means + np.linspace(-limit, limit, steps)[:, None] * deviations  # [steps, K]
    codes[np.arange(len(chosen)), :, chosen] = values.T
    return codes.reshape(len(chosen), steps, *base.shape)


def measure_kl(mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """What each dimension carries, in nats, a mean over the data.

    KL(N(mean, exp(log_var)) || N(0, 1)) = (mean^2 + exp(log_var) - 1 - log_var) / 2 (Kingma and Welling, "Auto-encoding
    variational Bayes", 2014, appendix B, before its sum).

    Args:
      mean: of the approximate posterior, [N, *code shape].
      log_var: the logarithm of its variance, the same.

    Returns:
      float64 [*code shape].
    """
    mean, log_var = np.asarray(mean, np.float64), np.asarray(log_var, np.float64)
    return np.mean(0.5 * (np.square(mean) + np.expm1(log_var) - log_var), axis=0)


def most_first(values: np.ndarray) -> np.ndarray:
    """Positions in a flattened array from its largest value to its smallest; equal ones stay in order: [D]."""
    return np.argsort(-np.ravel(values), kind="stable")


def active_dimensions(means: np.ndarray) -> np.ndarray:
    """Whether each dimension carries something: variance of the mean over the data above 0.01.

    Burda, Grosse, Salakhutdinov, "Importance weighted autoencoders" (2016), section 5.

    Args:
      means: [N, *code shape].

    Returns:
      bool [*code shape].
    """
    return np.var(np.asarray(means, np.float64), axis=0) > ACTIVE_VARIANCE


class Histograms(NamedTuple):
    """How values spread over bins.

    Attributes:
      edges: of the bins, [bins + 1]; the outermost two bins also hold what lies beyond.
      shares: of the values of each dimension, [D, bins], each row with the sum 1.
      normal: the shares of N(0, 1), [bins].
    """

    edges: np.ndarray
    shares: np.ndarray
    normal: np.ndarray


def dimension_histograms(codes: np.ndarray, bins: int = 40, limit: float = 4.0) -> Histograms:
    """The distribution of each dimension beside that of the prior.

    Args:
      codes: [N, *code shape]; of a VAE best drawn ones, mean + exp(log_var / 2) e, since it is these that the prior is
        about: means alone vary less.
      bins: how many.
      limit: they lie between -limit and limit.
    """
    from scipy.stats import norm

    flat = np.asarray(codes, np.float64).reshape(len(codes), -1)
    edges = np.linspace(-limit, limit, bins + 1)
    places = np.searchsorted(edges[1:-1], flat, side="right")  # [N, D], of the bin that holds the value
    counts = np.stack([np.bincount(column, minlength=bins) for column in places.T])
    below = np.concatenate([[0.0], norm.cdf(edges[1:-1]), [1.0]])
    return Histograms(edges, counts / len(flat), np.diff(below))
