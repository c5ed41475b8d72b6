"""The contract that every architecture keeps, and the training step that all of them share."""

import inspect
from collections.abc import Mapping
from typing import ClassVar

import keras
import tensorflow as tf

from ..losses import DSSIM, AbsoluteError, MissingTerm, Objective, SquaredError
from ..losses.objective import Term
from . import randomness


class Autoencoder(keras.Model):
    """Pictures to codes and back.

    A batch is a dict with `image` float32 [B, H, W, C] in [0, 1]; outputs are a dict with `reconstruction` of the
    same shape and `z`, the code. A subclass sets `encoder` and `decoder` in `__init__`, both `keras.Model`s that are
    built there, and keeps every constructor argument as an attribute of the same name.

    Args:
      image_size: height and width in pixels.
      channels: 1 (gray) or 3 (RGB).
      seed: of everything random in training: noise and dropout.
      name: Keras' name of the model.

    Raises:
      ValueError: an argument is out of its range.
    """

    default_factors: ClassVar[Mapping[str, float]] = {"reconstruction": 1.0}
    encoder: keras.Model
    decoder: keras.Model
    objective: Objective

    def __init__(self, *, image_size: int, channels: int, seed: int = 0, name: str | None = None):
        super().__init__(name=name)
        if channels not in (1, 3):
            raise ValueError(f"channels={channels} must be 1 (gray) or 3 (RGB)")
        if image_size < 1:
            raise ValueError(f"image_size={image_size} must be at least 1")
        self.image_size, self.channels, self.seed = image_size, channels, seed

    def build(self, input_shape=None):
        """Nothing is left to build: subclasses build both networks in `__init__`."""
        self.built = True

    def encode(self, images):
        """Deterministic codes of pictures: float32 [B, H, W, C] in [0, 1] -> codes [B, ...]."""
        return tf.cast(self.encoder(images, training=False), tf.float32)

    def decode(self, codes):
        """Pictures of codes: [B, ...] -> float32 [B, H, W, C] in [0, 1]."""
        return tf.clip_by_value(tf.cast(self.decoder(codes, training=False), tf.float32), 0.0, 1.0)

    def call(self, batch, training=False):
        codes = self.encoder(batch["image"], training=training)
        return {"reconstruction": self.decoder(codes, training=training), "z": codes}

    def loss_terms(self) -> dict[str, Term]:
        """Every loss term that this architecture can be trained with and that needs nothing from outside."""
        return {"reconstruction": SquaredError(), "absolute": AbsoluteError(), "dssim": DSSIM()}

    def compile(self, optimizer: str | keras.Optimizer = "adam", objective: Objective | None = None):
        """Sets what `train_step` minimises and how.

        Args:
          optimizer: under mixed_float16 it is wrapped for loss scaling. Give clipping to no optimizer: see
            `apply_gradients`.
          objective: the loss terms and their factors; by default `loss_terms()` weighed by `default_factors`.
        """
        self.objective = objective or Objective(self.loss_terms(), self.default_factors)
        super().compile(optimizer=optimizer, loss=None)
        self.build()
        self.optimizer.build(self.trainable_variables)

    def get_compile_config(self):
        """What a saved model keeps of its training: the optimizer, and the objective's names and factors."""
        if not self.compiled:
            return {}
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "factors": self.objective.factors,
        }

    def compile_from_config(self, config):
        """Compiles as saved, with a `MissingTerm` for each term that needs something from outside."""
        terms = {name: MissingTerm(name) for name in config["factors"]} | self.loss_terms()
        optimizer = keras.saving.deserialize_keras_object(config["optimizer"])
        self.compile(optimizer, Objective(terms, config["factors"]))

    @property
    def metrics(self):
        """The objective's trackers, which Keras resets at the start of an epoch."""
        return list(self.objective.trackers.values()) if self.compiled else []

    def train_step(self, batch):
        """One update; returns each unweighted term and `loss`, as means since the last reset."""
        with randomness.at_step(self.optimizer.iterations), tf.GradientTape() as tape:
            values = self.objective.values(batch, self(batch, training=True))
            loss = self.objective.reduce(values) + self.regularization()
            scaled_loss = self.optimizer.scale_loss(loss)
        self.apply_gradients(tape.gradient(scaled_loss, self.trainable_variables))
        return self.objective.track(values)

    def test_step(self, batch):
        """As `train_step`, without the update."""
        return self.objective.track(self.objective.values(batch, self(batch, training=False)))

    def regularization(self):
        """This replica's share of the layers' own penalties (L2), a float32 scalar."""
        penalties = [tf.cast(penalty, tf.float32) for penalty in self.losses]
        return tf.add_n(penalties) / tf.distribute.get_strategy().num_replicas_in_sync if penalties else 0.0

    def apply_gradients(self, gradients):
        """Sums gradients over replicas, then applies them.

        Summing first lets every replica see the same numbers, so that loss scaling judges finiteness alike on all of
        them. The optimizer sums once more, hence the division.
        """
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        shares = [gradient / context.num_replicas_in_sync for gradient in gradients]
        self.optimizer.apply(shares, self.trainable_variables)

    def get_config(self):
        """The constructor's keyword arguments, all of them: each is kept as an attribute of the same name."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)
