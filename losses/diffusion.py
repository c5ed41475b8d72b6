"""What a denoiser learns."""

import tensorflow as tf

from .kl import kl_per_dimension
from .objective import Term
from .perceptual import TARGET_COLUMN, PerceptualLoss


class VelocityError:
    """Mean squared difference of the velocity that a denoiser gives and the true one, [B].

    Salimans and Ho, "Progressive Distillation for Fast Sampling of Diffusion Models" (2022), section 4 and appendix D.

    >>> VelocityError()({}, {"true_velocity": tf.ones((1, 4)), "velocity": tf.zeros((1, 4))}).numpy().tolist()
    [1.0]
    """

    def __call__(self, batch, outputs):
        wanted, given = (tf.cast(outputs[name], tf.float32) for name in ("true_velocity", "velocity"))
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


class OfDrawn:
    """A term of two reconstructions, one of a picture's own details and one of others, the mean of both: [B].

    Outputs without `drawn` have but the first. A network looks at the picture once.

    >>> black, gray = tf.zeros((1, 2, 2, 3)), tf.fill((1, 2, 2, 3), 0.5)
    >>> term = OfDrawn(PerceptualLoss(lambda images, training: [images]))
    >>> term({"image": black}, {"reconstruction": black, "drawn": gray}).numpy().tolist()
    [0.125]

    Args:
      term: reads the `reconstruction` of the outputs.
    """

    def __init__(self, term: Term):
        self.term = term
        if isinstance(term, PerceptualLoss):
            self.target_columns = term.target_columns

    def __call__(self, batch, outputs):
        if "drawn" not in outputs:
            return self.term(batch, outputs)
        if isinstance(self.term, PerceptualLoss) and TARGET_COLUMN.format(0) not in batch:
            batch = {**batch, **tf.nest.map_structure(tf.stop_gradient, self.target_columns(batch["image"]))}
        drawn = {**outputs, "reconstruction": outputs["drawn"]}
        return 0.5 * (self.term(batch, outputs) + self.term(batch, drawn))
