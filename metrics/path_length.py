"""Perceptual path length: how much a picture changes as its code goes a small step on its way."""

from collections.abc import Callable

import numpy as np

EPSILON = 1e-4


def path_lengths(
    pictures_at: Callable[[np.ndarray], np.ndarray],
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray],
    alphas: np.ndarray,
    epsilon: float = EPSILON,
) -> np.ndarray:
    """d(G(t), G(t + e)) / e^2 of each way.

    Karras, Laine, Aila, "A style-based generator architecture for generative adversarial networks" (2019), equation 2;
    its mean is the perceptual path length. Ways that bend little and change evenly are short.

    Args:
      pictures_at: G, places [N] in [0, 1] on N ways -> pictures [N, H, W, C] in [0, 1].
      distance: d, a squared one such as LPIPS, of two sets of pictures -> [N].
      alphas: t, [N] in [0, 1 - epsilon].
      epsilon: e.
    """
    return np.asarray(distance(pictures_at(alphas), pictures_at(alphas + epsilon)), np.float64) / epsilon**2
