"""Pictures as the frozen networks take them, which know colours alone."""

import tensorflow as tf


def as_colours(images, network: str):
    """Gray as red, green and blue of the same: [B, H, W, 3 or 1] -> [B, H, W, 3].

    Raises:
      ValueError: pictures of neither 1 nor 3 channels; it says which `network` wants them.
    """
    if images.shape[-1] not in (1, 3):
        raise ValueError(f"{network} takes pictures of 1 or 3 channels, not {images.shape[-1]}")
    return tf.tile(images, (1, 1, 1, 3 // images.shape[-1]))
