"""What every format of files can do."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np

from .graphs import ExportError, Graph

PRECISIONS = ("float32", "float16", "int8", "int4")
EXTRA = "export"
Function = Callable[[np.ndarray], np.ndarray]  # one example with its batch of one, float32, to another


class Format:
    """A kind of file, how it is written, and what runs it.

    Attributes:
      suffix: of its file; "" of a folder.
      packages: that have to be installed besides facezoo's own.
      precisions: that it can hold.
      instead: what holds those that it cannot, for the message.
    """

    suffix: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    precisions: ClassVar[tuple[str, ...]] = PRECISIONS
    instead: ClassVar[str] = "litert or onnx"

    def check(self, precision: str) -> None:
        """Raises ExportError where a package is missing, or the format has no such precision."""
        if precision not in self.precisions:
            raise ExportError(f"holds {' and '.join(self.precisions)} alone, not {precision}: take {self.instead}")
        for package in self.packages:
            if importlib.util.find_spec(package) is None:
                raise ExportError(f"{package} is not installed: pip install 'facezoo[{EXTRA}]'")

    def write(self, graph: Graph, precision: str, examples: np.ndarray, path: Path) -> None:
        """Writes a graph.

        Args:
          graph: whose kernels are rounded to int4 already, where that is the precision.
          precision: one of `precisions`.
          examples: of its input, [N, *input_shape], from which the ranges of int8 are found.
          path: of the file, or the folder; it may make others that begin with the same name.

        Raises:
          ExportError: the graph is not of a kind that it can hold.
        """
        raise NotImplementedError

    def open(self, path: Path) -> Function:
        """What is in a file, run by its own runtime in one thread."""
        raise NotImplementedError
