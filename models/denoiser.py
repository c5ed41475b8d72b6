"""The network that tells what is noise in a noisy picture code, and what is picture."""

import math

import keras
import tensorflow as tf

from .blocks import SMALL, ConvolutionStyle

GROUP_CHANNELS = 16  # that are normalised together
HEAD_CHANNELS = 32  # of one attention head
WAVES = 32  # in which a time is told
CONVOLUTION = ConvolutionStyle(3, "he_normal")
LAST = ConvolutionStyle(3, SMALL)


def make_waves(numbers):
    """Numbers in [0, 1] as sines and cosines from half a wave to many: [B, 1] -> float32 [B, 2 * WAVES].

    Vaswani et al., "Attention Is All You Need" (2017), section 3.5.
    """
    phases = math.pi * numbers * tf.range(1.0, WAVES + 1.0)
    return tf.concat([tf.sin(phases), tf.cos(phases)], axis=-1)


@keras.saving.register_keras_serializable("facezoo")
class Places(keras.layers.Layer):
    """Adds what is learned of each place, since faces lie alike in their pictures: [B, H, W, C] -> the same shape."""

    def build(self, input_shape):
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.places = self.add_weight(shape=input_shape[1:], initializer=start, name="places")

    def call(self, inputs):
        return inputs + tf.cast(self.places, inputs.dtype)


@keras.saving.register_keras_serializable("facezoo")
class GroupNormalization(keras.layers.GroupNormalization):
    """Group normalisation of [B, ..., C] by TensorFlow's fused kernel, several times as fast on a CPU.

    Wu and He, "Group Normalization" (2018). To the kernel each group of each example is a channel of one example.
    """

    def call(self, inputs):
        channels = inputs.shape[-1]
        places, size = math.prod(inputs.shape[1:-1]), channels // self.groups
        apart = tf.transpose(tf.reshape(inputs, (-1, places, self.groups, size)), (1, 3, 0, 2))
        count = tf.shape(inputs)[0] * self.groups
        ones, zeros = tf.ones(count), tf.zeros(count)
        maps, *_ = tf.compat.v1.nn.fused_batch_norm(
            tf.reshape(apart, (1, places, size, count)), ones, zeros, epsilon=self.epsilon, is_training=True
        )
        outputs = tf.transpose(tf.reshape(maps, (places, size, -1, self.groups)), (2, 0, 3, 1))
        outputs = tf.reshape(outputs, (-1, *inputs.shape[1:]))
        return outputs * tf.cast(self.gamma, outputs.dtype) + tf.cast(self.beta, outputs.dtype)


@keras.saving.register_keras_serializable("facezoo")
class Attention(keras.layers.Layer):
    """Self-attention between all places of maps, with several heads: [B, H, W, C] -> the same shape.

    Vaswani et al., "Attention Is All You Need" (2017), equation 1; it begins as next to nothing.
    """

    def build(self, input_shape):
        channels = input_shape[-1]
        self.heads = _count_parts(channels, HEAD_CHANNELS)
        self.project = keras.layers.Dense(3 * channels, use_bias=False, dtype=self.dtype_policy)
        self.merge = keras.layers.Dense(channels, kernel_initializer=SMALL, dtype=self.dtype_policy)
        self.project.build(input_shape)
        self.merge.build(input_shape)

    def call(self, inputs):
        height, width, channels = inputs.shape[1:]
        projected = tf.reshape(self.project(inputs), (-1, height * width, 3, self.heads, channels // self.heads))
        queries, keys, told = tf.unstack(tf.transpose(projected, (2, 0, 3, 1, 4)))  # each [B, heads, H W, *]
        scores = tf.matmul(queries, keys, transpose_b=True) / math.sqrt(channels // self.heads)
        weights = tf.cast(tf.nn.softmax(tf.cast(scores, tf.float32)), told.dtype)
        found = tf.transpose(tf.matmul(weights, told), (0, 2, 1, 3))
        return self.merge(tf.reshape(found, (-1, height, width, channels)))

    def compute_output_shape(self, input_shape):
        return input_shape


def build_denoiser(
    shape: tuple[int, ...],
    told: int,
    width: int,
    depth: int,
    levels: int = 1,
    guide_channels: int = 0,
    steer_width: int | None = None,
    name: str = "denoiser",
) -> keras.Model:
    """A network that finds the velocity of what is noisy; every block is steered by scale and shift.

    Of maps it is a U-Net (Ronneberger et al. 2015) of residual blocks with attention and adaptive group normalisation
    (Dhariwal and Nichol, "Diffusion Models Beat GANs on Image Synthesis" (2021), section 3), of vectors as many
    residual blocks of dense layers.

    Args:
      shape: of one example of what is noisy, (H, W, C) or (D,).
      told: numbers that steer: the time as `make_waves` writes it, and what else is known.
      width: channels or units of the blocks; each level below has half as many again.
      depth: blocks of each level on the way down, and on the way up.
      levels: each after the first halves the maps; vectors have one.
      guide_channels: of maps that are known, and as large.
      steer_width: units from which scales and shifts are made; `width` if absent.
      name: of the network.

    Returns:
      A network of [noisy [B, *shape], told [B, told]], or [noisy, guide [B, H, W, guide_channels], told]
      -> float32 [B, *shape].
    """
    noisy, known = keras.Input(shape), keras.Input((told,))
    narrow = keras.layers.Dense(steer_width or width, activation="silu")
    steer = narrow(keras.layers.Dense(2 * width, activation="silu")(known))
    if len(shape) == 1:
        x = keras.layers.Dense(width)(noisy)
        for _ in range(2 * depth):
            x = _dense_block(x, steer)
        last = keras.layers.Dense(shape[-1], kernel_initializer=SMALL, dtype="float32")
        return keras.Model([noisy, known], last(_normalize(x, steer)), name=name)
    guides = [keras.Input((*shape[:2], guide_channels))] if guide_channels else []
    seen = keras.layers.Concatenate()([noisy, *guides]) if guides else noisy
    x = _build_maps(Places()(CONVOLUTION.conv(width)(seen)), steer, width, depth, levels)
    last = keras.layers.Conv2D(shape[-1], 1, kernel_initializer=SMALL, dtype="float32")
    return keras.Model([noisy, *guides, known], last(_normalize(x, steer)), name=name)


def _build_maps(x, steer, width: int, depth: int, levels: int):
    """The way down and up again: [B, H, W, width] -> the same shape."""
    widths = [width + level * width // 2 for level in range(levels)]
    passed = []
    for level, own in enumerate(widths):
        if level:
            x = CONVOLUTION.conv(own, strides=2)(x)
        for _ in range(depth):
            x = _block(x, steer, own)
            passed.append(x)
    for level, own in reversed([*enumerate(widths)]):
        for _ in range(depth):
            x = _block(keras.layers.Concatenate()([x, passed.pop()]), steer, own)
        if level:
            x = CONVOLUTION.make_upsampled_conv(widths[level - 1])(x)
    return x


def _dense_block(x, steer):
    """Two dense layers, added to what they read."""
    units = x.shape[-1]
    change = keras.layers.Dense(units, kernel_initializer="he_normal")(_normalize(x, steer))
    return keras.layers.Add()([x, keras.layers.Dense(units, kernel_initializer=SMALL)(_normalize(change, steer))])


def _block(x, steer, width: int):
    """Two convolutions and attention, each added to what it reads."""
    change = CONVOLUTION.conv(width)(_normalize(x, steer))
    change = LAST.conv(width)(_normalize(change, steer))
    if x.shape[-1] != width:
        x = keras.layers.Conv2D(width, 1)(x)
    x = keras.layers.Add()([x, change])
    return keras.layers.Add()([x, Attention()(_groups(width)(x))])


def _normalize(x, steer):
    """Normalised maps or vectors, scaled and shifted as `steer` says, then SiLU."""
    channels = x.shape[-1]
    scale, shift = (
        keras.layers.Reshape((1,) * (len(x.shape) - 2) + (channels,))(
            keras.layers.Dense(channels, kernel_initializer=SMALL)(steer)
        )
        for _ in range(2)
    )
    x = _groups(channels)(x)
    x = keras.layers.Add()([x, keras.layers.Multiply()([x, scale]), shift])
    return keras.layers.Activation("silu", dtype="float32")(x)  # on a CPU twice as fast as in bfloat16


def _groups(channels: int) -> keras.layers.Layer:
    return GroupNormalization(_count_parts(channels, GROUP_CHANNELS))


def _count_parts(channels: int, least: int) -> int:
    """Into how many equal parts channels can be divided at most, if each has at least so many."""
    return max(count for count in range(1, max(1, channels // least) + 1) if channels % count == 0)
