"""Feature distance: how different two pictures are for a network that was trained to see things."""

import tensorflow as tf

from ..losses.perceptual import perceptual_loss
from ..losses.vgg import vgg_features

LAYERS = ("relu1_1", "relu2_1", "relu3_1")
# `feature_scales` of Keras' ImageNet weights in float32 between the drawn faces 0..499 and 500..999, in this order, of
# `procedural_faces("test", image_size=64)`: 500 pairs of different people.
SCALES = (1805.61, 43098.4, 90595.1)


class FeatureDistance:
    """VGG19 feature distance.

    The mean squared differences at relu1_1, relu2_1 and relu3_1 (VAE-123 of Hou et al., "Deep feature consistent
    variational autoencoder", 2017), each divided by a constant, then averaged: 0 for equal pictures, 1 for drawn faces
    of two different people at 64 pixels. Always in float32, whatever the policy; gray pictures count as colour ones.

    Args:
      weights: of VGG19, as `vgg_features` takes them.
      image_size: height and width of the pictures in pixels.

    Raises:
      WeightsError: the weights cannot be had.
    """

    def __init__(self, weights: str, image_size: int):
        self.network = vgg_features("vgg19", LAYERS, weights, image_size, dtype="float32")

    def __call__(self, images, reconstructions):
        """Two [B, H, W, 3 or 1], images in [0, 1], reconstructions clipped to it: [B]."""
        reconstructions = tf.clip_by_value(tf.cast(reconstructions, tf.float32), 0.0, 1.0)
        return perceptual_loss(images, reconstructions, self.network, SCALES)
