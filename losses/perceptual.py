"""Distance of pictures as a frozen network sees them.

Johnson, Alahi, Fei-Fei, "Perceptual losses for real-time style transfer and super-resolution" (2016), eq. 2; for
variational autoencoders Hou, Shen, Sun, Qiu, "Deep feature consistent variational autoencoder" (2017), section 3.2.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

TARGET_COLUMN = "target_features_{}"
BATCH_SIZE = 64  # bounds the memory of `feature_scales`

Network = Callable[..., Any]  # a keras.Model: images [B, H, W, C] in [0, 1] -> one feature map or several


def perceptual_loss(y_true, y_pred, network: Network, scales: Sequence[float] | None = None, targets=None):
    """Mean over layers of the feature maps' mean squared difference, each divided by its scale: float32 [B].

    The target gets a forward pass of its own and no gradient: cheaper than both in one batch, through whose target half
    the gradient would run too.

    >>> network = lambda images, training: [images]  # a frozen network's feature maps
    >>> perceptual_loss(tf.ones((1, 4, 4, 3)), tf.fill((1, 4, 4, 3), 0.5), network).numpy().tolist()
    [0.25]

    Args:
      y_true: the target, [B, H, W, C] in [0, 1].
      y_pred: the reconstruction, the same; what lies outside of [0, 1] is not clipped and counts as it is.
      network: frozen; it may have one output or several.
      scales: of each layer, from `feature_scales`; 1 if absent.
      targets: the target's feature maps, where they are known; the network then sees the reconstruction only.

    Raises:
      ValueError: not one scale for each layer.
    """
    if targets is None:
        targets = [tf.stop_gradient(features) for features in _feature_maps(network, y_true)]
    errors = [
        _mean_squared_difference(target, features)
        for target, features in zip(targets, _feature_maps(network, y_pred), strict=True)
    ]
    if scales is None:
        scales = [1.0] * len(errors)
    if len(scales) != len(errors):
        raise ValueError(f"the network has {len(errors)} layers, but there are {len(scales)} scales: give one for each")
    return tf.add_n([error / scale for error, scale in zip(errors, scales, strict=True)]) / len(errors)


class PerceptualLoss:
    """The term `perceptual_loss` of picture and reconstruction, [B].

    The reconstruction is not clipped here: outside of [0, 1] a gradient must lead back.

    A batch may bring the target's features along, as `target_columns` gives them: the same distance for less.

    This is a plain object, as the objective is, so that a model which is compiled with it neither trains nor saves the
    network.

    >>> term = PerceptualLoss(lambda images, training: [images], scales=[0.5])
    >>> term({"image": tf.ones((1, 4, 4, 3))}, {"reconstruction": tf.fill((1, 4, 4, 3), 0.5)}).numpy().tolist()
    [0.5]

    Args:
      network: frozen, from pictures in [0, 1] to feature maps.
      scales: what makes the value 1 mean "as different as two different faces", from `feature_scales`; None is 1.

    Raises:
      ValueError: a scale that is not a finite number above 0.
    """

    def __init__(self, network: Network, scales: Sequence[float] | None = None):
        self.network = network
        self.scales = None if scales is None else _check(scales)

    def target_columns(self, images) -> dict[str, tf.Tensor]:
        """Columns for a batch with these pictures, float32 [B, H, W, C] in [0, 1]: one for each layer."""
        maps = _feature_maps(self.network, images)
        return {TARGET_COLUMN.format(layer): features for layer, features in enumerate(maps)}

    def __call__(self, batch, outputs):
        columns = itertools.takewhile(batch.__contains__, map(TARGET_COLUMN.format, itertools.count()))
        targets = [batch[column] for column in columns] or None
        return perceptual_loss(batch["image"], outputs["reconstruction"], self.network, self.scales, targets)


def feature_scales(network: Network, first: np.ndarray, second: np.ndarray) -> list[float]:
    """Each layer's mean squared difference between pairs of different pictures.

    Divided by these a distance of 1 means "as different as two different faces", so a factor means the same for every
    network and layer.

    >>> feature_scales(lambda images, training: [images], np.zeros((2, 4, 4, 3)), np.ones((2, 4, 4, 3)))
    [1.0]

    Args:
      network: from pictures in [0, 1] to feature maps.
      first: float32 [N, H, W, C] in [0, 1].
      second: as many others; row by row they make the pairs.

    Raises:
      ValueError: no pairs, or a layer whose difference is 0 or not finite.
    """
    if first.shape != second.shape or not len(first):
        raise ValueError(f"pictures of shapes {first.shape} and {second.shape} make no pairs: give as many of each")
    differences = [
        _layer_differences(network, first[start : start + BATCH_SIZE], second[start : start + BATCH_SIZE])
        for start in range(0, len(first), BATCH_SIZE)
    ]  # of [layers, at most BATCH_SIZE]
    return _check(np.concatenate(differences, axis=1).mean(axis=1, dtype=np.float64))


def _layer_differences(network: Network, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    pairs = zip(_feature_maps(network, first), _feature_maps(network, second), strict=True)
    return np.stack([_mean_squared_difference(*pair) for pair in pairs])


def _feature_maps(network: Network, images) -> list[tf.Tensor]:
    return tf.nest.flatten(network(tf.cast(images, tf.float32), training=False))


def _mean_squared_difference(first, second):
    """In float32 over all axes but the first: two [B, ...] -> [B]."""
    squared = tf.math.squared_difference(tf.cast(first, tf.float32), tf.cast(second, tf.float32))
    return tf.reduce_mean(squared, axis=tuple(range(1, squared.shape.rank)))


def _check(scales: Sequence[float] | np.ndarray) -> list[float]:
    for layer, scale in enumerate(scales):
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"the scale of layer {layer} is {scale:g}; it must be a finite number above 0")
    return [float(scale) for scale in scales]
