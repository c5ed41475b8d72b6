"""Random changes of training pictures, drawn through `share.draw` alone.

Every augmentation is `(batch, seed [2]) -> batch`; the batch's size must be known when the graph is built. What changes
`image` leaves `warped` alone, so that `random_warp` comes after what is to change both. All frames of a `clip` are
changed alike, and as the picture is.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from .share import draw
from .source import DatasetError

WARP = 0.24  # DeepFaceLab's, in cells of its grid
LUMA = (0.299, 0.587, 0.114)  # of ITU-R BT.601
_FRAME_COLUMNS = {"clip": "image", "clip_landmarks": "landmarks", "clip_factors": "factors"}
_SIDES = {"right": "left", "left": "right"}
# Where the points of one part go when a face is mirrored, in iBUG's order; "right" and "left" parts change places.
_MIRRORED_PARTS = {
    "jaw": range(16, -1, -1),
    "brow": range(4, -1, -1),
    "nose_base": range(4, -1, -1),
    "eye": (3, 2, 1, 0, 5, 4),
    "outer_mouth": (6, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7),
    "inner_mouth": (4, 3, 2, 1, 0, 7, 6, 5),
}


def flip(landmark_names: Sequence[str] = (), attribute_names: Sequence[str] = ()) -> Callable:
    """An augmentation that mirrors half of the pictures with their `landmarks` and their `mask`.

    In a mirrored face left and right landmarks change places, and so do the values of two attributes whose names
    become each other when "left" and "right" do ("left_eye_closed", "right_eye_closed"). All frames of a `clip` are
    mirrored with its picture, and so are `clip_landmarks`. `factors` and `clip_factors` leave the batch: a mirrored
    face no longer has those that it was drawn from.

    Args:
      landmark_names: the rows of `landmarks`, if there are any.
      attribute_names: the columns of `attributes`; without them `attributes` stay as they are.

    Raises:
      DatasetError: the batch's landmarks or attributes are not as many as their names.
    """
    orders = _order_mirrored(landmark_names, attribute_names)

    def augment(batch, seed):
        is_mirrored = draw(tf.random.stateless_uniform, batch["image"].shape[:1], seed) < 0.5
        mirrored = {name: tf.reverse(batch[name], axis=[-2]) for name in ("image", "mask", "clip") if name in batch}
        for name in ("landmarks", "clip_landmarks"):
            if name in batch:
                mirrored[name] = [1.0, 0.0] + [-1.0, 1.0] * batch[name]
        flipped = {name: _where(is_mirrored, values, batch[name]) for name, values in mirrored.items()}
        return _without(_with_sides_swapped(batch | flipped, is_mirrored, orders), "factors", "clip_factors")

    return augment


def _order_mirrored(landmark_names: Sequence[str], attribute_names: Sequence[str]) -> dict[str, np.ndarray]:
    """By column of a batch: for each of its names the number of the one that becomes it in a mirrored face, int32."""
    landmarks = [landmark_names.index(_mirror_landmark(name)) for name in landmark_names]
    number_of = {name: number for number, name in enumerate(attribute_names)}
    attributes = [number_of.get(_other_side(name), number) for name, number in number_of.items()]
    orders = {"landmarks": landmarks, "clip_landmarks": landmarks}
    orders |= {"attributes": attributes} if attribute_names else {}
    return {name: np.array(order, np.int32) for name, order in orders.items()}


def _other_side(name: str) -> str:
    """The name with "left" and "right" exchanged."""
    return "_".join(_SIDES.get(word, word) for word in name.split("_"))


def _mirror_landmark(name: str) -> str:
    """The landmark that a landmark becomes: "right_eye_0" -> "left_eye_3", "jaw_0" -> "jaw_16"."""
    *words, last = _other_side(name).split("_")
    part = "_".join(word for word in words if word not in _SIDES)
    if part in _MIRRORED_PARTS and last.isdecimal():
        last = str(_MIRRORED_PARTS[part][int(last)])
    return "_".join([*words, last])


def _with_sides_swapped(batch: dict, is_mirrored: tf.Tensor, orders: dict[str, np.ndarray]) -> dict:
    """Where [B] says so, landmarks and attributes of a mirrored face take each other's places."""
    swapped = {}
    for name, order in orders.items():
        if name not in batch:
            continue
        values, axis = batch[name], -1 if name == "attributes" else -2
        if values.shape[axis] != len(order):
            raise DatasetError(
                f"{values.shape[axis]} {name} but {len(order)} {name[:-1]}_names: a mirror image needs the name of each"
            )
        swapped[name] = _where(is_mirrored, tf.gather(values, order, axis=axis), values)
    return batch | swapped


def _where(condition: tf.Tensor, values: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """For each example [B] one or the other [B, ...]."""
    return tf.where(tf.reshape(condition, (-1, *[1] * (len(values.shape) - 1))), values, others)


def _without(batch: dict, *columns: str) -> dict:
    return {name: values for name, values in batch.items() if name not in columns}


def chain(*augmentations: Callable) -> Callable:
    """An augmentation that applies some, one after the other, each with a seed of its own."""

    def augment(batch, seed):
        for number, augmentation in enumerate(augmentations):
            batch = augmentation(batch, tf.random.experimental.stateless_fold_in(seed, number))
        return batch

    return augment


def window(frames: int, most_pace: int | None = None) -> Callable:
    """An augmentation that shows some frames of each clip: a random stretch of it at a random pace.

    Every frame, every second, every third and so on, each with the same chance. So what is
    told of all of them is what stays for longer than a moment. The frame in their middle becomes the picture, with its
    landmarks and factors. `attributes` leave the batch: they were those of another frame.

    Args:
      frames: that are shown, T.
      most_pace: 1 shows successive frames only; None is as far as the clip is long.

    Raises:
      DatasetError: `frames` is below 2 or more than the clips have.
    """

    def augment(batch, seed):
        count = batch["clip"].shape[1]
        if not 2 <= frames <= count:
            raise DatasetError(f"window: frames={frames} must be 2 to {count}, the frames of a clip")
        draws = draw(tf.random.stateless_uniform, (batch["clip"].shape[0], 2), seed)
        paces = (count - 1) // (frames - 1)
        pace = 1 + _choose(draws[:, 0], min(paces, most_pace or paces))
        first = _choose(draws[:, 1], count - (frames - 1) * pace)
        numbers = first[:, None] + pace[:, None] * tf.range(frames)  # [B, T]
        columns = [name for name in batch if name.startswith("clip")]
        stretches = {name: tf.gather(batch[name], numbers, batch_dims=1) for name in columns}
        middles = {_FRAME_COLUMNS[name]: frames_of[:, frames // 2] for name, frames_of in stretches.items()}
        return _without(batch, "attributes") | stretches | middles

    return augment


def _choose(draws: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
    """Numbers below `count` from some in [0, 1), int32 of the same shape."""
    return tf.minimum(tf.cast(draws * tf.cast(count, tf.float32), tf.int32), count - 1)


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
        size, height, width = batch["image"].shape[:3]
        if not 2 <= factor <= min(height, width):
            raise DatasetError(f"blur: factor={factor} must be 2 to {min(height, width)}, the side of the pictures")
        # Below zero, so for half of them, the share is none.
        share = tf.nn.relu(draw(tf.random.stateless_uniform, (size, 1, 1, 1), seed, -1.0, 1.0))

        def soften(images):
            small = tf.image.resize(images, (height // factor, width // factor), "area")
            return tf.image.resize(small, (height, width), "bilinear")

        return batch | _change_frames(batch, lambda images, share: images + share * (soften(images) - images), share)

    return augment


def colour(strength: float = 0.2) -> Callable:
    """An augmentation that changes brightness, contrast and saturation of each picture.

    For each picture three numbers b, c, s are drawn, uniform in [-strength, strength]. With g(x) the gray of a pixel
    x, 0.299 R + 0.587 G + 0.114 B, one after the other

      brightness: x <- (1 + b) x
      contrast:   x <- m + (1 + c) (x - m), m the mean of g(x) over the picture
      saturation: x <- g(x) + (1 + s) (x - g(x))

    and at the end x is cut off at 0 and 1. (Torchvision's ColorJitter, less the hue, and cut off only once.) Gray
    pictures have no saturation. `factors` leave the batch: they tell the colours that a face was drawn with.

    Raises:
      DatasetError: `strength` is not in [0, 1].
    """
    _check("colour", strength=strength)

    def augment(batch, seed):
        numbers = draw(tf.random.stateless_uniform, (batch["image"].shape[0], 3), seed, -strength, strength)
        changed = _change_frames(batch, _recolour, *tf.unstack(numbers[:, :, None, None, None], axis=1))
        return _without(batch | changed, "factors", "clip_factors")

    return augment


def _recolour(images, brightness, contrast, saturation):
    """Pictures [B, H, W, C] with other colours, as three numbers [B, 1, 1, 1] say."""
    gray = tf.tensordot(images, [[share] for share in LUMA], 1) if images.shape[-1] == 3 else images
    mean = (1.0 + brightness) * tf.reduce_mean(gray, axis=(1, 2, 3), keepdims=True)
    # All three at once: what they do to a pixel is linear in it and in its gray.
    saturated = images + saturation * (images - gray)
    changed = (1.0 + contrast) * (1.0 + brightness) * saturated - contrast * mean
    return tf.clip_by_value(changed, 0.0, 1.0)


def _change_frames(batch: dict, change: Callable, *numbers: tf.Tensor) -> dict:
    """`image`, and the `clip` if there is one, changed alike by numbers [B, 1, 1, 1] of each example."""
    changed = {"image": change(batch["image"], *numbers)}
    if "clip" in batch:
        shape = batch["clip"].shape
        frames = tf.reshape(batch["clip"], (-1, *shape[2:]))
        of_frames = [tf.repeat(each, shape[1], axis=0) for each in numbers]
        changed["clip"] = tf.reshape(change(frames, *of_frames), shape)
    return changed


def affine(degrees: float = 10.0, scale: float = 1.15, shift: float = 0.05) -> Callable:
    """An augmentation that turns, scales and shifts pictures with their `landmarks` and their `mask`.

    The turn about the picture's middle, the scale and the shift of each example are drawn as those of `random_warp`,
    and what is said there of edges, landmarks and `factors` holds here.

    Args:
      degrees: the largest turn, either way.
      scale: the largest enlargement, at least 1; the logarithm of the scale is uniform from 1 / `scale` to `scale`.
      shift: the largest shift along an axis, in sides.

    Raises:
      DatasetError: a value outside of these.
    """
    _check("affine", degrees=degrees, scale=scale, shift=shift)

    def augment(batch, seed):
        move = _random_affine(batch["image"].shape, seed, degrees, scale, shift, flip=0.0)
        return _without(batch | _move(batch, move), "factors", "clip_factors")

    return augment


def random_warp(
    cells: int = 5,
    warp: float = WARP,
    degrees: float = 10.0,
    scale: float = 1.15,
    shift: float = 0.05,
    flip: float = 0.4,
    landmark_names: Sequence[str] = (),
    attribute_names: Sequence[str] = (),
) -> Callable:
    """An augmentation for face mapping: a moved face as the target, the same face distorted as the input.

    After DeepFaceLab (Perov et al. 2020, arXiv:2005.05535, its `gen_warp_params`). The picture is turned, scaled,
    shifted and perhaps mirrored, with its `landmarks`, its `mask` and, as in `flip`, its `attributes`: that is the new
    `image`. `warped` [B, H, W, C] is this `image` distorted: of a grid of `cells` x `cells` points over it those inside
    move at random, and the pixels between follow bilinearly. Both are sampled bilinearly and only once, from the
    original; beyond its edge its edge pixels repeat. Every example draws its own numbers. Landmarks may come to lie
    outside of [0, 1]; `factors` leave the batch: a moved face no longer has those that it was drawn from.

    Args:
      cells: points of the grid along a side, at least 3.
      warp: the largest move of a point along an axis, in distances between points; moves are normal numbers cut off
        at two deviations, which are this largest move. (DeepFaceLab's are cut off at 2.5.)
      degrees: the largest turn, either way.
      scale: the largest enlargement, at least 1; the logarithm of the scale is uniform from 1 / `scale` to `scale`.
      shift: the largest shift along an axis, in sides.
      flip: the probability of a mirror image.
      landmark_names, attribute_names: as in `flip`, needed where `flip` here is above 0.

    Raises:
      DatasetError: a value outside of these, or the batch's landmarks or attributes are not as many as their names.
    """
    _check("random_warp", cells=cells, warp=warp, degrees=degrees, scale=scale, shift=shift, flip=flip)
    orders = _order_mirrored(landmark_names, attribute_names) if flip > 0.0 else {}

    def augment(batch, seed):
        images = batch["image"]  # [B, H, W, C]
        affine_seed, grid_seed = (tf.random.experimental.stateless_fold_in(seed, number) for number in range(2))
        move = _random_affine(images.shape, affine_seed, degrees, scale, shift, flip)
        distorted = _pixel_centres(images.shape) + warp * _random_displacement(images.shape, cells, grid_seed)
        moved = batch | _move(batch, move) | {"warped": _sample(images, move.origin(distorted))}
        return _without(_with_sides_swapped(moved, move.is_mirrored, orders), "factors", "clip_factors")

    return augment


def _check(augmentation: str, **values: float) -> None:
    limits = {
        "cells": (3, np.inf),
        "scale": (1.0, np.inf),
        "flip": (0.0, 1.0),
        "degrees": (0.0, 180.0),
        "strength": (0.0, 1.0),
    }
    for name, value in values.items():
        low, high = limits.get(name, (0.0, np.inf))
        if not low <= value <= high:
            raise DatasetError(
                f"{augmentation}: {name}={value} must be {low:g} to {high:g}".replace(" to inf", " or more")
            )


@dataclasses.dataclass(frozen=True)
class _Affine:
    """How pictures are moved about their middle: a point p becomes middle + matrix (p - middle) + shift.

    Attributes:
      is_mirrored: [B] bool.
      matrix: [B, 2, 2], turn, scale and mirror.
      shift: [B, 2, 1] in pixels.
      side: [2, 1], width and height in pixels.
    """

    is_mirrored: tf.Tensor
    matrix: tf.Tensor
    shift: tf.Tensor
    side: np.ndarray

    def destination(self, points: tf.Tensor) -> tf.Tensor:
        """Where points [B, 2, N] (rows x, y in pixels) of the originals come to lie."""
        middle = self.side / 2.0
        return tf.matmul(self.matrix, points - middle) + (middle + self.shift)

    def origin(self, points: tf.Tensor) -> tf.Tensor:
        """Where points [B or 1, 2, N] of the moved pictures come from."""
        middle = self.side / 2.0
        return tf.matmul(tf.linalg.inv(self.matrix), points - (middle + self.shift)) + middle


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
    side = np.array([[shape[2]], [shape[1]]], np.float32)
    return _Affine(is_mirrored, matrix, shift * side * tf.stack([across, down], axis=-1)[..., None], side)


def _move(batch: dict, move: _Affine) -> dict:
    """The columns of a batch that move: pictures and landmarks; left and right are not yet exchanged."""
    pictures = {name: batch[name] for name in ("image", "mask") if name in batch}
    if "clip" in batch:  # all frames move as one picture of many channels does
        pictures["clip"] = tf.reshape(tf.transpose(batch["clip"], (0, 2, 3, 1, 4)), (*batch["image"].shape[:3], -1))
    layers = tf.concat([*pictures.values()], axis=-1)
    sampled = _sample(layers, move.origin(_pixel_centres(layers.shape)))
    parts = tf.split(sampled, [picture.shape[-1] for picture in pictures.values()], axis=-1)
    moved = dict(zip(pictures, parts, strict=True))
    if "clip" in batch:
        size, count, height, width, channels = batch["clip"].shape
        frames = tf.reshape(moved["clip"], (size, height, width, count, channels))
        moved["clip"] = tf.transpose(frames, (0, 3, 1, 2, 4))
    for name in ("landmarks", "clip_landmarks"):
        if name in batch:
            given = tf.reshape(batch[name], (batch[name].shape[0], -1, 2))
            points = tf.linalg.matrix_transpose(given) * move.side  # [B, 2, L]
            points = tf.linalg.matrix_transpose(move.destination(points) / move.side)
            moved[name] = tf.reshape(points, batch[name].shape)
    return moved


def _pixel_centres(shape: Sequence[int]) -> np.ndarray:
    """The middles of all pixels, row by row: x and y in pixels, float32 [1, 2, H * W]."""
    rows, columns = np.mgrid[: shape[1], : shape[2]].astype(np.float32) + 0.5
    return np.stack([columns, rows]).reshape(1, 2, -1)


def _random_displacement(shape: Sequence[int], cells: int, seed: tf.Tensor) -> tf.Tensor:
    """Moves of all pixels, [B, 2, H * W] in pixels, between those of a grid whose border stays."""
    batch_size, height, width = shape[:3]
    moves = draw(tf.random.stateless_truncated_normal, (batch_size, cells - 2, cells - 2, 2), seed) / 2.0  # in [-1, 1]
    moves = tf.pad(tf.transpose(moves, (0, 3, 1, 2)), [[0, 0], [0, 0], [1, 1], [1, 1]])  # [B, 2, cells, cells]
    dense = tf.matmul(tf.matmul(_tents(height, cells), moves), _tents(width, cells), transpose_b=True)
    distance = np.array([[width], [height]], np.float32) / (cells - 1)
    return distance * tf.reshape(dense, (batch_size, 2, height * width))


def _tents(length: int, cells: int) -> np.ndarray:
    """The weight of each grid point in each of `length` pixels for linear interpolation, float32 [length, cells]."""
    places = (np.arange(length, dtype=np.float32)[:, None] + 0.5) / length * (cells - 1)
    return np.maximum(1.0 - np.abs(places - np.arange(cells, dtype=np.float32)), 0.0)


@tf.function(autograph=False, jit_compile=True)  # one loop over the pixels instead of twenty: ten times as fast
def _sample(images: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """The pictures [B, H, W, C] at points [B, 2, H * W] (x, y in pixels), bilinear, edge pixels repeated."""
    batch_size, height, width, num_channels = images.shape
    x, y = tf.unstack(points - 0.5, axis=1)  # each [B, H * W]
    x, y = tf.clip_by_value(x, 0.0, width - 1.0), tf.clip_by_value(y, 0.0, height - 1.0)
    column, row = tf.minimum(tf.floor(x), width - 2.0), tf.minimum(tf.floor(y), height - 2.0)
    right, below = (x - column)[..., None], (y - row)[..., None]
    first = (
        tf.range(batch_size)[:, None] * (height * width) + tf.cast(row, tf.int32) * width + tf.cast(column, tf.int32)
    )
    pixels = tf.reshape(images, (-1, num_channels))
    left_top, right_top, left_low, right_low = (tf.gather(pixels, first + step) for step in (0, 1, width, width + 1))
    top = left_top + right * (right_top - left_top)
    low = left_low + right * (right_low - left_low)
    return tf.reshape(top + below * (low - top), images.shape)
