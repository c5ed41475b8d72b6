"""TensorFlow's SavedModel, a folder for TensorFlow Serving, C++, Go, Java."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from .format import Format, Function
from .graphs import Graph
from .keras_file import find_network, make_narrow


class SavedModel(Format):
    """A folder, with the signature `serving_default`."""

    suffix: ClassVar = ""
    precisions: ClassVar = ("float32", "float16")

    def write(self, graph: Graph, precision: str, examples: np.ndarray, path: Path) -> None:
        import tensorflow as tf

        is_whole = precision == "float32"
        network = None if is_whole else make_narrow(find_network(graph, "--precision=float32"), precision)
        call = graph.call if network is None else lambda given: network(given, training=False)
        module = tf.Module()
        signature = tf.TensorSpec((1, *graph.input_shape), tf.float32, name=graph.takes)
        module.run = tf.function(lambda given: {graph.gives: call(given)}, [signature], jit_compile=False)
        module.held = list(module.run.get_concrete_function().graph.variables)  # those of this part alone
        tf.saved_model.save(module, str(path), signatures={"serving_default": module.run})

    def open(self, path: Path) -> Function:
        import tensorflow as tf

        loaded = tf.saved_model.load(str(path))
        (name,) = loaded.signatures["serving_default"].structured_input_signature[1]

        def call(given: np.ndarray) -> np.ndarray:
            (found,) = loaded.signatures["serving_default"](**{name: tf.constant(given)}).values()
            return found.numpy()

        return call
