"""Which split a picture falls into: by its name alone, with those that belong together, or as a file says."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from .labels import find_group, find_keys
from .once import once
from .picture_kinds import ENDINGS
from .source import SPLITS, DatasetError, choose_split
from .written_tables import read_text

SPLIT_BY = ("file", "folder", "identity", "clip")
# As CelebA's list_eval_partition.txt numbers them, and as people call them.
_NAMES_OF_SPLITS = {str(number): split for number, split in enumerate(SPLITS)}
_NAMES_OF_SPLITS |= {split: split for split in SPLITS} | {
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
}
_COPY = re.compile(r"[\s_.-]*(\(\d+\)|copy|copie|kopie|copia)$", re.IGNORECASE)
_FRAME = re.compile(r"[\s_.-]*(frame|f)?[\s_.-]*\d+$", re.IGNORECASE)


def choose_splits(
    names: Sequence[str], split_by: str = "file", partition: str | os.PathLike[str] | None = None
) -> list[str]:
    """The split of each picture.

    Args:
      names: paths below the data folder.
      split_by: what falls into one split together: each "file" by itself, all of a "folder", of a person, who has a
        first level of sub-folders ("identity"), or of a "clip", a folder's files whose names differ in their last
        number. 80 % of those fall into train, 10 % into validation and test, see `choose_split`.
      partition: a file that says it, as CelebA's `list_eval_partition.txt` does: in each row a name and 0, 1 or 2, or
        train, validation or test; a header may come first.

    Raises:
      DatasetError: an unknown choice, or the file is unfit or has no row for a picture.
    """
    if split_by not in SPLIT_BY:
        raise DatasetError(f"folder: split_by={split_by!r} is none of {', '.join(SPLIT_BY)}")
    if not partition:
        return [choose_split(together(name, split_by)) for name in names]
    rows = _read_partition(Path(os.path.expanduser(partition)))  # noqa: PTH111 (Path's may raise)
    return [rows[key] for key in find_keys(names, rows, partition, also_sources=True)]


def together(name: str, split_by: str) -> str:
    """What is the same for all pictures that fall into one split."""
    if split_by == "folder":
        return name.rpartition("/")[0] or name
    if split_by == "identity":
        return find_group(name) or name
    return find_clip(name) if split_by == "clip" else name


def find_clip(name: str) -> str:
    """The clip that a frame is of: "film/take 2_0017.jpg" is of "film/take 2", and so is its copy "(1)"."""
    folder, slash, base = name.rpartition("/")
    while base.lower().endswith(ENDINGS):
        base = base.rpartition(".")[0]
    base = _COPY.sub("", base)
    return f"{folder}{slash}{_FRAME.sub('', base)}"


@once
def _read_partition(path: Path) -> dict[str, str]:
    """By file name, the split."""
    rows: dict[str, str] = {}
    for number, line in enumerate(re.split(r"\r\n|\n|\r", read_text(path, "partition")), 1):
        if not line.strip():
            continue
        name, word = _row(line)
        if word not in _NAMES_OF_SPLITS:
            if number == 1:  # a header
                continue
            raise DatasetError(f"{path}, line {number}: not a file name and 0, 1 or 2, or {', '.join(SPLITS)}")
        if name in rows:
            raise DatasetError(f"{path}, line {number}: a second row for {name}")
        rows[name] = _NAMES_OF_SPLITS[word]
    return rows


def _row(line: str) -> tuple[str, str]:
    """A name, which may have spaces in it, and the last word."""
    separator = next((separator for separator in ",;\t" if separator in line), None)
    cells = line.rsplit(separator, 1) if separator else line.rsplit(None, 1)
    name, word = (cells[0], cells[-1]) if len(cells) == 2 else (line, "")
    return name.strip().strip('"'), word.strip().strip('"').lower()
