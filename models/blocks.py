"""The layers and blocks that several architectures share."""

import dataclasses
import re

import keras
import numpy as np
import tensorflow as tf

from . import randomness

MOST = 3.4e38  # of float32
SMALL = {"class_name": "VarianceScaling", "config": {"scale": 0.01}}  # kernels of what begins as hardly any change
FINISH = 3  # convolutions of `finish_picture`
UPSAMPLING = ("nearest", "bilinear", "transposed", "subpixel")


@keras.saving.register_keras_serializable("facezoo")
def leaky_relu(x, negative_slope: float = 0.1):
    """`max(negative_slope * x, x)`, with facenet's slope by default.

    >>> leaky_relu(np.array([-10.0, 2.0])).numpy().round(3).tolist()
    [-1.0, 2.0]
    """
    return keras.ops.leaky_relu(x, negative_slope)


@keras.saving.register_keras_serializable("facezoo")
def sampling(mean, log_var, epsilon):
    """The reparameterisation trick, `mean + exp(log_var / 2) * epsilon`: three [B, ...] -> [B, ...].

    >>> sampling(np.array([[1.0]]), np.array([[0.0]]), np.array([[0.5]])).numpy().tolist()
    [[1.5]]
    """
    return mean + keras.ops.exp(log_var / 2.0) * epsilon


@keras.saving.register_keras_serializable("facezoo")
class DepthToSpace(keras.layers.Layer):
    """Sub-pixel rearrangement, [B, H, W, 4 C] -> [B, 2 H, 2 W, C] (Shi et al. 2016)."""

    def call(self, inputs):
        return keras.ops.depth_to_space(inputs, 2)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, 2 * height, 2 * width, channels // 4


@keras.saving.register_keras_serializable("facezoo")
class Smoothing(keras.layers.Layer):
    """Each pixel averaged with its neighbours, by (1, 2, 1) along rows and columns: [B, H, W, C] -> the same shape.

    What has repeated pixels is then enlarged by straight lines. As a convolution is linear, it may come after one that
    follows the enlargement, where channels are few. At edges the weights are those of the neighbours that there are.
    """

    def call(self, inputs):
        channels = inputs.shape[-1]
        kernel = np.tile(np.outer((1.0, 2.0, 1.0), (1.0, 2.0, 1.0))[..., None, None], (1, 1, channels, 1))

        def add(pictures):
            known = keras.ops.convert_to_tensor(kernel, pictures.dtype)
            return keras.ops.depthwise_conv(pictures, known, padding="same")

        return add(inputs) / add(keras.ops.ones_like(inputs[:1]))

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("facezoo")
class Dropout(keras.layers.Layer):
    """Dropout whose mask is a function of (seed, step, position in the global batch).

    Args:
      rate: share of values set to zero in training, in [0, 1); the rest is scaled by 1 / (1 - rate).
      seed: the model's.
      stream: the layer's place in the model; two layers of one model need two streams.
    """

    def __init__(self, rate: float, seed: int, stream: str, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed, self.stream = rate, seed, stream

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        shape = tuple(inputs.shape[1:])
        draws = randomness.uniform(tf.shape(inputs)[0], shape, seed=self.seed, stream=self.stream)
        return tf.where(draws >= self.rate, inputs / (1.0 - self.rate), 0)

    def get_config(self):
        return super().get_config() | {"rate": self.rate, "seed": self.seed, "stream": self.stream}


@keras.saving.register_keras_serializable("facezoo")
class UpsampledConv2D(keras.layers.Conv2D):
    """`Conv2D` of what `UpSampling2D` gives, nearest pixels: [B, H, W, C] -> [B, 2 H, 2 W, filters].

    Of the taps of the kernel several fall on the same small pixel: their sums make the kernel of a transposed
    convolution, of 4x4 instead of 3x3 and for a quarter of the pixels. So the enlarged maps are never made, and 3x3
    costs 4/9 of its multiplications; the results are the same within rounding.

    Args:
      filters: channels that come out.
      kernel_size: of the convolution, an odd number of pixels.
      options: of `Conv2D`; the padding is "same".

    Raises:
      ValueError: an even kernel, or one that is not square; strides, dilation or groups.
    """

    def __init__(self, filters: int, kernel_size: int, **options):
        super().__init__(filters, kernel_size, **{**options, "padding": "same"})
        height, width = self.kernel_size
        if height != width or height % 2 == 0 or {*self.strides, *self.dilation_rate, self.groups} != {1}:
            raise ValueError(f"kernel_size={kernel_size} must be odd, without strides, dilation and groups")

    def call(self, inputs):
        taps = keras.ops.convert_to_tensor(_choose_taps(self.kernel_size[0]), self.compute_dtype)
        kernel = keras.ops.einsum("au,bv,uvcf->abfc", taps, taps, self.kernel)
        outputs = keras.ops.conv_transpose(inputs, kernel, strides=2, padding="same")
        outputs = keras.ops.add(outputs, self.bias) if self.use_bias else outputs
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return batch, height and 2 * height, width and 2 * width, self.filters


def _choose_taps(kernel_size: int) -> np.ndarray:
    """Which taps of a kernel each tap of the transposed one sums up: [kernel_size + 1, kernel_size] of 0 and 1."""
    taps = np.eye(kernel_size)[::-1]
    return np.pad(taps, ((0, 1), (0, 0))) + np.pad(taps, ((1, 0), (0, 0)))


@dataclasses.dataclass(frozen=True)
class ConvolutionStyle:
    """What all convolutions and dense layers of one network share; calling it makes a layer.

    Attributes:
      kernel_size: of convolutions, in pixels.
      kernel_initializer: a name that Keras knows: "glorot_uniform" (Xavier), "he_normal", "truncated_normal", ...; or
        a configuration, {"class_name": ..., "config": ...}. Not an initialiser: one gives every layer the same numbers.
      l2: factor of the L2 penalty on kernels; 0 is none.
      use_bias: off where batch normalisation follows.
    """

    kernel_size: int = 3
    kernel_initializer: str | dict = "glorot_uniform"
    l2: float = 0.0
    use_bias: bool = True

    def _kernel(self) -> dict:
        regularizer = keras.regularizers.L2(self.l2) if self.l2 else None
        return {"kernel_initializer": self.kernel_initializer, "kernel_regularizer": regularizer}

    def conv(self, filters: int, strides: int = 1, transposed: bool = False, **options) -> keras.layers.Layer:
        layer = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
        shared = {"padding": "same", "use_bias": self.use_bias, **self._kernel()}
        return layer(filters, self.kernel_size, strides=strides, **shared, **options)

    def make_upsampled_conv(self, filters: int) -> keras.layers.Layer:
        """Of maps that are enlarged twice, nearest pixels; `kernel_size` must be odd."""
        return UpsampledConv2D(filters, self.kernel_size, use_bias=self.use_bias, **self._kernel())

    def dense(self, units: int, **options) -> keras.layers.Layer:
        return keras.layers.Dense(units, **self._kernel(), **options)


def upsampling_block(x, style: ConvolutionStyle, filters: int, method: str, activate):
    """Doubles height and width around one convolution: [B, H, W, C] -> [B, 2 H, 2 W, filters].

    Args:
      x: symbolic feature maps.
      style: of the convolution.
      filters: channels that come out.
      method: "nearest" (convolve, then repeat pixels), "bilinear" (convolve, then enlarge by straight lines),
        "transposed" (transposed convolution of stride 2) or "subpixel" (convolve to 4 times the filters, then depth to
        space).
      activate: what follows the convolution: symbolic tensor -> symbolic tensor.
    """
    if method in ("nearest", "bilinear"):
        return keras.layers.UpSampling2D(interpolation=method)(activate(style.conv(filters)(x)))
    if method == "subpixel":
        return DepthToSpace()(activate(style.conv(4 * filters)(x)))
    return activate(style.conv(filters, strides=2, transposed=True)(x))


def conv2d_block(x, scale: float, style: ConvolutionStyle, activate):
    """facenet's residual block, `x + scale * activate(conv(x))`: [B, H, W, C] -> the same shape.

    Nothing follows the sum, so that a chain of blocks keeps a path without activations (as Inception-ResNet: Szegedy et
    al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning" (2016), figure 20).

    >>> maps = keras.Input((8, 8, 4))
    >>> conv2d_block(maps, 0.1, ConvolutionStyle(), lambda x, scale: scale * keras.ops.leaky_relu(x)).shape
    (None, 8, 8, 4)

    Args:
      x: symbolic feature maps.
      scale: of the change to x; facenet's is 0.1.
      style: of the convolution.
      activate: what follows the convolution, facenet's batch normalisation and leaky ReLU, times a scale, which
        batch normalisation takes along for nothing: (symbolic, scale) -> symbolic.
    """
    return x + activate(style.conv(x.shape[-1])(x), scale)


def residual_block(x, style: ConvolutionStyle, negative_slope: float = 0.2):
    """DeepFaceLab's residual block, `leaky(x + conv(leaky(conv(x))))`: [B, H, W, C] -> the same shape.

    Perov et al., "DeepFaceLab: Integrated, flexible and extensible face-swapping framework" (2020).

    Args:
      x: symbolic feature maps.
      style: of both convolutions.
      negative_slope: of both leaky ReLUs.
    """
    change = keras.layers.LeakyReLU(negative_slope)(style.conv(x.shape[-1])(x))
    change = style.conv(x.shape[-1])(change)
    return keras.layers.LeakyReLU(negative_slope)(keras.layers.Add()([x, change]))


def output_skip(picture, x, style: ConvolutionStyle, channels: int, is_smoothed: bool = False):
    """Adds the picture that one decoder stage sees to that of the stages before, resized: float32 [B, H, W, channels].

    Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), figure 7b. The sum is not squashed.

    Args:
      picture: of the stages before, as large as `x` or half as large; None at the first stage.
      x: this stage's feature maps, [B, H, W, *].
      style: of the convolution to the stage's own picture; the paper's is 1x1.
      channels: of the pictures.
      is_smoothed: the stage's picture is smoothed (`Smoothing`).
    """
    own = style.conv(channels, dtype="float32")(x)
    if is_smoothed:
        own = Smoothing(dtype="float32")(own)
    if picture is None:
        return own
    if picture.shape[1] != x.shape[1]:
        picture = keras.layers.UpSampling2D(interpolation="bilinear", dtype="float32")(picture)
    return keras.layers.Add(dtype="float32")([picture, own])


def images_out(x, style: ConvolutionStyle, channels: int, name: str | None = None, is_smoothed: bool = False):
    """The last layer of a decoder: features [B, H, W, *] -> pictures float32 [B, H, W, channels] in (0, 1).

    `name` is the convolution's; what comes out of it may be smoothed (`Smoothing`).
    """
    x = style.conv(channels, name=name)(x)
    if is_smoothed:
        x = Smoothing(dtype="float32")(x)
    return keras.layers.Activation("sigmoid", dtype="float32")(x)


def finish_picture(picture, filters: int, style: ConvolutionStyle):
    """Changes a decoder's picture by convolutions at its full size: float32 [B, H, W, C] -> the same shape.

    Decoders that repeat pixels in their last stage leave a grid, which these learn to take away. They begin as
    hardly any change. The sum is not squashed.

    Args:
      picture: of the decoder.
      filters: channels of the two hidden convolutions, 5x5 and 3x3.
      style: of which the kernels' first numbers and penalty are taken.
    """
    x = picture
    for kernel_size in (5, 3):
        x = keras.layers.ReLU()(dataclasses.replace(style, kernel_size=kernel_size).conv(filters)(x))
    last = dataclasses.replace(style, kernel_size=3, kernel_initializer=SMALL)
    return keras.layers.Add(dtype="float32")([picture, last.conv(picture.shape[-1], dtype="float32")(x)])


def code_size(image_size: int, reduction: int) -> int:
    """Height of the code's feature maps; a ValueError where `image_size` is not a multiple of `reduction`."""
    if image_size < reduction or image_size % reduction:
        raise ValueError(f"image_size={image_size} must be a multiple of {reduction}, by which the encoder shrinks it")
    return image_size // reduction


def sign_attributes(attributes, names: tuple[str, ...]):
    """Attributes [B, A] in {0, 1} as -1 and 1, and 0 where they are unknown, 0.5: float32 [B, A].

    Raises:
      ValueError: there are not as many as names.
    """
    attributes = keras.ops.cast(keras.ops.convert_to_tensor(attributes), "float32")
    if len(attributes.shape) != 2 or attributes.shape[1] != len(names):
        raise ValueError(
            f"attributes of shape {tuple(attributes.shape)} must have {len(names)} columns, "
            f"as the model knows {', '.join(names)}"
        )
    return 2.0 * attributes - 1.0


def check_name(name: str | None) -> None:
    """A ValueError for a name that TensorFlow would not take for a scope, once the model is called."""
    if name is not None and not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\\>-]*", name):
        raise ValueError(f"name={name!r} must be made of letters, digits, _, . and -, and begin with none of the marks")


def check_pictures(image_size: int, channels: int) -> None:
    """A ValueError where pictures cannot have this size or these channels."""
    if channels not in (1, 3):
        raise ValueError(f"channels={channels} must be 1 (gray) or 3 (RGB)")
    if image_size < 1:
        raise ValueError(f"image_size={image_size} must be at least 1")


def check_choice(name: str, value: str, choices) -> str:
    """`value`, or a ValueError that names the argument and what it may be."""
    if value not in choices:
        raise ValueError(f"{name}={value!r} must be one of {', '.join(choices)}")
    return value


def check_positive(**values: int) -> None:
    """A ValueError that names the first argument that is not a positive whole number."""
    for name, value in values.items():
        if not (_is_whole(value) and value > 0):
            raise ValueError(f"{name}={value!r} must be a positive whole number")


def check_stages(**values: tuple[int, ...] | None) -> None:
    """A ValueError that names the first argument that is neither None nor a positive whole number for each stage."""
    for name, value in values.items():
        if value is None:
            continue
        if not isinstance(value, (tuple, list)) or not value:
            raise ValueError(f"{name}={value!r} must be numbers with commas between them, one for each stage")
        if not all(_is_whole(number) and number > 0 for number in value):
            raise ValueError(f"{name}={value!r} must be made of positive whole numbers")


def check_boolean(**values: bool) -> None:
    """A ValueError that names the first argument that is neither True nor False."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name}={value!r} must be True or False")


def check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of attributes as a tuple, or a ValueError where there are none, or one stands twice."""
    if isinstance(names, str) or not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"attributes={names!r} must be names with commas between them, at least one")
    if len(set(names)) < len(names):
        raise ValueError(f"attributes={tuple(names)} must name each attribute once")
    return tuple(names)


def check_not_negative(**values: float | None) -> None:
    """A ValueError that names the first argument that is neither None nor a number of at least 0."""
    for name, value in values.items():
        if value is not None and not (_is_number(value) and 0 <= value <= MOST):
            raise ValueError(f"{name}={value!r} must be a number of at least 0 and at most {MOST:g}")


def check_fraction(**values: float) -> None:
    """A ValueError that names the first argument outside [0, 1)."""
    for name, value in values.items():
        if not (_is_number(value) and 0 <= value < 1):
            raise ValueError(f"{name}={value!r} must be at least 0 and below 1")


def check_count(**values: int) -> None:
    """A ValueError that names the first argument that is not a whole number of at least 0."""
    for name, value in values.items():
        if not (_is_whole(value) and value >= 0):
            raise ValueError(f"{name}={value!r} must be a whole number of at least 0")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and _is_number(value) and value.bit_length() < 64  # as many as TensorFlow has


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)  # True is an int for Python
