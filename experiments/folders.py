"""Folders that commands make."""

import os
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
