"""The run folder: made, locked, resumed or refused."""

import contextlib
import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import filelock

from ... import files
from ..errors import UsageError
from ..flags.training import TrainingSettings
from .checkpoints import MODEL_FILE, Checkpoints, State
from .data import DATA_FILE
from .settings import FLAGS_FILE, read_settings, refuse_other_settings, write_settings

LOCK_FILE = ".lock"


def default_folder(model: str, dataset: str) -> Path:
    """runs/<model>-<dataset>-<time>."""
    return Path("runs") / f"{model}-{dataset}-{datetime.datetime.now():%Y%m%d-%H%M%S}"


def find_state(folder: Path, settings: TrainingSettings) -> State | None:
    """Where the run with these settings stands, or None for a new one.

    Raises:
      UsageError: the folder holds something else: no run, or a run with other settings or more epochs.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise UsageError(f"--run_dir={folder} is a file")
    for name in ("checkpoints", "images"):
        if (folder / name).is_symlink():
            raise UsageError(
                f"--run_dir={folder}: {name} is a link; a training writes and removes in its own folders only"
            )
    if not (folder / FLAGS_FILE).is_file():
        if others := sorted(path.name for path in folder.iterdir() if not _is_of_a_start(path)):
            raise UsageError(f"--run_dir={folder} is not a run, and holds something ({others[0]}): choose another")
        return None
    refuse_other_settings(folder, settings)
    checkpoints = Checkpoints(folder / "checkpoints", settings.run.keep_checkpoints)
    state = checkpoints.newest()
    has_begun = checkpoints.places() or (folder / "metrics.csv").exists()
    if state is None and has_begun and not is_finished(folder, state, settings):
        raise UsageError(f"--run_dir={folder} holds no checkpoint to go on from: choose another, or remove it")
    return state


def _is_of_a_start(path: Path) -> bool:
    """Whether a training that was killed before it had its flags.txt has left the file."""
    is_lock = path.name == LOCK_FILE and path.is_file() and not path.is_symlink() and not path.stat().st_size
    return is_lock or files.is_unfinished(path)


def is_finished(folder: Path, state: State | None, settings: TrainingSettings) -> bool:
    """Whether nothing is left to do for a run; where its checkpoints are gone, its model tells."""
    if state is None:
        return (folder / MODEL_FILE).is_file() and settings.schedule.epochs == read_settings(folder).schedule.epochs
    is_patient = settings.run.patience is None or state.epochs_since_best < settings.run.patience
    goes_on = is_patient and state.step < settings.schedule.epochs * state.steps_per_epoch
    return not goes_on and (folder / MODEL_FILE).is_file()


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Makes a run's folder and holds it for one training; the lock of a process that has died holds nobody up.

    After an error, folders that were made here and hold nothing are removed again.

    Raises:
      UsageError: another training holds it.
    """
    with files.make_folders(folder):
        is_new = not (folder / FLAGS_FILE).exists() and not (folder / LOCK_FILE).exists()
        try:
            held = files.taken_lock(folder / LOCK_FILE)
        except filelock.Timeout as error:
            raise UsageError(f"--run_dir={folder}: another training writes there") from error
        except files.OccupiedError as error:
            raise UsageError(f"--run_dir={error}") from error
        try:
            yield
        except BaseException:
            if is_new and not (folder / FLAGS_FILE).exists():
                (folder / LOCK_FILE).unlink(missing_ok=True)
            raise
        finally:
            if held:
                held.release()


# What a training writes before anything of it is worth keeping.
_BEGINNING = (
    FLAGS_FILE,
    "environment.json",
    DATA_FILE,
    "metrics.csv",
    "kl_per_dimension.csv",
    MODEL_FILE,
    "checkpoints/best/model.keras",
    "tensorboard/*/*/events.out.tfevents.*",
    "images/*-[0-9][0-9][0-9][0-9].png",
)
_FOLDERS = ("checkpoints/best", "checkpoints", "images")
LOGS = ("train", "validation")  # TensorBoard draws what they call alike in one chart


def find_logs(folder: Path) -> tuple[Path, Path]:
    """Finds where a run's events for TensorBoard lie, of training and of validation, below the run's name.

    A run that was renamed keeps its logs where they are.
    """
    events = folder / "tensorboard"
    there = sorted(path.parent for path in events.glob(f"*/{LOGS[0]}") if not path.is_symlink())
    named = there[0] if there else events / (folder.absolute().name or "run")
    train, validation = (named / name for name in LOGS)
    return train, validation


def remove_beginning(folder: Path) -> None:
    """Removes, name by name, what this process has written of a training that was begun here and kept nothing.

    What somebody else has put there stays, whatever it is called, and then so does the folder; what a link leads to is
    not touched.
    """
    Checkpoints(folder / "checkpoints", 1).remove_made()
    for pattern in _BEGINNING:
        for path in folder.glob(pattern):
            if files.is_below(path, folder):
                files.remove_made(path)
    logs = find_logs(folder)
    files.remove_empty([*logs, logs[0].parent, folder / "tensorboard"])
    files.remove_empty([folder / name for name in _FOLDERS])


def create(folder: Path, settings: TrainingSettings, environment: dict) -> None:
    """Makes the folder with flags.txt and environment.json."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / FLAGS_FILE, write_settings(settings))  # first: from here on the folder is a run
    for name in ("checkpoints", "tensorboard", "images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if not (folder / "environment.json").exists():  # where it began
        files.write_text(folder / "environment.json", json.dumps(environment, indent=2) + "\n")
