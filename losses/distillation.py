"""What a small decoder learns from the large one that it takes the place of.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015); of features Romero et al., "FitNets: Hints
for Thin Deep Nets" (2015).
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

TAUGHT = "taught"  # the column of the teacher's pictures, where a batch brings them along


class TaughtError:
    """Mean squared difference of the reconstruction and what the teacher makes of the same code, [B].

    >>> term = TaughtError(lambda codes: tf.zeros((1, 4, 4, 3)))
    >>> term({}, {"z": tf.zeros((1, 2)), "reconstruction": tf.fill((1, 4, 4, 3), 0.5)}).numpy().tolist()
    [0.25]

    Args:
      decode: the teacher's: codes [B, ...] -> pictures [B, H, W, C].
    """

    def __init__(self, decode: Callable[[Any], Any]):
        self.decode = decode

    def __call__(self, batch, outputs):
        wanted = batch[TAUGHT] if TAUGHT in batch else tf.stop_gradient(self.decode(outputs["z"]))
        error = tf.math.squared_difference(tf.cast(wanted, tf.float32), tf.cast(outputs["reconstruction"], tf.float32))
        return tf.reduce_mean(error, axis=(1, 2, 3))


class CodeError:
    """Mean squared difference of the code and that of the reconstruction, [B].

    >>> term = CodeError(lambda pictures: tf.zeros((1, 2)))
    >>> term({}, {"z": tf.ones((1, 2)), "reconstruction": tf.zeros((1, 4, 4, 3))}).numpy().tolist()
    [1.0]

    Args:
      encode: pictures [B, H, W, C] -> codes [B, ...].
    """

    def __init__(self, encode: Callable[[Any], Any]):
        self.encode = encode

    def __call__(self, batch, outputs):
        again = tf.cast(self.encode(outputs["reconstruction"]), tf.float32)
        error = tf.math.squared_difference(tf.cast(outputs["z"], tf.float32), again)
        return tf.reduce_mean(tf.reshape(error, (tf.shape(error)[0], -1)), axis=1)
