"""The network that reads drawn faces: how different pictures look to it."""

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ...datasets.procedural import IMAGE_SIZES, procedural_faces
from ...losses.perceptual import feature_scales
from ...models.pretrained import load_pretrained
from ..errors import UsageError

DEFAULT_LAYERS = {
    "vgg16": ("block3_conv3",),
    "vgg19": ("relu1_1", "relu2_1", "relu3_1"),
    "face": ("stage_1_conv_1", "stage_2_conv_2", "stage_3_conv_2"),
}
CALIBRATION_PAIRS = 128


def draw_pairs(image_size: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Drawn faces of different people, against which the feature distance 1 is set: two float32 [N, H, W, C]."""
    size = int(np.clip(image_size, *IMAGE_SIZES))
    faces = procedural_faces("validation", image_size=size, channels=channels)
    positions = np.arange(2 * CALIBRATION_PAIRS) * (len(faces) // (2 * CALIBRATION_PAIRS))
    images = faces.load(positions)["image"].astype(np.float32) / 255.0
    if size != image_size:
        images = np.asarray(keras.ops.image.resize(images, (image_size, image_size)))
    return images[:CALIBRATION_PAIRS], images[CALIBRATION_PAIRS:]


def load_face_network() -> Any:
    """The network that reads drawn faces, with the weights that ship; a UsageError where they are damaged."""
    try:
        return load_pretrained("face_features")
    except ValueError as error:
        raise UsageError(f"the face network cannot be loaded: {error}") from error


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
    network = load_face_network().feature_network(DEFAULT_LAYERS["face"], channels)
    pairs = draw_pairs(image_size, channels)
    scales = feature_scales(network, *pairs)
    sizes = [int(np.prod(layer.shape[1:])) for layer in tf.nest.flatten(network(pairs[0][:1], training=False))]
    return network, [1.0 / np.sqrt(scale * size * len(scales)) for scale, size in zip(scales, sizes, strict=True)]
