"""The attribute vectors that are kept with a run."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...latents.attributes import AttributeVectors, load_attributes
from ..errors import UsageError
from ..runs.run import Run

ATTRIBUTES_FILE = "attributes.npz"


def attributes_path(run: Run) -> Path:
    """Where the vectors of a run's model are kept: those of its best epoch apart from those of its last."""
    return run.folder / (f"best-{ATTRIBUTES_FILE}" if run.is_best else ATTRIBUTES_FILE)


def make_vectors_command(run: Run) -> str:
    """The command that finds the vectors of a run's model, to be copied."""
    return f"facezoo attributes --run_dir={shlex.quote(str(run.folder))}{' --checkpoint=best' * run.is_best}"


def read_vectors(run: Run, file: str | None = None) -> AttributeVectors:
    """The attribute vectors of a run's model; `check_shape` holds them against its codes.

    Raises:
      UsageError: there are none, the file is damaged, or another model's.
    """
    path = Path(file or attributes_path(run))
    if not path.exists():
        raise UsageError(f"{path} is not there: `{make_vectors_command(run)}` makes it")
    try:
        return load_attributes(path, run.model_hash)
    except ValueError as error:
        raise UsageError(
            f"{error}; `facezoo attributes` makes vectors of a run, --checkpoint=best those of its best epoch"
        ) from error


def check_shape(vectors: Iterable[np.ndarray], code_shape: Sequence[int]) -> None:
    """Raises UsageError where what a file says are attribute vectors does not fit a model's codes."""
    for vector in vectors:
        if vector.shape != tuple(code_shape):
            shapes = f"{vector.shape} do not fit codes of shape {tuple(code_shape)}"
            raise UsageError(f"{ATTRIBUTES_FILE}: vectors of shape {shapes}; `facezoo attributes` makes them")
