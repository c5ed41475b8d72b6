"""Ties a part of the code to what the picture shows besides whose face it is."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


class ExpressionCode:
    """Mean squared difference between a code's first numbers and what a network reads in the picture, [B].

    mean over k of (r_k(x) - z_k / s)^2, with the readings r of K factors: expression, pose and light. So these
    directions of the code mean the same for everybody, and a decoder that knows one person follows them on another's
    picture. Kulkarni et al., "Deep convolutional inverse graphics network" (2015), ties pose and light to single units
    too, there by holding the others still. A variational code is drawn away from its prior here.

    The readings get no gradient. This is a plain object, so that a model which is compiled with it neither trains nor
    saves the network.

    >>> term = ExpressionCode(lambda images, training: tf.ones((1, 2)), code_scale=3.0)
    >>> term({"image": tf.zeros((1, 4, 4, 3))}, {"z": tf.constant([[3.0, 3.0, 7.0]])}).numpy().tolist()
    [0.0]

    Args:
      network: frozen, images [B, H, W, C] in [0, 1] -> readings [B, K], of about -1 to 1.
      code_scale: s, large enough for these numbers to stand out among the others from the first steps on.

    Raises:
      ValueError: when it is called, codes `z` that are no vectors of at least K numbers.
    """

    def __init__(self, network: Callable[..., Any], code_scale: float = 3.0):
        self.network, self.code_scale = network, code_scale

    def __call__(self, batch, outputs):
        readings = tf.stop_gradient(self.network(tf.cast(batch["image"], tf.float32), training=False))
        codes, count = tf.cast(outputs["z"], tf.float32), readings.shape[-1]
        if codes.shape.rank != 2 or codes.shape[-1] < count:
            raise ValueError(f"expression needs codes of at least {count} numbers, not {tuple(codes.shape[1:])}")
        return tf.reduce_mean(tf.math.squared_difference(readings, codes[:, :count] / self.code_scale), axis=-1)
