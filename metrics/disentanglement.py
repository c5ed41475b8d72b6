"""Disentanglement: does each dimension of a code carry one true factor, and each factor lie in one dimension?

Codes are [N, D], the factors that the pictures were drawn from [N, F], and `factor_choices` [F] says of each factor how
many values it has; 0 for a continuous one.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import entropy
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import r2_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from .face_reading import column_correlations

BINS = 20
TREES = 10
DEPTH = 8


def mig(codes: np.ndarray, factors: np.ndarray, factor_choices: Sequence[int]) -> float:
    """Mutual information gap, 0 to 1: how much more the best dimension tells of a factor than the second best.

    Chen et al., "Isolating sources of disentanglement in variational autoencoders" (2018), section 4, equation 6: the
    mean over factors of the gap between the two largest I(z_d; v_f) / H(v_f).
    """
    return float(gaps(mutual_information(codes, factors, factor_choices)).mean())


def sap(codes: np.ndarray, factors: np.ndarray, factor_choices: Sequence[int]) -> float:
    """Separated attribute predictability, 0 to 1: how much better the best dimension predicts than the second best.

    Kumar et al., "Variational inference of disentangled latent concepts from unlabeled observations" (2018), section 3:
    the mean over factors of the gap between the two largest scores.
    """
    return float(gaps(predictability(codes, factors, factor_choices)).mean())


def gaps(scores: np.ndarray) -> np.ndarray:
    """The largest less the second largest score of each factor: [D, F] -> [F]; a second of one dimension is 0."""
    padded = np.concatenate([np.zeros((1, scores.shape[1])), scores])
    second, largest = np.sort(padded, axis=0)[-2:]
    return largest - second


def mutual_information(codes: np.ndarray, factors: np.ndarray, factor_choices: Sequence[int]) -> np.ndarray:
    """I(z_d; v_f) / H(v_f), within 0 to 1: [D, F].

    Codes and continuous factors are put into 20 bins of equal width between their smallest and largest value, as
    disentanglement_lib does (Locatello et al., "Challenging common assumptions in the unsupervised learning of
    disentangled representations", 2019).

    Raises:
      ValueError: shapes that do not fit, numbers that are not finite, or a factor that does not vary.
    """
    codes, factors = _check(codes, factors, factor_choices)
    of_codes = [_bin(code) for code in codes.T]
    of_factors = [
        np.unique(factor, return_inverse=True)[1] if choices else _bin(factor)
        for factor, choices in zip(factors.T, factor_choices, strict=True)
    ]
    values = max(column.max() for column in of_factors) + 1
    together = _one_hot(of_codes, BINS).T @ _one_hot(of_factors, values)  # [D * BINS, F * values], how often both
    joint = together.toarray().reshape(len(of_codes), BINS, len(of_factors), values) / len(codes)
    code_entropy, factor_entropy = entropy(joint.sum(axis=3), axis=1), entropy(joint.sum(axis=1), axis=2)  # [D, F]
    both = entropy(joint.swapaxes(1, 2).reshape(len(of_codes), len(of_factors), -1), axis=2)
    return np.maximum(code_entropy + factor_entropy - both, 0.0) / factor_entropy


def predictability(codes: np.ndarray, factors: np.ndarray, factor_choices: Sequence[int]) -> np.ndarray:
    """How well each factor is predicted from each dimension alone, within 0 to 1: [D, F].

    Of a continuous factor the R^2 of linear regression; of a discrete one the balanced accuracy, on the other half of
    the data, of one threshold less than it has values (those of a decision tree).

    Raises:
      ValueError: shapes that do not fit, numbers that are not finite, or a factor that does not vary.
    """
    codes, factors = _check(codes, factors, factor_choices)
    scores = np.empty((codes.shape[1], factors.shape[1]))
    for column, (factor, choices) in enumerate(zip(factors.T, factor_choices, strict=True)):
        if choices:
            scores[:, column] = [_threshold_accuracy(code[:, None], factor) for code in codes.T]
        else:
            scores[:, column] = column_correlations(codes, np.broadcast_to(factor[:, None], codes.shape)) ** 2
    return scores


def dci(codes: np.ndarray, factors: np.ndarray, factor_choices: Sequence[int]) -> dict[str, float]:
    """Disentanglement, completeness and informativeness, each 0 to 1.

    Eastwood and Williams, "A framework for the quantitative evaluation of disentangled representations" (2018), section
    2, with random forests: 10 trees of depth 8 predict each factor from all dimensions, on four fifths of the data. Of
    10,000 codes and many factors that takes minutes.

    Returns:
      `disentanglement`: 1 - the entropy (to the base F) of a dimension's importances, weighted by their sum;
      `completeness`: 1 - the entropy (to the base D) of a factor's importances, weighted by their sum;
      `informativeness`: how well factors are predicted on the other fifth, the mean of R^2 for continuous ones and of
      the balanced accuracy, set to 0 for guessing, for discrete ones; the paper's error is the root of 1 - R^2.

    Raises:
      ValueError: shapes that do not fit, numbers that are not finite, or a factor that does not vary.
    """
    importance, scores = importances(codes, factors, factor_choices)
    disentanglement, completeness = concentration(importance), concentration(importance.T)
    return {
        "disentanglement": disentanglement,
        "completeness": completeness,
        "informativeness": float(scores.mean()),
    }


def importances(codes: np.ndarray, factors: np.ndarray, factor_choices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """How much each dimension counts when a factor is predicted, [D, F], and how well it is predicted, [F]."""
    codes, factors = _check(codes, factors, factor_choices)
    found = [_forest(codes, factor, choices) for factor, choices in zip(factors.T, factor_choices, strict=True)]
    return np.stack([importance for importance, _ in found], axis=1), np.array([score for _, score in found])


def concentration(importance: np.ndarray) -> float:
    """1 - the entropy of each row, weighted by the rows' sums: 1 where a row has one entry, 0 where all are equal."""
    sums = importance.sum(axis=1)
    used = sums > 0
    if not used.any() or importance.shape[1] < 2:
        return float(used.any())
    return float(np.average(1.0 - entropy(importance[used], base=importance.shape[1], axis=1), weights=sums[used]))


def factor_vae_score(
    codes: np.ndarray,
    groups: Iterable[tuple[int, np.ndarray]],
    least_deviation: float = 0.05,
    train_share: float = 2 / 3,
) -> float:
    """FactorVAE score, 0 to 1: how often the dimension that varies least tells which factor was the same.

    Kim and Mnih, "Disentangling by factorising" (2018), section 4: of each group the dimension whose variance is the
    smallest part of its variance over all data; a majority vote of most groups says which factor a dimension stands
    for, the others are counted. Other than there, all groups take their turn of being counted: a third of them alone
    would leave more to chance. Guessing one factor always has the share of that factor.

    Args:
      codes: [N, D], of the whole data.
      groups: number of the factor that is the same and codes [L, D] of at least two pictures; disentanglement_lib takes
        15,000 groups of 64. Drawn faces give exact ones: draw factors and set one column to its first value; for a
        table see `group_table`.
      least_deviation: a dimension whose standard deviation is less than this part of the largest is left out, as it
        carries nothing.
      train_share: of the groups that vote in each turn.

    Raises:
      ValueError: codes that are not finite or do not vary, or too few groups.
    """
    deviations = codes.std(axis=0, dtype=np.float64)
    if not np.isfinite(deviations).all() or not deviations.any():
        raise ValueError("the codes are not finite numbers, or do not vary")
    active = deviations >= least_deviation * deviations.max()
    votes = [
        (number, int(np.argmin(group[:, active].std(axis=0, dtype=np.float64) / deviations[active])))
        for number, group in groups
    ]
    numbers, dimensions = np.array(votes, int).reshape(-1, 2).T
    trained = round(train_share * len(votes))
    if not 0 < trained < len(votes):
        raise ValueError(f"{len(votes)} groups are too few to vote and to count")
    counted = len(votes) - trained
    turns = [np.arange(len(votes)) - turn * counted for turn in range(round(len(votes) / counted))]
    return float(np.mean([_share_told(dimensions[order], numbers[order], trained) for order in turns]))


def _share_told(dimensions: np.ndarray, numbers: np.ndarray, trained: int) -> float:
    """By a vote of the first groups, the share of the others that are told rightly: [G] and [G] -> 0 to 1."""
    counts = np.zeros((dimensions.max() + 1, numbers.max() + 1), int)
    np.add.at(counts, (dimensions[:trained], numbers[:trained]), 1)
    return float(np.mean(counts.argmax(axis=1)[dimensions[trained:]] == numbers[trained:]))


def group_table(
    factors: np.ndarray, factor_choices: Sequence[int], count: int, group_size: int = 64, seed: int = 0
) -> Iterator[tuple[int, np.ndarray]]:
    """Groups of rows of a table in which one factor is the same, or, if it is continuous, nearly so.

    Args:
      factors: [N, F].
      factor_choices: [F].
      count: of groups; each has a factor drawn anew.
      group_size: rows in a group: random ones of the same value, or neighbours in the order of a continuous factor.
      seed: of the draws.

    Yields:
      Number of the factor and rows [group_size], to take the codes of.

    Raises:
      ValueError: fewer rows than a group has, or a discrete factor none of whose values has enough.
    """
    rng = np.random.default_rng(seed)
    if len(factors) < group_size:
        raise ValueError(f"{len(factors)} rows are too few for groups of {group_size}")
    pools = [_pools(factor, choices, group_size) for factor, choices in zip(factors.T, factor_choices, strict=True)]
    for _ in range(count):
        number = int(rng.integers(len(pools)))
        sizes = np.array([len(pool) for pool in pools[number]])
        pool = pools[number][rng.choice(len(sizes), p=sizes / sizes.sum())]
        if factor_choices[number]:
            yield number, rng.choice(pool, group_size, replace=False)
        else:
            first = rng.integers(len(pool) - group_size + 1)
            yield number, pool[first : first + group_size]


def _pools(factor: np.ndarray, choices: int, group_size: int) -> list[np.ndarray]:
    """Rows to draw groups from: those of each value that has enough; of a continuous factor all, in its order."""
    order = np.argsort(factor, kind="stable")
    if not choices:
        return [order]
    starts = np.flatnonzero(np.diff(factor[order])) + 1
    pools = [rows for rows in np.split(order, starts) if len(rows) >= group_size]
    if not pools:
        raise ValueError(f"no value of a factor of {choices} choices has the {group_size} rows of a group")
    return pools


def _check(codes: np.ndarray, factors: np.ndarray, factor_choices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    if codes.ndim != 2 or factors.shape != (len(codes), len(factor_choices)):
        raise ValueError(
            f"codes {codes.shape} and factors {factors.shape} of {len(factor_choices)} factors do not fit: "
            "[N, D] and [N, F]"
        )
    codes, factors = codes.astype(np.float64), factors.astype(np.float64)
    if not np.isfinite(codes).all() or not np.isfinite(factors).all():
        raise ValueError("codes and factors must be finite numbers")
    constant = np.flatnonzero(np.ptp(factors, axis=0) == 0)
    if len(constant):
        raise ValueError(f"factor {constant[0]} has one value only, of which no code can tell anything")
    return codes, factors


def _bin(values: np.ndarray) -> np.ndarray:
    """The bin of each value, 0 to BINS - 1: [N] -> int [N]."""
    return np.digitize(values, np.histogram_bin_edges(values, BINS)[1:-1])


def _one_hot(columns: Sequence[np.ndarray], values: int) -> csr_array:
    """Columns of numbers below `values`, [N] each, as [N, columns * values] of 0 and 1."""
    places = np.stack(columns, axis=1) + values * np.arange(len(columns))  # [N, columns]
    rows = np.arange(0, places.size + 1, len(columns))
    return csr_array((np.ones(places.size), places.ravel(), rows), shape=(len(places), values * len(columns)))


def _threshold_accuracy(code: np.ndarray, factor: np.ndarray) -> float:
    train, test, train_factor, test_factor = train_test_split(code, factor, test_size=0.5, random_state=0)
    most = max(len(np.unique(train_factor)), 2)
    tree = DecisionTreeClassifier(max_leaf_nodes=most, class_weight="balanced", random_state=0)
    return _balanced_accuracy(test_factor, tree.fit(train, train_factor).predict(test))


def _forest(codes: np.ndarray, factor: np.ndarray, choices: int) -> tuple[np.ndarray, float]:
    train, test, train_factor, test_factor = train_test_split(codes, factor, test_size=0.2, random_state=0)
    size: dict[str, Any] = {"n_estimators": TREES, "max_depth": DEPTH, "max_features": 1.0, "random_state": 0}
    if not choices:
        regressor = RandomForestRegressor(**size).fit(train, train_factor)
        return regressor.feature_importances_, max(float(r2_score(test_factor, regressor.predict(test))), 0.0)
    classifier = RandomForestClassifier(class_weight="balanced", **size).fit(train, train_factor)
    guess = 1.0 / len(np.unique(test_factor))
    accuracy = _balanced_accuracy(test_factor, classifier.predict(test))
    return classifier.feature_importances_, max((accuracy - guess) / max(1.0 - guess, 1e-9), 0.0)


def _balanced_accuracy(truth: np.ndarray, found: np.ndarray) -> float:
    """The mean share of each value's pictures that are found."""
    return float(recall_score(truth, found, labels=np.unique(truth), average="macro"))
