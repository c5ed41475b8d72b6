"""What a denoiser learns."""

import tensorflow as tf


class VelocityError:
    """Mean squared difference of the velocity that a denoiser gives and the true one, [B].

    Salimans and Ho, "Progressive Distillation for Fast Sampling of Diffusion Models" (2022), section 4 and appendix D.

    >>> VelocityError()({}, {"true_velocity": tf.ones((1, 4)), "velocity": tf.zeros((1, 4))}).numpy().tolist()
    [1.0]
    """

    def __call__(self, batch, outputs):
        wanted, given = (tf.cast(outputs[name], tf.float32) for name in ("true_velocity", "velocity"))
        return tf.reduce_mean(tf.math.squared_difference(wanted, given), axis=tuple(range(1, wanted.shape.rank)))


class Surprise:
    """Negative log likelihood of errors that are normal with deviations of their own, less a constant, a mean: [B].

    Of numbers e in units of the deviation that all have together, and logarithms s of their own deviations in that
    unit: (e / exp(s))^2 / 2 + s (Nix and Weigend, "Estimating the mean and variance of the target probability
    distribution" (1994), equation 6).

    >>> told = {"errors": tf.fill((1, 4), 2.0), "log_deviations": tf.zeros((1, 4))}
    >>> Surprise()({}, told).numpy().tolist()
    [2.0]
    """

    def __call__(self, batch, outputs):
        errors, logarithms = (tf.cast(outputs[name], tf.float32) for name in ("errors", "log_deviations"))
        surprises = 0.5 * tf.square(errors * tf.exp(-logarithms)) + logarithms
        return tf.reduce_mean(surprises, axis=tuple(range(1, surprises.shape.rank)))
