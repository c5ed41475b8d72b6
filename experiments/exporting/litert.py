"""LiteRT, formerly TensorFlow Lite: one file for telephones and small devices."""

import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from .format import Format, Function
from .graphs import Graph

INT4 = "dynamic_wi4_afp32"  # a recipe of the quantiser: weights of four bits, and activations of eight while it runs


class LiteRT(Format):
    """`.tflite`."""

    suffix: ClassVar = ".tflite"
    packages: ClassVar = ("ai_edge_litert",)

    def check(self, precision: str) -> None:
        super().check(precision)
        if precision == "int4":
            _Int4().check(precision)

    def write(self, graph: Graph, precision: str, examples: np.ndarray, path: Path) -> None:
        import tensorflow as tf

        traced = graph.trace().get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])  # which freezes them
        if precision == "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        elif precision == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([example[None]] for example in examples)
        converted = converter.convert()
        path.write_bytes(_quantise(converted) if precision == "int4" else converted)

    def open(self, path: Path) -> Function:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
        (taken,), (given_back,) = interpreter.get_input_details(), interpreter.get_output_details()

        def call(given: np.ndarray) -> np.ndarray:
            interpreter.set_tensor(taken["index"], given)
            interpreter.invoke()
            return interpreter.get_tensor(given_back["index"])

        return call


class _Int4(Format):
    """What four bits need besides."""

    packages: ClassVar = ("litert_quantizer",)


def _quantise(converted: bytes) -> bytes:
    """The weights of a model in four bits, on the grid that they lie on."""
    from litert_quantizer import quantizer, recipe

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float32.tflite"
        path.write_bytes(converted)
        found = quantizer.Quantizer(str(path), getattr(recipe, INT4)()).quantize()
        return bytes(found.quantized_model)
