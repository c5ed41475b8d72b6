"""What a network that reads the shape of faces learns."""

import tensorflow as tf


class ShapeError:
    """Mean squared difference of the shape that is read and the one of the landmarks, [B]; 0 without landmarks.

    Both in standard deviations of the shapes of training faces, so that reading nothing costs 1.
    """

    def __call__(self, batch, outputs):
        read, true = (tf.cast(outputs[name], tf.float32) for name in ("shape", "true_shape"))
        return tf.reduce_mean(tf.math.squared_difference(read, true), axis=-1)
