"""The part of every global batch that one process of several loads and changes."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Share:
    """Part `number` of `count` equal ones."""

    number: int = 0
    count: int = 1

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Its part of the rows of a global batch."""
        size = len(rows) // self.count
        return rows[self.number * size : (self.number + 1) * size]


WHOLE = Share()
_share: contextvars.ContextVar[Share] = contextvars.ContextVar("share", default=WHOLE)


@contextlib.contextmanager
def drawing_for(share: Share):
    """What `draw` gives inside is for this part of a global batch; outside, for all of it."""
    token = _share.set(share)
    try:
        yield
    finally:
        _share.reset(token)


def draw(distribution: Callable, shape: Sequence[int], seed: tf.Tensor, *limits: float) -> tf.Tensor:
    """Random numbers [B, ...] of a batch's augmentation: those of its rows among the global batch's.

    Args:
      distribution: of `tf.random.stateless_*`.
      shape: B and what one example gets.
      seed: [2], of the global batch.
      limits: further arguments of the distribution.
    """
    share, (size, *rest) = _share.get(), shape
    numbers = distribution((share.count * size, *rest), seed, *limits)
    return numbers[share.number * size : (share.number + 1) * size]
