"""Attribute vectors: what to add to a code so that its face has a beard, wears glasses or grows old."""

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import files
from .archives import load_arrays, save_arrays

METHODS = ("mean", "classifier")
LEAST_EXAMPLES = 10  # with an attribute and without it
LEAST_LEFT = 0.05  # of a vector, or of an attribute's standard deviation, that other attributes do not explain
KIND = "attribute vectors"


@dataclasses.dataclass(frozen=True, eq=False)
class AttributeVectors:
    """What `find_attributes` has found.

    Attributes:
      names: of the A attributes.
      vectors: float32 [A, *code shape] by method, as `find_attributes` says.
      covariance: of the attributes' values, float64 [A, A].
      counts: examples with each attribute and without it, [A, 2].
      left_out: the same two counts of those attributes that have too few of either.
      model_hash: of the model whose codes they are about.
    """

    names: tuple[str, ...]
    vectors: dict[str, np.ndarray]
    covariance: np.ndarray
    counts: np.ndarray
    left_out: dict[str, tuple[int, int]]
    model_hash: str

    def vector(self, name: str, method: str = "mean") -> np.ndarray:
        """The vector of one attribute, [*code shape].

        Raises:
          ValueError: there is no such attribute or method, or it was left out.
        """
        return self._find_method(method)[self.position(name)]

    def position(self, name: str) -> int:
        """Where an attribute stands in `names`.

        Raises:
          ValueError: it does not, or it was left out.
        """
        if name in self.left_out:
            counts = "{} examples with it and {} without".format(*self.left_out[name])
            raise ValueError(f"{name!r} has no vector: {counts} are too few, it takes {LEAST_EXAMPLES} of each")
        if name not in self.names:
            close = difflib.get_close_matches(name.lower(), self.names, n=1)
            guess = f"; did you mean {close[0]!r}?" if close else ";"
            raise ValueError(f"no attribute {name!r}{guess} there are {', '.join(self.names)}")
        return self.names.index(name)

    def _find_method(self, method: str) -> np.ndarray:
        if method not in self.vectors:
            raise ValueError(f"no vectors by method={method!r}; there are those by {', '.join(self.vectors)}")
        return self.vectors[method]


def find_attributes(
    codes: np.ndarray,
    attributes: np.ndarray,
    names: Sequence[str],
    model_hash: str,
    methods: Sequence[str] = METHODS,
) -> AttributeVectors:
    """The vector of each attribute.

    By "mean" it is the mean code with the attribute minus the mean code without it (Larsen et al., "Autoencoding beyond
    pixels using a learned similarity metric", 2016; Hou et al., "Deep feature consistent variational autoencoder",
    2017). By "classifier" it is the normal of the plane between both that logistic regression finds (Shen et al.,
    "Interpreting the latent space of GANs for semantic face editing", 2020, section 3).

    The scale: a code moves by strength times the vector, and strength 1 leads as far along the vector as it is from the
    mean code without to the mean code with. So vector . normal, by which the classifier's read-out rises, is the same
    for both methods; the normal is the shortest vector of that rise, the difference of means leads where faces are.

    Args:
      codes: [N, *code shape].
      attributes: [N, A] of 0 and 1.
      names: of the A attributes.
      model_hash: of the model whose codes they are.
      methods: some of METHODS.

    Returns:
      The vectors of those attributes that at least LEAST_EXAMPLES have and as many have not; the others are in
      `left_out`.

    Raises:
      ValueError: shapes that do not fit, values other than 0 and 1, codes that are not finite or do not vary, an
        unknown method, or no attribute with enough examples.
    """
    flat = np.asarray(codes, np.float64).reshape(len(codes), -1)  # [N, D]
    values = np.asarray(attributes)
    _check(flat, values, names, methods)
    with_it = np.count_nonzero(values, axis=0)
    counts = np.stack([with_it, len(values) - with_it], axis=1)  # [A, 2]
    enough = counts.min(axis=1) >= LEAST_EXAMPLES
    if not enough.any():
        raise ValueError(f"no attribute has {LEAST_EXAMPLES} examples with it and {LEAST_EXAMPLES} without it")
    left_out = np.flatnonzero(~enough).tolist()
    values = values[:, enough] > 0
    means = np.stack([flat[value].mean(axis=0) - flat[~value].mean(axis=0) for value in values.T])
    vectors = {method: means if method == "mean" else _along_normals(flat, values, means) for method in methods}
    return AttributeVectors(
        names=tuple(name for name, kept in zip(names, enough, strict=True) if kept),
        vectors={method: found.astype(np.float32).reshape(-1, *codes.shape[1:]) for method, found in vectors.items()},
        covariance=np.atleast_2d(np.cov(values.T.astype(np.float64), ddof=0)),
        counts=counts[enough],
        left_out={names[place]: (int(counts[place, 0]), int(counts[place, 1])) for place in left_out},
        model_hash=model_hash,
    )


def orthogonalise(found: AttributeVectors, name: str, others: Sequence[str], method: str = "mean") -> np.ndarray:
    """The vector of an attribute without what it has of others, so that glasses do not bring a beard.

    Mean vectors hold what usually comes along: if those with glasses are older, age is in the vector. "mean" takes that
    out by multiple linear regression of the code on the attribute and the others: the change of the mean code where the
    attribute differs and the others do not, at strength 1 by the whole difference. It is a sum of mean vectors, so it
    stays where faces are, and finds the true direction where codes are linear in attributes, however these correlate.

    "classifier" projects the normal onto the orthogonal complement of the others' normals, so that no other read-out
    changes (Shen et al. 2020, section 3.2; for several others by least squares), and scales it so that strength 1
    changes its own read-out as before. It also undoes what the decoder entangles, but a classifier reads correlated
    attributes instead of the one it was asked for, and the more the vector has of others the longer it becomes.

    Not offered: making mean vectors orthogonal to each other (Gram and Schmidt). Where attributes correlate it
    overcorrects, and glasses shave the beard off: both vectors hold something of both directions.

    Args:
      found: the vectors.
      name: of the attribute.
      others: names of those that shall not change; none gives the vector itself.
      method: one of `found.vectors`.

    Returns:
      float32 [*code shape].

    Raises:
      ValueError: an unknown name or method, the attribute itself among the others, or nothing (less than LEAST_LEFT) is
        left of it without the others.
    """
    place, vector = found.position(name), found.vector(name, method)
    if name in others:
        raise ValueError(f"{name!r} cannot be changed and kept at once")
    if not others:
        return vector
    places = [found.position(other) for other in dict.fromkeys(others)]
    left = _without(vector, found.vectors[method][places])
    share = float(np.linalg.norm(left)) / max(float(np.linalg.norm(vector)), 1e-300)
    if method == "mean":
        share = min(share, _remove_explained(found.covariance, place, places))
    if share < LEAST_LEFT:
        raise ValueError(f"nothing is left of {name!r} without {', '.join(others)}: they go together")
    left = _regress(found, [place, *places]) if method == "mean" else left / share**2
    return left.reshape(vector.shape).astype(np.float32)


def move(codes: np.ndarray, vector: np.ndarray, strengths: Sequence[float] | np.ndarray) -> np.ndarray:
    """Each code by each strength times the vector: [N, *code shape], [*code shape], [S] -> float32 [N, S, *code shape].

    Raises:
      ValueError: the vector has another shape than the codes.
    """
    if codes.shape[1:] != vector.shape:
        raise ValueError(f"a vector of shape {vector.shape} does not fit codes of shape {codes.shape[1:]}")
    return (codes[:, None] + np.multiply.outer(np.asarray(strengths), vector)[None]).astype(np.float32)


def save_attributes(path: Path, found: AttributeVectors) -> None:
    """Writes `attributes.npz`, whole or not at all."""
    arrays = {f"vectors/{method}": vectors for method, vectors in found.vectors.items()}
    arrays |= {"names": np.array(found.names), "covariance": found.covariance, "counts": found.counts}
    arrays["left_out_names"] = np.array(list(found.left_out), np.str_)
    arrays["left_out_counts"] = np.array(list(found.left_out.values()), np.int64).reshape(-1, 2)
    save_arrays(path, KIND, found.model_hash, arrays)


def load_attributes(path: Path, model_hash: str | None = None) -> AttributeVectors:
    """Reads `attributes.npz`.

    Args:
      path: of the file.
      model_hash: of the model in use; None takes any.

    Raises:
      ValueError: it cannot be read, is damaged, or belongs to another model.
    """
    arrays = load_arrays(path, KIND, model_hash)
    try:
        found = _from_arrays(arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return found


def _from_arrays(arrays: dict[str, np.ndarray]) -> AttributeVectors:
    names = tuple(str(name) for name in arrays["names"])
    vectors = {method: arrays[f"vectors/{method}"] for method in METHODS if f"vectors/{method}" in arrays}
    numbers = [*vectors.values(), arrays["covariance"], arrays["counts"]]
    shapes = {found.shape[1:] for found in vectors.values()}
    if len(set(names)) != len(names) or len(shapes) != 1 or {len(array) for array in numbers} != {len(names)}:
        raise ValueError("names and vectors do not fit each other")
    _check_names(names)
    if arrays["covariance"].shape != (len(names), len(names)) or arrays["counts"].shape != (len(names), 2):
        raise ValueError("covariance or counts do not fit the names")
    if not all(np.isfinite(array).all() for array in numbers):
        raise ValueError("a number is not finite")
    left_out = zip(arrays["left_out_names"], arrays["left_out_counts"], strict=True)
    return AttributeVectors(
        names=names,
        vectors=vectors,
        covariance=arrays["covariance"],
        counts=arrays["counts"],
        left_out={str(name): (int(with_it), int(without)) for name, (with_it, without) in left_out},
        model_hash=str(arrays["model_hash"]),
    )


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not files.is_plain_name(name):  # pictures of it go into a folder of that name
            raise ValueError(f"{name!r} is no name of an attribute")


def _check(flat: np.ndarray, values: np.ndarray, names: Sequence[str], methods: Sequence[str]) -> None:
    if values.shape != (len(flat), len(names)):
        raise ValueError(f"{len(flat)} codes and {len(names)} names do not fit attributes of shape {values.shape}")
    _check_names(names)
    if not np.isin(values, (0, 1)).all():
        raise ValueError("attributes must be 0 or 1")
    if not np.isfinite(flat).all() or not np.ptp(flat, axis=0).any():
        raise ValueError("the codes are not finite numbers, or all the same")
    if not methods or set(methods) - set(METHODS):
        raise ValueError(f"methods={tuple(methods)} must be some of {', '.join(METHODS)}")


def _along_normals(flat: np.ndarray, values: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Each difference of means, [A, D], projected onto the normal of its classifier."""
    from sklearn.linear_model import LogisticRegression  # It takes a second.
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(flat)
    standardised = scaler.transform(flat)
    classifier = LogisticRegression(class_weight="balanced", max_iter=1000)
    # A plane w . (z - mean) / scale = const of standardised codes has the normal w / scale in the space of the codes.
    normals = [classifier.fit(standardised, value).coef_[0] / scaler.scale_ for value in values.T]
    return np.stack([normal * (normal @ mean) / (normal @ normal) for normal, mean in zip(normals, means, strict=True)])


def _without(vector: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The part of a vector that is orthogonal to all others: [*code shape], [K, *code shape] -> float64 [D]."""
    flat = vector.ravel().astype(np.float64)
    spanning = others.reshape(len(others), -1).astype(np.float64).T  # [D, K]
    return flat - spanning @ np.linalg.lstsq(spanning, flat, rcond=None)[0]


def _remove_explained(covariance: np.ndarray, place: int, others: Sequence[int]) -> float:
    """The share of an attribute's standard deviation that is left when it is predicted from others linearly."""
    among, to_it = covariance[np.ix_(others, others)], covariance[others, place]
    explained = to_it @ _inverse(among) @ to_it
    return float(np.sqrt(max(1.0 - explained / covariance[place, place], 0.0)))


def _regress(found: AttributeVectors, chosen: Sequence[int]) -> np.ndarray:
    """The coefficients, [D], of the first of some attributes where the code is regressed on all of them.

    That is the first row of G^-1 C, with G the covariance of the attributes and C that of attributes and codes; and a
    row of C is a difference of means times p (1 - p), the attribute's variance.
    """
    among = found.covariance[np.ix_(chosen, chosen)]
    weights = _inverse(among)[0] * np.diag(among)
    return weights @ found.vectors["mean"][chosen].reshape(len(chosen), -1).astype(np.float64)


def _inverse(covariance: np.ndarray) -> np.ndarray:
    """Also where some attributes follow from others, as the colours of hair do: the pseudoinverse."""
    return np.linalg.pinv(covariance, rcond=1e-9, hermitian=True)
