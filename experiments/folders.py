"""Folders that commands make."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import files
from .errors import UsageError


def new_folder(asked: str | None, default: Path, flag: str = "--out") -> Path:
    """A folder that holds nothing yet: the one asked for, or the default, numbered where it is taken.

    Raises:
      UsageError: the folder asked for has no name, is a file, holds something, or is the working folder.
    """
    if asked is not None:
        if not asked:
            raise UsageError(f"{flag}= names no folder")
        if Path(asked).exists() and Path(asked).samefile(Path.cwd()):
            raise UsageError(f"{flag}={asked} is the folder that the command runs in: choose a new one")
        try:
            files.refuse_what_is_there(Path(asked))
        except files.OccupiedError as error:
            raise UsageError(f"{flag}={error}") from error
        return Path(asked)
    folder, number = default, 1
    while os.path.lexists(folder):
        number += 1
        folder = default.with_name(f"{default.name}-{number}")
    return folder


class Result:
    """A file that took long to find what is in it: where its place cannot hold it, it goes elsewhere.

    Attributes:
      write: writes it to a path; None until it is found.
    """

    def __init__(self) -> None:
        self.write: Callable[[Path], None] | None = None

    def save(self, path: Path, write: Callable[[Path], None]) -> None:
        """Writes it, and remembers how."""
        self.write = write
        write(path)


@contextlib.contextmanager
def saved_elsewhere(place: Path) -> Iterator[Result]:
    """Within, a result is saved; where a place fails that it was found for, it goes to the folder for temporary files.

    Args:
      place: of the file.

    Raises:
      UsageError: its place has failed; the message says where it is now.
    """
    result = Result()
    try:
        yield result
    except OSError as error:
        if result.write is None:
            raise
        why = f"{place} cannot be written: {error.strerror or error}"
        folder = Path(tempfile.mkdtemp(prefix="facezoo-"))
        try:
            with files.whole_file(folder / place.name) as partial:
                result.write(partial)
        except OSError:
            files.remove_empty([folder])
            raise UsageError(
                f"{why}; nor could it be kept in {folder.parent}: choose a place on another disk"
            ) from error
        raise UsageError(f"{why}; what was found is in {folder / place.name}: move it") from error
