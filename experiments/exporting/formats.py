"""The formats by name; another one is a file with a `Format`, and a line here."""

from collections.abc import Mapping

from .format import Format
from .keras_file import KerasFile
from .litert import LiteRT
from .onnx_file import ONNX
from .openvino_file import OpenVINO
from .saved_model import SavedModel

FORMATS: Mapping[str, Format] = {
    "keras": KerasFile(),
    "saved_model": SavedModel(),
    "onnx": ONNX(),
    "litert": LiteRT(),
    "openvino": OpenVINO(),
}
