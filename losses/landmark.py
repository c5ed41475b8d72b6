"""Errors that know where the parts of the face are.

The weighted error is DeepFaceLab's priority of eyes and mouth (Perov et al., "DeepFaceLab", 2020), with soft discs
around landmarks instead of masks.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


class LandmarkWeightedError:
    """Mean absolute difference of picture and reconstruction near landmarks, [B].

    A pixel p, its centre in [0, 1] coordinates, weighs w(p) = min(1, sum over landmarks l of
    exp(-|p - l|^2 / (2 radius^2))); the value is sum(w |x - y|) / (C sum(w)), sums over the picture, and 0 where no
    landmark is near the picture. A Gaussian is a product of one along x and one along y, so the sum over landmarks is a
    matrix product and no [B, H, W, L] is ever made.

    `batch["landmarks"]` [B, L, 2] are (x, y) in [0, 1].

    >>> batch = {"image": tf.ones((1, 8, 8, 3)), "landmarks": tf.fill((1, 1, 2), 0.5)}
    >>> error = LandmarkWeightedError()(batch, {"reconstruction": tf.fill((1, 8, 8, 3), 0.75)})
    >>> round(float(error[0]), 4)
    0.25

    Args:
      rows: which landmarks count; None is all.
      radius: standard deviation in picture widths.

    Raises:
      ValueError: no rows, negative ones, or a radius that is not a finite number above 0; when it is called, a batch
        without landmarks or with fewer than the rows ask for.
    """

    def __init__(self, rows: Sequence[int] | None = None, radius: float = 0.06):
        if rows is not None and (not len(rows) or min(rows) < 0):
            raise ValueError(f"rows must be numbers of landmarks from 0, at least one, or None for all, not {rows}")
        if not (math.isfinite(radius) and radius > 0):
            raise ValueError(f"radius must be a finite number above 0, not {radius}")
        self.rows = None if rows is None else [int(row) for row in rows]
        self.radius = radius

    def __call__(self, batch, outputs):
        target = tf.cast(batch["image"], tf.float32)
        error = tf.reduce_mean(tf.abs(target - tf.cast(outputs["reconstruction"], tf.float32)), axis=-1)  # [B, H, W]
        weight = self.weight_map(self._landmarks(batch), target.shape[1], target.shape[2])
        return tf.math.divide_no_nan(
            tf.reduce_sum(weight * error, axis=(1, 2)),
            tf.reduce_sum(weight, axis=(1, 2)),
        )

    def weight_map(self, landmarks, height: int, width: int):
        """w of every pixel: landmarks [B, L, 2] -> float32 [B, H, W] in [0, 1]."""
        along_x = self._closeness(landmarks[..., 0], width)  # [B, L, W]
        along_y = self._closeness(landmarks[..., 1], height)  # [B, L, H]
        return tf.minimum(tf.matmul(along_y, along_x, transpose_a=True), 1.0)

    def _closeness(self, places, size: int):
        """Gaussian of the distance from places [B, L] to `size` pixel centres on one axis: [B, L, size]."""
        centres = (tf.range(size, dtype=tf.float32) + 0.5) / size
        return tf.exp(-tf.square((centres - places[..., None]) / self.radius) / 2.0)

    def _landmarks(self, batch):
        if "landmarks" not in batch:
            raise ValueError("landmark needs a data set with landmarks")
        landmarks = tf.cast(batch["landmarks"], tf.float32)
        if self.rows is None:
            return landmarks
        if max(self.rows) >= landmarks.shape[1]:
            raise ValueError(f"landmark row {max(self.rows)} asked for, but the data set has {landmarks.shape[1]}")
        return tf.gather(landmarks, self.rows, axis=1)


class LandmarkConsistency:
    """How far the landmarks that a network reads move from picture to reconstruction, [B].

    Mean over landmarks of the squared distance, in squared percent of the picture's width: 1 is a hundredth of the
    width, 0.64 pixels at 64. The picture's landmarks get no gradient. It needs no landmarks in the batch. This is a
    plain object, so that a model which is compiled with it neither trains nor saves the network.

    >>> term = LandmarkConsistency(lambda images, training: images[:, :2, 0, :2])
    >>> picture = tf.zeros((1, 4, 4, 3))
    >>> term({"image": picture}, {"reconstruction": picture}).numpy().tolist()
    [0.0]

    Args:
      network: frozen, images [B, H, W, C] in [0, 1] -> landmarks [B, L, 2], (x, y) in [0, 1]. The reconstruction is not
        clipped.
    """

    def __init__(self, network: Callable[..., Any]):
        self.network = network

    def __call__(self, batch, outputs):
        target = tf.stop_gradient(self._read(batch["image"]))
        squared = tf.math.squared_difference(target, self._read(outputs["reconstruction"]))
        return 100.0**2 * tf.reduce_mean(tf.reduce_sum(squared, axis=-1), axis=-1)

    def _read(self, images):
        return tf.cast(self.network(tf.cast(images, tf.float32), training=False), tf.float32)
