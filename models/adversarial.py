"""Any autoencoder, trained against a discriminator."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import keras
import tensorflow as tf

from ..losses import Objective
from ..losses.adversarial import ADVERSARIAL_LOSSES, AdversarialTerm, FeatureMatching, r1_penalty
from ..losses.objective import count
from . import randomness
from .autoencoder import Autoencoder
from .balance import BALANCES
from .batches import choose_targets, is_tensorflow, skip_checks
from .blocks import check_choice, check_count, check_not_negative
from .discriminator import Judge
from .holding import HoldingAutoencoder
from .trainable import apply_gradients, find_gradients, in_parts, sum_replicas

JUDGED_TERMS = ("adversarial", "feature_matching")  # they read the discriminator


@keras.saving.register_keras_serializable("facezoo")
class AutoencoderGAN(HoldingAutoencoder):
    """Holds an autoencoder and a discriminator; encodes and decodes as its autoencoder does.

    After Larsen et al., "Autoencoding beyond pixels using a learned similarity metric" (2016), the VAE-GAN, with either
    player's loss from `losses.adversarial`. Both players move at once, from one forward pass of each network. Unlike
    theirs, and as in Esser et al. (below), the adversarial gradient goes back through all that made the pictures, and
    only one kind of them is judged, in most models the reconstructions (`Autoencoder.show_to_discriminator`). Where the
    autoencoder reads masks, the discriminator sees both pictures inside of the mask.

    `balance` keeps either side from overpowering the other, see `balance.py`: "adaptive" (Esser et al.), "skip" (Larsen
    et al.) or "none".

    >>> from facezoo.models import ConvolutionalAutoencoder, Discriminator
    >>> autoencoder = ConvolutionalAutoencoder(image_size=32, filters=(8, 8))
    >>> model = AutoencoderGAN(autoencoder=autoencoder, discriminator=Discriminator(image_size=32, filters=(8, 8)))
    >>> model.network() is autoencoder
    True

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

    model_arguments: ClassVar = ("autoencoder", "discriminator")

    def __init__(
        self,
        *,
        autoencoder: Autoencoder,
        discriminator: Judge,
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
        self.loss_name = check_choice("loss", loss, ADVERSARIAL_LOSSES)  # `loss` is Keras' own
        self.balance = check_choice("balance", balance, BALANCES)
        if balance == "skip" and loss != "bce":
            raise ValueError(f"balance='skip' does not go with loss={loss!r}: its bounds are cross-entropies, of 'bce'")
        self.start_step, self.r1_factor = start_step, r1_factor
        self.build()

    def network(self) -> Autoencoder:
        return self.autoencoder

    def shape_of_code(self) -> tuple[int, ...]:
        return self.autoencoder.shape_of_code()

    def picture_network(self) -> keras.Model:
        return self.autoencoder.picture_network()

    def parts(self):
        return self.autoencoder, self.discriminator

    # What the autoencoder says.

    @property
    def batch_columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """The autoencoder's."""
        return self.autoencoder.batch_columns

    @property
    def reads_clips(self) -> bool:  # type: ignore[override]
        """The autoencoder's."""
        return self.autoencoder.reads_clips

    def read_batch(self, data):
        return self.autoencoder.read_batch(data)

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
        """The autoencoder's outputs, and what the discriminator says of them where a term asks for it.

        In training `judged` is among them, the pictures that the discriminator sees.
        """
        outputs = self.autoencoder(batch, training=training)
        if training:
            outputs = {**outputs, "judged": self.autoencoder.show_to_discriminator(outputs)}
        if self.can_train and not self.objective.terms.keys().isdisjoint(JUDGED_TERMS):
            return outputs | self._judgement(*self._pictures(choose_targets(batch), outputs))
        return outputs

    def _judges_reconstructions(self) -> bool:
        return type(self.autoencoder).show_to_discriminator is Autoencoder.show_to_discriminator

    def _pictures(self, batch, outputs):
        """What the discriminator sees: a picture and one that was made, float32 [B, H, W, C]."""
        made = outputs["judged"] if "judged" in outputs else outputs["reconstruction"]
        real, fake = (tf.cast(images, tf.float32) for images in (batch["image"], made))
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

    def as_in_training(self, outputs):
        return self.autoencoder.as_in_training(outputs)

    def evaluate_batch(self, batch, outputs):
        """As for any model; `loss` is that of the autoencoder alone, since a discriminator's judgement drifts."""
        values = super().evaluate_batch(batch, outputs)
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
          ValueError: the objective has no term but the discriminator's, or compares features of pictures that are not
            the reconstructions.
        """
        super().compile(optimizer, objective, clip_norm, accumulation_steps, **options)
        if self.objective.factors.get("feature_matching") and not self._judges_reconstructions():
            kind = type(self.autoencoder).__name__
            raise ValueError(f"'feature_matching' compares reconstructions, and of a {kind} other pictures are judged")
        if self.objective.terms.keys() <= set(JUDGED_TERMS):
            only = " and ".join(map(repr, self.objective.terms))
            raise ValueError(f"the only loss term is {only}: give the autoencoder a reconstruction term besides")
        self.discriminator_optimizer = self._prepare(discriminator_optimizer, self.discriminator.trainable_variables)
        # A plain dict would be saved with the model.
        self.game_trackers = MappingProxyType({name: keras.metrics.Mean(name=name) for name in _GAME})

    @property
    def learned_variables(self) -> list:
        """The autoencoder's; the discriminator has an optimizer of its own."""
        return self.autoencoder.trainable_variables

    @property
    def metrics(self):
        """The objective's trackers and the game's."""
        return [*super().metrics, *self.game_trackers.values()] if self.can_train else []

    def train_step(self, data):
        """One update of both players.

        Returns:
          Each unweighted term; `loss`, their sum with the weight that the adversarial one had; `discriminator`, its
          loss without penalties; `discriminator_accuracy`, the share of pictures that it judges right;
          `adversarial_weight`, without the factor; and `gradient_norm`, of the autoencoder's. All are means since the
          last reset.
        """
        batch, kept = self.read_batch(data), self._keep_layers()
        with skip_checks(), randomness.at_step(self.optimizer.iterations):
            values, gradients = in_parts(self._values_and_gradients, batch, self.accumulation_steps)
        learns = tf.reduce_any(values.pop("learns"))
        gradients = sum_replicas(gradients)
        own, judging = gradients[: len(self.learned_variables)], gradients[len(self.learned_variables) :]
        losses = values["loss"] + values["discriminator"]
        is_good = self._is_good(losses, (self.optimizer, own), (self.discriminator_optimizer, judging))
        norm = apply_gradients(self.optimizer, own, self.learned_variables, self.clip_norm, is_good)
        judges = self.discriminator.trainable_variables
        apply_gradients(self.discriminator_optimizer, judging, judges, self.clip_norm, is_good & learns)
        self._restore_layers(kept, is_good)
        return self._track(values, norm, is_good)

    def _values_and_gradients(self, batch):
        """Of a batch: all values and whether the discriminator learns, [B]; and the gradients of both players.

        The gradients go back in two stages: from the losses to the autoencoder's outputs, then through the autoencoder.
        So every network is gone through once, and the adversarial gradient is there by itself to be weighed.
        """
        game, balance, objective = ADVERSARIAL_LOSSES[self.loss_name], BALANCES[self.balance], self.objective
        factor = objective.factors.get("adversarial", 0.0)
        aims, has_started = choose_targets(batch), randomness.has_come(self.start_step)

        # The autoencoder, on a tape for the second stage.
        with tf.GradientTape(persistent=True) as tape:
            outputs = {**self.autoencoder(batch, training=True)}
            # A tensor of its own, so that the two gradients of a reconstruction stay apart.
            outputs["judged"] = tf.identity(self.autoencoder.show_to_discriminator(outputs))
            penalty = tf.convert_to_tensor(self.optimizer.scale_loss(self.regularization()))
        # Not all outputs are tensors, see `KLDivergence`'s settings.
        made = {name: value for name, value in outputs.items() if tf.is_tensor(value) and value.dtype.is_floating}

        # The discriminator, and from here the first stage: three losses, two of them the autoencoder's.
        with tf.GradientTape(persistent=True) as judging_tape:
            judging_tape.watch(made)
            real, fake = self._pictures(aims, outputs)
            judged = outputs | self._judgement(real, fake)
            values = objective.values(aims, judged)
            adversarial = values.get("adversarial", tf.zeros_like(values["loss"]))
            others = {name: value for name, value in values.items() if name != "adversarial"}
            if "feature_matching" in others:
                others["feature_matching"] *= tf.cast(has_started, tf.float32)
            rest = objective.weighted_sum(others)
            scaled_rest, scaled_adversarial = (
                self.optimizer.scale_loss(objective.reduce(losses)) for losses in (rest, adversarial)
            )
            real_loss, fake_loss = game.real(judged["real_logits"]), game.fake(judged["fake_logits"])
            judging_loss = objective.reduce(real_loss + fake_loss + self._r1(real)) + self.regularization()
            judging_loss = self.discriminator_optimizer.scale_loss(judging_loss)
        by_output = {name: grad for name, grad in judging_tape.gradient(scaled_rest, made).items() if grad is not None}
        by_picture = judging_tape.gradient(scaled_adversarial, made["judged"], unconnected_gradients="zero")
        judging = judging_tape.gradient(judging_loss, self.discriminator.trainable_variables)

        # Whose turn it is, and how much the adversarial gradient counts.
        learns, learns_against = balance.choose_turns(objective.reduce(real_loss), objective.reduce(fake_loss))
        learns, learns_against = has_started & learns, tf.cast(has_started & learns_against, tf.float32)
        weight = tf.ones(())
        if factor:
            sides = by_output, {"judged": by_picture}
            weight = balance.weigh(
                lambda: [self._norm_at_last_layer(tape, outputs, gradients) for gradients in sides],
                getattr(self.optimizer, "dynamic_scale", 1.0),
            )
        weight = learns_against * weight

        # The second stage: all that has come back to the outputs goes through the autoencoder at once.
        by_output = {"judged": 0.0, **by_output}
        by_output["judged"] += factor * weight * by_picture
        ends = [*(outputs[name] for name in by_output), penalty]
        own = find_gradients(tape, ends, self.learned_variables, [*by_output.values(), tf.ones(())])

        losses = rest + factor * weight * adversarial
        told = {"adversarial_weight": weight, "learns": learns}
        for_each = {name: tf.fill(tf.shape(losses), value) for name, value in told.items()}
        values |= {"loss": losses, "discriminator": real_loss + fake_loss, **for_each}
        values["discriminator_accuracy"] = _accuracy(judged["real_logits"], judged["fake_logits"])
        return values | self._to_measure(batch, outputs), own + [tf.where(learns, grad, 0.0) for grad in judging]

    def _r1(self, real):
        """The weighted gradient penalty: [B], or 0 where it is switched off."""
        if not self.r1_factor:
            return 0.0
        return self.r1_factor * r1_penalty(lambda images: self.discriminator(images)["logits"], real)

    def _norm_at_last_layer(self, tape: tf.GradientTape, outputs, gradients):
        """Norm over the global batch of gradients, by output, at the kernels that give pictures: a float32 scalar."""
        if not gradients:
            return tf.zeros(())
        ends = [outputs[name] for name in gradients]
        kernels = tape.gradient(ends, self.last_kernels, [*gradients.values()], unconnected_gradients="zero")
        return tf.linalg.global_norm(sum_replicas(kernels))

    def _track(self, values, norm, is_good):
        """As `Objective.track_step`, with the game's values."""
        for name, tracker in self.game_trackers.items():
            count(tracker, values[name], is_good)
        game = {name: tracker.result() for name, tracker in self.game_trackers.items()}
        return self.objective.track_step(values, norm, is_good) | self._measure(values, is_good) | game

    # Saving.

    def get_config(self):
        return {**super().get_config(), "loss": self.loss_name}

    def get_compile_config(self):
        """What a saved model keeps of its training: both optimizers, and the objective's names and factors."""
        if not self.can_train:
            return {}
        own = {"discriminator_optimizer": keras.saving.serialize_keras_object(self.discriminator_optimizer)}
        return super().get_compile_config() | own

    def compile_from_config(self, config):
        """As saved; see `TrainableModel`."""
        if not is_tensorflow():
            return
        optimizer, discriminator_optimizer = (
            keras.saving.deserialize_keras_object(config[name]) for name in ("optimizer", "discriminator_optimizer")
        )
        options = self._read_options(config)
        self.compile(optimizer, discriminator_optimizer=discriminator_optimizer, **options)


_GAME = ("discriminator", "discriminator_accuracy", "adversarial_weight")


def _check_same_pictures(autoencoder: Autoencoder, discriminator: Judge) -> None:
    for argument in ("image_size", "channels"):
        ours, theirs = getattr(autoencoder, argument), getattr(discriminator, argument)
        if ours != theirs:
            raise ValueError(f"the autoencoder has {argument}={ours}, the discriminator {argument}={theirs}")


def _accuracy(real_logits, fake_logits):
    """The share of right judgements: two [B, ...] -> [B]."""
    right = tf.concat([real_logits > 0, fake_logits < 0], axis=-1)
    return tf.reduce_mean(tf.cast(right, tf.float32), axis=tuple(range(1, right.shape.rank)))
