"""How an autoencoder and its discriminator are kept from overpowering each other."""

from collections.abc import Callable

import tensorflow as tf

from .trainable import sum_replicas

MOST_WEIGHT, WEIGHT_EPSILON = 1e4, 1e-4  # Esser et al.'s
EQUILIBRIUM, MARGIN = 0.68, 0.4  # Larsen et al.'s, in nats; equilibrium is about ln 2


class NoBalance:
    """Both players move in every step, and the adversarial term counts as its factor says."""

    def choose_turns(self, real_loss, fake_loss):
        """Says who moves.

        Args:
          real_loss: this replica's share of what the discriminator pays for real pictures.
          fake_loss: the same for fake ones.

        Returns:
          Whether the discriminator learns, and whether the autoencoder learns against it: two booleans.
        """
        return tf.constant(True), tf.constant(True)

    def weigh(self, measure_norms: Callable, loss_scale):
        """Says what the adversarial term is multiplied by besides its factor: a float32 scalar.

        Args:
          measure_norms: gives the norms of two gradients at the last layer, that of the other terms and the adversarial
            one's.
          loss_scale: what both gradients are multiplied by.
        """
        return tf.ones(())


class AdaptiveBalance(NoBalance):
    """The adversarial term is multiplied by |gradient of the other terms| / (|its own gradient| + 1e-4), at most 1e4.

    Both are of the last layer. The term's factor comes on top: the share of the other terms' gradient that it gets.
    Esser et al., "Taming Transformers for High-Resolution Image Synthesis" (2021), equation 7, with the constants of
    its code.
    """

    def weigh(self, measure_norms, loss_scale):
        rest, adversarial = measure_norms()
        weight = tf.clip_by_value(rest / (adversarial + WEIGHT_EPSILON * loss_scale), 0.0, MOST_WEIGHT)
        # Not finite where the loss scale is too high: the optimizer leaves this step out, the reports need not.
        return tf.where(tf.math.is_finite(weight), weight, 0.0)


class SkipBalance(NoBalance):
    """A player who is too strong waits for the other.

    The discriminator takes no step where its cross-entropy of real or of fake pictures is below 0.28, the autoencoder
    takes none against it where one is above 1.08; both do where both hold (after Larsen et al.'s code, where the
    decoder then takes no step at all).
    """

    def choose_turns(self, real_loss, fake_loss):
        halves = tf.stack(sum_replicas([real_loss, fake_loss]))
        too_strong = tf.reduce_any(halves < EQUILIBRIUM - MARGIN)
        too_weak = tf.reduce_any(halves > EQUILIBRIUM + MARGIN)
        return ~too_strong | too_weak, ~too_weak | too_strong


BALANCES: dict[str, NoBalance] = {"adaptive": AdaptiveBalance(), "skip": SkipBalance(), "none": NoBalance()}
