"""OpenVINO's pair of files, for Intel's processors: read from ONNX, which also finds the ranges of int8."""

import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from .format import Format, Function
from .graphs import Graph
from .onnx_file import ONNX


class OpenVINO(Format):
    """`.xml`, and `.bin` beside it."""

    suffix: ClassVar = ".xml"
    packages: ClassVar = ("openvino", *ONNX.packages)

    def write(self, graph: Graph, precision: str, examples: np.ndarray, path: Path) -> None:
        import openvino

        with tempfile.TemporaryDirectory() as folder:
            read = Path(folder) / "model.onnx"
            ONNX().write(graph, "float32" if precision == "float16" else precision, examples, read)
            # Not `convert_model`, which tells its makers of every use.
            model = openvino.Core().read_model(str(read))
            openvino.save_model(model, str(path), compress_to_fp16=precision == "float16")

    def open(self, path: Path) -> Function:
        import openvino

        # By itself it computes in bfloat16 where the processor has that.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
        compiled = openvino.Core().compile_model(str(path), "CPU", settings)
        request = compiled.create_infer_request()
        return lambda given: request.infer({0: given})[compiled.output(0)].copy()
