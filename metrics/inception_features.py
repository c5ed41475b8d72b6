"""The features by which papers compare sets of pictures: InceptionV3's last ones, averaged over the picture."""

import math
from pathlib import Path

import h5py
import keras
import tensorflow as tf

from ..losses.applications import download_application
from ..losses.colours import as_colours
from ..losses.weights import WeightsError, reason

SIDE = 299  # pixels, at which the network was trained


class InceptionFeatures:
    """InceptionV3's last feature maps, averaged over the picture: 2,048 features.

    Szegedy et al., "Rethinking the Inception architecture for computer vision" (2016), with the ImageNet weights of
    `keras.applications`. FID and KID of papers have those of an older training of the same network, and their figures
    are near but not the same. Pictures are enlarged or shrunk to 299 pixels by bilinear interpolation, always in
    float32.

    Args:
      weights: "imagenet" to download them through Keras, or a file of the network without its top, as Keras keeps it
        (`inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5`) or saves it (`.weights.h5`).

    Raises:
      WeightsError: the download failed, or the file is missing, damaged or another network's.
    """

    def __init__(self, weights: str = "imagenet"):
        policy = keras.config.dtype_policy()
        try:
            keras.config.set_dtype_policy("float32")
            self.network = download_application("InceptionV3") if weights == "imagenet" else _read_file(Path(weights))
        finally:
            keras.config.set_dtype_policy(policy)
        self.network.trainable = False

    def __call__(self, images):
        """[B, H, W, 3 or 1], clipped to [0, 1] -> float32 [B, 2048]."""
        images = as_colours(tf.clip_by_value(tf.cast(images, tf.float32), 0.0, 1.0), "InceptionV3")
        images = tf.image.resize(images, (SIDE, SIDE), antialias=True)
        return tf.reduce_mean(tf.cast(self.network(2.0 * images - 1.0, training=False), tf.float32), axis=(1, 2))


def _read_file(path: Path) -> keras.Model:
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}: give one of InceptionV3 without its top")
    network = keras.applications.InceptionV3(weights=None, include_top=False)
    try:
        with h5py.File(path, "r") as file:
            held = _count_numbers(file)
        if held != network.count_params():
            raise WeightsError(
                f"{path} holds {held:,} numbers, InceptionV3 without its top has {network.count_params():,}: it is "
                "another network's"
            )
        network.load_weights(path)
    except WeightsError:
        raise
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise WeightsError(
            f"{path} is not an HDF5 file of InceptionV3's weights, or damaged: {reason(error)}"
        ) from error
    return network


def _count_numbers(file: h5py.File) -> int:
    """How many numbers all arrays of a file hold, found without reading them."""
    sizes: list[int] = []
    file.visititems(lambda _, item: sizes.append(math.prod(item.shape)) if isinstance(item, h5py.Dataset) else None)
    return sum(sizes)
