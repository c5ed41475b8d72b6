"""Fréchet distance: how far one set of features, of a network or of codes, is from another."""

import numpy as np
from threadpoolctl import threadpool_limits

from .feature_sets import check_feature_sets


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Between the Gaussians that have the means and covariances of two sets of features: [N, D], [M, D].

    With features of the Inception network this is the FID (Heusel et al., "GANs trained by a two time-scale update rule
    converge to a local Nash equilibrium", 2017, equation 6). It falls with the number of pictures: compare equal ones.

    >>> features = np.random.default_rng(0).normal(size=(64, 4))
    >>> round(frechet_distance(features, features + 1.0), 6)
    4.0

    Raises:
      ValueError: sets of different features, of fewer than two, or of numbers that are not finite.
    """
    check_feature_sets(first, second)
    with threadpool_limits(1):  # several threads wait for each other, five times as long beside other work
        return _distance(*_mean_and_factor(first), *_mean_and_factor(second))


def compare_moments(
    first_mean: np.ndarray, first_covariance: np.ndarray, second_mean: np.ndarray, second_covariance: np.ndarray
) -> float:
    """|m - n|^2 + tr(S + T - 2 (S T)^(1/2)) of two Gaussians of means m, n [D] and covariances S, T [D, D].

    Raises:
      ValueError: shapes that do not fit.
    """
    if not first_mean.shape == second_mean.shape == first_covariance.shape[1:] == second_covariance.shape[1:]:
        raise ValueError(f"features of {len(first_mean)} and of {len(second_mean)} dimensions cannot be compared")
    return _distance(first_mean, _square_root(first_covariance), second_mean, _square_root(second_covariance))


def _distance(
    first_mean: np.ndarray, first_factor: np.ndarray, second_mean: np.ndarray, second_factor: np.ndarray
) -> float:
    """The distance of Gaussians whose covariances are A^T A and B^T B, A [K, D] and B [L, D].

    S T has the eigenvalues of (B A^T) (B A^T)^T, but for zeros, so the trace of its root is the sum of the singular
    values of A B^T. Nothing is inverted and no root of a matrix that is not symmetric is taken, hence covariances may
    be singular, as those of fewer pictures than features are.
    """
    between = np.linalg.norm(first_factor @ second_factor.T, ord="nuc")
    traces = np.sum(np.square(first_factor)) + np.sum(np.square(second_factor))
    squared = np.sum(np.square(np.subtract(first_mean, second_mean))) + traces - 2.0 * between
    return max(float(squared), 0.0)  # equal sets differ by rounding


def _mean_and_factor(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean [D] of features, and A [at most D, D] of their covariance A^T A."""
    mean = features.mean(axis=0, dtype=np.float64)
    factor = (features - mean) / np.sqrt(len(features) - 1)
    if len(factor) > len(mean):
        factor = np.asarray(np.linalg.qr(factor, mode="r"))
    return mean, factor


def _square_root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root of a symmetric matrix without negative eigenvalues but for rounding."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
