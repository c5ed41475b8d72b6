"""What is ready of a film while it is made, in a hidden folder beside it: one that was stopped goes on from there."""

import contextlib
import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .. import files
from .probing import FilmError

LIST = "parts.txt"
OURS = re.compile(r"\d{6}(-\d+)?\.mp4|[a-z]+(-\d{6})?\.npz|" + re.escape(LIST))
LONGEST_NAME = 180  # bytes: longer ones leave too little room for the rest of the folder's


class Parts:
    """The folder of what is ready.

    Args:
      path: of what is made.
      key: names what is made, as a hash of all that it depends on: parts under another key are another film's.
    """

    def __init__(self, path: Path, key: str):
        self.path, self._name = path, _shorten(path.name)
        self.folder = path.absolute().with_name(f".{self._name}.{key}.parts")

    def list_others(self) -> list[Path]:
        """Folders of other tries to make it, with other settings or of another source, with which nothing goes on."""
        pattern = re.compile(rf"\.{re.escape(self._name)}\.[0-9a-f]{{16}}\.parts")
        with contextlib.suppress(OSError):
            there = sorted(self.folder.parent.iterdir())
            return [path for path in there if pattern.fullmatch(path.name) and path != self.folder]
        return []

    def open(self) -> None:
        """Makes the folder.

        Raises:
          FilmError: a link has its name.
        """
        if self.folder.is_symlink():
            raise FilmError(f"{self.folder} is a link: parts of a film are not written through it")
        self.folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Holds the folder, which no other process writes to then.

        One that is empty in the end goes, and after an error the new folders above it if they are.

        Raises:
          HeldError: another process holds it.
          OccupiedError: it cannot be made.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(files.make_folders(self.folder.parent))
            except OSError as error:
                raise files.OccupiedError(f"{self.path} cannot be made: {error.strerror}: {error.filename}") from error
            self.open()
            stack.callback(self._remove_empty)
            try:
                stack.enter_context(files.lock(self.folder))
            except files.HeldError as error:
                raise files.HeldError(
                    f"{self.path}: another facezoo is making it: wait for it, or choose another"
                ) from error
            yield

    def save(self, name: str, **arrays: np.ndarray) -> None:
        """Keeps arrays as NAME.npz."""
        self.open()
        with files.whole_file(self.folder / f"{name}.npz", is_shared=True) as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """Arrays that were kept; None where there are none that can be read."""
        try:
            with files.open_regular(self.folder / f"{name}.npz") as file, np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def list_kept(self) -> list[Path]:
        """What is ours of what is in the folder; nothing that a link leads to."""
        if self.folder.is_symlink() or not self.folder.is_dir():
            return []
        return [path for path in self.folder.iterdir() if OURS.fullmatch(path.name) or files.is_partial(path)]

    def clear(self) -> None:
        """Removes what is ours of it, and the folder if it is empty then."""
        for made in self.list_kept():
            made.unlink(missing_ok=True)
        self._remove_empty()

    def _remove_empty(self) -> None:
        if not self.folder.is_symlink():
            with contextlib.suppress(OSError):  # something is in it
                self.folder.rmdir()


def _shorten(name: str) -> str:
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
