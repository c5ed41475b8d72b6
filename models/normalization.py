"""Batch normalisation that is one pass where the device has one."""

import keras
import tensorflow as tf

# With fewer channels oneDNN's bfloat16 kernel is many times slower than its float32 one.
FEWEST_CHANNELS_IN_HALF_PRECISION = 16


@keras.saving.register_keras_serializable("facezoo")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalisation over the last axis of feature maps, synchronised over replicas.

    On one replica it runs TensorFlow's fused kernel in the type that comes in, its sums in float32, instead of separate
    passes in float32; the results are Keras' within rounding. On several replicas, whose moments belong together, and
    for inputs that are not feature maps, it is Keras' own.

    Ioffe and Szegedy, "Batch Normalization" (2015), algorithm 1.
    """

    def __init__(self, **options):
        super().__init__(**{**options, "synchronized": True})

    def call(self, inputs, training=None, mask=None):
        trains = bool(training and self.trainable)
        if inputs.shape.rank != 4 or (trains and tf.distribute.get_strategy().num_replicas_in_sync > 1):
            return super().call(inputs, training=training, mask=mask)
        wide = inputs.shape[-1] >= FEWEST_CHANNELS_IN_HALF_PRECISION
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs if wide else tf.cast(inputs, tf.float32),
            tf.cast(self.gamma, tf.float32) if self.scale else tf.ones(inputs.shape[-1]),
            tf.cast(self.beta, tf.float32) if self.center else tf.zeros(inputs.shape[-1]),
            mean=None if trains else tf.cast(self.moving_mean, tf.float32),
            variance=None if trains else tf.cast(self.moving_variance, tf.float32),
            epsilon=self.epsilon,
            is_training=trains,
        )
        if trains:
            self._move(mean, variance, tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32))
        return tf.cast(outputs, self.compute_dtype)

    def _move(self, mean, variance, count):
        """Moves the running moments; the kernel's variance is that of a sample, Keras' that of the batch."""
        variance *= (count - 1.0) / count
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
