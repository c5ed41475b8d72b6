"""What all commands share that make a film of a film."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ... import __version__, files
from ...films import Film
from ..errors import UsageError
from ..runs.run import Run

ENDING = ".mp4"
NAMED = 5


def new_film(out: str, why: str = "--in is a film, and what is made of it another one") -> Path:
    """The place of a film that is to be made.

    Args:
      out: what --out says.
      why: it has to be a film.

    Raises:
      UsageError: something is there, or it is called as no MP4 is.
    """
    path = Path(out)
    if path.suffix.lower() != ENDING:
        raise UsageError(f"--out={out}: {why}: call it {path.name}{ENDING}")
    if path.is_dir() or files.is_taken(path):
        raise UsageError(f"--out={out} exists: choose another file")
    return path


def make_key(film: Film, run: Run, settings: Sequence[Any]) -> str:
    """What a film that is made depends on, as 16 characters: its source, the model, and how it is made."""
    told = film.path.stat()
    source = str(film.path.absolute()), told.st_size, told.st_mtime_ns
    text = json.dumps([source, run.model_hash, list(settings), __version__], default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def list_numbers(numbers: Sequence[int]) -> str:
    """Numbers in order, as "3, 7 to 9 and 12 more"."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    named = [str(low) if low == high else f"{low} to {high}" for low, high in spans[:NAMED]]
    left = sum(high - low + 1 for low, high in spans[NAMED:])
    return ", ".join(named) + (f" and {left} more" if left else "")
