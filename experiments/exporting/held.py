"""A graph written to a file, and what comes out of the file held to what came out of the graph."""

import contextlib
import io
import logging
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..backend import without_chatter
from ..errors import is_of_memory
from .format import Format, Function
from .graphs import ExportError, Graph

WARM_UP = 3


class Outcome(NamedTuple):
    """What a file does.

    Attributes:
      outputs: of all examples, [N, ...].
      num_bytes: of all that was written.
      largest_difference: of its outputs from the graph's.
      milliseconds: of processor time for one example, the median; in one thread that is how long an idle machine takes.
    """

    outputs: np.ndarray
    num_bytes: int
    largest_difference: float
    milliseconds: float


def write_and_run(
    graph: Graph,
    written_as: Format,
    precision: str,
    calibration: np.ndarray,
    examples: np.ndarray,
    expected: np.ndarray,
    path: Path,
) -> Outcome:
    """Writes a file, runs it in its own runtime, and compares.

    Args:
      graph: what is written.
      written_as: the format.
      precision: of `PRECISIONS`.
      calibration: inputs that tell the ranges of int8, [M, *input_shape].
      examples: inputs that are run, [N, *input_shape].
      expected: what the graph makes of them.
      path: without the format's suffix.

    Raises:
      ExportError: it cannot be written so, or gives what are no finite numbers.
    """
    written_as.check(precision)
    before = set(path.parent.iterdir())
    place = path.with_name(path.name + written_as.suffix)
    try:
        with _quietly():
            written_as.write(graph, precision, calibration, place)
        with _quietly():
            outputs, milliseconds = _run(written_as.open(place), examples)
    except ExportError:
        raise
    except Exception as error:  # a converter raises whatever its own parts raise
        if is_of_memory(error) or (isinstance(error, OSError) and error.errno):  # a full disk, and the like
            raise
        raise ExportError(f"its converter or its runtime fails: {_first_line(error)}") from error
    if outputs.shape != expected.shape:
        raise ExportError(f"gives outputs of shape {outputs.shape[1:]}, and not of {expected.shape[1:]}")
    if not np.isfinite(outputs).all():
        raise ExportError("gives what are no finite numbers")
    made = [found for new in set(path.parent.iterdir()) - before for found in (new, *new.rglob("*"))]
    size = sum(found.stat().st_size for found in made if found.is_file())
    return Outcome(outputs, size, float(np.abs(outputs - expected).max()), milliseconds)


def _run(function: Function, examples: np.ndarray) -> tuple[np.ndarray, float]:
    for example in examples[:WARM_UP]:
        function(example[None])
    outputs, seconds = [], []
    for example in examples:
        start = time.process_time()
        outputs.append(function(example[None]))
        seconds.append(time.process_time() - start)
    return np.concatenate(outputs), 1000.0 * float(np.median(seconds))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Within, converters say nothing: what is wrong with their files is measured."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), without_chatter(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
