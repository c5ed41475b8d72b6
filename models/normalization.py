"""Batch normalisation that is one pass where the device has one."""

import keras
import tensorflow as tf

from .batches import is_tensorflow

# With fewer channels oneDNN has no vectorised kernel.
FEWEST_CHANNELS_OF_FUSED_KERNEL = 16


@keras.saving.register_keras_serializable("facezoo")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalisation over the last axis of feature maps, synchronised over replicas.

    On one replica it runs TensorFlow's fused kernel in the type that comes in, its sums in float32, instead of separate
    passes in float32; of few channels it takes the moments in rows. The results are Keras' within rounding. On several
    replicas, whose moments belong together, and for inputs that are not feature maps, it is Keras' own.

    Ioffe and Szegedy, "Batch Normalization" (2015), algorithm 1.

    Args:
      output_scale: of what comes out; it costs nothing here.
      options: Keras' own.
    """

    def __init__(self, output_scale: float = 1.0, **options):
        super().__init__(**{**options, "synchronized": is_tensorflow()})
        self.output_scale = output_scale

    def get_config(self):
        return super().get_config() | {"output_scale": self.output_scale}

    def call(self, inputs, training=None, mask=None):
        trains = bool(training and self.trainable)
        if len(inputs.shape) != 4 or not is_tensorflow() or (trains and _count_replicas() > 1):
            return self.output_scale * super().call(inputs, training=training, mask=mask)
        is_wide = inputs.shape[-1] >= FEWEST_CHANNELS_OF_FUSED_KERNEL or inputs.shape[2] is None
        normalize = self._by_fused_kernel if is_wide else self._in_rows
        outputs, mean, variance = normalize(inputs, trains)
        if trains:
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        return tf.cast(outputs, self.compute_dtype)

    def _by_fused_kernel(self, inputs, trains):
        """Outputs, mean and variance of [B, H, W, C]."""
        scale, offset = self._scale_and_offset()
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            scale,
            offset,
            mean=None if trains else tf.cast(self.moving_mean, tf.float32),
            variance=None if trains else tf.cast(self.moving_variance, tf.float32),
            epsilon=self.epsilon,
            is_training=trains,
        )
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
        return outputs, mean, variance * (count - 1.0) / count  # the kernel's is that of a sample

    def _in_rows(self, inputs, trains):
        """The same, in float32: rows of pixels are wide enough for vector instructions where C numbers are not."""
        _, _, width, channels = inputs.shape
        scale, offset = self._scale_and_offset()
        rows = tf.reshape(tf.cast(inputs, tf.float32), (-1, width * channels))  # [B * H, W * C]

        def average(rows):
            return tf.reduce_mean(tf.reshape(tf.reduce_mean(rows, axis=0), (width, channels)), axis=0)  # [C]

        def in_row(values):
            return tf.tile(values, (width,))  # [W * C]

        mean = average(rows) if trains else tf.cast(self.moving_mean, tf.float32)
        centred = rows - in_row(mean)
        variance = average(tf.square(centred)) if trains else tf.cast(self.moving_variance, tf.float32)
        outputs = centred * in_row(scale * tf.math.rsqrt(variance + self.epsilon)) + in_row(offset)
        return tf.reshape(outputs, tf.shape(inputs)), mean, variance

    def _scale_and_offset(self):
        """What the normalised maps are multiplied by, and what is added: two float32 [C]."""
        ones = tf.fill(self.moving_mean.shape, self.output_scale)
        scale = ones * tf.cast(self.gamma, tf.float32) if self.scale else ones
        offset = ones * tf.cast(self.beta, tf.float32) if self.center else tf.zeros_like(ones)
        return scale, offset


def _count_replicas() -> int:
    return tf.distribute.get_strategy().num_replicas_in_sync


@keras.saving.register_keras_serializable("facezoo")
class KeptNormalization(BatchNormalization):
    """Batch normalisation by the moments that it has, in training too: where batches are too alike to tell new ones."""

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False, mask=mask)
