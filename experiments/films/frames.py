"""Films by what a user names: a file, or a folder of frames."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from ...datasets import photographs
from ...datasets.clip_folder import split_numbers
from ...datasets.folder import ALL, folder
from ...films import Film, FilmError, is_film, probe
from ...films.probing import ENDINGS
from ..errors import UsageError

RATE = 25.0  # of a folder of frames, if nothing else is asked for
INDEXED_SIZE = 16  # pixels, at which nothing is read


def open_film(given: str, rate: float | None, flag: str = "in") -> Film:
    """A film by the path that a user gives, of a file or of a folder of frames.

    Args:
      given: the path.
      rate: frames a second of a folder.
      flag: that names it.

    Raises:
      FilmError: it is not there, or cannot be read.
      UsageError: it is called as no film is, or a rate is asked of one that has its own.
    """
    path = Path(given)
    if path.is_dir():
        return _open_frames(path, rate or RATE)
    if rate is not None:
        raise UsageError(f"--fps={rate:g} is of a folder of frames: --{flag}={given} has its own rate")
    if path.exists() and not is_film(path):
        raise UsageError(f"--{flag}={given} is no film: its name ends in none of {', '.join(ENDINGS)}")
    return probe(path)


def find_film(given: str, out: str, rate: float | None, ending: str) -> Film | None:
    """What a command that takes photographs, too, is to make a film of; None where it is to take photographs.

    A folder of frames is a film where one is to be made of it.

    Args:
      given: the path.
      out: what is to be made.
      rate: frames a second of a folder.
      ending: of films that are made.
    """
    path = Path(given)
    if is_film(path) or (path.is_dir() and Path(out).suffix.lower() == ending):
        return open_film(given, rate)
    if rate is not None:
        raise UsageError(f"--fps={rate:g} is of a folder of frames that a film is made of: --out={out} is none")
    return None


def _open_frames(place: Path, rate: float) -> Film:
    told = folder(ALL, data_dir=str(place), image_size=INDEXED_SIZE, subfolders=None)
    names = sorted(told.names, key=split_numbers)

    def read(first: int) -> Iterator[np.ndarray]:
        size = None
        for name in names[first:]:
            frame = np.asarray(photographs.read(place / name))
            size = size or frame.shape
            if frame.shape != size:
                sides = f"{frame.shape[1]}x{frame.shape[0]} pixels, others before it {size[1]}x{size[0]}"
                raise FilmError(f"{place / name} has {sides}: frames of a film are of one size")
            yield frame

    exact = Fraction(rate).limit_denominator(1001)
    return Film(place, exact, len(names) / float(exact), sound=None, read=read)
