"""Random changes of training pictures, drawn through `share.draw` alone.

Every augmentation is `(batch, seed [2]) -> batch`; the batch's size must be known when the graph is built.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from .share import draw
from .source import DatasetError

WARP = 0.24  # DeepFaceLab's, in cells of its grid
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
    mirrored_order = _mirrored_order(landmark_names)

    def augment(batch, seed):
        images = batch["image"]  # [B, H, W, C]
        is_mirrored = draw(tf.random.stateless_uniform, images.shape[:1], seed) < 0.5
        flipped = {"image": tf.where(is_mirrored[:, None, None, None], tf.reverse(images, axis=[2]), images)}
        if "landmarks" in batch:
            points = tf.gather(batch["landmarks"], mirrored_order, axis=1)  # [B, L, 2]
            points = tf.stack([1.0 - points[..., 0], points[..., 1]], axis=-1)
            flipped["landmarks"] = tf.where(is_mirrored[:, None, None], points, batch["landmarks"])
        return {name: values for name, values in (batch | flipped).items() if name != "factors"}

    return augment


def _mirrored_order(landmark_names: Sequence[str]) -> np.ndarray:
    """For each landmark the number of the one that becomes it in a mirrored face, int32 [L]."""
    return np.array([landmark_names.index(_mirrored_name(name)) for name in landmark_names], np.int32)


def _mirrored_name(name: str) -> str:
    """The landmark that a landmark becomes: "right_eye_0" -> "left_eye_3", "jaw_0" -> "jaw_16"."""
    sides = {"right": "left", "left": "right"}
    words = [sides.get(word, word) for word in name.split("_")]
    part = "_".join(word for word in words[:-1] if word not in sides)
    if part in _MIRRORED_PARTS and words[-1].isdecimal():
        words[-1] = str(_MIRRORED_PARTS[part][int(words[-1])])
    return "_".join(words)


def chain(*augmentations: Callable) -> Callable:
    """An augmentation that applies some, one after the other, each with a seed of its own."""

    def augment(batch, seed):
        for number, augmentation in enumerate(augmentations):
            batch = augmentation(batch, tf.random.experimental.stateless_fold_in(seed, number))
        return batch

    return augment


def blur(factor: int = 2) -> Callable:
    """An augmentation that softens a random half of the pictures, each by a random share.

    What an autoencoder reconstructs is softer than a photograph. A judge of faces (attributes, landmarks, identity)
    that saw sharp pictures only would not know what to make of it; one trained with this reads both.

    Args:
      factor: side in pixels of the squares whose means, enlarged bilinearly, are the soft picture.

    Raises:
      DatasetError: `factor` is below 2 or larger than the pictures.
    """

    def augment(batch, seed):
        images = batch["image"]  # [B, H, W, C]
        height, width = images.shape[1:3]
        if not 2 <= factor <= min(height, width):
            raise DatasetError(f"blur: factor={factor} must be 2 to {min(height, width)}, the side of the pictures")
        small = tf.image.resize(images, (height // factor, width // factor), "area")
        soft = tf.image.resize(small, (height, width), "bilinear")
        # Below zero, so for half of them, the share is none.
        share = tf.nn.relu(draw(tf.random.stateless_uniform, (images.shape[0], 1, 1, 1), seed, -1.0, 1.0))
        return batch | {"image": images + share * (soft - images)}

    return augment


def random_warp(
    cells: int = 5,
    warp: float = WARP,
    degrees: float = 10.0,
    scale: float = 1.15,
    shift: float = 0.05,
    flip: float = 0.4,
    landmark_names: Sequence[str] = (),
) -> Callable:
    """An augmentation for face mapping: a moved face as the target, the same face distorted as the input.

    After DeepFaceLab (Perov et al. 2020, arXiv:2005.05535, its `gen_warp_params`). The picture is turned, scaled,
    shifted and perhaps mirrored, with its `landmarks` and its `mask`: that is the new `image`. `warped` [B, H, W, C]
    is this `image` distorted: of a grid of `cells` x `cells` points over it those inside move at random, and the
    pixels between follow bilinearly. Both are sampled bilinearly and only once, from the original; beyond its edge
    its edge pixels repeat. Every example draws its own numbers. Landmarks may come to lie outside of [0, 1];
    `factors` leave the batch: a moved face no longer has those that it was drawn from.

    Args:
      cells: points of the grid along a side, at least 3.
      warp: the largest move of a point along an axis, in distances between points; moves are normal numbers cut off
        at two deviations, which are this largest move. (DeepFaceLab's are cut off at 2.5.)
      degrees: the largest turn, either way.
      scale: the largest enlargement, at least 1; the logarithm of the scale is uniform from 1 / `scale` to `scale`.
      shift: the largest shift along an axis, in sides.
      flip: the probability of a mirror image.
      landmark_names: the rows of `landmarks`, if there are any and `flip` is above 0.

    Raises:
      DatasetError: a value outside of these, or the batch's landmarks are not as many as their names.
    """
    _check_warp(cells=cells, warp=warp, degrees=degrees, scale=scale, shift=shift, flip=flip)
    mirrored_order = _mirrored_order(landmark_names) if flip > 0.0 else None

    def augment(batch, seed):
        images = batch["image"]  # [B, H, W, C]
        num_channels = images.shape[-1]
        affine_seed, grid_seed = (tf.random.experimental.stateless_fold_in(seed, number) for number in range(2))
        affine = _random_affine(images.shape, affine_seed, degrees, scale, shift, flip)
        pixels = _pixel_centres(images.shape)
        distorted = pixels + warp * _random_displacement(images.shape, cells, grid_seed)
        layers = tf.concat([images, batch["mask"]], axis=-1) if "mask" in batch else images
        moved = _sample(layers, affine.origin(pixels))
        changed = {"image": moved[..., :num_channels], "warped": _sample(images, affine.origin(distorted))}
        if "mask" in batch:
            changed["mask"] = moved[..., num_channels:]
        if "landmarks" in batch:
            changed["landmarks"] = _moved_landmarks(batch["landmarks"], affine, mirrored_order)
        return {name: values for name, values in (batch | changed).items() if name != "factors"}

    return augment


def _check_warp(**values: float) -> None:
    limits = {"cells": (3, np.inf), "scale": (1.0, np.inf), "flip": (0.0, 1.0), "degrees": (0.0, 180.0)}
    for name, value in values.items():
        low, high = limits.get(name, (0.0, np.inf))
        if not low <= value <= high:
            raise DatasetError(
                f"random_warp: {name}={value} must be {low:g} to {high:g}".replace(" to inf", " or more")
            )


@dataclasses.dataclass(frozen=True)
class _Affine:
    """How pictures are moved about their middle: a point p becomes middle + matrix (p - middle) + shift.

    Attributes:
      is_mirrored: [B] bool.
      matrix: [B, 2, 2], turn, scale and mirror.
      shift: [B, 1, 2] in pixels.
      side: [2], width and height in pixels.
    """

    is_mirrored: tf.Tensor
    matrix: tf.Tensor
    shift: tf.Tensor
    side: np.ndarray

    def destination(self, points: tf.Tensor) -> tf.Tensor:
        """Where points [B, N, 2] (x, y in pixels) of the originals come to lie."""
        middle = self.side / 2.0
        return tf.matmul(points - middle, self.matrix, transpose_b=True) + (middle + self.shift)

    def origin(self, points: tf.Tensor) -> tf.Tensor:
        """Where points [B or 1, N, 2] of the moved pictures come from."""
        middle = self.side / 2.0
        return tf.matmul(points - (middle + self.shift), tf.linalg.inv(self.matrix), transpose_b=True) + middle


def _random_affine(
    shape: Sequence[int], seed: tf.Tensor, degrees: float, scale: float, shift: float, flip: float
) -> _Affine:
    numbers = draw(tf.random.stateless_uniform, (shape[0], 5), seed)
    turn, growth, across, down = tf.unstack(2.0 * numbers[:, :4] - 1.0, axis=-1)  # each [B] in [-1, 1)
    is_mirrored = numbers[:, 4] < flip
    angle, size = turn * np.float32(np.radians(degrees)), tf.exp(growth * np.float32(np.log(scale)))
    cosine, sine = size * tf.cos(angle), size * tf.sin(angle)
    side_of_x = tf.where(is_mirrored, -1.0, 1.0)
    matrix = tf.reshape(tf.stack([cosine * side_of_x, -sine, sine * side_of_x, cosine], axis=-1), (-1, 2, 2))
    side = np.array([shape[2], shape[1]], np.float32)
    return _Affine(is_mirrored, matrix, shift * side * tf.stack([across, down], axis=-1)[:, None], side)


def _moved_landmarks(landmarks: tf.Tensor, affine: _Affine, mirrored_order: np.ndarray | None) -> tf.Tensor:
    """Landmarks [B, L, 2] in sides; in a mirrored face left and right ones change places."""
    moved = affine.destination(landmarks * affine.side) / affine.side
    if mirrored_order is None:
        return moved
    if landmarks.shape[1] != len(mirrored_order):
        raise DatasetError(
            f"random_warp: {landmarks.shape[1]} landmarks but {len(mirrored_order)} landmark_names: "
            "a mirror image needs the name of each"
        )
    return tf.where(affine.is_mirrored[:, None, None], tf.gather(moved, mirrored_order, axis=1), moved)


def _pixel_centres(shape: Sequence[int]) -> np.ndarray:
    """The middles of all pixels, row by row: (x, y) in pixels, float32 [1, H * W, 2]."""
    rows, columns = np.mgrid[: shape[1], : shape[2]].astype(np.float32) + 0.5
    return np.stack([columns, rows], axis=-1).reshape(1, -1, 2)


def _random_displacement(shape: Sequence[int], cells: int, seed: tf.Tensor) -> tf.Tensor:
    """Moves of all pixels, [B, H * W, 2] in pixels, between those of a grid whose border stays."""
    batch_size, height, width = shape[:3]
    moves = draw(tf.random.stateless_truncated_normal, (batch_size, cells - 2, cells - 2, 2), seed) / 2.0  # in [-1, 1]
    moves = tf.pad(moves, [[0, 0], [1, 1], [1, 1], [0, 0]])  # [B, cells, cells, 2]
    dense = tf.einsum("hi,wj,bijc->bhwc", _tents(height, cells), _tents(width, cells), moves)
    distance = np.array([width, height], np.float32) / (cells - 1)
    return tf.reshape(dense * distance, (batch_size, height * width, 2))


def _tents(length: int, cells: int) -> np.ndarray:
    """The weight of each grid point in each of `length` pixels for linear interpolation, float32 [length, cells]."""
    places = (np.arange(length, dtype=np.float32)[:, None] + 0.5) / length * (cells - 1)
    return np.maximum(1.0 - np.abs(places - np.arange(cells, dtype=np.float32)), 0.0)


def _sample(images: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """The pictures [B, H, W, C] at points [B, H * W, 2] (x, y in pixels), bilinear, edge pixels repeated."""
    batch_size, height, width, num_channels = images.shape
    last = np.array([width, height], np.float32) - 1.0
    places = tf.clip_by_value(points - 0.5, 0.0, last)
    corners = tf.minimum(tf.floor(places), last - 1.0)
    right, below = tf.split(places - corners, 2, axis=-1)  # each [B, H * W, 1]
    column, row = tf.unstack(tf.cast(corners, tf.int32), axis=-1)
    first = tf.range(batch_size)[:, None] * (height * width) + row * width + column
    pixels = tf.reshape(images, (-1, num_channels))
    left_top, right_top, left_low, right_low = (tf.gather(pixels, first + step) for step in (0, 1, width, width + 1))
    top = left_top + right * (right_top - left_top)
    low = left_low + right * (right_low - left_low)
    return tf.reshape(top + below * (low - top), images.shape)
