"""Colours of one place given to another: means and covariances."""

from typing import NamedTuple

import numpy as np

LEAST_VARIANCE = 1e-4  # added to each, so that a flat place is not spread without end
MOST_SCALE = 2.0


class Colours(NamedTuple):
    """Mean [C] and covariance [C, C] of some pixels."""

    mean: np.ndarray
    covariance: np.ndarray

    def towards(self, other: "Colours", share: float) -> "Colours":
        """Colours on the way to others."""
        return Colours(*(own + share * (theirs - own) for own, theirs in zip(self, other, strict=True)))


def measure_colours(picture: np.ndarray, weight: np.ndarray) -> Colours:
    """The colours of a picture [H, W, C] where a weight [H, W] is above 0."""
    chosen = weight > 0.0
    pixels, shares = picture[chosen].astype(np.float64), weight[chosen] / weight[chosen].sum()
    mean = shares @ pixels
    return Colours(mean, (pixels - mean).T @ ((pixels - mean) * shares[:, None]))


def recolour(picture: np.ndarray, own: Colours, wanted: Colours) -> np.ndarray:
    """A picture [H, W, C] with other colours: float32, which may leave [0, 1].

    The map is linear and moves as little colour as it can: Pitie and Kokaram, "The linear Monge-Kantorovitch linear
    colour mapping for example-based colour transfer" (2007), equation 9.
    """
    matrix = _transport(own.covariance, wanted.covariance)
    shift = wanted.mean - matrix @ own.mean
    return picture.astype(np.float32) @ matrix.T.astype(np.float32) + shift.astype(np.float32)


def _transport(own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The symmetric matrix that takes one covariance to the other; it scales no direction by more than MOST_SCALE."""
    least = LEAST_VARIANCE * np.eye(len(own))
    root, inverse = _power(own + least, 0.5), _power(own + least, -0.5)
    matrix = inverse @ _power(root @ (wanted + least) @ root, 0.5) @ inverse
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.clip(values, 1.0 / MOST_SCALE, MOST_SCALE)) @ vectors.T


def _power(matrix: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.maximum(values, 1e-12) ** power) @ vectors.T
