"""Codes on the plane: principal components and t-SNE."""

from typing import NamedTuple

import numpy as np

FEW_DIMENSIONS = 50  # that are left of codes with more before t-SNE compares distances


class Components(NamedTuple):
    """Codes along the directions in which they vary most.

    Attributes:
      points: float32 [N, K].
      shares: of the codes' whole variance that each direction has, [K].
    """

    points: np.ndarray
    shares: np.ndarray


def principal_components(codes: np.ndarray, count: int = 2) -> Components:
    """The first principal components, as many as asked for or as there are.

    Args:
      codes: [N, *code shape], at least two.
      count: K at most.

    Raises:
      ValueError: the codes are not finite, or all the same.
    """
    from sklearn.decomposition import PCA  # It takes a second.

    flat = _check(codes)
    found = PCA(min(count, *flat.shape), random_state=0)
    return Components(found.fit_transform(flat).astype(np.float32), found.explained_variance_ratio_)


def t_sne(codes: np.ndarray, perplexity: float = 30.0, seed: int = 0) -> np.ndarray:
    """A plane on which near codes stay near; far ones may lie anywhere.

    Van der Maaten and Hinton, "Visualizing data using t-SNE" (2008), begun from the principal components; of codes with
    more than 50 dimensions it sees the first 50 of these.

    Args:
      codes: [N, *code shape], at least four, of at least two dimensions.
      perplexity: about how many neighbours each has; of few codes at most a third of them.
      seed: of its draws.

    Returns:
      float32 [N, 2].

    Raises:
      ValueError: the codes are not finite, or all the same.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    points = principal_components(codes, FEW_DIMENSIONS).points
    found = TSNE(2, perplexity=min(perplexity, (len(points) - 1) / 3), init="pca", random_state=seed)
    with threadpool_limits(1):  # several threads wait for each other, twenty times as long beside other work
        return found.fit_transform(points)


def _check(codes: np.ndarray) -> np.ndarray:
    flat = np.asarray(codes, np.float32).reshape(len(codes), -1)
    if not np.isfinite(flat).all() or not np.ptp(flat, axis=0).any():
        raise ValueError("the codes are not finite numbers, or all the same")
    return flat
