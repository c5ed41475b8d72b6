"""What is exported: a function of one array, and the network that computes it."""

import dataclasses
from collections.abc import Callable
from typing import Any


class ExportError(Exception):
    """A format cannot hold this, or its converter fails; the message is one line, and says what to do where it can."""


@dataclasses.dataclass(frozen=True)
class Graph:
    """A function of one array of a fixed shape, for a batch of one.

    Attributes:
      name: of the file.
      takes, gives: what its input and its output are called in formats that name them.
      input_shape: without the batch.
      call: TensorFlow's function, float32 [1, *input_shape] -> float32 [1, ...].
      holder: a `keras.Model` that holds all variables of it.
      network: the same as a functional `keras.Model`; None where there is none of one input.
    """

    name: str
    takes: str
    gives: str
    input_shape: tuple[int, ...]
    call: Callable[[Any], Any]
    holder: Any
    network: Any = None

    def trace(self):
        """The function as TensorFlow's converters take it."""
        import tensorflow as tf

        signature = tf.TensorSpec((1, *self.input_shape), tf.float32, name=self.takes)
        return tf.function(self.call, input_signature=[signature], jit_compile=False)
