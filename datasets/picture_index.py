"""The index of a folder: every picture file, decoded once, kept in the user's cache folder between runs."""

import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from absl import logging

from .. import files
from . import photographs, picture_bounds
from .likeness import hash_look
from .once import once
from .photographs import DamagedPictureError, UnreadableFileError
from .picture_kinds import ENDINGS, KINDS_IN_WORDS
from .progress import progress_bar
from .source import DatasetError

INDEX_VERSION = 3
UNREADABLE = "cannot be read"
# Folders that other programs keep beside photographs: thumbnails, and what was thrown away. Those whose names begin
# with a dot are hidden anyway.
FOREIGN_FOLDERS = ("@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "__macosx")
FOREIGN_ENDINGS = (".lrdata",)
_TYPES = (str, int, int, int, int, str, str, str)  # of a picture's fields
_NO_PICTURE = "no picture"
_NAMED = 4


class Picture(NamedTuple):
    """One file of the index. What changes with the file comes first: name, bytes, time of change.

    Attributes:
      width, height: of the upright picture; 0 for a damaged one.
      damage: why it cannot be used, or "".
      digest: of the file's bytes, in hexadecimal.
      look: `likeness.hash_look` the picture.
    """

    name: str
    num_bytes: int
    modified_ns: int
    width: int = 0
    height: int = 0
    damage: str = ""
    digest: str = ""
    look: str = ""


class Index(NamedTuple):
    """What is in a folder.

    Attributes:
      pictures: sorted by name; damaged ones too.
      others: names of files that are no pictures, sorted.
    """

    pictures: list[Picture]
    others: list[str]

    def describe_others(self, known: Sequence[str] = ()) -> str:
        """How many files are no pictures, and which, in a few words; "" where there are none but `known` ones."""
        endings = Counter(PurePosixPath(name).suffix.lower() or "without an ending" for name in self.others)
        endings.subtract(PurePosixPath(name).suffix.lower() for name in known if name in self.others)
        counted = sorted(((ending, count) for ending, count in endings.items() if count > 0), key=lambda one: -one[1])
        if not counted:
            return ""
        named = [f"{count} {ending}" for ending, count in counted[:_NAMED]]
        more = sum(count for _, count in counted[_NAMED:])
        listed = ", ".join([*named, *([f"{more} others"] if more else [])])
        number = sum(count for _, count in counted)
        return f"{number} of {len(self.pictures) + number} files are no pictures and passed over: {listed}"


@once
def index_pictures(root: Path, max_pixels: int = photographs.MAX_PIXELS, may_have_none: bool = False) -> Index:
    """Every file below a folder; only new and changed ones are opened.

    What a file holds says whether it is a picture. One that is none is a damaged picture if its name ends as that of
    one does, and else none at all.

    Args:
      root: the folder.
      max_pixels: the most that a picture may have.
      may_have_none: no pictures are no fault.

    Raises:
      DatasetError: no pictures, or a folder that cannot be read.
    """
    found = find_files(root)
    path = _index_path(root)
    known = _find_unchanged(found, _read_index(path))
    unknown = [picture for picture in found if picture.name not in known]
    if unknown:
        try:
            known.update((picture.name, picture) for picture in _inspect_all(root, unknown, max_pixels))
        finally:  # Interrupted, it goes on from here the next time.
            _write_index(path, [known[picture.name] for picture in found if picture.name in known])
    whole = [known[picture.name] for picture in found]
    index = Index(
        [picture for picture in whole if picture.damage != _NO_PICTURE],
        [picture.name for picture in whole if picture.damage == _NO_PICTURE],
    )
    if not index.pictures and not may_have_none:
        others = index.describe_others()
        told = f"; {others}" if others else f" (looked for {KINDS_IN_WORDS} files, in sub-folders too)"
        raise DatasetError(f"folder: no pictures in {root}{told}")
    return index


def find_files(root: Path) -> list[Picture]:
    """Every file below a folder, sorted by name, hidden ones and those of other programs left out; none is opened.

    Raises:
      DatasetError: a folder that cannot be read.
    """
    return sorted(_walk(root))


def _find_unchanged(found: Sequence[Picture], indexed: Sequence[Picture]) -> dict[str, Picture]:
    """By name, what the index says of files that are still the same."""
    before = {picture.name: picture for picture in indexed}
    same = ((picture, before.get(picture.name)) for picture in found)
    return {picture.name: old for picture, old in same if old and old[:3] == picture[:3]}


def _walk(root: Path) -> Iterator[Picture]:
    """The files below a folder, with names as strings: a Path for each of 100,000 takes seconds.

    Each folder is visited once, those that links lead to after those that lie there themselves: links that go in
    circles end, and many ways to one folder are one.
    """
    visited = {_identify(folder) for folder in root.parents}
    waiting, linked = [(str(root), "")], deque[tuple[str, str]]()
    while waiting or linked:
        directory, prefix = waiting.pop() if waiting else linked.popleft()
        try:
            identity = _identify(directory)
            children = [] if identity in visited else sorted(os.scandir(directory), key=lambda child: child.name)
        except OSError as error:
            raise DatasetError(f"folder: cannot read {directory}: {error.strerror}") from error
        visited.add(identity)
        for child in children:
            if child.name[0] == ".":
                continue
            if not _is_directory(child):
                yield _find(prefix + child.name, child)
            elif not _is_foreign(child.name):
                (linked if child.is_symlink() else waiting).append((child.path, f"{prefix}{child.name}/"))


def _is_foreign(folder: str) -> bool:
    return folder.lower() in FOREIGN_FOLDERS or folder.lower().endswith(FOREIGN_ENDINGS)


def _is_directory(child: os.DirEntry[str]) -> bool:
    try:
        return child.is_dir()
    except OSError:  # A link to itself.
        return False


def _identify(directory: str | Path) -> tuple[int, int]:
    status = os.stat(directory)  # noqa: PTH116 (often a string)
    return status.st_dev, status.st_ino


def _find(name: str, child: os.DirEntry[str]) -> Picture:
    try:
        status = child.stat()
    except OSError:  # A dangling link: reading it will say so.
        return Picture(name, -1, -1)
    return Picture(name, status.st_size, status.st_mtime_ns)


def _inspect_all(root: Path, pictures: Sequence[Picture], max_pixels: int) -> Iterator[Picture]:
    progress = progress_bar("reading pictures", total=len(pictures))
    with progress, ThreadPool(os.cpu_count()) as pool:  # Pillow decodes outside Python's lock.
        for picture in pool.imap(lambda picture: _inspect(root, picture, max_pixels), pictures, chunksize=8):
            yield picture
            progress.update()


def _inspect(root: Path, picture: Picture, max_pixels: int) -> Picture:
    path = root / picture.name
    is_called_one = picture.name.lower().endswith(ENDINGS)
    if not path.is_file():
        return picture._replace(damage=f"{UNREADABLE}: no such file" if is_called_one else _NO_PICTURE)
    if not is_called_one and not photographs.is_picture(path):
        return picture._replace(damage=_NO_PICTURE)
    try:
        image = photographs.read(path, max_pixels)
    except UnreadableFileError as error:
        return picture._replace(damage=f"{UNREADABLE}: {error}")
    except DamagedPictureError as error:
        return picture._replace(damage=str(error))
    width, height = image.size
    return picture._replace(width=width, height=height, digest=_digest(path), look=hash_look(image))


def _digest(path: Path) -> str:
    try:
        data = files.read_bytes(path, picture_bounds.MAX_BYTES)
        return hashlib.blake2b(data, digest_size=16).hexdigest()
    except OSError:  # gone since
        return ""


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
        if [set(map(type, column)) for column in columns] != [{kind} for kind in _TYPES]:
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
