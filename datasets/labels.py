"""What is known about pictures: from their sub-folders, a CSV file of labels or landmarks, or CelebA's own lists."""

import csv
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from .. import files
from .alignment import POINT_NAMES
from .manifest import CROP_SUFFIX
from .once import once
from .source import DatasetError

MOST_BYTES = 2**30
LABEL_VALUES = {"1": 1, "0": 0, "-1": 0}


def snake_case(name: str) -> str:
    """A name as columns are called: "Wearing_Hat", "wearing hat" and "WearingHat" are all wearing_hat."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", "_", name)
    return words.strip("_").lower()


def group_of(name: str) -> str:
    """The first level of sub-folders; "" for a picture that is in none."""
    first, slash, _ = name.partition("/")
    return first if slash else ""


def identities_of(root: Path, names: Sequence[str], groups: Sequence[str]) -> np.ndarray:
    """The person of each picture, int32 [N], counted over all splits."""
    nobodys = [name for name in names if not group_of(name)]
    if nobodys:
        raise DatasetError(
            f"folder: {len(nobodys)} of {len(names)} pictures in {root} are in no sub-folder, so whose are they? "
            f"The first is {nobodys[0]};",
            "subfolders=identity takes one sub-folder for each person",
        )
    return _numbers(names, groups)


def _numbers(names: Sequence[str], groups: Sequence[str]) -> np.ndarray:
    """The sub-folder of each picture as a number, int32 [N]; -1 for none."""
    number_of = {group: number for number, group in enumerate(groups)}
    return np.array([number_of.get(group_of(name), -1) for name in names], np.int32)


def attributes_of(
    names: Sequence[str], groups: Sequence[str], labels: str | os.PathLike[str] | None
) -> tuple[tuple[str, ...], Callable[[np.ndarray], np.ndarray]]:
    """The attributes' names, and a function from numbers of pictures [n] to their values, float32 [n, A]."""
    if labels:
        attribute_names, rows = _read_labels(Path(os.path.expanduser(labels)))  # noqa: PTH111 (Path's may raise)
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


@once
def _read_labels(path: Path) -> tuple[tuple[str, ...], dict[str, bytes]]:
    """The attributes' names, and one byte (0 or 1) for each of them by file name."""
    try:
        header, rows = _label_rows(_label_lines(path), path)
        return _checked_labels(header, rows, path)
    except csv.Error as error:
        raise DatasetError(f"{path} is not a CSV file: {error}") from error


def _checked_labels(
    header: list[str], rows: Iterable[tuple[int, list[str]]], path: Path
) -> tuple[tuple[str, ...], dict[str, bytes]]:
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
        return files.read_text(path, MOST_BYTES, "utf-8-sig").splitlines()
    except OSError as error:
        raise DatasetError(f"cannot read the labels {path}: {error.strerror or error}") from error
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
    """The rows of the pictures, uint8 [N, A]."""
    keys = keys_of(names, rows, labels, also_sources=True)  # what is true of a photograph is true of its crop
    return np.stack([np.frombuffer(rows[key], np.uint8) for key in keys])  # [N, A]


def keys_of(
    names: Sequence[str], rows: Collection[str], file: str | os.PathLike[str], also_sources: bool = False
) -> list[str]:
    """The row of each picture in a file that speaks of pictures by path or by base name.

    Args:
      names: of the pictures.
      rows: names in the file.
      file: for messages.
      also_sources: takes a crop's row by the name of its photograph, too.

    Raises:
      DatasetError: a picture has no row, or two have the same.
    """
    keys = [
        key_of(name, rows) or (key_of(name.removesuffix(CROP_SUFFIX), rows) if also_sources else None) for name in names
    ]
    missing = [name for name, key in zip(names, keys, strict=True) if key is None]
    if missing:
        raise DatasetError(f"{file} has no row for {len(missing)} of {len(names)} pictures, the first is {missing[0]}")
    found = [key for key in keys if key is not None]
    key, count = Counter(found).most_common(1)[0]
    if count > 1:
        raise DatasetError(f"{file}: the row {key} fits {count} pictures; name them by their path below the folder")
    return found


def key_of(name: str, rows: Collection[str]) -> str | None:
    """How a file speaks of a picture, if it does: by its path or its base name."""
    return next((key for key in (name, PurePosixPath(name).name) if key in rows), None)


@once
def read_landmarks(path: Path) -> dict[str, np.ndarray]:
    """The five points of each file in CelebA's list of landmarks, or in a CSV file of its columns.

    Columns are found by their names (`lefteye_x` or `left_eye_x`), the first is the file's name; others are passed
    over, and so are rows without points, so that the manifest of `facezoo align` is such a file too.

    Returns:
      By file name, `alignment.POINT_NAMES`, float64 [5, 2], (x, y) in pixels.

    Raises:
      DatasetError: the file is not there, a column is missing, or a cell is no number.
    """
    try:
        header, rows = _label_rows(_label_lines(path), path)
        columns = _point_columns(header, path)
        return dict(_points(cells, columns, f"{path}, line {line}") for line, cells in rows if _has(cells, columns))
    except csv.Error as error:
        raise DatasetError(f"{path} is not a CSV file: {error}") from error


def _point_columns(header: list[str], path: Path) -> list[int]:
    places = {name.replace("_", "").strip().lower(): column for column, name in enumerate(header)}
    wanted = [f"{name}_{axis}" for name in POINT_NAMES for axis in "xy"]
    missing = [name for name in wanted if name.replace("_", "") not in places]
    if missing:
        raise DatasetError(f"{path} has no column {missing[0]}; landmarks are {', '.join(wanted)}")
    return [places[name.replace("_", "")] for name in wanted]


def _has(cells: list[str], columns: list[int]) -> bool:
    return len(cells) <= max(columns) or any(cells[column].strip() for column in columns)


def _points(cells: list[str], columns: list[int], where: str) -> tuple[str, np.ndarray]:
    try:
        points = np.array([float(cells[column]) for column in columns]).reshape(-1, 2)
    except (ValueError, IndexError) as error:
        raise DatasetError(f"{where}: not a file name and {len(columns)} numbers") from error
    if not np.isfinite(points).all():
        raise DatasetError(f"{where}: not a file name and {len(columns)} numbers")
    return cells[0].strip(), points
