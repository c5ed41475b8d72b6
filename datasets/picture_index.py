"""The index of a folder: every picture file, decoded once, kept in the user's cache folder between runs."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

from absl import logging

from .. import files
from . import photographs
from .once import once
from .photographs import DamagedPictureError, UnreadableFileError
from .progress import progress_bar
from .source import DatasetError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
INDEX_VERSION = 2
UNREADABLE = "cannot be read"


class Picture(NamedTuple):
    """One file of the index. What changes with the file comes first: name, bytes, time of change."""

    name: str
    num_bytes: int
    modified_ns: int
    width: int = 0
    height: int = 0
    damage: str = ""


@once
def index_pictures(root: Path) -> list[Picture]:
    """Every picture below a folder, sorted by name; only new and changed files are decoded.

    Raises:
      DatasetError: no pictures, or a folder that cannot be read.
    """
    found = found_files(root, SUFFIXES)
    if not found:
        raise DatasetError(f"folder: no pictures in {root} (looked for {' '.join(SUFFIXES)}, in sub-folders too)")
    path = _index_path(root)
    known = _unchanged(found, _read_index(path))
    unknown = [picture for picture in found if picture.name not in known]
    if unknown:
        try:
            known.update((picture.name, picture) for picture in _inspected(root, unknown))
        finally:  # Interrupted, it goes on from here the next time.
            _write_index(path, [known[picture.name] for picture in found if picture.name in known])
    return [known[picture.name] for picture in found]


def found_files(root: Path, suffixes: tuple[str, ...] = ("",)) -> list[Picture]:
    """Every file below a folder whose name ends so, sorted by name, hidden ones left out; none is opened.

    Raises:
      DatasetError: a folder that cannot be read.
    """
    above = frozenset(_identity_of(folder) for folder in root.parents)
    return sorted(_walk(root, "", above, suffixes))


def _unchanged(found: Sequence[Picture], indexed: Sequence[Picture]) -> dict[str, Picture]:
    """By name, what the index says of files that are still the same."""
    before = {picture.name: picture for picture in indexed}
    same = ((picture, before.get(picture.name)) for picture in found)
    return {picture.name: old for picture, old in same if old and old[:3] == picture[:3]}


def _walk(
    directory: str | Path, prefix: str, above: frozenset[tuple[int, int]], suffixes: tuple[str, ...]
) -> Iterator[Picture]:
    """The files below a folder, named behind `prefix`, as strings: a Path for each of 100,000 takes seconds.

    A link to a folder that holds it (`above`) would go in circles: not followed.
    """
    try:
        here = _identity_of(directory)
        children = [] if here in above else [child for child in os.scandir(directory) if child.name[0] != "."]
    except OSError as error:
        raise DatasetError(f"folder: cannot read {directory}: {error.strerror}") from error
    for child in children:
        if _is_directory(child):
            yield from _walk(child.path, f"{prefix}{child.name}/", above | {here}, suffixes)
        elif child.name.lower().endswith(suffixes):
            yield _found(prefix + child.name, child)


def _is_directory(child: os.DirEntry[str]) -> bool:
    try:
        return child.is_dir()
    except OSError:  # A link to itself.
        return False


def _identity_of(directory: str | Path) -> tuple[int, int]:
    status = os.stat(directory)  # noqa: PTH116 (often a string)
    return status.st_dev, status.st_ino


def _found(name: str, child: os.DirEntry[str]) -> Picture:
    try:
        status = child.stat()
    except OSError:  # A dangling link: reading it will say so.
        return Picture(name, -1, -1)
    return Picture(name, status.st_size, status.st_mtime_ns)


def _inspected(root: Path, pictures: Sequence[Picture]) -> Iterator[Picture]:
    progress = progress_bar("reading pictures", total=len(pictures))
    with progress, ThreadPool(os.cpu_count()) as pool:  # Pillow decodes outside Python's lock.
        for picture in pool.imap(lambda picture: _inspect(root, picture), pictures, chunksize=8):
            yield picture
            progress.update()


def _inspect(root: Path, picture: Picture) -> Picture:
    path = root / picture.name
    if not path.is_file():
        return picture._replace(damage=f"{UNREADABLE}: no such file")
    try:
        width, height = photographs.read(path).size
    except UnreadableFileError as error:
        return picture._replace(damage=f"{UNREADABLE}: {error}")
    except DamagedPictureError as error:
        return picture._replace(damage=str(error))
    return picture._replace(width=width, height=height)


def _index_path(root: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()
    return files.cache_folder() / f"folder-{digest[:24]}.json"


def _read_index(path: Path) -> list[Picture]:
    """What an earlier run found; nothing if there is no index, or a damaged one."""
    try:
        index = json.loads(path.read_bytes())
        if index["version"] != INDEX_VERSION:
            return []
        columns = [index[name] for name in Picture._fields]
        if [set(map(type, column)) for column in columns] != [{kind} for kind in (str, int, int, int, int, str)]:
            return []
        return list(map(Picture._make, zip(*columns, strict=True)))
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _write_index(path: Path, pictures: Sequence[Picture]) -> None:
    # What cannot be read today may be readable tomorrow, without a change of its size or time.
    lasting = [picture for picture in pictures if not picture.damage.startswith(UNREADABLE)]
    columns = zip(*lasting, strict=True) if lasting else [()] * len(Picture._fields)
    text = json.dumps({"version": INDEX_VERSION} | dict(zip(Picture._fields, columns, strict=True)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, text, is_shared=True)
    except OSError as error:
        logging.warning("cannot keep the index of pictures in %s, the next run decodes them again: %s", path, error)
