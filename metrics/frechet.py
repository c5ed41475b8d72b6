"""Fréchet distance: how far one set of features, of a network or of codes, is from another."""

import numpy as np


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Between the Gaussians that have the means and covariances of two sets of features: [N, D], [M, D].

    With features of the Inception network this is the FID (Heusel et al., "GANs trained by a two time-scale update rule
    converge to a local Nash equilibrium", 2017, equation 6). It falls with the number of pictures: compare equal ones.

    Raises:
      ValueError: sets of different features, of fewer than two, or of numbers that are not finite.
    """
    for features in (first, second):
        if features.ndim != 2 or len(features) < 2 or not np.isfinite(features).all():
            raise ValueError(f"features [N, D] of at least 2 pictures must be finite numbers, not {features.shape}")
    return frechet_distance_of_moments(*_moments(first), *_moments(second))


def frechet_distance_of_moments(
    first_mean: np.ndarray, first_covariance: np.ndarray, second_mean: np.ndarray, second_covariance: np.ndarray
) -> float:
    """|m - n|^2 + tr(S + T - 2 (S T)^(1/2)) of two Gaussians of means m, n [D] and covariances S, T [D, D].

    S T has the eigenvalues of S^(1/2) T S^(1/2), which is A A^T with A = S^(1/2) T^(1/2), so the trace of its root is
    the sum of the singular values of A. Nothing is inverted and no root of a matrix that is not symmetric is taken,
    hence covariances may be singular, as those of fewer pictures than features are.

    Raises:
      ValueError: shapes that do not fit.
    """
    if not first_mean.shape == second_mean.shape == first_covariance.shape[1:] == second_covariance.shape[1:]:
        raise ValueError(f"features of {len(first_mean)} and of {len(second_mean)} dimensions cannot be compared")
    between = np.linalg.norm(_square_root(first_covariance) @ _square_root(second_covariance), ord="nuc")
    traces = np.trace(first_covariance) + np.trace(second_covariance)
    squared = np.sum(np.square(np.subtract(first_mean, second_mean))) + traces - 2.0 * between
    return max(float(squared), 0.0)  # equal sets differ by rounding


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    features = features.astype(np.float64)
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def _square_root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root of a symmetric matrix without negative eigenvalues but for rounding."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
