"""Which pictures a run was trained on, wherever they lie now: data.json."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import logging

from ... import files
from ...datasets.source import Source
from ..errors import UsageError
from ..flags.groups import DataSettings
from .settings import read_settings

DATA_FILE = "data.json"
_PLACES = ("data_dir", "labels", "landmarks", "partition")


def describe_data(sources: Mapping[str, Source]) -> dict[str, Any]:
    """What is kept of each split: how many pictures, and a digest of them; nothing where they follow from settings."""
    told = {split: {"pictures": len(source), "digest": source.digest()} for split, source in sources.items()}
    return told if all(kept["digest"] for kept in told.values()) else {}


def write_data(folder: Path, told: Mapping[str, Any], is_new: bool) -> None:
    """Keeps what a run begins with; of one that goes on what is kept already stays."""
    if told and (is_new or not (folder / DATA_FILE).exists()):
        files.write_text(folder / DATA_FILE, json.dumps(told, indent=2) + "\n")


def is_elsewhere(folder: Path, data: DataSettings) -> bool:
    """Whether the data of a run that is there are said to lie in another place than they did."""
    before = read_settings(folder).data
    return any(_place(getattr(before, name)) != _place(getattr(data, name)) for name in _PLACES)


def check_data(folder: Path, data: DataSettings, told: Mapping[str, Any]) -> None:
    """Looks whether a run that is there goes on with the pictures that it began with.

    Where they lie in the same place and have changed, one warning says how.

    Args:
      folder: of the run.
      data: where the pictures are said to lie.
      told: `describe_data` of them.

    Raises:
      UsageError: they lie elsewhere and are others, or nothing tells whether they are.
    """
    before = _read(folder)
    changes = _changes(before, told)
    if is_elsewhere(folder, data):
        place = f"--run_dir={folder}: the pictures were in {read_settings(folder).data.data_dir}, now {data.data_dir}"
        if not before or not told:
            raise UsageError(f"{place}, and nothing tells whether they are the same: the run goes on there only")
        if changes:
            raise UsageError(f"{place}, and they are others: {changes}")
    elif before and changes:
        logging.warning("--run_dir=%s: the pictures have changed since the run began: %s", folder, changes)


def _read(folder: Path) -> dict[str, Any]:
    """What is kept, or nothing: runs of facezoo 0.1 keep nothing, and a damaged file says nothing."""
    try:
        kept = json.loads(files.read_text(folder / DATA_FILE))
        return {split: {name: kept[split][name] for name in ("pictures", "digest")} for split in kept}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def _changes(before: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """What has changed, in a few words."""
    changed = [split for split in told if before.get(split) != told[split]]
    return "; ".join(
        _change(split, before.get(split, {}).get("pictures"), told[split]["pictures"]) for split in changed
    )


def _change(split: str, before: Any, now: int) -> str:
    return f"{split} has {now} pictures" + (f" instead of {before}" if before != now else ", but others")


def _place(path: str | None) -> str | None:
    return None if path is None else os.path.realpath(os.path.expanduser(path))  # noqa: PTH111
