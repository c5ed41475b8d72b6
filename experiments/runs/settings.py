"""What a run was trained with: flags.txt written, read and compared."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags

from ... import files
from ..errors import UsageError
from ..flags.files import read_flags, refuse_files
from ..flags.groups import DataSettings
from ..flags.kinds import every_kind, make_flags
from ..flags.parsing import parse_training
from ..flags.sources import default_channels
from ..flags.training import ModelSettings, TrainingSettings

FLAGS_FILE = "flags.txt"
_KINDS = every_kind(TrainingSettings)


def picture_shape(settings: TrainingSettings) -> tuple[int, int, int]:
    """(H, W, C) that settings ask for; without channels, as the data set has them."""
    channels = settings.model.channels or default_channels(settings.data.dataset)
    return settings.model.image_size, settings.model.image_size, channels


def read_settings(folder: Path) -> TrainingSettings:
    """What a run was trained with; an error names its file, since the flags in it are not those of the command."""
    path = folder / FLAGS_FILE
    try:
        return parse_training(read_flags(path))
    except (UsageError, flags.Error) as error:
        raise UsageError(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def parse_settings(lines: Any, what: str) -> TrainingSettings:
    """What a model was trained with by the flags that its card tells; an error begins with `what` they are of.

    Raises:
      UsageError: they are no flags, or name files.
    """
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise UsageError(f"{what} does not tell the flags of the training")
    try:
        return parse_training(refuse_files(lines, what))
    except (UsageError, flags.Error) as error:
        raise UsageError(str(error) if str(error).startswith(what) else f"{what}: {error}") from error


def make_settings(path: Path, class_name: str, arguments: Mapping[str, Any]) -> TrainingSettings:
    """The settings that a model file alone tells of: the network's; everything else is as without flags.

    Raises:
      UsageError: they tell of no network that is known.
    """
    from ...models import NETWORKS

    key = next((key for key, kind in NETWORKS.items() if kind.__name__ == class_name), None)
    if key is None:
        raise UsageError(f"{path} holds a {class_name}, not one of facezoo's models")
    told = {name: arguments[name] for name in ("image_size", "channels", "latent_dim") if arguments.get(name)}
    try:
        return TrainingSettings(model=ModelSettings(model=key, **told))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def with_data(settings: TrainingSettings, given: Mapping[str, Any]) -> TrainingSettings:
    """A run's settings with other data settings.

    Another data set than the run's starts from nothing: the run's folder, crop and labels do not go with it.
    """
    is_another = given.get("dataset") not in (None, settings.data.dataset)
    data = DataSettings(**given) if is_another else dataclasses.replace(settings.data, **given)
    return dataclasses.replace(settings, data=data)


def write_settings(settings: TrainingSettings, with_paths: bool = True) -> str:
    """The flag file that reproduces a run; without paths, what of it others may read.

    Raises:
      UsageError: a path is not UTF-8.
    """
    values = make_flags(settings)
    told = {name: kind for name, kind in _KINDS.items() if kind.is_what and (with_paths or not kind.is_path)}
    lines = [_serialize(values[name], told[name].is_path) for name in sorted(told)]
    return "\n".join(line for line in lines if line) + "\n"


def read_precision(folder: Path) -> str | None:
    """What a run computes in, or None where there is none yet."""
    return read_settings(folder).run.precision if (folder / FLAGS_FILE).is_file() else None


def count_epochs(folder: Path) -> int | None:
    """How many epochs a run was asked for, or None where there is none yet."""
    return read_settings(folder).schedule.epochs if (folder / FLAGS_FILE).is_file() else None


def refuse_other_settings(folder: Path, settings: TrainingSettings) -> None:
    """Raises UsageError, which names each, where a run was trained with other settings or more epochs."""
    before, epochs = read_settings(folder), settings.schedule.epochs
    if epochs < before.schedule.epochs:
        raise UsageError(f"--run_dir={folder} is a run of {before.schedule.epochs} epochs: --epochs={epochs} is fewer")
    there, now = (
        {line for line in write_settings(told).splitlines() if _is_fixed(line)} for told in (before, settings)
    )
    if there == now:
        return
    lines = [f"  {line}" for line in sorted(there ^ now)]
    shown = [f"was {line.strip()}" if line.strip() in there else f"now {line.strip()}" for line in lines]
    raise UsageError(f"--run_dir={folder} is a run with other flags: " + "; ".join(shown))


def _is_fixed(line: str) -> bool:
    kind = _KINDS.get(line.split("=")[0].strip("-"))
    return kind is None or not kind.is_changeable  # `--noflip` is of no name


def _names_weights(flag: flags.Flag) -> bool:
    """Whether a model is named that ships, beside a folder of its name that is no run, as `facezoo export` makes."""
    place = Path(str(flag.value))
    ships = flag.name in ("autoencoder", "init_from") and (files.WEIGHTS_FOLDER / f"{flag.value}.json").is_file()
    return ships and place.is_dir() and not (place / FLAGS_FILE).is_file()


def _serialize(flag: flags.Flag, is_path: bool) -> str:
    line = flag.serialize() if flag.value is not None else ""
    if is_path and flag.value and Path(flag.value).exists() and not _names_weights(flag):  # nor a place in the cloud
        line = f"--{flag.name}={Path(flag.value).absolute()}"
    try:
        line.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{ascii(line)[1:-1]} is not UTF-8, so {FLAGS_FILE} cannot hold it: rename it") from error
    return line
