"""What a denoiser learns."""

import tensorflow as tf

from .kl import kl_per_dimension
from .objective import Term
from .perceptual import PerceptualLoss


class VelocityError:
    """Mean squared difference of the velocity that a denoiser gives and the true one, the output `true_velocity`: [B].

    Salimans and Ho, "Progressive Distillation for Fast Sampling of Diffusion Models" (2022), section 4 and appendix D.

    >>> VelocityError()({}, {"true_velocity": tf.ones((1, 4)), "velocity": tf.zeros((1, 4))}).numpy().tolist()
    [1.0]

    Args:
      name: of the output that the denoiser gives.
    """

    def __init__(self, name: str = "velocity"):
        self.name = name

    def __call__(self, batch, outputs):
        wanted, given = (tf.cast(outputs[name], tf.float32) for name in ("true_velocity", self.name))
        return tf.reduce_mean(tf.math.squared_difference(wanted, given), axis=tuple(range(1, wanted.shape.rank)))


class DetailDivergence:
    """The divergence of a picture's details from normal ones, in nats, summed over all: [B].

    As `KLDivergence`, of the outputs `detail_mean` and `detail_log_var`, [B, ...]. Where the outputs hold
    `detail_share`, a scalar, that share of it counts and is reported: at the start of a training details would else be
    given up before any are drawn (Sønderby et al., "Ladder Variational Autoencoders" (2016), section 2.3).

    >>> outputs = {"detail_mean": tf.ones((1, 2, 2)), "detail_log_var": tf.zeros((1, 2, 2))}
    >>> DetailDivergence()({}, outputs).numpy().tolist()
    [2.0]
    """

    def __call__(self, batch, outputs):
        divergence = kl_per_dimension(outputs["detail_mean"], outputs["detail_log_var"])
        total = tf.reduce_sum(divergence, axis=tuple(range(1, divergence.shape.rank)))
        return outputs.get("detail_share", 1.0) * total


class OfOutput:
    """A term of another output than `reconstruction`.

    >>> black, gray = tf.zeros((1, 2, 2, 3)), tf.fill((1, 2, 2, 3), 0.5)
    >>> term = OfOutput("shown", lambda batch, outputs: tf.reduce_mean(outputs["reconstruction"], axis=(1, 2, 3)))
    >>> term({"image": black}, {"reconstruction": black, "shown": gray}).numpy().tolist()
    [0.5]

    Args:
      name: of the output.
      term: reads the `reconstruction` of the outputs.
    """

    def __init__(self, name: str, term: Term):
        self.name, self.term = name, term
        if isinstance(term, PerceptualLoss):
            self.target_columns = term.target_columns

    def __call__(self, batch, outputs):
        return self.term(batch, {**outputs, "reconstruction": outputs[self.name]})
