"""What every network of the zoo shares that is trained: one objective, one optimizer, one training step."""

import inspect
from collections.abc import Mapping
from typing import ClassVar

import keras
import tensorflow as tf

from ..losses import MissingTerm, Objective
from ..losses.objective import Term
from . import randomness


class TrainableModel(keras.Model):
    """A network that learns by an `Objective`.

    A subclass builds its networks in `__init__`, keeps every constructor argument as an attribute of the same name,
    and maps a batch to a dict of outputs in `call`.

    Attributes:
      default_factors: what is minimised where `compile` is given no objective.
      data_arguments: constructor arguments that follow from the data: argument -> attribute of the data set's `Source`.
      batch_columns: what it reads of a batch besides `image` that a data set does not give by itself: "warped", "mask".
    """

    default_factors: ClassVar[Mapping[str, float]] = {}
    data_arguments: ClassVar[Mapping[str, str]] = {}
    batch_columns: ClassVar[tuple[str, ...]] = ()
    objective: Objective
    clip_norm: float | None

    def build(self, input_shape=None):
        """Nothing is left to build: subclasses build their networks in `__init__`."""
        self.built = True

    def loss_terms(self) -> dict[str, Term]:
        """Every loss term that this network can be trained with and that needs nothing from outside."""
        raise NotImplementedError

    def inside(self, term: Term) -> Term:
        """A term from outside as this network is trained with it: as it is, or inside of masks."""
        return term

    def compile(
        self,
        optimizer: str | keras.Optimizer = "adam",
        objective: Objective | None = None,
        clip_norm: float | None = None,
    ):
        """Sets what `train_step` minimises and how.

        Args:
          optimizer: under mixed_float16 it is wrapped for loss scaling. Give clipping to no optimizer but here.
          objective: the loss terms and their factors; by default `loss_terms()` weighed by `default_factors`.
          clip_norm: the gradients are scaled down where their norm over the global batch is above this; None never.
        """
        self.objective = objective or self._objective_of(self.default_factors)
        self.clip_norm = clip_norm
        super().compile(optimizer=self._prepared(optimizer, self.learned_variables), loss=None)
        self.build()

    @property
    def learned_variables(self) -> list:
        """What the optimizer of `compile` trains."""
        return self.trainable_variables

    def _prepared(self, optimizer: str | keras.Optimizer, variables) -> keras.Optimizer:
        """An optimizer that knows its variables and, under mixed_float16, scales the loss."""
        optimizer = keras.optimizers.get(optimizer)
        is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if self.dtype_policy.name == "mixed_float16" and not is_scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        if not optimizer.built:
            optimizer.build(variables)
        return optimizer

    def get_compile_config(self):
        """What a saved model keeps of its training: the optimizer, and the objective's names and factors."""
        if not self.compiled:
            return {}
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "factors": self.objective.factors,
            "clip_norm": self.clip_norm,
        }

    def compile_from_config(self, config):
        """Compiles as saved, with a `MissingTerm` for each term that needs something from outside."""
        optimizer = keras.saving.deserialize_keras_object(config["optimizer"])
        self.compile(optimizer, self._objective_of(config["factors"]), config.get("clip_norm"))

    def _objective_of(self, factors: Mapping[str, float]) -> Objective:
        terms = {name: MissingTerm(name) for name in factors} | self.loss_terms()
        return Objective(terms, factors)

    @property
    def metrics(self):
        """The objective's trackers, which Keras resets at the start of an epoch."""
        return list(self.objective.trackers.values()) if self.compiled else []

    def train_step(self, batch):
        """One update; returns each unweighted term and `loss`, as means since the last reset."""
        with randomness.at_step(self.optimizer.iterations), tf.GradientTape() as tape:
            values = self.objective.values(batch, self(batch, training=True))
            loss = self.objective.reduce(values["loss"]) + self.regularization()
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, self.learned_variables)
        apply_gradients(self.optimizer, gradients, self.learned_variables, self.clip_norm)
        return self.objective.track(values)

    def test_step(self, batch):
        """As `train_step`, without the update."""
        return self.objective.track(self.evaluated(batch, self(batch, training=False)))

    def evaluated(self, batch, outputs) -> dict[str, tf.Tensor]:
        """What evaluation tells of a batch, as `Objective.measured`: the unweighted terms and `loss`, float32 [B]."""
        return self.objective.measured(batch, outputs)

    def regularization(self):
        """This replica's share of the layers' own penalties (L2), a float32 scalar."""
        penalties = [tf.cast(penalty, tf.float32) for penalty in self.losses]
        return tf.add_n(penalties) / tf.distribute.get_strategy().num_replicas_in_sync if penalties else 0.0

    def get_config(self):
        """The constructor's keyword arguments, all of them: each is kept as an attribute of the same name."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


class FromStep:
    """A term that is 0, and costs nothing, before a training step; in evaluation it always counts.

    Args:
      term: any.
      start_step: the first that it counts in.
    """

    def __init__(self, term: Term, start_step: int):
        self.term, self.start_step = term, start_step

    def __call__(self, batch, outputs):
        def value():
            return tf.cast(self.term(batch, outputs), tf.float32)

        return tf.cond(randomness.has_come(self.start_step), value, lambda: tf.zeros(tf.shape(batch["image"])[:1]))


def apply_gradients(optimizer: keras.Optimizer, gradients, variables, clip_norm: float | None = None) -> None:
    """Sums gradients over replicas, clips them, then applies them.

    Summing first lets every replica see the same numbers, so that clipping and the loss scale's judgement of
    finiteness are the same on all of them. The optimizer sums once more, hence the division.

    Args:
      optimizer: plain, or wrapped for loss scaling; then the gradients are those of the scaled loss.
      gradients: this replica's share, one for each variable.
      variables: what they belong to.
      clip_norm: highest global norm of the unscaled gradients; None is no limit.
    """
    context = tf.distribute.get_replica_context()
    gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    if clip_norm is not None:
        scale = getattr(optimizer, "dynamic_scale", 1.0)
        gradients, _ = tf.clip_by_global_norm(gradients, clip_norm * scale)
    optimizer.apply([gradient / context.num_replicas_in_sync for gradient in gradients], variables)
