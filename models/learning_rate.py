"""The learning rate over a run, as a function of the step alone."""

import math

import keras
import tensorflow as tf

from .blocks import check_choice

SCHEDULES = ("constant", "cosine", "exponential")


@keras.saving.register_keras_serializable("facezoo")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A linear warm-up, then constant, or falling to `final_fraction` of the rate by step `total_steps`, then level.

    >>> rate = Schedule(0.001, total_steps=100, kind="cosine", warmup_steps=10)
    >>> [round(float(rate(step)), 5) for step in (0, 10, 100)]
    [0.0001, 0.001, 1e-05]

    Args:
      learning_rate: the highest rate.
      total_steps: updates of the whole run.
      kind: "constant", "cosine" (Loshchilov and Hutter 2017) or "exponential".
      warmup_steps: updates of the warm-up; 0 is none.
      final_fraction: last rate as a share of the highest, in (0, 1].
    """

    def __init__(
        self,
        learning_rate: float,
        total_steps: int,
        kind: str = "constant",
        warmup_steps: int = 0,
        final_fraction: float = 0.01,
    ):
        super().__init__()
        self.kind = check_choice("kind", kind, SCHEDULES)
        if warmup_steps >= total_steps:
            raise ValueError(f"a warm-up of {warmup_steps} steps must be shorter than the run's {total_steps}")
        self.learning_rate, self.total_steps = learning_rate, total_steps
        self.warmup_steps, self.final_fraction = warmup_steps, final_fraction

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        warmup = tf.minimum((step + 1.0) / max(self.warmup_steps, 1), 1.0)
        elapsed = (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        return self.learning_rate * warmup * self._decay(tf.clip_by_value(elapsed, 0.0, 1.0))

    def _decay(self, elapsed):
        if self.kind == "cosine":
            return self.final_fraction + (1.0 - self.final_fraction) * 0.5 * (1.0 + tf.cos(math.pi * elapsed))
        return tf.pow(self.final_fraction, elapsed) if self.kind == "exponential" else 1.0

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "total_steps": self.total_steps,
            "kind": self.kind,
            "warmup_steps": self.warmup_steps,
            "final_fraction": self.final_fraction,
        }
