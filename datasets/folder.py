"""A folder of one's own photographs, with what its sub-folders and a file of labels say about them."""

import csv
import hashlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import platformdirs
from absl import logging
from tqdm import tqdm

from . import photographs
from .photographs import Crop, DamagedPictureError, UnreadableFileError
from .source import SPLITS, DatasetError, Source, split_of

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MOST_DAMAGED = 0.1
NAMED = 5
PROGRESS_AFTER_SECONDS = 2
INDEX_VERSION = 1
UNREADABLE = "cannot be read"
LABEL_VALUES = {"1": 1, "0": 0, "-1": 0}

_warned: set[tuple[Path, str]] = set()


class Picture(NamedTuple):
    """One file of the index. What changes with the file comes first: name, bytes, time of change."""

    name: str
    num_bytes: int
    modified_ns: int
    width: int = 0
    height: int = 0
    damage: str = ""


def folder(
    split: str,
    *,
    data_dir: str | os.PathLike[str],
    image_size: int = 64,
    channels: int = 3,
    crop: Crop | None = None,
    subfolders: str = "attribute",
    labels: str | os.PathLike[str] | None = None,
) -> Source:
    """One's own JPEG, PNG and WebP photographs below a folder, at any depth; hidden files and folders are skipped.

    The first time every file is decoded once; what was found is kept in the user's cache folder (or in the folder
    that the environment variable FACEZOO_CACHE_DIR names), and only new and changed files are decoded again. Damaged
    files, and those `crop` does not fit into, are left out with one warning. The split of a picture follows from its
    path below `data_dir`, see `split_of`.

    Args:
      split: train, validation or test.
      data_dir: the folder.
      image_size: side S of the pictures in pixels.
      channels: C, 3 for RGB or 1 for gray.
      crop: (left, top, width, height), a square in pixels of the photographs; default the largest in the centre.
      subfolders: what the first level of sub-folders means. "identity": one person each, `identity` counts them from
        0 in the order of their names. "attribute": an attribute each, 1 for the pictures in it, if there are at least
        two and no `labels`.
      labels: a CSV file with a header, file names (path below `data_dir`, or base name) in the first column and 0/1
        or -1/1 in the others, or CelebA's `list_attr_celeba.txt`: the `attributes`.

    Returns:
      Pictures [S, S, C] named by their path below `data_dir`, sorted; attribute names in lower snake case.

    Raises:
      DatasetError: no folder, no pictures in it or in the split, more than 10 % of them unfit, or unfit labels.
    """
    _check_choices(split, subfolders, channels, crop)
    root = _root(data_dir)
    index = _index(root)
    names = [picture.name for picture in _usable(root, index, crop)]
    groups = sorted({group for picture in index if (group := _group(picture.name))})
    attribute_names, attributes = _attributes(names, groups if subfolders == "attribute" else [], labels)
    people = _identities(root, names, groups) if subfolders == "identity" else None
    members = _members(root, names, split)

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        chosen = members[positions]
        examples = {"image": _images(root, [names[member] for member in chosen], image_size, crop, channels)}
        if attribute_names:
            examples["attributes"] = attributes(chosen)
        if people is not None:
            examples["identity"] = people[chosen]
        return examples

    return Source(
        name=f"folder/{split}",
        names=[names[member] for member in members],
        load=load,
        image_shape=(image_size, image_size, channels),
        attribute_names=attribute_names,
    )


def _check_choices(split: str, subfolders: str, channels: int, crop: Crop | None) -> None:
    if split not in SPLITS:
        raise DatasetError(f"folder: split={split!r} is none of {', '.join(SPLITS)}")
    if subfolders not in ("attribute", "identity"):
        raise DatasetError(f"folder: subfolders={subfolders!r} is neither 'attribute' nor 'identity'")
    if channels not in (1, 3):
        raise DatasetError(f"folder: channels={channels} is neither 1 (gray) nor 3 (RGB)")
    photographs.check_crop(crop)


def _root(data_dir: str | os.PathLike[str]) -> Path:
    if not data_dir:
        raise DatasetError("folder: data_dir is missing, the folder with the photographs")
    root = Path(data_dir).expanduser().resolve()
    if not root.is_dir():
        raise DatasetError(f"folder: data_dir={data_dir} is {'not a folder' if root.exists() else 'not there'}")
    return root


def _images(root: Path, names: Sequence[str], image_size: int, crop: Crop | None, channels: int) -> np.ndarray:
    images = np.empty((len(names), image_size, image_size, channels), np.uint8)
    for image, name in zip(images, names, strict=True):
        try:
            image[:] = photographs.fit(photographs.read(root / name), image_size, crop, channels)
        except DatasetError as error:
            raise DatasetError(f"folder: {root / name} has changed since it was indexed: {error}") from error
    return images


def _members(root: Path, names: Sequence[str], split: str) -> np.ndarray:
    members = np.array([position for position, name in enumerate(names) if split_of(name) == split], np.int64)
    if not len(members):
        raise DatasetError(
            f"folder: none of the {len(names)} pictures in {root} falls into the {split} split (80/10/10 by name);\n"
            "add pictures: about 50 are enough to fill every split"
        )
    return members


# The index: every file, decoded once.


def _index(root: Path) -> list[Picture]:
    found = [_found(root, name) for name in sorted(_picture_names(root))]
    if not found:
        raise DatasetError(f"folder: no pictures in {root} (looked for {' '.join(SUFFIXES)}, in sub-folders too)")
    path = _index_path(root)
    known = {picture[:3]: picture for picture in _read_index(path)}
    unknown = [picture for picture in found if picture[:3] not in known]
    if unknown:
        try:
            known.update((picture[:3], picture) for picture in _inspected(root, unknown))
        finally:  # Interrupted, it goes on from here the next time.
            _write_index(path, [known[picture[:3]] for picture in found if picture[:3] in known])
    return [known[picture[:3]] for picture in found]


def _picture_names(root: Path) -> Iterator[str]:
    above = frozenset(_identity_of(folder) for folder in root.parents)
    for path in _walk(root, above):
        yield path.relative_to(root).as_posix()


def _walk(directory: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """The pictures below a folder. A link to a folder that holds it (`above`) would go in circles: not followed."""
    try:
        here = _identity_of(directory)
        children = [] if here in above else [child for child in os.scandir(directory) if child.name[0] != "."]
    except OSError as error:
        raise DatasetError(f"folder: cannot read {directory}: {error.strerror}") from error
    for child in children:
        if _is_directory(child):
            yield from _walk(directory / child.name, above | {here})
        elif child.name.lower().endswith(SUFFIXES):
            yield directory / child.name


def _is_directory(child: os.DirEntry[str]) -> bool:
    try:
        return child.is_dir()
    except OSError:  # A link to itself.
        return False


def _identity_of(directory: Path) -> tuple[int, int]:
    status = directory.stat()
    return status.st_dev, status.st_ino


def _found(root: Path, name: str) -> Picture:
    try:
        status = (root / name).stat()
    except OSError:  # A dangling link: reading it will say so.
        return Picture(name, -1, -1)
    return Picture(name, status.st_size, status.st_mtime_ns)


def _inspected(root: Path, pictures: Sequence[Picture]) -> Iterator[Picture]:
    progress = tqdm(total=len(pictures), desc="reading pictures", unit="", delay=PROGRESS_AFTER_SECONDS, leave=False)
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
    cache = os.environ.get("FACEZOO_CACHE_DIR") or platformdirs.user_cache_dir("facezoo")
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()
    return Path(cache).expanduser() / f"folder-{digest[:24]}.json"


def _read_index(path: Path) -> list[Picture]:
    """What an earlier run found; nothing if there is no index, or a damaged one."""
    try:
        index = json.loads(path.read_bytes())
        if index["version"] != INDEX_VERSION:
            return []
        return [_picture(row) for row in index["pictures"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _picture(row: list) -> Picture:
    picture = Picture(*row)
    if tuple(map(type, picture)) != (str, int, int, int, int, str):
        raise ValueError("not a row of the index")
    return picture


def _write_index(path: Path, pictures: Sequence[Picture]) -> None:
    # What cannot be read today may be readable tomorrow, without a change of its size or time.
    lasting = [picture for picture in pictures if not picture.damage.startswith(UNREADABLE)]
    text = json.dumps({"version": INDEX_VERSION, "pictures": lasting})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except OSError as error:
        logging.warning("cannot keep the index of pictures in %s, the next run decodes them again: %s", path, error)


def _replace(path: Path, text: str) -> None:
    """Writes a file so that a reader finds the old one or the new one, never a half."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.stem, encoding="utf-8", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(text)
            file.close()
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


# What is left out.


def _usable(root: Path, index: Sequence[Picture], crop: Crop | None) -> list[Picture]:
    unfit = {picture.name: reason for picture in index if (reason := _unfit(picture, crop))}
    if len(unfit) == len(index) or len(unfit) > MOST_DAMAGED * len(index):
        raise DatasetError(
            f"folder: {len(unfit)} of {len(index)} pictures in {root} cannot be used, more than {MOST_DAMAGED:.0%}:\n"
            f"{_first(unfit)}\n"
            "replace or remove them, or choose another crop if it reaches outside"
        )
    if unfit:
        _warn_once(root, f"leaving out {len(unfit)} of {len(index)} pictures in {root}: {_first(unfit)}")
    return [picture for picture in index if picture.name not in unfit]


def _unfit(picture: Picture, crop: Crop | None) -> str:
    if picture.damage or crop is None:
        return picture.damage
    try:
        photographs.crop_box((picture.width, picture.height), crop)
    except DatasetError as error:
        return str(error)
    return ""


def _first(unfit: dict[str, str]) -> str:
    named = [f"{name} ({reason})" for name, reason in list(unfit.items())[:NAMED]]
    more = [f"and {len(unfit) - NAMED} more"] if len(unfit) > NAMED else []
    return ", ".join(named + more)


def _warn_once(root: Path, message: str) -> None:
    """One warning in a process, though each split of the folder finds the same."""
    if (root, message) not in _warned:
        _warned.add((root, message))
        logging.warning("%s", message)


# What is known about a picture.


def snake_case(name: str) -> str:
    """A name as columns are called: "Wearing_Hat", "wearing hat" and "WearingHat" are all wearing_hat."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", "_", name)
    return words.strip("_").lower()


def _group(name: str) -> str:
    """The first level of sub-folders; "" for a picture that is in none."""
    first, slash, _ = name.partition("/")
    return first if slash else ""


def _identities(root: Path, names: Sequence[str], groups: Sequence[str]) -> np.ndarray:
    """The person of each picture, int32 [N], counted over all splits."""
    nobodys = [name for name in names if not _group(name)]
    if nobodys:
        raise DatasetError(
            f"folder: {len(nobodys)} of {len(names)} pictures in {root} are in no sub-folder, so whose are they? "
            f"The first is {nobodys[0]};\nsubfolders=identity takes one sub-folder for each person"
        )
    return _numbers(names, groups)


def _numbers(names: Sequence[str], groups: Sequence[str]) -> np.ndarray:
    """The sub-folder of each picture as a number, int32 [N]; -1 for none."""
    number_of = {group: number for number, group in enumerate(groups)}
    return np.array([number_of.get(_group(name), -1) for name in names], np.int32)


def _attributes(
    names: Sequence[str], groups: Sequence[str], labels: str | os.PathLike[str] | None
) -> tuple[tuple[str, ...], Callable[[np.ndarray], np.ndarray]]:
    """The attributes' names, and a function from numbers of pictures [n] to their values, float32 [n, A]."""
    if labels:
        attribute_names, rows = _read_labels(Path(labels).expanduser())
        table = _label_table(names, rows, labels)
        return attribute_names, lambda chosen: table[chosen].astype(np.float32)
    if len(groups) < 2:
        return (), lambda chosen: np.empty((len(chosen), 0), np.float32)
    numbers = _numbers(names, groups)[:, np.newaxis]
    columns = np.arange(len(groups))
    # One column of numbers until a batch asks: thousands of sub-folders would make a large table.
    return _column_names(groups, "sub-folders"), lambda chosen: (numbers[chosen] == columns).astype(np.float32)


def _column_names(names: Sequence[str], origin: str) -> tuple[str, ...]:
    columns = tuple(snake_case(name) for name in names)
    twice = [column for column, count in Counter(columns).items() if count > 1 or not column]
    if twice:
        raise DatasetError(f"folder: the {origin} give the attribute {twice[0]!r} more than once, or no name at all")
    return columns


# A file of labels.


def _read_labels(path: Path) -> tuple[tuple[str, ...], dict[str, bytes]]:
    """The attributes' names, and one byte (0 or 1) for each of them by file name."""
    header, rows = _label_rows(_label_lines(path), path)
    columns = _column_names(header[1:], f"columns of {path}")
    values: dict[str, bytes] = {}
    seen: set[str] = set()
    for line, cells in rows:
        if not cells:
            continue
        name, *marks = (cell.strip() for cell in cells)
        if len(cells) != len(header) or not LABEL_VALUES.keys() >= set(marks):
            raise DatasetError(f"{path}, line {line}: not a file name and {len(columns)} times 0/1 or -1/1")
        if name in values:
            raise DatasetError(f"{path}, line {line}: a second row for {name}")
        values[name] = bytes(LABEL_VALUES[mark] for mark in marks)
        seen.update(marks)
        if seen >= {"0", "-1"}:
            raise DatasetError(f"{path}, line {line}: 0 and -1 in one file; use either 0/1 or -1/1")
    return columns, values


def _label_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DatasetError(f"cannot read the labels {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"the labels {path} are not UTF-8 text") from error


def _label_rows(lines: list[str], path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header, and every row with the number of its line."""
    if len(lines) > 1 and lines[0].strip().isdigit():  # CelebA's own list: a count, the names, then the rows.
        return ["", *lines[1].split()], ((number, line.split()) for number, line in enumerate(lines[2:], 3))
    reader = csv.reader(lines)
    header = next(reader, [])
    if len(header) < 2:
        raise DatasetError(f"{path}, line 1: not a header of a file name and attributes, separated by commas")
    return header, ((reader.line_num, cells) for cells in reader)


def _label_table(names: Sequence[str], rows: dict[str, bytes], labels: str | os.PathLike[str]) -> np.ndarray:
    """The rows of the pictures, by path or by base name, uint8 [N, A]."""
    keys = [name if name in rows else PurePosixPath(name).name for name in names]
    missing = [name for name, key in zip(names, keys, strict=True) if key not in rows]
    if missing:
        raise DatasetError(
            f"{labels} has no row for {len(missing)} of {len(names)} pictures, the first is {missing[0]}"
        )
    key, count = Counter(keys).most_common(1)[0]
    if count > 1:
        raise DatasetError(f"{labels}: the row {key} fits {count} pictures; name them by their path below the folder")
    return np.stack([np.frombuffer(rows[key], np.uint8) for key in keys])  # [N, A]
