"""Errors between pictures, pixel by pixel."""

import tensorflow as tf

from .objective import Term


class SquaredError:
    """Mean squared difference of picture and reconstruction, [B].

    `batch["region_weight"]` [B, H, W, 1], where a batch has it, weighs each pixel.

    >>> half = tf.fill((1, 4, 4, 3), 0.5)
    >>> SquaredError()({"image": tf.ones((1, 4, 4, 3))}, {"reconstruction": half}).numpy().tolist()
    [0.25]
    """

    def __call__(self, batch, outputs):
        return _mean_over_pixels(tf.math.squared_difference(*_pair(batch, outputs)), batch)


class AbsoluteError:
    """Mean absolute difference of picture and reconstruction, [B]; weighed by region like `SquaredError`.

    >>> half = tf.fill((1, 4, 4, 3), 0.5)
    >>> AbsoluteError()({"image": tf.ones((1, 4, 4, 3))}, {"reconstruction": half}).numpy().tolist()
    [0.5]
    """

    def __call__(self, batch, outputs):
        target, reconstruction = _pair(batch, outputs)
        return _mean_over_pixels(tf.abs(target - reconstruction), batch)


class Masked:
    """A term inside of `batch["mask"]` [B, H, W, 1] in [0, 1]: picture and reconstruction are multiplied by it before.

    Outside of the mask both are black, so that no error is there; means are still over the whole picture. This is how
    DeepFaceLab trains (Perov et al. 2020). Where a batch has no mask, the term is as it is.

    >>> batch = {"image": tf.ones((1, 4, 4, 3)), "mask": tf.zeros((1, 4, 4, 1))}
    >>> Masked(SquaredError())(batch, {"reconstruction": tf.zeros((1, 4, 4, 3))}).numpy().tolist()
    [0.0]

    Args:
      term: of `batch["image"]` and `outputs["reconstruction"]`.
    """

    def __init__(self, term: Term):
        self.term = term

    def __call__(self, batch, outputs):
        if "mask" not in batch:
            return self.term(batch, outputs)
        mask = tf.cast(batch["mask"], tf.float32)
        target, reconstruction = _pair(batch, outputs)
        masked = {**batch, "image": mask * target}
        return self.term(masked, {**outputs, "reconstruction": mask * reconstruction})


class SquaredMaskError:
    """Mean squared difference of `batch["mask"]` and the mask that the model gives, [B].

    >>> SquaredMaskError()({"mask": tf.ones((1, 4, 4, 1))}, {"mask": tf.fill((1, 4, 4, 1), 0.5)}).numpy().tolist()
    [0.25]

    Raises:
      ValueError: when it is called, a batch without masks.
    """

    def __call__(self, batch, outputs):
        if "mask" not in batch:
            raise ValueError(
                "mask needs masks of the faces in the batch: choose a data set with landmarks, which they follow from"
            )
        mask, decoded = tf.cast(batch["mask"], tf.float32), tf.cast(outputs["mask"], tf.float32)
        return tf.reduce_mean(tf.math.squared_difference(mask, decoded), axis=(1, 2, 3))


def vae_r_loss(y_true, y_pred, r_loss_factor: float = 1.0):
    """Reconstruction loss of the variational autoencoder: `r_loss_factor * mean((x - y)^2)` over H, W, C; [B].

    >>> vae_r_loss(tf.ones((1, 4, 4, 3)), tf.fill((1, 4, 4, 3), 0.5), r_loss_factor=1000.0).numpy().tolist()
    [250.0]
    """
    return r_loss_factor * SquaredError()({"image": y_true}, {"reconstruction": y_pred})


def _pair(batch, outputs) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.cast(batch["image"], tf.float32), tf.cast(outputs["reconstruction"], tf.float32)


def _mean_over_pixels(error, batch):
    if "region_weight" in batch:
        error *= batch["region_weight"]
    return tf.reduce_mean(error, axis=(1, 2, 3))
