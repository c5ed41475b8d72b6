"""Folders that commands make."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import logging
from PIL import PngImagePlugin

from .. import files, pictures
from ..datasets import picture_bounds
from .errors import UsageError

COLUMNS = 8
LEAST_PIXELS, MOST_PIXELS = 96, 160  # of a picture on a sheet


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


def take_folder(folder: Path, name: str, text: str, what: str) -> None:
    """Makes a folder for a work that goes on when it is asked for again, with a file of what was asked for.

    Args:
      folder: new, or of this work.
      name: of the file in it.
      text: what was asked for, which has to be the same.
      what: a folder holds that is another's: "the runs of another sweep".

    Raises:
      UsageError: the folder is another's, or cannot be made.
    """
    kept = folder / name
    try:
        if kept.exists():
            if files.read_text(kept) != text:
                raise UsageError(f"--out={folder} has {what}, {kept}: choose another folder")
            return
        files.refuse_what_is_there(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with files.whole_file(kept, is_new=True) as partial:
            files.write_text(partial, text)
    except files.OccupiedError as error:
        raise UsageError(f"--out={error}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"--out={folder}: {getattr(error, 'strerror', None) or error}") from error


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


def is_ours(path: Path) -> bool:
    """Whether a file is a PNG that facezoo has written."""
    try:
        with files.open_regular(path) as file:
            picture_bounds.check_png(file)
            file.seek(0)
            image = PngImagePlugin.PngImageFile(file)
            return image.info.get("Software", "").startswith("facezoo")
    except (OSError, SyntaxError, ValueError):
        return False


def save_sheet(folder: Path, images: np.ndarray, labels: Sequence[str], description: str) -> None:
    """Draws pictures on a labelled sheet beside a folder, and says where: in it, it would be taken for one of them.

    A sheet of ours is replaced; where something else is in its place, it is left out.

    Args:
      folder: of the pictures, which gives the sheet its name.
      images: [N, S, S, C] in [0, 1] or uint8.
      labels: a line for each.
      description: of all.
    """
    place = folder.resolve() if folder.name in ("", "..") else folder
    path = place.with_name(files.name_result(f"{place.name}-sheet"))
    size = int(np.clip(images.shape[1], LEAST_PIXELS, MOST_PIXELS))
    shown = pictures.resize(images, size) if size != images.shape[1] else images
    try:
        if os.path.lexists(path) and not is_ours(path):
            raise files.OccupiedError("something else is there")
        with files.whole_file(path) as partial:
            pictures.save_png(partial, pictures.draw_labelled_sheet(shown, labels, COLUMNS, 1), description)
    except OSError as error:
        logging.warning("%s is not drawn: %s", path, error.strerror or error)
        return
    print(path)
