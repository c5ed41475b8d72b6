"""How far the person in one picture is from the person in another."""

import tensorflow as tf

from ..losses.recogniser import recogniser


class IdentityDistance:
    """Euclidean distance of dlib's 128 numbers (King 2017): of one person below 0.6, of strangers about 0.8.

    Always in float32, whatever the policy.

    Args:
      image_size: height and width of the pictures in pixels.
      square: where the face is, (left, top, side) in sides of the picture; with another cut the network is blind.
      weights: `.npz` file or its folder; None looks for it as `losses.weights.find_weights` does.

    Raises:
      WeightsError: the weights cannot be had.
    """

    def __init__(self, image_size: int, square: tuple[float, float, float], weights: str | None = None):
        self.network = recogniser(square, image_size, weights)

    def people(self, images):
        """Who is seen: [B, H, W, 3 or 1], clipped to [0, 1] -> float32 [B, 128]."""
        return self.network(tf.clip_by_value(tf.cast(images, tf.float32), 0.0, 1.0), training=False)

    def __call__(self, images, others):
        """Two [B, H, W, 3 or 1] in [0, 1] -> [B]."""
        return tf.norm(self.people(images) - self.people(others), axis=-1)
