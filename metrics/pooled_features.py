"""What the distances of whole sets of pictures compare: features of VGG16, averaged over the picture."""

import numpy as np
import tensorflow as tf

from ..losses.vgg import vgg_features

LAYERS = ("block4_conv3", "block5_conv3")
LAYER_SIZE = 512
LEAST_DEVIATION = 0.1  # of a feature, as a share of its layer's


class PooledFeatures:
    """VGG16's block4_conv3 and block5_conv3, each averaged over the picture and set beside each other: 1,024 features.

    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015). InceptionV3,
    whose features FID and KID have in papers, shrinks a face of 64 pixels to nothing unless it is enlarged; distances
    by these features are not comparable to those. Pictures are taken at their own size, always in float32.

    Args:
      image_size: height and width of the pictures in pixels, at least 16.
      weights: of VGG16, as `vgg_features` takes them.

    Raises:
      ValueError: pictures too small.
      WeightsError: the weights cannot be had.
    """

    def __init__(self, image_size: int, weights: str = "imagenet"):
        self.network = vgg_features("vgg16", LAYERS, weights, image_size, dtype="float32")

    def __call__(self, images):
        """[B, H, W, 3 or 1], clipped to [0, 1] -> float32 [B, 1024]."""
        images = tf.clip_by_value(tf.cast(images, tf.float32), 0.0, 1.0)
        maps = self.network(images, training=False)
        return tf.concat([tf.reduce_mean(features, axis=(1, 2)) for features in maps], axis=-1)


def standardise(reference: np.ndarray, *others: np.ndarray, layer_size: int = LAYER_SIZE) -> tuple[np.ndarray, ...]:
    """Features [N, D] and others, each [M, D], divided by the deviation of each over the reference: float32.

    So layers and channels count alike, whatever their size. A feature that hardly ever fires, whose deviation is less
    than a tenth of its layer's, is divided by that tenth: else the few pictures in which it does would be all that
    counts.

    Args:
      reference: the real pictures'.
      others: what is held against them.
      layer_size: features of each layer; D is a multiple of it.
    """
    deviations = reference.std(axis=0, dtype=np.float64).reshape(-1, layer_size)
    least = LEAST_DEVIATION * np.sqrt(np.mean(np.square(deviations), axis=1, keepdims=True))
    scales = np.maximum(deviations, np.maximum(least, np.finfo(np.float32).tiny)).ravel()  # [D]
    return tuple((features / scales).astype(np.float32) for features in (reference, *others))
