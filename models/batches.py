"""What Keras hands to a model, as the dict of columns that the zoo's models read."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

TARGET = "target"  # the column of pictures that reconstructions are compared with, where it is not `image`
CLIP_TARGET = "clip_target"  # the same of clips, where it is not `clip`
TOLERANCE = 1e-3  # by which pictures may leave [0, 1]: what resizing and narrow floats round
_OUTSIDE = "pictures have numbers outside of [0, 1]: divide them by what white is, or give uint8, where white is 255"
_is_checked = [True]


def is_tensorflow() -> bool:
    """Whether Keras computes by TensorFlow, in which everything trains."""
    return keras.backend.backend() == "tensorflow"


def check_trains(what: str) -> None:
    """A RuntimeError where Keras computes by another backend than TensorFlow."""
    if not is_tensorflow():
        raise RuntimeError(
            f"{what} needs TensorFlow: with KERAS_BACKEND={keras.backend.backend()} models only encode, decode and are "
            "called; unset KERAS_BACKEND"
        )


@contextlib.contextmanager
def skip_checks() -> Iterator[None]:
    """Within, pictures are not checked: they have been, or a format of exported models does not know how."""
    _is_checked.append(False)
    try:
        yield
    finally:
        _is_checked.pop()


def as_batch(data: Any) -> dict[str, Any]:
    """A batch as the models read it: a dict with `image`, float32 [B, H, W, C] in [0, 1].

    Args:
      data: pictures [B, H, W, C], as `as_pictures` takes them; or a dict with them as `image`, and other columns, of
        which `clip` [B, T, H, W, C] is pictures too; or a
        tuple of Keras', (x,) or (x, y), where y is pictures that the reconstructions are compared with, or a dict of
        more columns.

    Raises:
      ValueError: there are no pictures, pictures are not in [0, 1], y is something else, or examples are weighed.
    """
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    batch = {**x} if isinstance(x, Mapping) else {"image": x}
    if batch.get("image") is None:
        raise ValueError(f"a batch needs 'image', pictures [B, H, W, C]; this one has {', '.join(batch)}")
    if weights is not None:
        raise ValueError("sample_weight is not known here: every example counts alike, terms weigh by their factors")
    batch |= {name: as_pictures(batch[name]) for name in ("image", "clip") if name in batch}
    if isinstance(y, Mapping):
        return batch | {**y}
    if y is None:
        return batch
    shape, expected = tf.TensorShape(y.shape), tf.TensorShape(batch["image"].shape)
    if shape.rank != 4 or not shape[1:].is_compatible_with(expected[1:]):
        raise ValueError(f"y must be pictures of the shape {expected} of x, not {shape}; or a dict of columns")
    return batch | {TARGET: as_pictures(y)}


def as_clip_batch(data: Any) -> dict[str, Any]:
    """As `as_batch`, of clips too: [B, T, H, W, C], or a dict with them as `clip`, become `clip` and its middle frame.

    What clips are compared with, y, are clips of the same shape.

    Raises:
      ValueError: as `as_batch`, or y is pictures where x is clips.
    """
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    clips = x.get("clip") if isinstance(x, Mapping) else x
    if clips is None or len(clips.shape) != 5:
        return as_batch((x, y, weights))
    middle = clips.shape[1] // 2
    x = {"image": clips[:, middle], **(x if isinstance(x, Mapping) else {"clip": clips})}
    if y is None or isinstance(y, Mapping):
        return as_batch((x, y, weights))
    shape, expected = tf.TensorShape(y.shape), tf.TensorShape(clips.shape)
    if shape.rank != 5 or not shape[1:].is_compatible_with(expected[1:]):
        raise ValueError(f"y must be clips of the shape {expected} of x, not {shape}; or a dict of columns")
    return as_batch((x, y[:, middle], weights)) | {CLIP_TARGET: as_pictures(y)}


def choose_targets(batch: Mapping[str, Any]) -> Mapping[str, Any]:
    """A batch as loss terms read it: `image`, and `clip`, are what reconstructions are compared with."""
    targets = {"image": TARGET, "clip": CLIP_TARGET}
    return {**batch, **{name: batch[target] for name, target in targets.items() if target in batch}}


def as_pictures(images: Any) -> Any:
    """Pictures as the models take them: uint8 becomes float32 in [0, 1], floats are that already.

    Raises:
      ValueError: numbers of another kind, or outside of [0, 1]. In a graph, an InvalidArgumentError when it runs.
    """
    kind = keras.backend.standardize_dtype(getattr(images, "dtype", None) or np.asarray(images).dtype)
    if kind == "uint8":
        return keras.ops.cast(images, "float32") / 255.0
    if not kind.startswith(("float", "bfloat")):
        raise ValueError(f"pictures are {kind}: give uint8, or floats in [0, 1]")
    if isinstance(images, keras.KerasTensor):
        return images
    images = keras.ops.convert_to_tensor(images, "float32" if kind == "float64" else None)
    if _is_checked[-1]:
        _refuse_outside(images)
    return images


def _refuse_outside(images: Any) -> None:
    """NaN is no number outside of [0, 1]: a training step that meets one is left out, and counted."""
    is_outside = (keras.ops.min(images) < -TOLERANCE) | (keras.ops.max(images) > 1.0 + TOLERANCE)
    if _is_traced(is_outside):
        return
    if is_tensorflow() and not tf.executing_eagerly():
        tf.debugging.Assert(~is_outside, [_OUTSIDE], summarize=1)
    elif is_outside:
        raise ValueError(_OUTSIDE)


def _is_traced(tensor: Any) -> bool:
    """Whether `jax.jit` sees a number that is not there yet."""
    if keras.backend.backend() != "jax":
        return False
    import jax

    return isinstance(tensor, jax.core.Tracer)


def input_signature(network: keras.Model) -> list:
    """What Keras' `export` asks of a model that it has not seen called: here the inputs of a network inside of it."""

    def spec(tensor: keras.KerasTensor) -> keras.InputSpec:
        return keras.InputSpec(dtype=tensor.dtype, shape=tensor.shape, name=tensor.name)

    return [keras.tree.map_structure(spec, network.input)]


def plainly(method: Callable) -> Callable:
    """A method of `keras.Model` that takes data first, with what is amiss with pictures said in one line.

    A generator may yield batches as `as_batch` takes them; Keras by itself wants tuples.
    """

    @functools.wraps(method)
    def run(self, x=None, *arguments, **options):
        check_trains(method.__name__)
        _check_arrays(x, *arguments, *options.values())
        if inspect.isgenerator(x):
            x = (data if isinstance(data, tuple) else (data,) for data in x)
        try:
            return method(self, x, *arguments, **options)
        except tf.errors.InvalidArgumentError as error:
            if _OUTSIDE in str(error):
                raise ValueError(_OUTSIDE) from None
            raise

    return run


def _check_arrays(*given: Any) -> None:
    """Raises ValueError for arrays of pictures outside of [0, 1], before a graph is made for them."""
    for data in given:
        images = data.get("image") if isinstance(data, Mapping) else data
        if isinstance(images, np.ndarray) and images.dtype.kind == "f" and images.ndim == 4 and images.size:
            _refuse_outside(tf.stack([images.min(), images.max()]))
