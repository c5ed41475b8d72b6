"""Random changes of training pictures, through `tf.random.stateless_*` alone."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

# Where the points of one part go when a face is mirrored, in iBUG's order; "right" and "left" parts change places.
_MIRRORED_PARTS = {
    "jaw": range(16, -1, -1),
    "brow": range(4, -1, -1),
    "nose_base": range(4, -1, -1),
    "eye": (3, 2, 1, 0, 5, 4),
    "outer_mouth": (6, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7),
    "inner_mouth": (4, 3, 2, 1, 0, 7, 6, 5),
}


def flip(landmark_names: Sequence[str] = ()) -> Callable:
    """An augmentation `(batch, seed [2]) -> batch` that mirrors half of the pictures with their landmarks.

    `factors` leave the batch: a mirrored face no longer has those that it was drawn from.
    """
    mirrored_order = np.array([landmark_names.index(_mirrored_name(name)) for name in landmark_names], np.int32)

    def augment(batch, seed):
        images = batch["image"]  # [B, H, W, C]
        is_mirrored = tf.random.stateless_uniform((images.shape[0],), seed) < 0.5
        flipped = {"image": tf.where(is_mirrored[:, None, None, None], tf.reverse(images, axis=[2]), images)}
        if "landmarks" in batch:
            points = tf.gather(batch["landmarks"], mirrored_order, axis=1)  # [B, L, 2]
            points = tf.stack([1.0 - points[..., 0], points[..., 1]], axis=-1)
            flipped["landmarks"] = tf.where(is_mirrored[:, None, None], points, batch["landmarks"])
        return {name: values for name, values in (batch | flipped).items() if name != "factors"}

    return augment


def _mirrored_name(name: str) -> str:
    """The landmark that a landmark becomes: "right_eye_0" -> "left_eye_3", "jaw_0" -> "jaw_16"."""
    sides = {"right": "left", "left": "right"}
    words = [sides.get(word, word) for word in name.split("_")]
    part = "_".join(word for word in words[:-1] if word not in sides)
    if part in _MIRRORED_PARTS and words[-1].isdecimal():
        words[-1] = str(_MIRRORED_PARTS[part][int(words[-1])])
    return "_".join(words)
