"""Random changes of training pictures, through `tf.random.stateless_*` alone."""

from collections.abc import Callable

import tensorflow as tf


def flip(landmark_names: tuple[str, ...] = ()) -> Callable:
    """An augmentation `(batch, seed [2]) -> batch` that mirrors half of the pictures."""

    def augment(batch, seed):
        images = batch["image"]
        is_mirrored = tf.random.stateless_uniform((images.shape[0],), seed) < 0.5
        mirrored = tf.where(is_mirrored[:, None, None, None], tf.reverse(images, axis=[2]), images)
        return {**batch, "image": mirrored}

    return augment
