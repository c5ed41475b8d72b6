"""What is known about pictures: from their sub-folders, a CSV file of labels or landmarks, or CelebA's own lists."""

import csv
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from .alignment import POINT_NAMES
from .manifest import CROP_SUFFIX
from .naming import Names, compose
from .once import once
from .source import DatasetError
from .written_tables import read_table

LABEL_VALUES = {"1": 1, "0": 0, "-1": 0, "1.0": 1, "0.0": 0, "-1.0": 0, "true": 1, "false": 0}
_MINUS = ("-1", "-1.0")
_ZEROS = ("0", "0.0", "false")
# Signs that tell two columns apart, where nothing else does.
_SIGNS = {">": "over", "<": "under", "≥": "from", "≤": "up to", "=": "equals", "+": "plus", "%": "percent", "!": "not"}
_JOINERS = "\u200c\u200d"  # parts of words in Hindi and Persian


def snake_case(name: str) -> str:
    """A name as columns are called: "Wearing_Hat", "wearing hat" and "WearingHat" are all wearing_hat."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", compose(name))
    letters = "".join(letter if _is_in_word(letter) else "_" for letter in words)
    return compose(re.sub("_+", "_", letters).strip("_").lower())


def _is_in_word(letter: str) -> bool:
    """Whether it is a letter or number, or a mark on one, as the vowels of Hindi and Thai are."""
    return letter.isalnum() or letter in _JOINERS or unicodedata.category(letter).startswith("M")


def find_group(name: str) -> str:
    """The first level of sub-folders; "" for a picture that is in none."""
    first, slash, _ = name.partition("/")
    return first if slash else ""


def find_identities(root: Path, names: Sequence[str], groups: Sequence[str]) -> np.ndarray:
    """The person of each picture, int32 [N], counted over all splits."""
    nobodys = [name for name in names if not find_group(name)]
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
    return np.array([number_of.get(find_group(name), -1) for name in names], np.int32)


def find_attributes(
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
    counts = Counter(columns)
    columns = tuple(
        column if counts[column] == 1 else snake_case(_with_signs_in_words(name))
        for column, name in zip(columns, names, strict=True)
    )
    twice = [column for column, count in Counter(columns).items() if count > 1 or not column]
    if twice:
        raise DatasetError(f"folder: the {origin} give the attribute {twice[0]!r} more than once, or no name at all")
    return columns


def _with_signs_in_words(name: str) -> str:
    """Else `age>30` and `age<30` would be one."""
    return "".join(f" {_SIGNS[letter]} " if letter in _SIGNS else letter for letter in name)


@once
def _read_labels(path: Path) -> tuple[tuple[str, ...], dict[str, bytes]]:
    """The attributes' names, and one byte (0 or 1) for each of them by file name."""
    try:
        header, rows = read_table(path, "labels")
        return _check_labels(header, rows, path)
    except csv.Error as error:
        raise DatasetError(f"{path} is not a CSV file: {error}") from error


def _check_labels(
    header: list[str], rows: Iterable[tuple[int, list[str]]], path: Path
) -> tuple[tuple[str, ...], dict[str, bytes]]:
    columns = _column_names(header[1:], f"columns of {path}")
    values: dict[str, bytes] = {}
    seen: set[str] = set()
    for line, cells in rows:
        if not cells:
            continue
        name, *marks = (cell.strip() for cell in cells)
        marks = [mark.lower() for mark in marks]
        if len(cells) != len(header) or not LABEL_VALUES.keys() >= set(marks):
            wrong = _wrong_cell(marks, columns)
            raise DatasetError(f"{path}, line {line}: not a file name and {len(columns)} times 0/1 or -1/1: {wrong}")
        if name in values:
            raise DatasetError(f"{path}, line {line}: a second row for {name}")
        values[name] = bytes(LABEL_VALUES[mark] for mark in marks)
        seen.update(marks)
        if not seen.isdisjoint(_MINUS) and not seen.isdisjoint(_ZEROS):
            raise DatasetError(f"{path}, line {line}: 0 and -1 in one file; use either 0/1 or -1/1")
    return columns, values


def _wrong_cell(marks: Sequence[str], columns: Sequence[str]) -> str:
    if len(marks) != len(columns):
        return f"it has {len(marks) + 1} cells, the header {len(columns) + 1}"
    column, mark = next((column, mark) for column, mark in zip(columns, marks, strict=True) if mark not in LABEL_VALUES)
    return f"{column} is {mark!r}" if mark else f"{column} is empty"


def _label_table(names: Sequence[str], rows: dict[str, bytes], labels: str | os.PathLike[str]) -> np.ndarray:
    """The rows of the pictures, uint8 [N, A]."""
    keys = find_keys(names, rows, labels, also_sources=True)  # what is true of a photograph is true of its crop
    return np.stack([np.frombuffer(rows[key], np.uint8) for key in keys])  # [N, A]


def find_keys(
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
    known = Names(rows)
    keys = [known.find(name) or (known.find_photograph(name, CROP_SUFFIX) if also_sources else None) for name in names]
    missing = [name for name, key in zip(names, keys, strict=True) if key is None]
    if missing:
        like = f"; its first row is of {next(iter(rows))}" if rows else "; it has no rows"
        first = f"{len(missing)} of {len(names)} pictures, the first is {missing[0]}"
        raise DatasetError(f"{file} has no row for {first}{like}")
    found = [key for key in keys if key is not None]
    key, count = Counter(found).most_common(1)[0]
    if count > 1:
        raise DatasetError(f"{file}: the row {key} fits {count} pictures; name them by their path below the folder")
    return found


@once
def read_landmarks(path: Path) -> dict[str, np.ndarray]:
    """The five points of each file in CelebA's list of landmarks, or in a CSV file of its columns.

    Columns are found by their names (`lefteye_x` or `left_eye_x`), the first is the file's name; others are passed
    over, and so are rows without points, so that the manifest of `facezoo align` is such a file too, if it has one face
    of each photograph.

    Returns:
      By file name, `alignment.POINT_NAMES`, float64 [5, 2], (x, y) in pixels.

    Raises:
      DatasetError: the file is not there, a column is missing, a cell is no number, or a file has two rows.
    """
    try:
        header, rows = read_table(path, "landmarks")
        columns = _point_columns(header, path)
        known: dict[str, np.ndarray] = {}
        for line, cells in rows:
            if _has(cells, columns):
                name, points = _points(cells, columns, f"{path}, line {line}")
                if name in known:
                    raise DatasetError(f"{path}, line {line}: a second row for {name}; one face of each is meant")
                known[name] = points
        return known
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


def _number(cell: str) -> float:
    """With a point, or with a comma as spreadsheets write it in half of the world."""
    return float(cell.replace(",", ".") if "." not in cell else cell)


def _points(cells: list[str], columns: list[int], where: str) -> tuple[str, np.ndarray]:
    try:
        points = np.array([_number(cells[column]) for column in columns]).reshape(-1, 2)
    except (ValueError, IndexError) as error:
        raise DatasetError(f"{where}: not a file name and {len(columns)} numbers") from error
    if not np.isfinite(points).all():
        raise DatasetError(f"{where}: not a file name and {len(columns)} numbers")
    return cells[0].strip(), points
