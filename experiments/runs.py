"""The run folder: what training leaves, and what every other command reads."""

import contextlib
import copy
import dataclasses
import datetime
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import filelock
from absl import flags

from .. import __version__, files
from . import flag_files
from .checkpoints import MODEL_FILE, Checkpoints, State
from .data import OPTIONAL_FLAGS, default_channels
from .errors import UsageError
from .model_files import load_model

FLAGS_FILE = "flags.txt"
LOCK_FILE = ".lock"
# These say where or whether to run, not what: a run is the same run whatever they are.
_NOT_SETTINGS = ("run_dir", "dry_run", "cache_gb", "strategy", "devices")
# These may be other than they were when a run goes on.
_CHANGEABLE = ("epochs", "schedule_steps", "patience", "keep_checkpoints")
_PATHS = ("data_dir", "labels", "landmarks", "init_from", "perceptual_weights")


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
      folder: where it is.
      settings: its training flags.
      model_path: the model file that was asked for.
    """

    folder: Path
    settings: flags.FlagValues
    model_path: Path

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the pictures that the model takes."""
        return picture_shape(self.settings)

    @functools.cached_property
    def model_hash(self) -> str:
        """SHA-256 of the model file: what vectors and samplers of its codes are kept with."""
        with self.model_path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def model(self, kind: type | None = None):
        """The trained model, an `Autoencoder` unless another kind is asked for, loaded in Keras' safe mode.

        Raises:
          UsageError: the file is not there, is damaged, or holds another model than the run's flags speak of.
        """
        model = load_model(self.model_path, kind)
        image_size, _, channels = self.image_shape
        if (model.image_size, model.channels) != (image_size, channels):
            raise UsageError(
                f"--run_dir={self.folder}: its {FLAGS_FILE} says image_size={image_size}, channels={channels}, "
                f"its {MODEL_FILE} takes image_size={model.image_size}, channels={model.channels}: one is another run's"
            )
        return model


def picture_shape(settings: flags.FlagValues) -> tuple[int, int, int]:
    """(H, W, C) that training flags ask for; without --channels, as the data set has them."""
    channels = int(settings.channels or default_channels(settings.dataset))
    return settings.image_size, settings.image_size, channels


def open_run(folder: str | Path, checkpoint: str = "last") -> Run:
    """A finished run by its folder, with its "last" or "best" model.

    Raises:
      UsageError: the folder is not there, is no run, or its training has not finished.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"--run_dir={folder}: no such folder")
    if not (folder / FLAGS_FILE).is_file():
        raise UsageError(f"--run_dir={folder} is not a run: it has no {FLAGS_FILE}")
    if not (folder / MODEL_FILE).is_file():
        raise UsageError(f"--run_dir={folder}: its training has not finished, there is no {MODEL_FILE} yet")
    model_path = folder / MODEL_FILE if checkpoint == "last" else folder / "checkpoints" / "best" / MODEL_FILE
    return Run(folder, _settings_of(folder), model_path)


def _settings_of(folder: Path) -> flags.FlagValues:
    """The flags that a run was trained with; an error names their file, since they are not those of the command."""
    from . import cli, train

    path = folder / FLAGS_FILE
    try:
        return cli.parse(train.define_flags, flag_files.read_flags(path))
    except (UsageError, flags.Error) as error:
        raise UsageError(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def load(path: str | Path):
    """The model of a run folder or of a `.keras` file.

    Raises:
      UsageError: nothing is there, the run has not finished, or the file is not one of facezoo's models.
    """
    return open_run(path).model() if Path(path).is_dir() else load_model(Path(path))


def with_data_flags(settings: flags.FlagValues, values: flags.FlagValues) -> flags.FlagValues:
    """A run's settings with the data flags that a command was given explicitly.

    Another data set than the run's starts from nothing: the run's folder, crop and labels do not go with it.
    """
    merged = copy.deepcopy(settings)
    if values["dataset"].present and values.dataset != settings.dataset:
        for name in OPTIONAL_FLAGS:
            merged[name].value = None
    for name in ("dataset", *OPTIONAL_FLAGS):
        if values[name].present:
            merged[name].value = values[name].value
    return merged


def default_folder(model: str, dataset: str) -> Path:
    """runs/<model>-<dataset>-<time>."""
    return Path("runs") / f"{model}-{dataset}-{datetime.datetime.now():%Y%m%d-%H%M%S}"


def settings_text(values: flags.FlagValues, with_paths: bool = True) -> str:
    """The flag file that reproduces a run; without paths, what of it others may read.

    Raises:
      UsageError: a path is not UTF-8.
    """
    left_out = _NOT_SETTINGS if with_paths else _NOT_SETTINGS + _PATHS
    lines = [_serialized(values[name]) for name in sorted(values) if name not in left_out]
    return "\n".join(line for line in lines if line) + "\n"


def precision_of(folder: Path) -> str | None:
    """What a run computes in, or None where there is none yet."""
    return _settings_of(folder).precision if (folder / FLAGS_FILE).is_file() else None


def state_of(folder: Path, values: flags.FlagValues) -> State | None:
    """Where the run with these settings stands, or None for a new one.

    Raises:
      UsageError: the folder holds something else: no run, or a run with other settings or more epochs.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise UsageError(f"--run_dir={folder} is a file")
    if not (folder / FLAGS_FILE).is_file():
        if others := sorted(path.name for path in folder.iterdir() if not _is_of_a_start(path)):
            raise UsageError(f"--run_dir={folder} is not a run, and holds something ({others[0]}): choose another")
        return None
    _refuse_other_settings(folder, values)
    checkpoints = Checkpoints(folder / "checkpoints", values.keep_checkpoints)
    state = checkpoints.newest()
    has_begun = checkpoints.places() or (folder / "metrics.csv").exists()
    if state is None and has_begun and not is_finished(folder, state, values):
        raise UsageError(f"--run_dir={folder} holds no checkpoint to go on from: choose another, or remove it")
    return state


def _is_of_a_start(path: Path) -> bool:
    """Whether a training that was killed before it had its flags.txt has left the file."""
    is_lock = path.name == LOCK_FILE and path.is_file() and not path.is_symlink() and not path.stat().st_size
    return is_lock or files.is_unfinished(path)


def is_finished(folder: Path, state: State | None, values: flags.FlagValues) -> bool:
    """Whether nothing is left to do for a run; where its checkpoints are gone, its model tells."""
    if state is None:
        return (folder / MODEL_FILE).is_file() and values.epochs == _settings_of(folder).epochs
    is_patient = values.patience is None or state.epochs_since_best < values.patience
    goes_on = is_patient and state.step < values.epochs * state.steps_per_epoch
    return not goes_on and (folder / MODEL_FILE).is_file()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes a run's folder and holds it for one training; the lock of a process that has died holds nobody up.

    After an error, folders that were made here and hold nothing are removed again.

    Raises:
      UsageError: another training holds it.
    """
    with files.made_folders(folder):
        is_new = not (folder / FLAGS_FILE).exists()
        try:
            with filelock.FileLock(folder / LOCK_FILE, timeout=0):
                try:
                    yield
                except BaseException:
                    if is_new and not (folder / FLAGS_FILE).exists():
                        (folder / LOCK_FILE).unlink(missing_ok=True)
                    raise
        except filelock.Timeout as error:
            raise UsageError(f"--run_dir={folder}: another training writes there") from error


# What a training writes before anything of it is worth keeping.
_BEGINNING = (
    FLAGS_FILE,
    "environment.json",
    "metrics.csv",
    MODEL_FILE,
    "checkpoints/best/model.keras",
    "tensorboard/events.out.tfevents.*",
    "images/*-[0-9][0-9][0-9][0-9].png",
)
_FOLDERS = ("checkpoints/best", "checkpoints", "tensorboard", "images")


def remove_beginning(folder: Path) -> None:
    """Removes, name by name, what a training has written that was begun here and kept nothing.

    What has another name stays, and then so does the folder; what a link leads to is not touched.
    """
    Checkpoints(folder / "checkpoints", 1).remove_all()
    for pattern in _BEGINNING:
        above, _, _ = pattern.rpartition("/")
        if not (above and (folder / above).is_symlink()):
            for path in folder.glob(pattern):
                with contextlib.suppress(OSError):
                    path.unlink()
    files.remove_empty([folder / name for name in _FOLDERS])


def create(folder: Path, values: flags.FlagValues, environment: dict) -> None:
    """Makes the folder with flags.txt and environment.json."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / FLAGS_FILE, settings_text(values))  # first: from here on the folder is a run
    for name in ("checkpoints", "tensorboard", "images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if not (folder / "environment.json").exists():  # where it began
        files.write_text(folder / "environment.json", json.dumps(environment, indent=2) + "\n")


def environment(seed: int, precision: str, devices: list[str]) -> dict:
    """What the run ran on."""
    packages = ("tensorflow", "keras", "numpy", "tensorflow-datasets")
    return {
        "facezoo": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
        "git_revision": _git_revision(),
        "platform": platform.platform(),
        "devices": devices,
        "precision": precision,
        "seed": seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def new_folder(asked: str | None, default: Path, flag: str = "--out") -> Path:
    """A folder that holds nothing yet: the one asked for, or the default, numbered where it is taken.

    Raises:
      UsageError: the folder asked for has no name, is a file, holds something, or is the working folder.
    """
    if asked is not None:
        if not asked:
            raise UsageError(f"{flag}= names no folder")
        if Path(asked).exists() and Path(asked).samefile(Path.cwd()):
            raise UsageError(f"{flag}={asked} is the folder that the command runs in: choose a new one")
        try:
            files.refuse_what_is_there(Path(asked))
        except files.OccupiedError as error:
            raise UsageError(f"{flag}={error}") from error
        return Path(asked)
    folder, number = default, 1
    while os.path.lexists(folder):
        number += 1
        folder = default.with_name(f"{default.name}-{number}")
    return folder


def _refuse_other_settings(folder: Path, values: flags.FlagValues) -> None:
    before = _settings_of(folder)
    if values.epochs < before.epochs:
        raise UsageError(f"--run_dir={folder} is a run of {before.epochs} epochs: --epochs={values.epochs} is fewer")
    there, now = (
        {line for line in settings_text(settings).splitlines() if line.split("=")[0].strip("-") not in _CHANGEABLE}
        for settings in (before, values)
    )
    if there == now:
        return
    lines = [f"  {line}" for line in sorted(there ^ now)]
    shown = [f"was {line.strip()}" if line.strip() in there else f"now {line.strip()}" for line in lines]
    raise UsageError(f"--run_dir={folder} is a run with other flags: " + "; ".join(shown))


def _serialized(flag: flags.Flag) -> str:
    line = flag.serialize() if flag.value is not None else ""
    if flag.name in _PATHS and flag.value and Path(flag.value).exists():  # not a name, nor a place in the cloud
        line = f"--{flag.name}={Path(flag.value).absolute()}"
    try:
        line.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{ascii(line)[1:-1]} is not UTF-8, so {FLAGS_FILE} cannot hold it: rename it") from error
    return line


def _git_revision() -> str | None:
    """Of the checkout that facezoo runs from, or None where it is installed without one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
