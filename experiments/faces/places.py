"""Faces that are named by their place in a split, as `test:17`."""

from pathlib import Path

import numpy as np

from ...datasets.source import SPLITS, Source
from ...warping.shapes import SCHEMES
from ..errors import UsageError
from ..flags.kinds import are_digits


def is_place(face: str) -> bool:
    """Whether a face is named so, and no file is called that."""
    return face.partition(":")[0] in SPLITS and not Path(face).exists()


def check_there(face: str) -> None:
    """Raises UsageError where a face is no place in a split, and no such file is there.

    What else may be wrong with it only reading it tells, and that is waited for.
    """
    if is_place(face):
        return
    try:
        Path(face).stat()
    except FileNotFoundError as error:
        more = f"; a face of the run's data is test:{face}, train:{face}, ..." if are_digits(face) else ""
        raise UsageError(f"{face}: no such file{more}") from error
    except (OSError, ValueError) as error:  # ValueError: with a NUL in it
        raise UsageError(f"{face}: {(getattr(error, 'strerror', None) or str(error)).lower()}") from error


def parse_place(face: str) -> str:
    """Its split."""
    return face.partition(":")[0]


def example_at(source: Source, face: str) -> dict[str, np.ndarray]:
    """What the source holds at a place: the columns of one example.

    Raises:
      UsageError: the split has no such place.
    """
    split, _, place = face.partition(":")
    if not (are_digits(place) and int(place) < len(source)):
        raise UsageError(f"{face}: {source.name} has the faces {split}:0 to {split}:{len(source) - 1}")
    return {name: column[0] for name, column in source.load(np.array([int(place)])).items()}


def find_known_points(source: Source, example: dict[str, np.ndarray]) -> np.ndarray | None:
    """The landmarks of a drawn face [70, 2], (x, y) in pixels; None of others, of which no warp knows the scheme."""
    if len(source.landmark_names) != SCHEMES["drawn"].num_points:
        return None
    return example["landmarks"].astype(np.float64) * source.image_shape[0]
