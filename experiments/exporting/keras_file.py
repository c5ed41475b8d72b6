"""Keras' own file: a functional network of Keras' own layers alone, which Keras loads without facezoo."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from .format import Format, Function
from .graphs import ExportError, Graph


def make_narrow(network, precision: str):
    """A functional network whose layers compute, and hold their weights, in a precision; it still takes float32."""
    import keras

    if precision == "float32":
        return network

    def clone(layer):
        config = layer.get_config()
        if not isinstance(layer, keras.layers.InputLayer):
            config["dtype"] = precision
        return type(layer).from_config(config)

    narrow = keras.models.clone_model(network, clone_function=clone, recursive=True)
    narrow.set_weights(network.get_weights())
    outputs = keras.layers.Activation("linear", dtype="float32")(narrow.output)
    return keras.Model(narrow.input, outputs, name=network.name)


def find_network(graph: Graph, instead: str):
    """The graph's functional network.

    Args:
      graph: of which it is asked.
      instead: what to take where it has none, for the message.

    Raises:
      ExportError: it has none.
    """
    if graph.network is None:
        raise ExportError(f"is no network of Keras' own layers with one input: take {instead}")
    return graph.network


class KerasFile(Format):
    """`.keras`."""

    suffix: ClassVar = ".keras"
    precisions: ClassVar = ("float32", "float16")

    def write(self, graph: Graph, precision: str, examples: np.ndarray, path: Path) -> None:
        make_narrow(find_network(graph, "saved_model"), precision).save(path)

    def open(self, path: Path) -> Function:
        import keras
        import tensorflow as tf

        network = keras.saving.load_model(path, safe_mode=True)
        run = tf.function(lambda given: network(given, training=False), jit_compile=False)
        return lambda given: run(tf.constant(given)).numpy()
