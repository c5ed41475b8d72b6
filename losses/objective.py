"""The objective: named weighted loss terms and the one place where they are reduced."""

import math
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

Term = Callable[[Mapping[str, tf.Tensor], Mapping[str, tf.Tensor]], tf.Tensor]


class Objective:
    """Weighted sum of loss terms, averaged once over the global batch.

    >>> terms = {"first": lambda batch, outputs: tf.constant([1.0, 3.0]), "second": lambda batch, outputs: tf.ones(2)}
    >>> objective = Objective(terms, {"first": 2.0, "second": 0.5})
    >>> objective.values({}, {})["loss"].numpy().tolist()
    [2.5, 6.5]

    Args:
      terms: name -> term, `(batch, outputs) -> [B]`, one value per example.
      factors: name -> weight, finite and not negative; a term whose factor is 0 is neither computed nor reported.

    Attributes:
      trackers: name -> `keras.metrics.Mean` of the unweighted term, and `loss`, the weighted sum.
      skipped_steps: training steps that were left out.
      gradient_norm: mean norm of the gradients before they are clipped.

    Raises:
      ValueError: a factor without a term, a factor that is not a finite number >= 0, or nothing left to minimise.
    """

    def __init__(self, terms: Mapping[str, Term], factors: Mapping[str, float]):
        self.factors = {name: _check(name, factor, terms) for name, factor in factors.items()}
        self.terms = {name: terms[name] for name, factor in self.factors.items() if factor > 0}
        if not self.terms:
            raise ValueError(f"every loss factor is 0 ({', '.join(factors) or 'none given'}): nothing to minimise")
        self.trackers = {name: keras.metrics.Mean(name=name) for name in ("loss", *self.terms)}
        self.skipped_steps = keras.metrics.Sum(name="skipped_steps")
        self.gradient_norm = keras.metrics.Mean(name="gradient_norm")

    def values(self, batch: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The unweighted terms, and `loss`, their weighted sum: each float32 [B]."""
        values = {name: _value(name, term, batch, outputs) for name, term in self.terms.items()}
        return {"loss": self.weighted_sum(values), **values}

    def weighted_sum(self, values: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The sum of those terms among `values`, each times its factor: [B]."""
        return tf.add_n([self.factors[name] * values[name] for name in self.terms if name in values])

    @staticmethod
    def reduce(losses: tf.Tensor) -> tf.Tensor:
        """This replica's share of losses [B]: the shares of all replicas add up to the global batch's mean."""
        return tf.reduce_mean(losses) / tf.distribute.get_strategy().num_replicas_in_sync

    def measure(self, batch: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What of `values` can be computed with no `MissingTerm`: some terms, and `loss` only where none is missing."""
        names = self.measured_names
        if "loss" in names:
            return self.values(batch, outputs)
        return {name: _value(name, self.terms[name], batch, outputs) for name in names}

    @property
    def measured_names(self) -> list[str]:
        """The names of what `measure` gives."""
        present = [name for name, term in self.terms.items() if not isinstance(term, MissingTerm)]
        return ["loss", *present] if len(present) == len(self.terms) else present

    def track(self, values: Mapping[str, tf.Tensor], is_good: bool | tf.Tensor = True) -> dict[str, tf.Tensor]:
        """Adds a batch to the trackers where it `is_good`; returns their means since the last reset."""
        trackers = {name: tracker for name, tracker in self.trackers.items() if name in values}
        for name, tracker in trackers.items():
            count(tracker, values[name], is_good)
        return {name: tracker.result() for name, tracker in trackers.items()}

    def track_step(
        self, values: Mapping[str, tf.Tensor], gradient_norm: tf.Tensor, is_good: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """As `track`, of a training step; besides `gradient_norm`, and `skipped_steps`, how many were not good."""
        self.skipped_steps.update_state(1.0 - tf.cast(is_good, tf.float32))
        count_norm(self.gradient_norm, gradient_norm, is_good)
        return self.track(values, is_good) | {
            "gradient_norm": self.gradient_norm.result(),
            "skipped_steps": self.skipped_steps.result(),
        }


def _value(name: str, term: Term, batch: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """A term's values, float32 [B]; a ValueError names the column that it does not find."""
    try:
        return tf.cast(term(batch, outputs), tf.float32)
    except KeyError as error:
        columns = ", ".join(batch)
        raise ValueError(f"the loss term {name!r} reads {error.args[0]!r}; the batch has {columns}") from error


def count(tracker: keras.metrics.Mean, values: tf.Tensor, is_good: bool | tf.Tensor) -> None:
    """Adds values to a mean where the step they are of is good."""
    counted = tf.where(is_good, values, 0.0)  # a NaN times 0 would be a NaN
    tracker.update_state(counted, tf.cast(is_good, tf.float32) * tf.ones_like(counted))


def count_norm(tracker: keras.metrics.Mean, norm: tf.Tensor, is_good: bool | tf.Tensor) -> None:
    """Adds a step's norm to a mean; where too high a loss scale made it infinite, the step is not counted."""
    count(tracker, norm, tf.math.is_finite(norm) & is_good)


class MissingTerm:
    """Stands in an objective for a term that the model cannot make itself, such as one with a frozen network.

    >>> objective = Objective({"perceptual": MissingTerm("perceptual")}, {"perceptual": 1.0})
    >>> objective.measured_names
    []
    """

    def __init__(self, name: str):
        self.name = name

    def __call__(self, batch, outputs):
        raise ValueError(
            f"the objective needs the term {self.name!r}, which comes from outside of the model: compile it with an "
            "Objective that has the term before training"
        )


def _check(name: str, factor: float, terms: Mapping[str, Term]) -> float:
    if name not in terms:
        raise ValueError(f"no loss term {name!r}; this model has {', '.join(sorted(terms))}")
    if not (math.isfinite(factor) and factor >= 0):
        raise ValueError(f"the factor of {name!r} is {factor}; it must be a finite number >= 0")
    return float(factor)
