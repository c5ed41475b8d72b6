"""Samplers: distributions that are fitted to codes, to draw new ones from."""

import dataclasses
import math
import warnings
from pathlib import Path

import numpy as np

from .archives import load_arrays, save_arrays

KINDS = ("normal", "gaussian", "mixture")
MOST_DIMENSIONS = 512  # a full covariance of more takes long to fit, and more codes than there are
LEAST_VARIANCE = 1e-4  # added to each component's variances, in parts of the mean variance of the codes
KIND = "a sampler"


@dataclasses.dataclass(frozen=True, eq=False)
class Sampler:
    """A distribution of codes: noise e of a standard normal, with probability w_k, gives center + (m_k + e L_k) B.

    Attributes:
      kind: one of KINDS.
      code_shape: of one code.
      arrays: `weights` w [K], `means` m [K, R], `factors` L [K, R, R], `basis` B [R, D], `center` [D]; none of a
        standard normal distribution, which gives e itself.
      model_hash: of the model whose codes it was fitted to.
    """

    kind: str
    code_shape: tuple[int, ...]
    arrays: dict[str, np.ndarray]
    model_hash: str

    def draw(self, seed: int, count: int, truncation: float = 1.0) -> np.ndarray:
        """New codes, a function of the seed: fewer are the first of more.

        Args:
          seed: not negative.
          count: how many.
          truncation: the noise e is multiplied by it. 1 draws from the distribution itself; less gives more typical and
            less various faces, down to the mean (of the mixture's component) at 0. For one Gaussian it is the
            truncation of Karras et al., "A style-based generator architecture for generative adversarial networks"
            (2019), appendix B: z' = mean + truncation (z - mean); a mixture is drawn to its components' means, since
            the mean of all may lie where no codes are.

        Returns:
          float32 [count, *code shape].

        Raises:
          ValueError: the truncation is not within 0 to 1, the seed or the count is negative.
        """
        if not 0.0 <= truncation <= 1.0:
            raise ValueError(f"truncation={truncation} must be within 0 to 1")
        for_noise, for_choice = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2))
        if not self.arrays:
            noise = for_noise.standard_normal((count, math.prod(self.code_shape)))
            return (truncation * noise).astype(np.float32).reshape(count, *self.code_shape)
        weights, means, factors, basis, center = (self.arrays[name] for name in _ARRAYS)
        noise = truncation * for_noise.standard_normal((count, len(basis)))
        components = np.searchsorted(np.cumsum(weights)[:-1], for_choice.random(count), side="right")
        points = np.empty_like(noise)  # [count, R]
        for component in np.unique(components):
            chosen = components == component
            points[chosen] = means[component] + noise[chosen] @ factors[component]
        return (center + points @ basis).astype(np.float32).reshape(count, *self.code_shape)


_ARRAYS = ("weights", "means", "factors", "basis", "center")


def standard_normal(code_shape: tuple[int, ...], model_hash: str) -> Sampler:
    """The prior of a VAE, N(0, 1) in every dimension."""
    return Sampler("normal", tuple(code_shape), {}, model_hash)


def fit_gaussian(codes: np.ndarray, model_hash: str) -> Sampler:
    """One Gaussian with the mean and the full covariance of the codes.

    Codes of more than MOST_DIMENSIONS dimensions vary along their MOST_DIMENSIONS first principal components only, and
    in no more directions than there are codes less one; in all others a drawn code is at the mean.

    Args:
      codes: [N, *code shape], at least two.
      model_hash: of the model whose codes they are.

    Raises:
      ValueError: fewer than two codes, or codes that are not finite or do not vary.
    """
    center, basis, scores = _principal_components(codes)
    deviations = scores.std(axis=0, ddof=1)
    arrays = {"weights": np.ones(1), "means": np.zeros((1, len(basis))), "factors": np.diag(deviations)[None]}
    return Sampler("gaussian", codes.shape[1:], arrays | {"basis": basis, "center": center}, model_hash)


def fit_mixture(codes: np.ndarray, model_hash: str, components: int = 10, seed: int = 0) -> Sampler:
    """A mixture of Gaussians with full covariances, among the principal components that `fit_gaussian` takes.

    Ghosh et al., "From variational to deterministic autoencoders" (2020), section 4, draw from 10 components. Each
    estimates a covariance of its own, so there should be several times as many codes for each as a code has dimensions.

    Args:
      codes: [N, *code shape].
      model_hash: of the model whose codes they are.
      components: K, how many Gaussians; at most half as many as there are codes.
      seed: where the fit starts.

    Raises:
      ValueError: too few codes, or codes that are not finite or do not vary.
    """
    from sklearn.exceptions import ConvergenceWarning  # It takes a second.
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    if not 1 <= components <= len(codes) // 2:
        raise ValueError(
            f"components={components} of a mixture must be at least 1 and at most half of {len(codes)} codes"
        )
    center, basis, scores = _principal_components(codes)
    scale = np.sqrt(scores.var(axis=0).mean())
    mixture = GaussianMixture(components, reg_covar=LEAST_VARIANCE, random_state=seed)
    # In one thread: several spend their time waiting for each other, and their number would show in the last digits.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what is not quite the best mixture is one all the same
        mixture.fit(scores / scale)
    factors = np.linalg.cholesky(mixture.covariances_).swapaxes(1, 2)  # e L of covariance L^T L
    arrays = {"weights": mixture.weights_, "means": scale * mixture.means_, "factors": scale * factors}
    return Sampler("mixture", codes.shape[1:], arrays | {"basis": basis, "center": center}, model_hash)


def save_sampler(path: Path, sampler: Sampler) -> None:
    """Writes a sampler as a file of arrays, whole or not at all."""
    about = {"name": np.array(sampler.kind), "code_shape": np.array(sampler.code_shape, np.int64)}
    save_arrays(path, KIND, sampler.model_hash, about | sampler.arrays)


def load_sampler(path: Path, model_hash: str | None = None) -> Sampler:
    """Reads what `save_sampler` has written.

    Args:
      path: of the file.
      model_hash: of the model in use; None takes any.

    Raises:
      ValueError: it cannot be read, is damaged, or belongs to another model.
    """
    arrays = load_arrays(path, KIND, model_hash)
    try:
        return _from_arrays(arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _from_arrays(arrays: dict[str, np.ndarray]) -> Sampler:
    kind, code_shape = str(arrays["name"]), tuple(int(side) for side in arrays["code_shape"])
    if kind not in KINDS or not all(side > 0 for side in code_shape):
        raise ValueError(f"there is no {kind!r} distribution of codes of shape {code_shape}")
    kept = {} if kind == "normal" else {name: arrays[name].astype(np.float64) for name in _ARRAYS}
    if kept:
        components, dimensions = kept["means"].shape
        shapes = ((components,), (components, dimensions), (components, dimensions, dimensions))
        if tuple(kept[name].shape for name in _ARRAYS) != (
            *shapes,
            (dimensions, size := math.prod(code_shape)),
            (size,),
        ):
            raise ValueError("its arrays do not fit each other")
        if not all(np.isfinite(array).all() for array in kept.values()):
            raise ValueError("a number is not finite")
    return Sampler(kind, code_shape, kept, str(arrays["model_hash"]))


def _principal_components(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean code [D], the directions in which codes vary most [R, D], and the codes along these [N, R]."""
    from sklearn.decomposition import PCA  # It takes a second.

    flat = np.asarray(codes, np.float64).reshape(len(codes), -1)
    if len(flat) < 2 or not np.isfinite(flat).all() or not np.ptp(flat, axis=0).any():
        raise ValueError("a distribution is fitted to at least two codes of finite numbers that are not all the same")
    components = PCA(min(len(flat) - 1, flat.shape[1], MOST_DIMENSIONS), random_state=0)
    scores = components.fit_transform(flat)
    return components.mean_, components.components_, scores
