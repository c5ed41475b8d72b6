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
