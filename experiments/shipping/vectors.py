"""The attribute vectors that travel with a model: its run's."""

from pathlib import Path

import numpy as np

from ...latents.attributes import AttributeVectors
from ..codes.vectors import attributes_path, check_shape, read_vectors
from ..runs.run import Run


def find_vectors(run: Run, code_shape: tuple[int, ...]) -> AttributeVectors | None:
    """A run's attribute vectors; None where it has none.

    Raises:
      UsageError: they are damaged, or another model's.
    """
    if not attributes_path(run).exists():
        return None
    found = read_vectors(run)
    check_shape([vectors[0] for vectors in found.vectors.values()], code_shape)
    return found


def choose_method(found: AttributeVectors) -> str:
    """The mean's vectors where there are, which lead where faces are."""
    return "mean" if "mean" in found.vectors else next(iter(found.vectors))


def save_vectors(found: AttributeVectors, path: Path) -> None:
    """Writes `names` [A] and `vectors` float32 [A, *code shape] as NumPy reads them."""
    with path.open("wb") as file:
        np.savez(file, names=np.array(found.names), vectors=found.vectors[choose_method(found)])
