"""Divergence of the approximate posterior from the standard normal prior, in nats."""

import tensorflow as tf


def vae_kl_loss(mean, log_var):
    """KL(N(mean, exp(log_var)) || N(0, 1)), summed over dimensions: [B, D], [B, D] -> [B].

    Kingma and Welling, "Auto-Encoding Variational Bayes" (2014), appendix B.

    >>> vae_kl_loss(tf.ones((1, 4)), tf.zeros((1, 4))).numpy().tolist()
    [2.0]
    """
    return tf.reduce_sum(kl_per_dimension(mean, log_var), axis=-1)


def kl_per_dimension(mean, log_var):
    """The same before the sum: [B, D] nats, float32."""
    mean, log_var = tf.cast(mean, tf.float32), tf.cast(log_var, tf.float32)
    return -0.5 * (1.0 + log_var - tf.square(mean) - tf.exp(log_var))


class KLDivergence:
    """The KL term, [B].

    Free bits: where the outputs hold `free_bits` (nats, a scalar), a dimension counts at least that much, averaged over
    the batch (with accumulation over each part of it), so that the objective gains nothing by emptying it (Kingma et
    al., "Improved variational inference with inverse autoregressive flow", eq. 15). It is for training only: an
    evaluated KL has no floor.

    Capacity: where the outputs hold `capacity`, in nats, the term is |KL - C| (Burgess et al., "Understanding
    disentangling in beta-VAE", eq. 8); its factor is the paper's gamma.

    >>> outputs = {"mean": tf.ones((1, 4)), "log_var": tf.zeros((1, 4))}
    >>> KLDivergence()({}, outputs).numpy().tolist(), KLDivergence()({}, {**outputs, "capacity": 1.5}).numpy().tolist()
    ([2.0], [0.5])
    """

    def __call__(self, batch, outputs):
        divergence = self.find_divergence(outputs)
        if "free_bits" in outputs:
            divergence = _floor_by_batch_mean(divergence, self.find_floor(outputs))
        divergence = tf.reduce_sum(divergence, axis=-1)
        return tf.abs(divergence - outputs["capacity"]) if "capacity" in outputs else divergence

    def find_divergence(self, outputs):
        """The divergence of each dimension, [B, D] nats."""
        return kl_per_dimension(outputs["mean"], outputs["log_var"])

    def find_floor(self, outputs):
        """What each dimension counts at least, [D] nats or a scalar for all."""
        return outputs["free_bits"]


def _floor_by_batch_mean(divergence, free_bits):
    """Dimensions whose mean over the global batch is below their `free_bits` count exactly those: [B, D] -> [B, D]."""
    batch_mean = tf.reduce_mean(divergence, axis=0)  # [D]
    context = tf.distribute.get_replica_context()
    if context is not None:
        batch_mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, batch_mean)
    return tf.where(batch_mean < free_bits, free_bits, divergence)
