"""The face that a film is led to where there is no run, and how the film's faces are cut out then."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...datasets.manifest import Cut
from ...datasets.source import DatasetError
from ..errors import UsageError
from ..faces.framing import DRAWN_SIZE, SHIFT, TEMPLATE, read_stop
from ..faces.reader import align_photograph

MARGIN = 0.25


def make_film_cut(template: str | None, margin: float | None, size: int) -> Cut:
    """How faces are cut out of a film: the chin inside, unless it is asked for otherwise."""
    shift = SHIFT if template is None and margin is None else (0.0, 0.0)
    return Cut(template or TEMPLATE, MARGIN if margin is None else margin, size, shift=shift)


def read_target(face: str, cut: Cut, given: Mapping[str, Any]) -> np.ndarray:
    """A face cut out as a film's are: float32 [S, S, 3] in [0, 1].

    Args:
      face: a picture file, or a place in a split.
      cut: how.
      given: data settings.

    Raises:
      UsageError: it cannot be read, or shows no face.
    """
    stop = read_stop(face, given, DRAWN_SIZE)
    try:
        return align_photograph(stop.photograph, cut, 3)[0].astype(np.float32) / 255.0
    except DatasetError as error:
        raise UsageError(f"{face}: {error}") from error


def digest(picture: np.ndarray) -> str:
    """Tells pictures apart, wherever they come from."""
    return hashlib.sha256(picture.tobytes()).hexdigest()
