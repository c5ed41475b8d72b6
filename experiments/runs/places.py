"""Where a model is that a user names: a run, a model file, published weights or their card, or one that ships."""

import re
from pathlib import Path

from ... import files
from ..errors import UsageError
from .checkpoints import MODEL_FILE
from .hub import fetch, is_hub
from .model_files import CARD, PUBLISHED
from .settings import FLAGS_FILE


def find_place(named: str | Path) -> Path:
    """The run folder, the `.keras` file or the published weights that a user means.

    A model file of a run is that file; RUN/model.keras is the run. Published weights may be named with their ending,
    by their card, or by neither; those on a hub, as hf://USER/NAME, are downloaded.

    Raises:
      UsageError: there is no such thing.
    """
    if is_hub(named):
        return fetch(str(named))
    path = Path(named)
    if is_run(path):
        return path
    if path.is_file():
        if path.name == MODEL_FILE and is_run(path.parent):
            return path.parent
        return path.with_suffix(PUBLISHED) if path.suffix == CARD else path
    if path.suffix not in (PUBLISHED, CARD) and (card := Path(f"{path}{CARD}")).is_file():
        return card.with_suffix(PUBLISHED)
    if re.fullmatch(r"[A-Za-z0-9_-]+", str(named)) and (ships := _find_shipped(str(named))):
        return ships
    if path.is_dir():
        raise UsageError(f"{path} is not a run: it has no {FLAGS_FILE}")
    if path.exists():
        raise UsageError(f"{path} is not a regular file")
    if path.suffix:
        raise UsageError(f"{path}: no such file")
    ship = ", ".join(list_shipped()) or "none"
    raise UsageError(f"{path}: no such folder, file or published model; those that ship are {ship}")


def is_run(folder: Path) -> bool:
    """Whether a folder is one that a training has made."""
    return folder.is_dir() and (folder / FLAGS_FILE).is_file()


def is_shipped(path: Path) -> bool:
    """Whether published weights are some that ship with facezoo, beside which nothing is written."""
    return path.suffix == PUBLISHED and path.parent == files.WEIGHTS_FOLDER


def _find_shipped(name: str) -> Path | None:
    return files.WEIGHTS_FOLDER / f"{name}{PUBLISHED}" if name in list_shipped() else None


def list_shipped() -> list[str]:
    """What the models that ship are called, found without TensorFlow."""
    return sorted(path.stem for path in files.WEIGHTS_FOLDER.glob(f"*{CARD}"))


def find_model_file(place: str, flag: str) -> Path:
    """The file of the model that a flag names.

    Raises:
      UsageError: there is none.
    """
    try:
        found = find_place(place)
    except UsageError as error:
        raise UsageError(f"--{flag}={error}") from error
    return found / MODEL_FILE if found.is_dir() else found
