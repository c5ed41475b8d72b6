"""What a training goes on from: states that are on disk whole or not at all, and are checked when they are read."""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import logging

from ... import files
from ..errors import UsageError
from .model_files import check_sizes, read_config

if TYPE_CHECKING:
    import keras

    from ...models import TrainableModel

MODEL_FILE, STATE_FILE, SUMS_FILE = "model.keras", "state.json", "SHA256SUMS"
_PARTIAL, _BEFORE = ".partial", ".before"  # a state that is being written, and one that it takes the place of
MOST_STATE_BYTES = 2**28
_STEP = re.compile(r"\d{9,}")  # what a state's folder is called
Row = dict[str, Any]
_KINDS = ("Layer", "Functional", "Sequential", "Metric", "Optimizer")  # of classes that Keras walks through to save


@dataclasses.dataclass
class State:
    """Where a training stands, besides its weights and its optimizers.

    Attributes:
      step: batches taken since the start of the run, those of skipped updates included.
      steps_per_epoch: batches in an epoch.
      schedule_steps: steps that the learning rate's schedule spans.
      rows: of metrics.csv, one for each whole epoch.
      trackers: the variables of each of the model's metrics: what has been summed up of an epoch that is not over.
      best: the monitored value of the best epoch, turned so that lower is better; None before the first.
      epochs_since_best: whole epochs since that one.
      skipped_in_a_row: the last so many updates were left out.
      learning_rate_scale: what the schedule is multiplied by, halved at every rollback.
      rollbacks: so far.
    """

    step: int = 0
    steps_per_epoch: int = 1
    schedule_steps: int = 0
    rows: list[Row] = dataclasses.field(default_factory=list)
    trackers: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    best: float | None = None
    epochs_since_best: int = 0
    skipped_in_a_row: int = 0
    learning_rate_scale: float = 1.0
    rollbacks: int = 0


class Checkpoints:
    """The resumable states of one run, each in a folder named after its step.

    A state is written beside its place, synced to the disk, then renamed; so a folder with a step for a name is whole.
    Sums of both files are held against them before they are read, in the form of `sha256sum --check`.

    Args:
      folder: of all of them.
      keep: the last so many; older ones are removed.
    """

    def __init__(self, folder: Path, keep: int):
        self.folder, self.keep = folder, keep

    def save(self, model: "keras.Model", state: State) -> None:
        """Writes one more; where that fails, those before it are left as they are.

        Raises:
          OSError: the disk is full, or nothing may be written there.
        """
        place = self.folder / f"{state.step:09d}"
        temporary, before = self.folder / _PARTIAL, self.folder / _BEFORE
        self.clean()
        temporary.mkdir(parents=True)
        try:
            _write(model, temporary / MODEL_FILE)
            (temporary / STATE_FILE).write_text(json.dumps(dataclasses.asdict(state)), encoding="utf-8")
            sums = [f"{_sum(temporary / name)}  {name}" for name in (MODEL_FILE, STATE_FILE)]
            (temporary / SUMS_FILE).write_text("\n".join(sums) + "\n", encoding="utf-8")
            for path in (*temporary.iterdir(), temporary):
                sync(path)
                files.note_made(path)
            if place.exists():  # after a rollback
                place.rename(before)
            temporary.rename(place)
            sync(self.folder)
        except BaseException:
            _remove_state(temporary)
            raise
        for old in (before, *self.places()[: -self.keep]):
            _remove_state(old)

    def save_best(self, model: "keras.Model") -> None:
        """Writes the model of the best epoch in the place of the one before."""
        place = self.folder / "best"
        place.mkdir(parents=True, exist_ok=True)
        save_model(model, place / MODEL_FILE)

    def places(self) -> list[Path]:
        """The folders of all states, oldest first, whole or damaged."""
        return sorted(path for path in self.folder.glob("[0-9]*") if _STEP.fullmatch(path.name) and path.is_dir())

    def newest(self) -> State | None:
        """The last state that is whole, or None; a warning names what is damaged."""
        place = self.newest_place()
        return _read_state(place) if place else None

    def restore(self, model: "TrainableModel", is_owner: bool = True) -> State | None:
        """Gives a compiled model the weights, optimizers and metrics of the last whole state; None where there is none.

        The owner removes what is damaged behind it.

        Raises:
          UsageError: the state is another model's.
        """
        place = self.newest_place()
        if place is None:
            return None
        state = _read_state(place)
        _load_weights(model, place / MODEL_FILE)
        for metric in model.metrics:
            # A state of an older version may lack one, which begins at 0.
            for variable, value in zip(metric.variables, state.trackers.get(metric.name, ()), strict=False):
                variable.assign(value)
        for damaged in self.places()[self.places().index(place) + 1 :] if is_owner else ():
            _remove_state(damaged)
        return state

    def clean(self) -> None:
        """Removes what a writer that was killed has left; a state that it has only put aside goes back."""
        if aside := self._put_aside():
            (self.folder / _BEFORE).rename(aside)
        for name in (_PARTIAL, _BEFORE):
            _remove_state(self.folder / name)

    def remove_made(self) -> None:
        """Removes the states that this process has written."""
        if self.folder.is_symlink():
            return
        self.clean()
        for place in self.places():
            for name in (MODEL_FILE, STATE_FILE, SUMS_FILE):
                files.remove_made(place / name)
            files.remove_empty([place])

    def newest_place(self) -> Path | None:
        """The folder of the last state that is whole, or None; a warning names what is damaged."""
        aside = self._put_aside()
        for place in reversed(sorted([*self.places(), aside]) if aside else self.places()):
            if place == aside:
                return self.folder / _BEFORE
            fault = _find_fault(place)
            if fault is None:
                return place
            logging.warning("%s is left out: %s", place, fault)
        return None

    def _put_aside(self) -> Path | None:
        """The place of a state whose writer was killed when it had moved the one before it and not yet the new one."""
        before = self.folder / _BEFORE
        if before.is_symlink() or not before.is_dir() or _find_fault(before):
            return None
        place = self.folder / f"{_read_state(before).step:09d}"
        return None if place.exists() else place


def save_model(model: "keras.Model", path: Path) -> None:
    """Saves a model so that the file is there whole or not at all."""
    with files.whole_file(path) as partial:
        _write(model, partial)
        sync(partial)


def _write(model: "keras.Model", path: Path) -> None:
    """As `model.save`, without the memory that Keras 3.15 keeps of each: it puts what it knows of its own classes under
    one name, looks under another, and so makes an optimizer every time to find it out anew.
    """
    with contextlib.suppress(ImportError, AttributeError, TypeError, ValueError):  # of a Keras that is made otherwise
        from keras.src.backend.common import global_state
        from keras.src.saving.saving_lib import get_attr_skipset

        for kind in _KINDS:
            global_state.set_global_attribute(f"saving_attr_skiplist_{kind}", get_attr_skipset(kind))
    model.save(path)


def read_trackers(model: "TrainableModel") -> dict[str, list[float]]:
    """What `State.trackers` keeps of a model."""
    return {metric.name: [float(variable.numpy()) for variable in metric.variables] for metric in model.metrics}


def _remove_state(place: Path) -> None:
    """Removes the files of a state, by their names, and its folder if nothing else is in it."""
    if place.is_symlink() or not place.is_dir():
        return
    for name in (MODEL_FILE, STATE_FILE, SUMS_FILE):
        with contextlib.suppress(OSError):
            files.forget_made(place / name)
            (place / name).unlink()
    files.remove_empty([place])


def sync(path: Path) -> None:
    """Waits until a file or a folder's names are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sum(path: Path) -> str:
    with files.open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_fault(place: Path) -> str | None:
    """What is wrong with a state's files, or None."""
    try:
        lines = files.read_text(place / SUMS_FILE, MOST_STATE_BYTES).splitlines()
        sums = {name: expected for expected, name in (line.split("  ", 1) for line in lines)}
        if sums.keys() != {MODEL_FILE, STATE_FILE}:
            return f"{SUMS_FILE} does not name its files"
        wrong = [name for name, expected in sums.items() if _sum(place / name) != expected]
        return f"{' and '.join(wrong)} is damaged" if wrong else None
    except (OSError, ValueError) as error:
        return str(error)


def _read_state(place: Path) -> State:
    try:
        state = State(**json.loads(files.read_text(place / STATE_FILE, MOST_STATE_BYTES)))
    except (files.UnfitFileError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{place / STATE_FILE} is of another version of facezoo: {error}") from error
    kinds = {
        field.name: type(field.default) for field in dataclasses.fields(State) if type(field.default) in (int, float)
    }
    for name, kind in kinds.items():
        if not isinstance(getattr(state, name), kind):
            raise UsageError(f"{place / STATE_FILE}: {name} is no number: it is of another version of facezoo")
    return state


def _load_weights(model: "TrainableModel", path: Path) -> None:
    import keras

    from ...models.pretrained import reason

    there = read_config(path)
    here = keras.saving.serialize_keras_object(model)
    ours = json.loads(json.dumps(here["config"]))
    differing = list(_differences(there.get("config", {}), ours))
    if differing:  # a file from before the model had an argument lacks it
        with contextlib.suppress(Exception):  # which a constructor may raise
            check_sizes(path, there)
            complete = type(model).from_config(there["config"]).get_config()
            differing = list(_differences(json.loads(json.dumps(complete)), ours))
    if there.get("class_name") != here["class_name"]:
        differing = [f"it holds a {there.get('class_name')}, not a {here['class_name']}"]
    if differing:
        told = "; ".join(differing)
        more = "a new --run_dir, with --set of what differs and --init_from of this file, goes on from its weights"
        raise UsageError(f"{path} is another model's: {told}; {more}")
    try:
        check_sizes(path, there)
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise UsageError(f"{path} does not fit the model: {reason(error)}") from error


def _differences(there: dict, here: dict, within: str = "") -> Iterator[str]:
    """What two configurations have otherwise, each as a phrase."""
    for name in sorted(there.keys() | here.keys()):
        old, new = there.get(name), here.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{within}{name}.")
        elif old != new and name not in ("name", "dtype", "build_config", "compile_config"):
            yield f"{within}{name} is {old!r}, not {new!r}"
