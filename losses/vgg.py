"""Frozen VGG networks of the perceptual loss: their weights are downloaded or read from a file, never random.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), table 1, D and E.
"""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

from .applications import download_application
from .colours import as_colours
from .weights import MissingWeightsError, WeightsError, find_weights, reason

CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # in each of the five blocks
FILTERS = (64, 128, 256, 512, 512)  # of each block
VGG16_FILE = "vgg16_notop.weights.h5"  # all convolutions of VGG16
IMAGENET_MEANS = (103.939, 116.779, 123.68)  # blue, green, red in 0..255: keras.applications' mode "caffe"

Arrays = dict[str, list[np.ndarray]]  # a convolution's name -> its kernel and bias
Shapes = dict[str, tuple[tuple[int, ...], ...]]  # the same of their shapes


@keras.saving.register_keras_serializable("facezoo")
class CaffePreprocessing(keras.layers.Layer):
    """RGB or gray in [0, 1] to what VGG was trained on: [B, H, W, 3 or 1] -> [B, H, W, 3], BGR in 0..255 less a mean.

    Raises:
      ValueError: pictures of neither 1 nor 3 channels.
    """

    def call(self, images):
        colours = as_colours(images, "VGG")
        return 255.0 * tf.reverse(colours, (-1,)) - tf.constant(IMAGENET_MEANS, images.dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 3)


class _FeatureNetwork(keras.Model):
    """A functional model whose outputs are a list: Keras' own would give the only one of them bare."""

    def call(self, inputs, training=None, mask=None):
        return tf.nest.flatten(super().call(inputs, training=training, mask=mask))


def vgg_features(
    network: str, layers: Sequence[str], weights: str, image_size: int, *, dtype: str | None = None
) -> keras.Model:
    """A frozen VGG up to the deepest of some layers: float32 [B, H, W, 3 or 1] in [0, 1] -> list of feature maps.

    It preprocesses by itself, in float32.

    >>> network = vgg_features("vgg16", ("block3_conv3",), "imagenet", 64)  # doctest: +SKIP
    >>> network(pictures)[0].shape  # doctest: +SKIP
    TensorShape([8, 16, 16, 256])
    >>> vgg_features("vgg16", ("block3_conv3",), "imagenet", 2)
    Traceback (most recent call last):
    ValueError: block3_conv3 needs pictures of at least 4 pixels, not 2

    Args:
      network: "vgg16" or "vgg19".
      layers: convolutions, which contain their ReLU, by Keras' names ("block3_conv1") or the papers' ("relu3_1").
      weights: "imagenet", which is VGG16's file where it is found (`find_weights`) and else downloaded through
        `keras.applications`; or a file: `.weights.h5`, saved by Keras 3 from
        the network or its beginning, or `.h5` of `keras.applications`. VGG16 and VGG19 begin alike, so a file that ends
        before block3_conv4 cannot be told from the other network's.
      image_size: H and W in pixels.
      dtype: of the convolutions; the current policy's by default.

    Returns:
      A network whose outputs are a list in the order of `layers`, for one layer too.

    Raises:
      ValueError: no such network or layer, or pictures too small for the layers.
      WeightsError: the download failed, or the file is missing, damaged, another network's or too shallow.
    """
    names = _convolution_names(network, layers)
    shapes = _shapes_up_to(network, names)
    smallest = 2 ** (_block(list(shapes)[-1]) - 1)
    if image_size < smallest:
        raise ValueError(f"{list(shapes)[-1]} needs pictures of at least {smallest} pixels, not {image_size}")
    arrays = _read_imagenet(network, shapes) if weights == "imagenet" else _read_file(Path(weights), network, shapes)
    return _build(network, names, {name: arrays[name] for name in shapes}, image_size, dtype)


def _convolution_names(network: str, layers: Sequence[str]) -> list[str]:
    """Keras' names of layers; raises ValueError for what the network does not have."""
    if network not in CONVOLUTIONS:
        raise ValueError(f"no network {network!r}; there are {', '.join(CONVOLUTIONS)}")
    known = list(_shapes(network))
    names = [re.sub(r"^relu(\d)_(\d)$", r"block\1_conv\2", layer) for layer in layers]
    for layer, name in zip(layers, names, strict=True):
        if name not in known:
            raise ValueError(f"{network} has no layer {layer!r}; it has {', '.join(known)}")
    if not names:
        raise ValueError(f"no layer of {network} asked for; it has {', '.join(known)}")
    return names


def _shapes(network: str) -> Shapes:
    """All convolutions of a network, in order."""
    shapes: Shapes = {}
    channels = 3
    for block, (count, filters) in enumerate(zip(CONVOLUTIONS[network], FILTERS, strict=True), 1):
        for number in range(1, count + 1):
            shapes[f"block{block}_conv{number}"] = ((3, 3, channels, filters), (filters,))
            channels = filters
    return shapes


def _shapes_up_to(network: str, names: Sequence[str]) -> Shapes:
    """The convolutions up to the deepest of some."""
    shapes = _shapes(network)
    count = 1 + max(list(shapes).index(name) for name in names)
    return dict(list(shapes.items())[:count])


def _block(name: str) -> int:
    return int(name[len("block")])


def _build(network: str, names: Sequence[str], arrays: Arrays, image_size: int, dtype: str | None) -> keras.Model:
    images = keras.Input((image_size, image_size, None), dtype="float32")
    x, maps, block = CaffePreprocessing(dtype="float32")(images), {}, 1
    for name, (kernel, bias) in arrays.items():
        if _block(name) != block:
            x = keras.layers.MaxPooling2D(name=f"block{block}_pool", dtype=dtype)(x)
            block = _block(name)
        convolution = keras.layers.Conv2D(
            len(bias), 3, padding="same", activation="relu", kernel_initializer="zeros", name=name, dtype=dtype
        )
        maps[name] = x = convolution(x)
        convolution.set_weights([kernel, bias])
    model = _FeatureNetwork(images, [maps[name] for name in names], name=network)
    model.trainable = False
    return model


def _read_imagenet(network: str, shapes: Shapes) -> Arrays:
    if network == "vgg16":
        with contextlib.suppress(MissingWeightsError):
            return _read_file(find_weights(VGG16_FILE), network, shapes)
    return _download(network)


def _download(network: str) -> Arrays:
    model = download_application(network.upper())
    return {name: model.get_layer(name).get_weights() for name in _shapes(network)}


def _read_file(path: Path, network: str, shapes: Shapes) -> Arrays:
    """The arrays of `shapes`, checked; nothing else of the file is read."""
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}: give one of {network}")
    try:
        with h5py.File(path, "r") as file:
            datasets = _datasets(file)
            _check_layers(path, network, list(datasets), list(shapes)[-1])
            return {name: _arrays(path, name, datasets[name], shapes[name]) for name in shapes}
    except WeightsError:
        raise
    except (OSError, LookupError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path} is not an HDF5 file of weights, or damaged: {reason(error)}") from error


def _datasets(file: h5py.File) -> dict[str, list[h5py.Dataset]]:
    """A convolution's name -> its kernel and bias, unread, in Keras 3's layout or in that of keras.applications."""
    if "layers" in file:
        variables = [layer["vars"] for layer in file["layers"].values()]
        named = {_text(group.attrs.get("name", "")): [group[key] for key in sorted(group)] for group in variables}
    else:
        named = {
            name: [group[_text(key)] for key in group.attrs.get("weight_names", ())] for name, group in file.items()
        }
    return {name: found for name, found in named.items() if re.fullmatch(r"block\d_conv\d", name)}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _check_layers(path: Path, network: str, held: Sequence[str], deepest: str) -> None:
    """A file must hold the network's first layers, without a gap, as far as asked for."""
    known = list(_shapes(network))
    if not held:
        raise WeightsError(f"{path} holds no layer of {network}: give a file of its weights")
    for name in held:
        if name not in known:
            raise WeightsError(f"{path} holds {name}, which {network} does not have: it is another network's")
    last = max(held, key=known.index)
    for name in known[: known.index(last)]:
        if name not in held:
            raise WeightsError(f"{path} holds {last} but not {name}, which {network} has: it is another network's")
    if deepest not in held:
        raise WeightsError(f"{path} holds layers up to {last}; {deepest} asked for: give a deeper file")


def _arrays(
    path: Path, name: str, datasets: Sequence[h5py.Dataset], shapes: tuple[tuple[int, ...], ...]
) -> list[np.ndarray]:
    """A convolution's kernel and bias; shapes are held against before anything is read."""
    found = tuple(dataset.shape for dataset in datasets)
    if found != shapes:
        raise WeightsError(f"{path}: the shapes of {name} are {found}, not {shapes}: give a file of this network")
    arrays = [dataset[()].astype(np.float32) for dataset in datasets]
    if not all(np.isfinite(array).all() for array in arrays):
        raise WeightsError(f"{path}: {name} holds numbers that are not finite: the file is damaged")
    return arrays
