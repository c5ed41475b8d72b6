"""How different pictures look to the face network that ships with facezoo."""

import functools

import numpy as np
import tensorflow as tf

from ..losses.perceptual import feature_scales
from .outside_terms import DEFAULT_LAYERS, face_network, pairs_of_people

MOST_PIXELS = 64  # of a side: what the network has learnt to look at
AT_ONCE = 64


def face_features(pictures: np.ndarray) -> np.ndarray:
    """What the face network sees, so that squared Euclidean distances are those of the perceptual loss.

    Args:
      pictures: [N, H, W, C] in [0, 1]; larger ones than the network knows are shrunk by averaging.

    Returns:
      float32 [N, F]; a squared distance of 1 is as different as two different faces.
    """
    _, height, width, channels = pictures.shape
    size = (min(height, MOST_PIXELS), min(width, MOST_PIXELS))
    network, weights = _network(size[0], channels)
    portions = []
    for start in range(0, len(pictures), AT_ONCE):
        images = tf.image.resize(pictures[start : start + AT_ONCE], size, "area")
        maps = tf.nest.flatten(network(images, training=False))
        flat = [weight * tf.reshape(layer, (len(images), -1)) for weight, layer in zip(weights, maps, strict=True)]
        portions.append(tf.concat(flat, axis=1).numpy())
    return np.concatenate(portions)


@functools.cache
def _network(image_size: int, channels: int):
    """The network, and what each of its layers is multiplied by."""
    network = face_network().feature_network(DEFAULT_LAYERS["face"], channels)
    pairs = pairs_of_people(image_size, channels)
    scales = feature_scales(network, *pairs)
    sizes = [int(np.prod(layer.shape[1:])) for layer in tf.nest.flatten(network(pairs[0][:1], training=False))]
    return network, [1.0 / np.sqrt(scale * size * len(scales)) for scale, size in zip(scales, sizes, strict=True)]
