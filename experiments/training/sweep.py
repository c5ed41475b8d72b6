"""A sweep: the trainings that a file tells of, each a run of its own."""

import itertools
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from ... import files
from ..errors import UsageError
from ..flags.parsing import parse_training

KEYS = ("flags", "grid", "runs", "targets")
SWEEP_FILE = "sweep.toml"  # with the runs
OF_NO_SWEEP = {"run_dir": "each run of a sweep has a folder of its own", "dry_run": "nothing would be trained"}
MOST_RUNS, MOST_CHARACTERS = 1000, 200
VARIABLE = re.compile(r"\$\{(\w+)\}")
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._=,+-]+")


class Trial(NamedTuple):
    """One training of a sweep.

    Attributes:
      name: of its run folder.
      arguments: of `facezoo train`, without --run_dir.
    """

    name: str
    arguments: tuple[str, ...]


def read_sweep(path: Path) -> list[Trial]:
    """The trainings that a file in TOML tells of.

    `flags` is a list of flags of all trainings. `grid` is a table of flags and of the values that each takes: every one
    with every other's. Each table of `runs` has a `name` and `flags` of its own, and is a training besides. In a flag,
    ${NAME} stands for a variable of the environment.

    Raises:
      UsageError: the file cannot be read, tells of no trainings or of too many, or one has flags that `facezoo train`
        refuses.
    """
    told = _read(path)
    if unknown := set(told) - set(KEYS):
        raise _refusal(path, f"{sorted(unknown)[0]!r} is none of {', '.join(KEYS)}")
    shared = _flags_in(path, told.get("flags", []), "flags")
    trials = [Trial(name, (*shared, *own)) for name, own in (*_grid(path, told), *_single_runs(path, told))]
    if not 1 <= len(trials) <= MOST_RUNS:
        raise _refusal(path, f"it tells of {len(trials)} runs: from 1 to {MOST_RUNS:,} can be made")
    names = [trial.name.casefold() for trial in trials]  # some file systems take both for one
    for trial, name in zip(trials, names, strict=True):
        if names.count(name) > 1:
            raise _refusal(path, f"two runs are called {trial.name}")
        if name == SWEEP_FILE or len(trial.name) > MOST_CHARACTERS:
            raise _refusal(path, f"no run can be called {trial.name[:MOST_CHARACTERS]}: give it a table of [[runs]]")
    for trial in trials:
        try:
            parse_training(trial.arguments, has_recipes=True)
        except (UsageError, flags.Error) as error:
            raise _refusal(path, f"{trial.name}: {error}") from error
    return trials


def read_targets(path: Path) -> dict[str, dict[str, str]]:
    """What the file tells of figures that others have reached or aim at: by name, a text for each measure.

    Raises:
      UsageError: the file cannot be read, or they are no such tables.
    """
    targets = _read(path).get("targets", {})
    if not isinstance(targets, dict) or not all(isinstance(target, dict) for target in targets.values()):
        raise _refusal(path, 'targets must be tables of texts, as [targets.paper] with psnr = "> 30"')
    for name, target in targets.items():
        if not all(isinstance(text, str) for text in target.values()):
            raise _refusal(path, f'what the target {name} says of a measure must be a text, as psnr = "> 30"')
    return targets


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(files.read_text(path))
    except OSError as error:
        raise UsageError(f"--file={path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # tomllib's, and a text that is not UTF-8
        raise _refusal(path, str(error)) from error


def _grid(path: Path, told: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Each combination's name and flags."""
    grid = told.get("grid", {})
    if not isinstance(grid, dict) or not all(isinstance(choices, list) and choices for choices in grid.values()):
        raise _refusal(path, "grid must be a table of lists, as latent_dim = [32, 64]")
    for flag in grid:
        _check_flag(path, flag)
    if not grid:
        return
    for choices in itertools.product(*grid.values()):
        pairs = [f"{flag}={_as_word(value)}" for flag, value in zip(grid, choices, strict=True)]
        yield NOT_IN_NAMES.sub("_", ",".join(pairs)), [f"--{pair}" for pair in pairs]


def _single_runs(path: Path, told: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    runs = told.get("runs", [])
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise _refusal(path, "runs must be tables: [[runs]]")
    for run in runs:
        name = run.get("name")
        if not isinstance(name, str) or NOT_IN_NAMES.search(name) or name.strip(".") == "":
            raise _refusal(path, f"name = {name!r} of a run must be made of letters, digits and . _ = , + -")
        if unknown := set(run) - {"name", "flags"}:
            raise _refusal(path, f"{sorted(unknown)[0]!r} of the run {name} is neither name nor flags")
        yield name, _flags_in(path, run.get("flags", []), f"flags of the run {name}")


def _flags_in(path: Path, words: Any, what: str) -> list[str]:
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _refusal(path, f'{what} must be a list of texts, as ["--epochs=4"]')
    found = [VARIABLE.sub(lambda name: _find_variable(path, name[1]), word) for word in words]
    for word in found:
        _check_flag(path, word)
    return found


def _find_variable(path: Path, name: str) -> str:
    if name not in os.environ:
        raise _refusal(path, f"the variable {name} is not set: {name}=... facezoo sweep")
    return os.environ[name]


def _check_flag(path: Path, word: str) -> None:
    if why := OF_NO_SWEEP.get(word.lstrip("-").partition("=")[0]):
        raise _refusal(path, f"{word}: {why}")


def _as_word(value: Any) -> str:
    """A value as a flag takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_as_word, value)) if isinstance(value, list) else str(value)


def _refusal(path: Path, why: str) -> UsageError:
    return UsageError(f"--file={path}: {why}")
