"""What was measured of a finished run, as a line of a table."""

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ... import files
from ..errors import UsageError
from .checkpoints import MODEL_FILE
from .epochs import VALIDATION, find_pace, read_epochs
from .places import is_run
from .settings import read_settings

METRICS_FILE, SAMPLES_FILE, CLIPS_FILE = "metrics.json", "metrics-samples.json", "metrics-clips.json"
ASKED = "asked"  # what was, of the figures
# Of the figures, those that say which pictures were measured, and by which model.
ABOUT = ("dataset", "data_dir", "crop", "split", "what", MODEL_HASH := "model_sha256")
MOST_BYTES = 10_000_000


def read_results(folder: Path, name: str = METRICS_FILE) -> Mapping[str, Any]:
    """What `facezoo evaluate --metrics` has left in a run folder: of its model as it is now, on its whole test split.

    Nothing where it was not called, or for other pictures, another state of the model or another network of sets.
    """
    found = _read(folder, name)
    asked = found.get(ASKED)
    is_by_default = isinstance(asked, dict) and asked.keys() == {"metrics"} and isinstance(asked["metrics"], list)
    return found if is_by_default else {}


def refuse_foreign_figures(path: Path) -> None:
    """Raises UsageError if the file exists outside of a run and `facezoo evaluate` did not write it.

    What a model without a run makes goes into a folder of its name, in which something else may lie.
    """
    if is_run(path.parent) or not path.exists():
        return
    try:
        found = json.loads(files.read_text(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        found = None
    if not (isinstance(found, dict) and {"dataset", "split", "count"} <= found.keys()):
        raise UsageError(f"{path} is there, and not from facezoo evaluate: move it elsewhere")


def keep_figures(path: Path, figures: Mapping[str, Any]) -> Path:
    """Writes figures into a file, beside those of the same model and pictures; those of other pictures stay.

    The file is for the whole test split and, until that is measured, for what was measured first; others are numbered.
    What was measured of an earlier state of a run's model is overwritten.

    Args:
      path: of the file.
      figures: by name, with `asked`, and `intervals` where they have some.

    Returns:
      The file that has them.
    """
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(1))
    others = list(itertools.takewhile(os.path.lexists, numbered))
    for place in (path, *others):
        found = _read(place.parent, place.name)
        if _tell_conditions(found) == _tell_conditions(figures):
            return _write(place, _join(found, figures))
    found, free = _read(path.parent, path.name), path.with_stem(f"{path.stem}-{len(others) + 1}")
    if found and _list_conditions(figures):
        return _write(free, figures)
    if found:
        _write(free, found)
    return _write(path, figures)


def _write(path: Path, figures: Mapping[str, Any]) -> Path:
    files.write_text(path, json.dumps(figures, indent=2) + "\n", is_shared=True)
    return path


def _tell_conditions(figures: Mapping[str, Any]) -> list[Any]:
    """What two sets of figures share that are of the same pictures and model."""
    return [_list_conditions(figures), *(figures.get(name) for name in ABOUT)]


def _list_conditions(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for besides the names of measures."""
    return {name: value for name, value in _get_table(figures, ASKED).items() if name != "metrics"}


def _join(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of the same pictures, the later ones where both have them, and the least count."""
    intervals, asked = (_get_table(before, name) | _get_table(now, name) for name in ("intervals", ASKED))
    names = [name for each in (before, now) for name in _get_table(each, ASKED).get("metrics", [])]
    if names:
        asked["metrics"] = ["all"] if "all" in names else list(dict.fromkeys(names))
    counts = {"count": min(each["count"] for each in (before, now))}
    return {**before, **now, **counts, **({"intervals": intervals} if intervals else {}), ASKED: asked}


def _get_table(figures: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What figures have by a name; nothing where it is no table."""
    found = figures.get(name)
    return found if isinstance(found, dict) else {}


def _read(folder: Path, name: str) -> dict[str, Any]:
    """What a file of figures says of the model as it is now, whatever was asked for; nothing where there is none."""
    path, model = folder / name, folder / MODEL_FILE
    try:
        if model.exists() and path.stat().st_mtime_ns < model.stat().st_mtime_ns:
            return {}
        found = json.loads(files.read_text(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_measured(folder: Path) -> dict[str, Any]:
    """All that `facezoo evaluate --metrics` has left of a run's last model: of test pictures, of samples, of clips."""
    tested, samples = read_results(folder), read_results(folder, SAMPLES_FILE)
    found = {f"test {name}": tested.get(name) for name in _get_table(tested, "intervals")}
    found |= {f"{name} of samples": samples.get(name) for name in _get_table(samples, "intervals")}
    return {name: value for name, value in found.items() if isinstance(value, int | float)} | _read_clip_figures(folder)


def _read_clip_figures(folder: Path) -> dict[str, Any]:
    """What `facezoo evaluate --what=clips` has left in a run folder, and of which clips; nothing where it was not."""
    found = _read(folder, CLIPS_FILE)
    asked = found.get(ASKED)
    names = found.get("intervals")
    if not isinstance(asked, dict) or not isinstance(names, dict) or "model" in asked:
        return {}
    about = " ".join(str(found.get(name, "")) for name in ("count", "dataset", "split"))
    figures = {f"clips {name}": found[name] for name in names if isinstance(found.get(name), int | float)}
    return {"clips": about} | figures


def is_measured(results: Mapping[str, Any], names: Sequence[str], measures: Sequence[str]) -> bool:
    """Whether measures need not be taken again, be it that some of them give no figure.

    Args:
      results: that `read_results` has found.
      names: of measures, or "all" alone.
      measures: those that the names stand for.
    """
    asked = results[ASKED]["metrics"] if results else []
    return bool(results) and (list(names) == asked or results.keys() | set(map(str, asked)) >= set(measures))


def has_kl(folder: Path) -> bool:
    """Whether the run's model learns how its codes are distributed, so that new ones can be drawn."""
    return any(f"{VALIDATION}kl" in row for row in read_epochs(folder))


def make_line(folder: Path, measures: Sequence[str]) -> dict[str, Any]:
    """A run's data, what was measured, and how long it was trained; empty where it was not.

    Args:
      folder: of the run.
      measures: which figures; "kid of samples" is the KID of its samples.
    """
    figures = read_results(folder)
    found = {name: figures[name] for name in measures if name in figures}
    samples = read_results(folder, SAMPLES_FILE)
    if "kid" in samples:
        found["kid of samples"] = samples["kid"]
    batch_size = read_settings(folder).schedule.batch_size
    seconds = find_pace(read_epochs(folder), batch_size).get("seconds", 0)
    about = {"data": figures.get("dataset", ""), "pictures": figures.get("count", "")}
    return about | found | {"minutes": tell_minutes(seconds)}


def tell_minutes(seconds: float) -> str:
    """Whole minutes from ten up, and tenths below."""
    minutes = seconds / 60
    return f"{minutes:.0f}" if round(minutes, 1) >= 10 else f"{minutes:.1f}"
