"""Random numbers as a function of (seed, step, position in the global batch): no replica, no hidden state."""

import contextlib
import contextvars
import zlib

import tensorflow as tf

_step: contextvars.ContextVar = contextvars.ContextVar("step", default=None)
_part: contextvars.ContextVar[tuple[int, int]] = contextvars.ContextVar("part", default=(0, 1))


@contextlib.contextmanager
def at_step(step):
    """Draws inside belong to this training step (an integer or a scalar tensor); outside, to step 0."""
    token = _step.set(step)
    try:
        yield
    finally:
        _step.reset(token)


@contextlib.contextmanager
def of_part(number: int, count: int):
    """Draws inside are for one of `count` equal parts, one after the other, of each replica's examples."""
    token = _part.set((number, count))
    try:
        yield
    finally:
        _part.reset(token)


def current_step():
    """The training step of `at_step`, int32 scalar; 0 outside."""
    step = _step.get()
    return tf.cast(0 if step is None else step, tf.int32)


def has_come(step: int):
    """Whether training has reached a step, a boolean scalar; outside of `at_step`, where nothing trains, True."""
    return tf.constant(True) if _step.get() is None else current_step() >= step


def normal(batch_size, shape: tuple[int, ...], *, seed: int, stream: str):
    """Standard normal numbers, float32 [batch_size, *shape].

    Args:
      batch_size: this replica's number of examples, or that of the part, an integer or a scalar tensor.
      shape: what one example gets.
      seed: the model's.
      stream: names the place that draws, so that no two places get the same numbers.
    """
    return _draw_rows(tf.random.stateless_normal, batch_size, shape, seed, stream)


def normal_for_all(shape: tuple[int, ...], *, seed: int, stream: str):
    """What `normal` draws for one example alone, the same on every replica: float32 [1, *shape]."""
    return tf.random.stateless_normal((1, *shape), seed=_make_key(seed, stream))


def normal_of(pictures, shape: tuple[int, ...], *, seed: int, stream: str):
    """What `normal` draws for one example, of a picture's own: the same whatever it is in a batch with, and when.

    Args:
      pictures: [B, H, W, C] in [0, 1], of which 8 bits are read.
      shape: what one example gets.
      seed: the model's.
      stream: names the place that draws.

    Returns:
      float32 [B, *shape].
    """
    bits = tf.reshape(tf.cast(tf.round(255.0 * pictures), tf.int32), (tf.shape(pictures)[0], -1))
    factors = tf.random.stateless_uniform(tf.shape(bits)[1:], (0, 0), minval=None, maxval=None, dtype=tf.int32)
    first = tf.constant((seed ^ zlib.crc32(stream.encode())) & 0x7FFFFFFF, tf.int32)
    keys = tf.reduce_sum(bits * factors, axis=1)  # runs over, as it may
    return tf.map_fn(
        lambda key: tf.random.stateless_normal(shape, tf.stack([first, key])), keys, fn_output_signature=tf.float32
    )


def uniform(batch_size, shape: tuple[int, ...], *, seed: int, stream: str):
    """Uniform numbers in [0, 1), otherwise as `normal`."""
    return _draw_rows(tf.random.stateless_uniform, batch_size, shape, seed, stream)


def _draw_rows(draw, batch_size, shape, seed, stream):
    """Every replica draws the same numbers for the global batch and takes its own rows."""
    replica_count, replica = 1, 0
    context = tf.distribute.get_replica_context()
    if context is not None:
        replica_count, replica = context.num_replicas_in_sync, context.replica_id_in_sync_group
    part, part_count = _part.get()
    row, count = replica * part_count + part, replica_count * part_count
    numbers = draw((batch_size * count, *shape), seed=_make_key(seed, stream))
    return numbers[row * batch_size : (row + 1) * batch_size]  # [B, ...]


def _make_key(seed: int, stream: str):
    return tf.stack([tf.constant((seed ^ zlib.crc32(stream.encode())) & 0x7FFFFFFF, tf.int32), current_step()])
