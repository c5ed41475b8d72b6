"""The network that tells what is noise in a noisy picture code, and what is picture."""

import math
from typing import Any

import keras
import tensorflow as tf

from .blocks import ConvolutionStyle

GROUP_CHANNELS = 16  # that are normalised together
HEAD_CHANNELS = 32  # of one attention head
WAVES = 32  # in which an angle is told
CONVOLUTION = ConvolutionStyle(3, "he_normal")
SMALL = {"class_name": "VarianceScaling", "config": {"scale": 0.01}}  # of what begins as hardly any change
LAST = ConvolutionStyle(3, SMALL)


@keras.saving.register_keras_serializable("facezoo")
class Waves(keras.layers.Layer):
    """A number in [0, 1] as sines and cosines of growing frequency: [B, 1] -> float32 [B, 2 * count].

    Vaswani et al., "Attention Is All You Need" (2017), section 3.5, with frequencies from half a wave to `count` / 2.
    """

    def __init__(self, count: int = WAVES, **options: Any):
        super().__init__(**{**options, "dtype": "float32"})
        self.count = count

    def call(self, inputs):
        phases = math.pi * inputs * tf.range(1.0, self.count + 1.0)
        return tf.concat([tf.sin(phases), tf.cos(phases)], axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape[0], 2 * self.count

    def get_config(self):
        return {**super().get_config(), "count": self.count}


@keras.saving.register_keras_serializable("facezoo")
class Places(keras.layers.Layer):
    """Adds what is learned of each place, since faces lie alike in their pictures: [B, H, W, C] -> the same shape."""

    def build(self, input_shape):
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.places = self.add_weight(shape=input_shape[1:], initializer=start, name="places")

    def call(self, inputs):
        return inputs + tf.cast(self.places, inputs.dtype)


@keras.saving.register_keras_serializable("facezoo")
class Attention(keras.layers.Layer):
    """Self-attention between all places of maps, with several heads: [B, H, W, C] -> the same shape.

    Vaswani et al., "Attention Is All You Need" (2017), equation 1; it begins as next to nothing.
    """

    def build(self, input_shape):
        channels = input_shape[-1]
        self.heads = max(1, channels // HEAD_CHANNELS)
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
    grid: int, channels: int, guide_channels: int, code_dim: int, width: int, depth: int, levels: int
) -> keras.Model:
    """A U-Net of residual blocks with attention, each steered by scale and shift after its normalisation.

    Ronneberger et al., "U-Net" (2015); adaptive group normalisation and attention as in Dhariwal and Nichol,
    "Diffusion Models Beat GANs on Image Synthesis" (2021), section 3.

    Args:
      grid: height and width of the maps.
      channels: of what is noisy.
      guide_channels: of the maps that are known.
      code_dim: numbers of the code that is known.
      width: channels of the blocks; each level below has half as many again.
      depth: blocks of each level on the way down, and on the way up.
      levels: each after the first halves the maps.

    Returns:
      A network of [noisy [B, H, W, channels], guide [B, H, W, guide_channels], code [B, code_dim], angle [B, 1],
      doubt [B, 1]] -> velocity float32 [B, H, W, channels]; angle and doubt are in [0, 1].
    """
    noisy, guide = keras.Input((grid, grid, channels)), keras.Input((grid, grid, guide_channels))
    code, angle, doubt = keras.Input((code_dim,)), keras.Input((1,)), keras.Input((1,))
    told = keras.layers.Concatenate()([Waves()(angle), Waves()(doubt), code])
    steer = keras.layers.Dense(width, activation="silu")(keras.layers.Dense(2 * width, activation="silu")(told))
    x = Places()(CONVOLUTION.conv(width)(keras.layers.Concatenate()([noisy, guide])))
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
    velocity = keras.layers.Conv2D(channels, 1, kernel_initializer=SMALL, dtype="float32")(_normalize(x, steer))
    return keras.Model([noisy, guide, code, angle, doubt], velocity, name="denoiser")


def _block(x, steer, width: int):
    """Two convolutions and attention, each added to what it reads."""
    change = CONVOLUTION.conv(width)(_normalize(x, steer))
    change = LAST.conv(width)(_normalize(change, steer))
    if x.shape[-1] != width:
        x = keras.layers.Conv2D(width, 1)(x)
    x = keras.layers.Add()([x, change])
    return keras.layers.Add()([x, Attention()(_groups(width)(x))])


def _normalize(x, steer):
    """Normalised maps, scaled and shifted as `steer` says, then SiLU."""
    channels = x.shape[-1]
    scale, shift = (
        keras.layers.Reshape((1, 1, channels))(keras.layers.Dense(channels, kernel_initializer=SMALL)(steer))
        for _ in range(2)
    )
    x = _groups(channels)(x)
    x = keras.layers.Add()([x, keras.layers.Multiply()([x, scale]), shift])
    return keras.layers.Activation("silu")(x)


def _groups(channels: int) -> keras.layers.Layer:
    return keras.layers.GroupNormalization(max(1, channels // GROUP_CHANNELS))
