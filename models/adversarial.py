"""Any autoencoder, trained against a discriminator."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from ..losses import Objective
from ..losses.adversarial import ADVERSARIAL_LOSSES, AdversarialTerm, FeatureMatching, r1_penalty
from ..losses.objective import count
from . import randomness
from .autoencoder import Autoencoder
from .batches import aimed, as_batch, unchecked
from .blocks import check_count, check_not_negative, checked_choice
from .discriminator import Discriminator
from .trainable import apply_gradients, gradients_of, in_parts, summed

BALANCES = ("adaptive", "skip", "none")
JUDGED_TERMS = ("adversarial", "feature_matching")  # they read the discriminator
MOST_WEIGHT, WEIGHT_EPSILON = 1e4, 1e-4  # Esser et al.'s
EQUILIBRIUM, MARGIN = 0.68, 0.4  # Larsen et al.'s, in nats; equilibrium is about ln 2


class Gradients(NamedTuple):
    """Of the scaled losses.

    Attributes:
      rest: of all terms but the adversarial one, name of an output -> gradient.
      adversarial: of the adversarial term, its factor left out, by the reconstruction.
      discriminator: of the discriminator's loss, one for each of its weights.
    """

    rest: dict[str, tf.Tensor]
    adversarial: tf.Tensor
    discriminator: list[tf.Tensor]


@keras.saving.register_keras_serializable("facezoo")
class AutoencoderGAN(Autoencoder):
    """Holds an autoencoder and a discriminator; encodes and decodes as its autoencoder does.

    After Larsen et al., "Autoencoding beyond pixels using a learned similarity metric" (2016), the VAE-GAN, with either
    player's loss from `losses.adversarial`. Both players move at once, from one forward pass of each network. Unlike
    theirs, and as in Esser et al. (below), the adversarial gradient reaches the encoder too, and only reconstructions
    are judged, no samples of the prior. Where the autoencoder reads masks, the discriminator sees both pictures inside
    of the mask.

    `balance` keeps either side from overpowering the other:

    - "adaptive": the adversarial term is multiplied by |gradient of the other terms| / (|its own gradient| + 1e-4),
      both at the last layer, at most 1e4. Its factor comes on top: the share of the other terms' gradient that it gets
      (Esser et al., "Taming Transformers for High-Resolution Image Synthesis" (2021), equation 7, with the constants of
      its code).
    - "skip": the discriminator takes no step where its cross-entropy of real or of fake pictures is below 0.28, the
      autoencoder takes none against it where one is above 1.08; both where both hold (after Larsen et al.'s code, where
      the decoder then takes no step at all).
    - "none".

    Args:
      autoencoder: any.
      discriminator: for pictures of the same size and channels.
      loss: "hinge" or "bce".
      balance: "adaptive", "skip" or "none".
      start_step: before this step the discriminator neither learns nor is learned from.
      r1_factor: of the discriminator's gradient penalty, `r1_penalty`; Mescheder's gamma.

    Raises:
      ValueError: pictures of two sizes, a balance that does not go with the loss, or another argument is out of its
        range.
    """

    def __init__(
        self,
        *,
        autoencoder: Autoencoder,
        discriminator: Discriminator,
        loss: str = "hinge",
        balance: str = "adaptive",
        start_step: int = 0,
        r1_factor: float = 0.0,
        name: str | None = None,
    ):
        _check_same_pictures(autoencoder, discriminator)
        super().__init__(
            image_size=autoencoder.image_size, channels=autoencoder.channels, seed=autoencoder.seed, name=name
        )
        check_count(start_step=start_step)
        check_not_negative(r1_factor=r1_factor)
        self.autoencoder, self.discriminator = autoencoder, discriminator
        self.loss_name = checked_choice("loss", loss, ADVERSARIAL_LOSSES)  # `loss` is Keras' own
        self.balance = checked_choice("balance", balance, BALANCES)
        if balance == "skip" and loss != "bce":
            raise ValueError(f"balance='skip' does not go with loss={loss!r}: its bounds are cross-entropies, of 'bce'")
        self.start_step, self.r1_factor = start_step, r1_factor
        self.build()

    def network(self) -> Autoencoder:
        return self.autoencoder

    def shape_of_code(self) -> tuple[int, ...]:
        return self.autoencoder.shape_of_code()

    def parts(self):
        return self.autoencoder, self.discriminator

    # What the autoencoder says.

    @property
    def encoder(self) -> keras.Model:  # type: ignore[override]
        """The autoencoder's."""
        return self.autoencoder.encoder

    @property
    def decoder(self) -> keras.Model:  # type: ignore[override]
        """The autoencoder's."""
        return self.autoencoder.decoder

    @property
    def latent_dim(self) -> int | None:
        """The autoencoder's."""
        return self.autoencoder.latent_dim

    @property
    def has_prior(self) -> bool:  # type: ignore[override]
        """The autoencoder's."""
        return self.autoencoder.has_prior

    @property
    def batch_columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """The autoencoder's."""
        return self.autoencoder.batch_columns

    @property
    def default_factors(self) -> Mapping[str, float]:  # type: ignore[override]
        """The autoencoder's, and of the adversarial term a half."""
        return {**self.autoencoder.default_factors, "adversarial": 0.5}

    @property
    def last_kernels(self) -> list:
        return self.autoencoder.last_kernels

    def encode(self, images, *conditions, **named_conditions):
        """As the autoencoder does, with the same arguments."""
        return self.autoencoder.encode(images, *conditions, **named_conditions)

    def decode(self, codes, *conditions, **named_conditions):
        """As the autoencoder does, with the same arguments."""
        return self.autoencoder.decode(codes, *conditions, **named_conditions)

    def export(self, filepath, *arguments, **options):
        """The autoencoder's: a discriminator is of use in training only."""
        return self.autoencoder.export(filepath, *arguments, **options)

    # What is judged.

    def call(self, batch, training=False):
        """The autoencoder's outputs, and what the discriminator says of them where a term asks for it."""
        outputs = self.autoencoder(batch, training=training)
        if self.compiled and not self.objective.terms.keys().isdisjoint(JUDGED_TERMS):
            return outputs | self._judgement(*self._pictures(batch, outputs))
        return outputs

    def _pictures(self, batch, outputs):
        """What the discriminator sees: picture and reconstruction, float32 [B, H, W, C]."""
        real, fake = (tf.cast(images, tf.float32) for images in (batch["image"], outputs["reconstruction"]))
        if "mask" in batch and "mask" in self.batch_columns:
            mask = tf.cast(batch["mask"], tf.float32)
            return mask * real, mask * fake
        return real, fake

    def _judgement(self, real, fake) -> dict:
        real, fake = self.discriminator(real), self.discriminator(fake)
        return {
            "real_logits": real["logits"],
            "real_features": real["features"],
            "fake_logits": fake["logits"],
            "fake_features": fake["features"],
        }

    def loss_terms(self):
        """The autoencoder's, `adversarial` and `feature_matching`."""
        adversarial = AdversarialTerm(ADVERSARIAL_LOSSES[self.loss_name])
        return self.autoencoder.loss_terms() | {"adversarial": adversarial, "feature_matching": FeatureMatching()}

    def inside(self, term):
        return self.autoencoder.inside(term)

    def evaluated(self, batch, outputs):
        """As for any model; `loss` is that of the autoencoder alone, since a discriminator's judgement drifts."""
        values = super().evaluated(batch, outputs)
        own = {name: value for name, value in values.items() if name not in JUDGED_TERMS}
        return values | {"loss": self.objective.weighted_sum(own)} if "loss" in values else values

    # Training.

    def compile(
        self,
        optimizer: str | keras.Optimizer = "adam",
        objective: Objective | None = None,
        clip_norm: float | None = None,
        accumulation_steps: int = 1,
        discriminator_optimizer: str | keras.Optimizer = "adam",
        **options: Any,
    ):
        """As any model of the zoo; the objective is the autoencoder's.

        Args:
          optimizer: of the autoencoder.
          objective: by default `loss_terms()` weighed by `default_factors`.
          clip_norm: of either player's gradients.
          accumulation_steps: parts of each batch; each is balanced by itself.
          discriminator_optimizer: of the discriminator; under mixed_float16 wrapped for a loss scale of its own.
          options: metrics, run_eagerly, steps_per_execution and jit_compile, as `TrainableModel.compile` has them.

        Raises:
          ValueError: the objective has no term besides the adversarial one.
        """
        super().compile(optimizer, objective, clip_norm, accumulation_steps, **options)
        if self.objective.terms.keys() == {"adversarial"}:
            raise ValueError("the only loss term is 'adversarial': give the autoencoder a reconstruction term besides")
        self.discriminator_optimizer = self._prepared(discriminator_optimizer, self.discriminator.trainable_variables)
        # A plain dict would be saved with the model.
        self.game_trackers = MappingProxyType({name: keras.metrics.Mean(name=name) for name in _GAME})

    @property
    def learned_variables(self) -> list:
        """The autoencoder's; the discriminator has an optimizer of its own."""
        return self.autoencoder.trainable_variables

    @property
    def metrics(self):
        """The objective's trackers and the game's."""
        return [*super().metrics, *self.game_trackers.values()] if self.compiled else []

    def train_step(self, data):
        """One update of both players.

        The gradients go back in two stages: from the losses to the autoencoder's outputs, then through the autoencoder.
        So every network is gone through once, and the adversarial gradient is there by itself to be weighed.

        Returns:
          Each unweighted term; `loss`, their sum with the weight that the adversarial one had; `discriminator`, its
          loss without penalties; `discriminator_accuracy`, the share of pictures that it judges right; and
          `adversarial_weight`, without the factor. All are means since the last reset.
        """
        batch, kept = as_batch(data), self._state_of_layers()
        with unchecked(), randomness.at_step(self.optimizer.iterations):
            values, gradients = in_parts(self._values_and_gradients, batch, self.accumulation_steps)
        learns = tf.reduce_any(values.pop("learns"))
        gradients = summed(gradients)
        own, judging = gradients[: len(self.learned_variables)], gradients[len(self.learned_variables) :]
        losses = values["loss"] + values["discriminator"]
        is_good = self._is_good(losses, (self.optimizer, own), (self.discriminator_optimizer, judging))
        apply_gradients(self.optimizer, own, self.learned_variables, self.clip_norm, is_good)
        judges = self.discriminator.trainable_variables
        apply_gradients(self.discriminator_optimizer, judging, judges, self.clip_norm, is_good & learns)
        self._restore_layers(kept, is_good)
        return self._track(values, is_good)

    def _values_and_gradients(self, batch):
        """Of a batch: all values and whether the discriminator learns, [B]; and the gradients of both players."""
        with tf.GradientTape(persistent=True) as tape:
            outputs = self.autoencoder(batch, training=True)
            penalty = tf.convert_to_tensor(self.optimizer.scale_loss(self.regularization()))
        values, halves, gradients = self._play(aimed(batch), outputs)
        learns, learns_against = self._turns(*halves)
        weight = learns_against * self._adversarial_weight(tape, outputs["reconstruction"], gradients)
        own = self._through_autoencoder(tape, outputs, penalty, gradients, weight)
        judging = [tf.where(learns, gradient, 0.0) for gradient in gradients.discriminator]
        losses = self._weighed(values, weight)
        told = {"adversarial_weight": weight, "learns": learns}
        for_each = {name: tf.fill(tf.shape(losses), value) for name, value in told.items()}
        return values | {"loss": losses} | for_each | self._to_measure(batch, outputs), own + judging

    def _play(self, batch, outputs) -> tuple[dict, tuple, Gradients]:
        """The judgement of a batch: all values [B], the two halves of the discriminator's loss, and gradients."""
        # Not all outputs are tensors, see `KLDivergence`'s settings.
        made = {name: value for name, value in outputs.items() if tf.is_tensor(value) and value.dtype.is_floating}
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(made)
            real, fake = self._pictures(batch, outputs)
            judged = outputs | self._judgement(real, fake)
            values = self.objective.values(batch, judged)
            rest = self.optimizer.scale_loss(self.objective.reduce(self._rest(values)))
            adversarial = self.optimizer.scale_loss(self.objective.reduce(self._adversarial(values)))
            halves = self._halves(judged)
            loss = self.objective.reduce(halves[0] + halves[1] + self._r1(real)) + self.regularization()
            loss = self.discriminator_optimizer.scale_loss(loss)
        gradients = Gradients(
            {name: gradient for name, gradient in tape.gradient(rest, made).items() if gradient is not None},
            tape.gradient(adversarial, made["reconstruction"], unconnected_gradients="zero"),
            tape.gradient(loss, self.discriminator.trainable_variables),
        )
        return values | self._game_values(judged, halves), halves, gradients

    def _rest(self, values):
        """The weighted sum of all terms but the adversarial one: [B]."""
        rest = {name: value for name, value in values.items() if name != "adversarial"}
        if "feature_matching" in rest:
            rest["feature_matching"] *= tf.cast(self._has_started(), tf.float32)
        return self.objective.weighted_sum(rest)

    def _weighed(self, values, weight):
        """The weighted sum of all terms: [B]."""
        return self._rest(values) + self._adversarial_factor * weight * self._adversarial(values)

    @staticmethod
    def _adversarial(values):
        """The adversarial term without its factor, 0 where it is switched off: [B]."""
        return values.get("adversarial", tf.zeros_like(values["loss"]))

    def _halves(self, judged) -> tuple[tf.Tensor, tf.Tensor]:
        """What the discriminator pays for real and for fake pictures: two [B]."""
        loss = ADVERSARIAL_LOSSES[self.loss_name]
        return loss.real(judged["real_logits"]), loss.fake(judged["fake_logits"])

    def _r1(self, real):
        """The weighted gradient penalty: [B], or 0 where it is switched off."""
        if not self.r1_factor:
            return 0.0
        return self.r1_factor * r1_penalty(lambda images: self.discriminator(images)["logits"], real)

    @staticmethod
    def _game_values(judged, halves) -> dict[str, tf.Tensor]:
        right = tf.concat([judged["real_logits"] > 0, judged["fake_logits"] < 0], axis=-1)
        return {
            "discriminator": halves[0] + halves[1],
            "discriminator_accuracy": tf.reduce_mean(
                tf.cast(right, tf.float32), axis=tuple(range(1, right.shape.rank))
            ),
        }

    def _has_started(self):
        return randomness.current_step() >= self.start_step

    def _turns(self, real_loss, fake_loss):
        """Whether the discriminator learns in this step, a boolean; and, as 1 or 0, the autoencoder against it."""
        started = self._has_started()
        if self.balance != "skip":
            return started, tf.cast(started, tf.float32)
        shares = [self.objective.reduce(loss) for loss in (real_loss, fake_loss)]
        halves = tf.stack(summed(shares))
        too_strong = tf.reduce_any(halves < EQUILIBRIUM - MARGIN)
        too_weak = tf.reduce_any(halves > EQUILIBRIUM + MARGIN)
        learns = started & (~too_strong | too_weak)
        learns_against = started & (~too_weak | too_strong)
        return learns, tf.cast(learns_against, tf.float32)

    def _adversarial_weight(self, tape: tf.GradientTape, reconstruction, gradients: Gradients):
        """What the adversarial term is multiplied by besides its factor: a float32 scalar."""
        if self.balance != "adaptive" or not self._adversarial_factor:
            return tf.ones(())
        rest, adversarial = (
            self._norm_at_last_layer(tape, reconstruction, gradient)
            for gradient in (gradients.rest.get("reconstruction"), gradients.adversarial)
        )
        scale = getattr(self.optimizer, "dynamic_scale", 1.0)  # both norms are of scaled gradients
        weight = tf.clip_by_value(rest / (adversarial + WEIGHT_EPSILON * scale), 0.0, MOST_WEIGHT)
        # Not finite where the loss scale is too high: the optimizer leaves this step out, the reports need not.
        return tf.where(tf.math.is_finite(weight), weight, 0.0)

    def _norm_at_last_layer(self, tape: tf.GradientTape, reconstruction, gradient):
        """Norm over the global batch of a gradient by the kernels that give the pictures: a float32 scalar."""
        if gradient is None:
            return tf.zeros(())
        kernels = tape.gradient(
            reconstruction, self.last_kernels, output_gradients=gradient, unconnected_gradients="zero"
        )
        return tf.linalg.global_norm(summed(kernels))

    @property
    def _adversarial_factor(self) -> float:
        return self.objective.factors.get("adversarial", 0.0)

    def _through_autoencoder(self, tape: tf.GradientTape, outputs, penalty, gradients: Gradients, weight) -> list:
        """Sends the gradients of the outputs through the autoencoder: this replica's, of each learned variable."""
        by_output = {"reconstruction": 0.0, **gradients.rest}
        by_output["reconstruction"] += self._adversarial_factor * weight * gradients.adversarial
        made = [*(outputs[name] for name in by_output), penalty]
        return gradients_of(tape, made, self.learned_variables, [*by_output.values(), tf.ones(())])

    def _track(self, values, is_good):
        """As `Objective.track_step`, with the game's values."""
        for name, tracker in self.game_trackers.items():
            count(tracker, values[name], is_good)
        game = {name: tracker.result() for name, tracker in self.game_trackers.items()}
        return self.objective.track_step(values, is_good) | self._measured(values, is_good) | game

    # Saving.

    def get_config(self):
        return {
            "autoencoder": _serialized(self.autoencoder),
            "discriminator": _serialized(self.discriminator),
            "loss": self.loss_name,
            "balance": self.balance,
            "start_step": self.start_step,
            "r1_factor": self.r1_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        networks = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("autoencoder", "discriminator")
        }
        return cls(**config | networks)

    def get_compile_config(self):
        """What a saved model keeps of its training: both optimizers, and the objective's names and factors."""
        if not self.compiled:
            return {}
        own = {"discriminator_optimizer": keras.saving.serialize_keras_object(self.discriminator_optimizer)}
        return super().get_compile_config() | own

    def compile_from_config(self, config):
        """As saved; see `TrainableModel`."""
        optimizer, discriminator_optimizer = (
            keras.saving.deserialize_keras_object(config[name]) for name in ("optimizer", "discriminator_optimizer")
        )
        options = self._saved_options(config)
        self.compile(optimizer, discriminator_optimizer=discriminator_optimizer, **options)


_GAME = ("discriminator", "discriminator_accuracy", "adversarial_weight")


def _check_same_pictures(autoencoder: Autoencoder, discriminator: Discriminator) -> None:
    for argument in ("image_size", "channels"):
        ours, theirs = getattr(autoencoder, argument), getattr(discriminator, argument)
        if ours != theirs:
            raise ValueError(f"the autoencoder has {argument}={ours}, the discriminator {argument}={theirs}")


def _serialized(network: keras.Model) -> dict[str, Any]:
    """The configuration without how it may once have been trained by itself."""
    config = keras.saving.serialize_keras_object(network)
    return {name: value for name, value in config.items() if name != "compile_config"}
