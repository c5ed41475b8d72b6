"""How the fine structure of two pictures differs as a whole, wherever it lies."""

import functools

import numpy as np
import tensorflow as tf

FILTERS, SIZE, STRIDE = 32, 5, 2


class TextureError:
    """Mean distance of the distributions of what small filters say of two pictures, [B].

    The filters are random ones of 5x5 pixels that say 0 where a picture is flat. All that one of them says of a
    picture is sorted, and compared in this order: the Wasserstein distance of one dimension (Heitz, Vanhoey, Chambon
    and Belcour, "A Sliced Wasserstein Loss for Neural Texture Synthesis" (2021); as a loss of pictures Delbracio,
    Talebi and Milanfar, "Projected Distribution Loss for Image Enhancement" (2021)). A blurred picture has too little
    of everything, whereas strands of hair that lie elsewhere cost nothing.

    >>> stripes = tf.cast(tf.range(16) % 4 < 2, tf.float32)[None, None, :, None] * tf.ones((1, 16, 16, 3))
    >>> moved, flat = tf.roll(stripes, 2, axis=2), tf.fill((1, 16, 16, 3), 0.5)
    >>> [bool(TextureError()({"image": stripes}, {"reconstruction": made})[0] > 0.1) for made in (moved, flat)]
    [False, True]

    Raises:
      ValueError: when it is called, the pictures are smaller than a filter.
    """

    def __call__(self, batch, outputs):
        wanted, given = (_sort(tf.cast(images, tf.float32)) for images in (batch["image"], outputs["reconstruction"]))
        return tf.reduce_mean(tf.abs(wanted - given), axis=(1, 2))


def _sort(images):
    """What each filter says of pictures, in order: [B, H, W, C] -> [B, FILTERS, N]."""
    if min(images.shape[1:3]) < SIZE:
        raise ValueError(f"texture needs pictures of at least {SIZE} pixels, got {images.shape[1]}x{images.shape[2]}")
    said = tf.nn.conv2d(images, _make_filters(images.shape[-1]), STRIDE, "VALID")
    return tf.sort(tf.reshape(tf.transpose(said, (0, 3, 1, 2)), (tf.shape(images)[0], FILTERS, -1)), axis=-1)


@functools.cache
def _make_filters(channels: int) -> np.ndarray:
    """Filters of length 1 whose numbers add up to 0 in each channel: float32 [SIZE, SIZE, channels, FILTERS]."""
    filters = np.random.default_rng(0).standard_normal((SIZE, SIZE, channels, FILTERS))
    filters -= filters.mean(axis=(0, 1))
    lengths = np.sqrt(np.sum(np.square(filters), axis=(0, 1, 2)))
    return (filters / lengths).astype(np.float32)
