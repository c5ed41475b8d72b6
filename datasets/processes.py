"""A split loaded by several processes: drawing holds Python's lock, so that threads are no faster than one."""

import contextlib
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from .source import DatasetError


def load_in_processes(
    name: str, split: str, *, processes: int, portion: int, **options: Any
) -> Iterator[dict[str, Any]]:
    """All examples of a split in order, a portion after the other, each as `Source.load` gives it, but pictures as PNG.

    Args:
      name: of a data set in DATASETS.
      split: of it.
      processes: how many to start; they end with the iterator, or when whoever reads it is killed.
      portion: examples that come together.
      options: of the data set, of types that JSON knows.

    Yields:
      The columns of a portion. One of pictures, uint8 [n, ..., H, W, C], comes as nested lists of `bytes`, n at first.

    Raises:
      DatasetError: a process ended before its last portion; it has said why on stderr.
    """
    count = len(_source(name, split, options))
    with contextlib.ExitStack() as stack:
        workers = []
        for number in range(processes):
            starts = (number * portion, count, processes * portion)
            order = {"name": name, "split": split, "options": options, "portion": portion, "starts": starts}
            workers.append(
                stack.enter_context(start_function(__name__, "_work", json.dumps(order), stdout=subprocess.PIPE))
            )
            stack.callback(workers[-1].kill)
        for number in range(-(-count // portion)):
            yield _answer(workers[number % processes])


def start_function(module: str, name: str, argument: str, **streams: Any) -> subprocess.Popen:
    """A process that runs a function of a module, which finds the argument in `sys.argv[1]`.

    Modules are looked for where this process has found them, so not in the working folder, unless Python was started
    to do so. The process has a session of its own, out of reach of Ctrl-C.
    """
    # Not by `multiprocessing`, which runs the user's script again.
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)  # noqa: PTH109
    command = [sys.executable, "-P", "-c", f"from {module} import {name}; {name}()", argument]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, start_new_session=True, **streams)


def _answer(worker: subprocess.Popen) -> dict[str, Any]:
    assert worker.stdout is not None
    try:
        return pickle.load(worker.stdout)
    except (EOFError, pickle.UnpicklingError) as error:
        raise DatasetError(f"a process that draws pictures ended early, with code {worker.wait()}") from error


def _work() -> None:
    """What a started process does: writes its portions to stdout."""
    order = json.loads(sys.argv[1])
    source = _source(order["name"], order["split"], order["options"])
    for start in range(*order["starts"]):
        examples = source.load(np.arange(start, min(start + order["portion"], len(source))))
        encoded = {key: _encode(values) if values.dtype == np.uint8 else values for key, values in examples.items()}
        try:
            pickle.dump(encoded, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # nobody reads any more
            os._exit(0)


def _source(name: str, split: str, options: dict[str, Any]):
    from . import DATASETS

    return DATASETS[name](split, **options)


def _encode(pictures: np.ndarray) -> Any:
    """Pictures uint8 [..., H, W, C] -> nested lists of PNG files."""
    if pictures.ndim > 3:
        return [_encode(part) for part in pictures]
    file = io.BytesIO()
    Image.fromarray(pictures[..., 0] if pictures.shape[-1] == 1 else pictures).save(file, "PNG")
    return file.getvalue()
