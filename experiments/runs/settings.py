"""What a run was trained with: flags.txt written, read and compared."""

import copy
from pathlib import Path

from absl import flags

from ..errors import UsageError
from ..flags.files import read_flags
from ..flags.sources import OPTIONAL_FLAGS, default_channels

FLAGS_FILE = "flags.txt"
# These say where or whether to run, not what: a run is the same run whatever they are.
_NOT_SETTINGS = ("run_dir", "dry_run", "cache_gb", "strategy", "devices")
# These may be other than they were when a run goes on.
_CHANGEABLE = ("epochs", "schedule_steps", "patience", "keep_checkpoints")
_PATHS = ("data_dir", "labels", "landmarks", "init_from", "perceptual_weights")


def picture_shape(settings: flags.FlagValues) -> tuple[int, int, int]:
    """(H, W, C) that training flags ask for; without --channels, as the data set has them."""
    channels = int(settings.channels or default_channels(settings.dataset))
    return settings.image_size, settings.image_size, channels


def settings_of(folder: Path) -> flags.FlagValues:
    """The flags that a run was trained with; an error names their file, since they are not those of the command."""
    from ..flags import training
    from ..flags.parsing import parse

    path = folder / FLAGS_FILE
    try:
        return parse(training.define_flags, read_flags(path))
    except (UsageError, flags.Error) as error:
        raise UsageError(str(error) if str(path) in str(error) else f"{path}: {error}") from error


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
    return settings_of(folder).precision if (folder / FLAGS_FILE).is_file() else None


def refuse_other_settings(folder: Path, values: flags.FlagValues) -> None:
    before = settings_of(folder)
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
