"""A network that tells people apart by their faces.

King, "High quality face recognition with deep metric learning" (2017): dlib's residual network of 29 convolutions, like
He, Zhang, Ren, Sun, "Deep residual learning for image recognition" (2016). It gives 128 numbers of a face; faces of one
person are less than 0.6 apart, Euclidean.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .colours import as_colours
from .weights import find_weights, read_arrays

WEIGHTS_FILE = "face_recognition.npz"
SIDE = 150  # pixels that the network takes
MEANS = (122.782, 117.001, 104.298)  # of red, green, blue in 0..255
CODE_SIZE = 128
SAME_PERSON = 0.6
STRANGERS = 0.83  # how far apart they are on average in CelebA
# Stages: channels, residual blocks after the one that halves the size, and what that one is called.
STAGES = ((32, 3, ""), (64, 3, "conv64_down"), (128, 2, "conv128_down"), (256, 2, "conv256_down"))
LAST = "conv256_down_out"

Arrays = dict[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]


class FaceSquare(NamedTuple):
    """The square of a picture that holds the face, in sides of the picture: its left and top edge, and its side."""

    left: float
    top: float
    side: float


@keras.saving.register_keras_serializable("facezoo")
class FaceCut(keras.layers.Layer):
    """A square of pictures in [0, 1] as the recogniser takes it: [B, H, W, 3 or 1] -> [B, 150, 150, 3].

    Args:
      square: (left, top, side) in sides of the picture.

    Raises:
      ValueError: pictures of neither 1 nor 3 channels.
    """

    def __init__(self, square: tuple[float, float, float], **keras_arguments):
        super().__init__(**keras_arguments)
        self.square = tuple(square)

    def call(self, images):
        colours = as_colours(images, "the recogniser")
        height, width = images.shape[1:3]
        left, top, side = self.square
        scale = np.array([SIDE / (side * height), SIDE / (side * width)], np.float32)
        cut = tf.raw_ops.ScaleAndTranslate(
            images=colours,
            size=[SIDE, SIDE],
            scale=scale,
            translation=-scale * np.array([top * height, left * width], np.float32),
            kernel_type="triangle",
            antialias=True,
        )
        return (255.0 * cut - tf.constant(MEANS, cut.dtype)) / 256.0

    def compute_output_shape(self, input_shape):
        return (input_shape[0], SIDE, SIDE, 3)

    def get_config(self):
        return {**super().get_config(), "square": self.square}


def recogniser(square: tuple[float, float, float], image_size: int, weights: str | None = None) -> keras.Model:
    """The frozen network: float32 [B, H, W, 3 or 1] in [0, 1] -> [B, 128]. It preprocesses by itself, in float32.

    Args:
      square: where the faces are, a `FaceSquare`. The network was trained on faces cut as dlib cuts them, and takes
        strangers for one person where there is more around the face.
      image_size: H and W in pixels.
      weights: `.npz` file or its folder, with face-api's names; None looks for it as `find_weights` does.

    Raises:
      WeightsError: the weights cannot be had, or are damaged or another network's.
    """
    arrays = read_arrays(find_weights(WEIGHTS_FILE, weights), _shapes())
    images = keras.Input((image_size, image_size, None), dtype="float32")
    x = _convolution(FaceCut(square, dtype="float32")(images), arrays, "conv32_down", 2)
    x = keras.layers.MaxPooling2D(3, 2, dtype="float32")(x)
    for channels, count, down in STAGES:
        x = _halving_block(x, arrays, down) if down else x
        for number in range(1, count + 1):
            x = _block(x, arrays, f"conv{channels}_{number}")
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(_halving_block(x, arrays, LAST))
    dense = keras.layers.Dense(arrays["fc"].shape[1], use_bias=False, dtype="float32", name="fc")
    model = keras.Model(images, dense(x), name="recogniser")
    dense.set_weights([arrays["fc"]])
    model.trainable = False
    return model


def _block(x: Any, arrays: Arrays, name: str) -> Any:
    y = _convolution(x, arrays, f"{name}/conv1")
    return _sum(x, _convolution(y, arrays, f"{name}/conv2", activation=None))


def _halving_block(x: Any, arrays: Arrays, name: str) -> Any:
    """What is added is averaged over 2x2; missing channels, and a missing last row and column, are zeros."""
    y = _convolution(x, arrays, f"{name}/conv1", 2)
    y = _convolution(y, arrays, f"{name}/conv2", activation=None)
    pooled = keras.layers.AveragePooling2D(2, dtype="float32")(x)
    missing = [pooled.shape[axis] - y.shape[axis] for axis in (1, 2)]
    if any(missing):
        y = keras.layers.ZeroPadding2D(tuple((0, count) for count in missing), dtype="float32")(y)
    if y.shape[-1] > pooled.shape[-1]:
        zeros = keras.layers.Rescaling(0.0, dtype="float32")(pooled)
        pooled = keras.layers.Concatenate(dtype="float32")([pooled, zeros])  # channels double from stage to stage
    return _sum(pooled, y)


def _sum(first: Any, second: Any) -> Any:
    added = keras.layers.Add(dtype="float32")([first, second])
    return keras.layers.ReLU(dtype="float32")(added)


def _convolution(x: Any, arrays: Arrays, name: str, stride: int = 1, activation: str | None = "relu") -> Any:
    """A convolution with the scale and shift of each channel after it, folded into it."""
    kernel, bias = arrays[f"{name}/conv/filters"], arrays[f"{name}/conv/bias"]
    scales, shifts = arrays[f"{name}/scale/weights"], arrays[f"{name}/scale/biases"]
    layer = keras.layers.Conv2D(
        len(bias),
        kernel.shape[0],
        stride,
        "same" if stride == 1 else "valid",
        activation=activation,
        kernel_initializer="zeros",
        dtype="float32",
    )
    y = layer(x)
    layer.set_weights([kernel * scales, bias * scales + shifts])
    return y


def _shapes() -> Shapes:
    shapes = _convolution_shapes("conv32_down", 7, 3, 32)
    channels = 32
    for filters, count, down in STAGES:
        names = ([down] if down else []) + [f"conv{filters}_{number}" for number in range(1, count + 1)]
        for name in names:
            shapes |= _block_shapes(name, channels, filters)
            channels = filters
    return shapes | _block_shapes(LAST, channels, channels) | {"fc": (channels, CODE_SIZE)}


def _block_shapes(name: str, channels: int, filters: int) -> Shapes:
    return _convolution_shapes(f"{name}/conv1", 3, channels, filters) | _convolution_shapes(
        f"{name}/conv2", 3, filters, filters
    )


def _convolution_shapes(name: str, size: int, channels: int, filters: int) -> Shapes:
    vectors = {f"{name}/{part}": (filters,) for part in ("conv/bias", "scale/weights", "scale/biases")}
    return {f"{name}/conv/filters": (size, size, channels, filters), **vectors}
