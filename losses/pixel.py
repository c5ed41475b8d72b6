"""Errors between pictures, pixel by pixel."""

import tensorflow as tf


class SquaredError:
    """Mean squared difference of picture and reconstruction, [B].

    `batch["region_weight"]` [B, H, W, 1], where a batch has it, weighs each pixel.
    """

    def __call__(self, batch, outputs):
        return _mean_over_pixels(tf.math.squared_difference(*_pair(batch, outputs)), batch)


class AbsoluteError:
    """Mean absolute difference of picture and reconstruction, [B]; weighed by region like `SquaredError`."""

    def __call__(self, batch, outputs):
        target, reconstruction = _pair(batch, outputs)
        return _mean_over_pixels(tf.abs(target - reconstruction), batch)


def vae_r_loss(y_true, y_pred, r_loss_factor: float = 1.0):
    """Reconstruction loss of the variational autoencoder: `r_loss_factor * mean((x - y)^2)` over H, W, C; [B]."""
    return r_loss_factor * SquaredError()({"image": y_true}, {"reconstruction": y_pred})


def _pair(batch, outputs) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.cast(batch["image"], tf.float32), tf.cast(outputs["reconstruction"], tf.float32)


def _mean_over_pixels(error, batch):
    if "region_weight" in batch:
        error *= batch["region_weight"]
    return tf.reduce_mean(error, axis=(1, 2, 3))
