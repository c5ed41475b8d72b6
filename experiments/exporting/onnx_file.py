"""ONNX: one file for ONNX Runtime, browsers, and most other runtimes."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .format import Format, Function
from .graphs import Graph

OPSET = 17
INT4_OPSET, INT4_IR_VERSION = 21, 10  # the first with numbers of four bits
# Where kernels have the channels of their outputs.
CHANNEL_AXES = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}


class ONNX(Format):
    """`.onnx`."""

    suffix: ClassVar = ".onnx"
    packages: ClassVar = ("onnx", "onnxruntime", "tf2onnx")

    def write(self, graph: Graph, precision: str, examples: np.ndarray, path: Path) -> None:
        import onnx

        model = _convert(graph)
        if precision == "float16":
            from onnxruntime.transformers.float16 import convert_float_to_float16

            model = convert_float_to_float16(model, keep_io_types=True)
        elif precision == "int8":
            model = _quantise(model, graph.takes, examples)
        elif precision == "int4":
            model = _store_in_four_bits(model)
        onnx.save(model, str(path))

    def open(self, path: Path) -> Function:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        (taken,) = session.get_inputs()
        return lambda given: session.run(None, {taken.name: given})[0]


def _convert(graph: Graph) -> Any:
    import tensorflow as tf
    import tf2onnx

    for name in ("tf2onnx", "tf2onnx.tf_loader", "tf2onnx.optimizer"):
        logging.getLogger(name).setLevel(logging.ERROR)
    signature = [tf.TensorSpec((1, *graph.input_shape), tf.float32, name=graph.takes)]
    function = tf.function(lambda given: {graph.gives: graph.call(given)}, signature, jit_compile=False)
    model, _ = tf2onnx.convert.from_function(function, signature, opset=OPSET)
    return model


def _quantise(model: Any, name: str, examples: np.ndarray) -> Any:
    """Weights by channel and activations in int8, ranges as in the examples."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.examples: Iterator[np.ndarray] = iter(examples)

        def get_next(self) -> Any:
            example = next(self.examples, None)
            return None if example is None else {name: example[None]}

    with tempfile.TemporaryDirectory() as folder:
        given, ready, quantised = (str(Path(folder) / f"{step}.onnx") for step in ("given", "ready", "quantised"))
        onnx.save(model, given)
        quant_pre_process(given, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            quantised,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # 7 bits of weights: sums of 8 saturate where a processor has AVX2 and no VNNI
        )
        return onnx.load(quantised)


def _store_in_four_bits(model: Any) -> Any:
    """A model whose kernels are stored as int4 with a scale for each channel, and made float32 again when it is loaded.

    Kernels that lie on such a grid stay as they are; others are rounded to the grid of their largest weight.
    """
    from onnx import helper, numpy_helper, version_converter

    from ...compressing import find_plain_grid

    model = version_converter.convert_version(model, INT4_OPSET)
    model.ir_version = INT4_IR_VERSION
    readers = {node.input[1]: node for node in model.graph.node if node.op_type in CHANNEL_AXES}
    made = []
    for stored in list(model.graph.initializer):
        kernel = numpy_helper.to_array(stored)
        if stored.name not in readers or kernel.ndim < 2:
            continue
        axis = _channel_axis(readers[stored.name])
        others = tuple(place for place in range(kernel.ndim) if place != axis)
        numbers, scales, _ = find_plain_grid(kernel, others, bits=4)
        model.graph.initializer.remove(stored)
        model.graph.initializer.extend(
            [_pack(f"{stored.name}/int4", numbers), numpy_helper.from_array(scales.ravel(), f"{stored.name}/scale")]
        )
        names = [f"{stored.name}/int4", f"{stored.name}/scale"]
        made.append(helper.make_node("DequantizeLinear", names, [stored.name], axis=axis))
    before = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*made, *before])
    return model


def _channel_axis(node: Any) -> int:
    is_transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return 0 if is_transposed else CHANNEL_AXES[node.op_type]


def _pack(name: str, numbers: np.ndarray) -> Any:
    """Two numbers a byte, the first one in its lower half."""
    from onnx import TensorProto

    flat = np.append(numbers.ravel(), np.zeros(numbers.size % 2, np.int8))
    packed = (flat[0::2] & 15) | ((flat[1::2] & 15) << 4)
    return TensorProto(
        name=name, data_type=TensorProto.INT4, dims=numbers.shape, raw_data=packed.astype(np.uint8).tobytes()
    )
