"""Tables in text files, as spreadsheets, pandas and CelebA write them."""

import csv
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .. import files
from .source import DatasetError

MOST_BYTES = 2**30
SEPARATORS = (",", ";", "\t")
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_NAMES_OF_INDEX = ("", "index", "unnamed: 0")


class WrittenTable(NamedTuple):
    """A header, and rows with the numbers of their lines; without what counts the rows, which pandas writes first."""

    header: list[str]
    rows: Iterator[tuple[int, list[str]]]


def read_text(path: Path, what: str) -> str:
    """A text in UTF-8, or in UTF-16 with a byte-order mark, as spreadsheets write "Unicode text".

    Raises:
      DatasetError: it cannot be read, or is no such text.
    """
    try:
        data = files.read_bytes(path, MOST_BYTES)
    except OSError as error:
        raise DatasetError(f"cannot read the {what} {path}: {error.strerror or error}") from error
    encoding = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DatasetError(f"the {what} {path} are not UTF-8 text: save them as CSV in UTF-8") from error


def read_table(path: Path, what: str) -> WrittenTable:
    """A table whose first column names pictures: with commas, semicolons or tabs between its cells, or CelebA's list.

    Raises:
      DatasetError: it cannot be read, or has no header of at least two names.
      csv.Error: from here or from the rows, it is no such table.
    """
    lines = re.split(r"\r\n|\n|\r", read_text(path, what))
    if len(lines) > 1 and lines[0].strip().isdigit():  # CelebA's own list: a count, the names, then the rows.
        numbered = ((number, line.split()) for number, line in enumerate(lines[2:], 3))
        return WrittenTable(["", *lines[1].split()], numbered)
    before = 1 if lines[0].lower().startswith("sep=") else 0  # what Excel is told by
    reader = csv.reader(lines[before:], delimiter=_find_separator("".join(lines[before : before + 1])))
    header = [cell.strip() for cell in next(reader, [])]
    if len(header) < 2:
        named = "commas, semicolons or tabs"
        raise DatasetError(f"{path}, line 1: not a header of a file name and more columns, separated by {named}")
    rows = ((before + reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells))
    return _without_index(header, rows)


def _find_separator(header: str) -> str:
    return max(SEPARATORS, key=header.count)


def _without_index(header: list[str], rows: Iterator[tuple[int, list[str]]]) -> WrittenTable:
    """Without a first column that is called as pandas calls its index, where numbers stand before the names."""
    if header[0].lower() not in _NAMES_OF_INDEX or len(header) < 3:
        return WrittenTable(header, rows)
    number, first = next(rows, (0, []))
    is_index = len(first) > 1 and _is_number(first[0]) and not _is_number(first[1])
    every = itertools.chain([(number, first)] if first else [], rows)
    if not is_index:
        return WrittenTable(header, every)
    return WrittenTable(header[1:], ((line, cells[1:]) for line, cells in every))


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"\s*-?\d+([.,]\d*)?\s*", cell))
