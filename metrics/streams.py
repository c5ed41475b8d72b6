"""Measures over any number of pictures, some at a time: each takes batches of real and made ones and gives figures."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
from absl import logging

from .frechet import frechet_distance
from .intervals import Interval, bootstrap_interval, half_sample_interval
from .kernel import kernel_distance
from .manifold import NEIGHBOURS, precision_and_recall
from .pooled_features import standardise

MOST_FEATURES = 10_000  # pictures whose features are held, 40 MB of each kind

Statistic = Callable[[np.ndarray, np.ndarray], float]


def _precision(real: np.ndarray, made: np.ndarray) -> float:
    return precision_and_recall(real, made)[0]


def _recall(real: np.ndarray, made: np.ndarray) -> float:
    return precision_and_recall(real, made)[1]


# The distances of whole sets, of standardised features of real and of made pictures.
SET_DISTANCES: dict[str, Statistic] = {
    "kid": kernel_distance,
    "frechet": frechet_distance,
    "precision": _precision,
    "recall": _recall,
}
BOUNDS = {"frechet": (0.0, np.inf), "precision": (0.0, 1.0), "recall": (0.0, 1.0)}  # of what they can be
UNBOUNDED = -np.inf, np.inf


class Figure(NamedTuple):
    """A measured value.

    Attributes:
      value: measured.
      interval: that holds the true one 19 times of 20.
      num_pictures: that it is of.
    """

    value: float
    interval: Interval
    num_pictures: int


class Stream(Protocol):
    """Takes batches of real and of made pictures, float32 [B, H, W, C] in [0, 1], and says what it has found."""

    def update(self, real: np.ndarray, made: np.ndarray) -> None:
        """Adds a batch."""

    def result(self) -> dict[str, Figure]:
        """By name, of all batches so far. At least one has been added."""


class OfEach:
    """The mean of what a function says of each example: mostly of a pair of pictures, real and made.

    Args:
      name: of the figure.
      function: arrays of B rows each -> [B].
      rows_of_each: so many rows in a row, such as the frames of a clip, are one example, of which their mean is told.
    """

    def __init__(self, name: str, function: Callable[..., np.ndarray], rows_of_each: int = 1):
        self.name, self.function, self.rows_of_each = name, function, rows_of_each
        self.values: list[np.ndarray] = []

    def update(self, *examples: np.ndarray) -> None:
        """Adds a batch of what the function reads."""
        self.values.append(np.asarray(self.function(*examples), np.float64))

    def result(self) -> dict[str, Figure]:
        """The mean."""
        values = np.concatenate(self.values).reshape(-1, self.rows_of_each).mean(axis=1)
        interval = bootstrap_interval(lambda drawn: float(drawn.mean()), values)
        return {self.name: Figure(float(values.mean()), interval, len(values))}


class AgainstReal:
    """A statistic of what a function says of real pictures, and of made ones, whether or not they are pairs.

    Args:
      name: of the figure.
      function: pictures -> [B, ...].
      statistic: of both columns.
      least: what the function says of real pictures on average where there is something to hold made ones against.
    """

    def __init__(
        self, name: str, function: Callable[[np.ndarray], np.ndarray], statistic: Statistic, least: float | None = None
    ):
        self.name, self.function, self.statistic, self.least = name, function, statistic, least
        self.real: list[np.ndarray] = []
        self.made: list[np.ndarray] = []

    def update(self, real: np.ndarray, made: np.ndarray) -> None:
        """Adds a batch of each; one of them may be empty."""
        for values, pictures in ((self.real, real), (self.made, made)):
            if len(pictures):
                values.append(np.asarray(self.function(pictures), np.float64))

    def result(self) -> dict[str, Figure]:
        """The statistic; of pairs, the interval takes them as pairs. Nothing where real pictures have too little."""
        real, made = np.concatenate(self.real), np.concatenate(self.made)
        if self.least is not None and real.mean() < self.least:
            logging.warning("%s: not measured: in the real ones hardly anything moves", self.name)
            return {}
        interval = bootstrap_interval(self.statistic, real, made, is_paired=len(real) == len(made))
        return {self.name: Figure(self.statistic(real, made), interval, len(made))}


class OfSets:
    """Distances of the set of made pictures from that of real ones.

    Of more than 10,000 of a kind, as many are drawn at random, each with the same chance (Vitter, "Random sampling with
    a reservoir", 1985).

    Args:
      features_of: pictures -> [B, D].
      distances: by name, of the features of real and of made pictures.
      prepare: what is done with the features of both before.
      most: pictures of a kind whose features are held.
    """

    def __init__(
        self,
        features_of: Callable[[np.ndarray], np.ndarray],
        distances: Mapping[str, Statistic],
        prepare: Callable[..., tuple[np.ndarray, ...]] = standardise,
        most: int = MOST_FEATURES,
    ):
        self.features_of, self.distances, self.prepare = features_of, distances, prepare
        self.real, self.made = Reservoir(most), Reservoir(most)

    def update(self, real: np.ndarray, made: np.ndarray) -> None:
        """Adds a batch of each; one of them may be empty."""
        for reservoir, pictures in ((self.real, real), (self.made, made)):
            if len(pictures):
                reservoir.add(np.asarray(self.features_of(pictures), np.float32))

    def result(self) -> dict[str, Figure]:
        """Every distance; none where there are too few pictures to have half of them compared."""
        if min(self.real.seen, self.made.seen) < 2 * (NEIGHBOURS + 1):
            return {}
        real, made = self.prepare(self.real.rows(), self.made.rows())
        found = {}
        for name, distance in self.distances.items():
            value = distance(real, made)
            low, high = np.clip(half_sample_interval(distance, value, real, made), *BOUNDS.get(name, UNBOUNDED))
            found[name] = Figure(value, (float(low), float(high)), len(made))
        return found


class Reservoir:
    """Rows, or of very many as many as it holds, each with the same chance.

    Args:
      most: rows held.
      seed: of the draws.
    """

    def __init__(self, most: int, seed: int = 0):
        self.most, self.seen, self.rng = most, 0, np.random.default_rng(seed)
        self.held: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> None:
        """Adds some, [B, D]."""
        for row in rows:
            if self.seen < self.most:
                self.held.append(row)
            elif (place := int(self.rng.integers(self.seen + 1))) < self.most:
                self.held[place] = row
            self.seen += 1

    def rows(self) -> np.ndarray:
        """Those held, [N, D]."""
        return np.stack(self.held) if self.held else np.empty((0, 0), np.float32)
