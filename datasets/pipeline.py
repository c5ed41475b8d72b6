"""From a source to batches of tensors: order, cache, conversion to [0, 1], augmentation, prefetch."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from .source import DatasetError, Source

Batch = dict[str, tf.Tensor]
Augmentation = Callable[[Batch, tf.Tensor], Batch]


def steps_in_epoch(source: Source, batch_size: int, steps_per_epoch: int | None = None) -> int:
    """Batches of one epoch: all that the source fills, or the first `steps_per_epoch` of them.

    Raises:
      DatasetError: the source does not fill one batch, or not as many as asked for.
    """
    available = len(source) // batch_size
    if available == 0:
        raise DatasetError(
            f"{source.name} has {len(source)} examples, fewer than one batch of {batch_size}: lower --batch_size"
        )
    if steps_per_epoch is not None and steps_per_epoch > available:
        raise DatasetError(
            f"--steps_per_epoch={steps_per_epoch}, but {source.name} fills only {available} batches of {batch_size}"
        )
    return steps_per_epoch or available


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which this epoch takes the examples: a permutation of range(count)."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def training_batches(
    source: Source,
    batch_size: int,
    *,
    seed: int,
    steps_per_epoch: int,
    first_step: int = 0,
    augmentation: Augmentation | None = None,
) -> tf.data.Dataset:
    """An endless stream of shuffled batches; batch number n is a function of (seed, n) alone.

    Args:
      source: the training split.
      batch_size: of the global batch.
      seed: of the order and the augmentation.
      steps_per_epoch: batches after which a new order begins.
      first_step: number of the first batch, counted over all epochs.
      augmentation: `(batch, seed [2]) -> batch`, drawing only through `tf.random.stateless_*`.
    """

    def positions() -> Iterator[tuple[int, np.ndarray]]:
        step = first_step
        while True:
            epoch, first_batch = divmod(step, steps_per_epoch)
            order = epoch_order(len(source), seed, epoch)
            for batch in range(first_batch, steps_per_epoch):
                yield step, order[batch * batch_size : (batch + 1) * batch_size]
                step += 1

    def load(step, indices) -> Batch:
        batch = _load(source, indices, batch_size)
        return batch if augmentation is None else augmentation(batch, tf.stack([tf.cast(seed, tf.int64), step]))

    signature = (tf.TensorSpec((), tf.int64), tf.TensorSpec((batch_size,), tf.int64))
    dataset = tf.data.Dataset.from_generator(positions, output_signature=signature)
    return dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(source: Source, batch_size: int, count: int | None = None) -> tf.data.Dataset:
    """The first `count` examples (all by default) once each, in order.

    Every batch is full, so that shapes never change: the last one repeats its last example, and its `padding` [B] is
    True there.
    """
    count = len(source) if count is None else min(count, len(source))
    padded = -(-count // batch_size) * batch_size
    indices = np.minimum(np.arange(padded), count - 1)
    dataset = tf.data.Dataset.from_tensor_slices((indices, np.arange(padded) >= count))
    dataset = dataset.batch(batch_size, drop_remainder=True)
    load = lambda rows, padding: {**_load(source, rows, batch_size), "padding": padding}  # noqa: E731
    return dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def cached(source: Source, cache_gb: float) -> Source:
    """The source with its first examples, as many as `cache_gb` gigabytes hold, kept in memory once they are loaded."""
    example = source.load(np.zeros(1, np.int64))
    bytes_per_example = sum(values.nbytes for values in example.values())
    kept = min(len(source), int(cache_gb * 1e9) // bytes_per_example)
    if kept == 0:
        return source
    store = {name: np.empty((kept, *values.shape[1:]), values.dtype) for name, values in example.items()}
    is_stored = np.zeros(kept, bool)

    def load(indices: np.ndarray) -> dict[str, np.ndarray]:
        in_store = (indices < kept) & is_stored[np.minimum(indices, kept - 1)]
        if in_store.all():
            return {name: values[indices] for name, values in store.items()}
        fresh = source.load(indices)
        rows = np.flatnonzero(indices < kept)
        for name, values in fresh.items():
            store[name][indices[rows]] = values[rows]
        is_stored[indices[rows]] = True  # last: another thread may be reading
        return fresh

    return dataclasses.replace(source, load=load)


def _load(source: Source, indices: tf.Tensor, batch_size: int) -> Batch:
    """Reads examples inside a tf.data graph; `image` becomes float32 in [0, 1]."""
    example = source.load(np.zeros(1, np.int64))
    types = [tf.as_dtype(values.dtype) for values in example.values()]
    arrays = tf.numpy_function(lambda rows: list(source.load(rows).values()), [indices], types)
    batch = {
        name: tf.ensure_shape(array, (batch_size, *values.shape[1:]))
        for (name, values), array in zip(example.items(), arrays, strict=True)
    }
    return {**batch, "image": tf.cast(batch["image"], tf.float32) / 255.0}
