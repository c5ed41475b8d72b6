"""From a source to batches of tensors: order, cache, conversion to [0, 1], augmentation, prefetch."""

import atexit
import contextlib
import dataclasses
import functools
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from .share import WHOLE, Share, drawing_for
from .source import DatasetError, Source

Batch = dict[str, tf.Tensor]
SELECTION = 1  # of its own draws, among those of a step
LOADERS = 2  # threads; more of them only fight over Python's lock
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
    selection: Augmentation | None = None,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """An endless stream of shuffled batches; batch number n is a function of (seed, n) and of the arguments
    below, of nothing that happened before.

    Args:
      source: the training split.
      batch_size: of the global batch.
      seed: of the order and the augmentation.
      steps_per_epoch: batches after which a new order begins.
      first_step: number of the first batch, counted over all epochs.
      augmentation: `(batch, seed [2]) -> batch`, drawing only through `share.draw`.
      selection: as an augmentation, but before pictures become floats, so that those it leaves out cost little.
      share: of each global batch that is loaded.
    """

    @functools.lru_cache(maxsize=2)  # two, since batches are loaded ahead
    def order(epoch: int) -> np.ndarray:
        return epoch_order(len(source), seed, epoch)

    def indices_of(step: int) -> np.ndarray:
        epoch, batch = divmod(int(step), steps_per_epoch)
        return share.of(order(epoch)[batch * batch_size : (batch + 1) * batch_size])

    @tf.autograph.experimental.do_not_convert  # it would read through all the code that draws
    def load(step: tf.Tensor) -> Batch:
        batch = _load(source, step, indices_of, batch_size // share.count)
        key = tf.stack([tf.cast(seed, tf.int64), step])
        with drawing_for(share):
            if selection is not None:
                batch = selection(batch, tf.random.experimental.stateless_fold_in(key, SELECTION))
            batch = _with_float_pictures(batch)
            return batch if augmentation is None else augmentation(batch, key)

    steps = tf.data.Dataset.counter(first_step)
    stream = steps.map(load, num_parallel_calls=LOADERS, deterministic=True).prefetch(tf.data.AUTOTUNE)
    return _hold_parts(stream, source, indices_of)


def evaluation_batches(
    source: Source, batch_size: int, count: int | None = None, share: Share = WHOLE
) -> tf.data.Dataset:
    """The first `count` examples (all by default) once each, in order; of each batch a `share`.

    Every batch is full, so that shapes never change: the last one repeats its last example, and its `padding` [B] is
    True there.
    """
    count = len(source) if count is None else min(count, len(source))
    padded = -(-count // batch_size) * batch_size
    rows = share.of(np.arange(batch_size))

    def indices_of(start: int) -> np.ndarray:
        return np.minimum(start + rows, count - 1)

    @tf.autograph.experimental.do_not_convert
    def load(start: tf.Tensor) -> Batch:
        batch = _with_float_pictures(_load(source, start, indices_of, len(rows)))
        return {**batch, "padding": start + rows >= count}

    starts = tf.data.Dataset.range(0, padded, batch_size)
    stream = starts.map(load, num_parallel_calls=LOADERS, deterministic=True).prefetch(tf.data.AUTOTUNE)
    return _hold_parts(stream, source, indices_of)


def with_columns(source: Source, columns_of: Callable[[tf.Tensor], Batch]) -> Source:
    """The source with more columns: what `columns_of` makes of pictures, float32 [n, H, W, C] in [0, 1]."""

    @functools.partial(tf.function, input_signature=[tf.TensorSpec((None, *source.image_shape), tf.uint8)])
    def columns(images):
        return columns_of(tf.cast(images, tf.float32) / 255.0)

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        examples = source.load(positions)
        with tf.init_scope():  # also where a graph is being traced
            added = columns(examples["image"])
        return examples | {name: values.numpy() for name, values in added.items()}

    return dataclasses.replace(source, load=load)


def number_cached(source: Source, cache_gb: float) -> int:
    """How many of its examples `cache_gb` gigabytes hold."""
    bytes_per_example = sum(values.nbytes for values in source.load(np.zeros(1, np.int64)).values())
    return min(len(source), int(cache_gb * 1e9) // bytes_per_example)


def cache(source: Source, cache_gb: float) -> Source:
    """The source with its first examples, as many as `cache_gb` gigabytes hold, kept in memory once they are loaded."""
    kept = number_cached(source, cache_gb)
    if kept == 0:
        return source
    example = source.load(np.zeros(1, np.int64))
    store = {name: np.empty((kept, *values.shape[1:]), values.dtype) for name, values in example.items()}
    is_stored = np.zeros(kept, bool)

    def load(indices: np.ndarray) -> dict[str, np.ndarray]:
        in_store = np.minimum(indices, kept - 1)
        missing = np.flatnonzero((indices >= kept) | ~is_stored[in_store])
        examples = {name: values[in_store] for name, values in store.items()}  # copies
        if len(missing) == 0:
            return examples
        is_kept = indices[missing] < kept
        for name, values in source.load(indices[missing]).items():
            examples[name][missing] = values
            store[name][indices[missing[is_kept]]] = values[is_kept]
        is_stored[indices[missing[is_kept]]] = True  # last: another thread may be reading
        return examples

    return dataclasses.replace(source, load=load)


def _load(source: Source, key: tf.Tensor, indices_of: Callable[[int], np.ndarray], batch_size: int) -> Batch:
    """Loads the examples `indices_of(key)` inside a tf.data graph.

    The graph, which TensorFlow never frees (tensorflow#124972), does not hold the source and what it keeps in memory;
    the stream does.
    """
    example = source.load(np.zeros(1, np.int64))
    types = [tf.as_dtype(values.dtype) for values in example.values()]
    source_of_stream, indices_of_stream = weakref.ref(source), weakref.ref(indices_of)

    def load(key: int) -> list[np.ndarray]:
        source, indices_of = source_of_stream(), indices_of_stream()
        if source is None or indices_of is None:
            raise RuntimeError("the stream of batches is gone")
        return list(source.load(indices_of(key)).values())

    arrays = tf.numpy_function(_calls.count_calls(load), [key], types)
    return {
        name: tf.ensure_shape(array, (batch_size, *values.shape[1:]))
        for (name, values), array in zip(example.items(), arrays, strict=True)
    }


def _hold_parts(stream: tf.data.Dataset, *parts: object) -> tf.data.Dataset:
    """The stream, with which these parts stay; what is derived from a stream holds it, and so do iterators."""
    stream.held_parts = parts
    return stream


def load_batch(source: Source, positions: np.ndarray) -> Batch:
    """The examples at some positions as one batch, as the streams give them."""
    return _with_float_pictures({name: tf.constant(values) for name, values in source.load(positions).items()})


def _with_float_pictures(batch: Batch) -> Batch:
    """Pictures (uint8) become float32 in [0, 1]."""
    pictures = {name: tf.cast(array, tf.float32) / 255.0 for name, array in batch.items() if array.dtype == tf.uint8}
    return batch | pictures


@contextlib.contextmanager
def source_errors() -> Iterator[None]:
    """Within, what is wrong with a source's data comes out of its batches as the DatasetError that it raised."""
    try:
        yield
    except tf.errors.OpError as error:
        if _calls.last_error is None or DatasetError.__name__ not in error.message:
            raise
        raise _calls.last_error from error


class _Calls:
    """The calls into Python that tf.data's threads are making.

    A thread that is in such a call when the interpreter shuts down never returns, and the iterator's end waits for it
    forever. So before the shutdown new calls fail, and those under way are waited for.

    Attributes:
      last_error: that a source raised; TensorFlow passes on no more than its text.
    """

    def __init__(self):
        self._under_way = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self.last_error: DatasetError | None = None
        atexit.register(self._close)

    def count_calls(self, function: Callable) -> Callable:
        def call(*arguments):
            self._count(1)
            try:
                return function(*arguments)
            except DatasetError as error:
                self.last_error = error
                raise
            finally:
                self._count(-1)

        return call

    def _count(self, change: int) -> None:
        with self._changed:
            if self._is_closed and change > 0:
                raise RuntimeError("the program is ending")
            self._under_way += change
            self._changed.notify_all()

    def _close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: self._under_way == 0, timeout=60)
        time.sleep(0.1)  # for the threads to get from Python back into TensorFlow


_calls = _Calls()
