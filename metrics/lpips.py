"""LPIPS of pictures and their reconstructions."""

import tensorflow as tf

from ..losses.lpips import lpips_network
from ..losses.perceptual import perceptual_loss


class LPIPS:
    """Learned perceptual image patch similarity, version 0.1 (Zhang et al. 2018).

    It is 0 for equal pictures; lower is nearer. Always in float32, whatever the policy; gray pictures count as colour
    ones.

    Args:
      network: "alex", as papers report it, or "squeeze".
      image_size: height and width of the pictures in pixels, at least 31 for AlexNet, 17 for SqueezeNet.
      weights: `.npz` file or its folder; None looks for it as `losses.weights.find_weights` does.

    Raises:
      ValueError: no such network, or pictures too small for it.
      WeightsError: the weights cannot be had.
    """

    def __init__(self, network: str, image_size: int, weights: str | None = None):
        self.network = lpips_network(network, weights, image_size)

    def __call__(self, images, reconstructions):
        """Two [B, H, W, 3 or 1], images in [0, 1], reconstructions clipped to it: [B]."""
        reconstructions = tf.clip_by_value(tf.cast(reconstructions, tf.float32), 0.0, 1.0)
        return perceptual_loss(images, reconstructions, self.network)
