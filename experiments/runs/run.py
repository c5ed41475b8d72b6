"""A finished run, which every other command reads."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ...datasets.source import Source
from ..errors import UsageError
from ..flags.sources import open_source
from ..flags.training import TrainingSettings
from .checkpoints import MODEL_FILE
from .model_files import load_model
from .settings import FLAGS_FILE, picture_shape, settings_of, with_data

NOTHING_GIVEN: Mapping[str, Any] = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
      folder: where it is.
      settings: its training flags.
      model_path: the model file that was asked for.
    """

    folder: Path
    settings: TrainingSettings
    model_path: Path

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the pictures that the model takes."""
        return picture_shape(self.settings)

    def source(self, split: str, given: Mapping[str, Any] = NOTHING_GIVEN) -> Source:
        """One split of the run's data, or of those that data settings given say, for its model's picture size."""
        return open_source(with_data(self.settings, given).data, split, self.image_shape[0], self.image_shape[2])

    def provenance(self, split: str, given: Mapping[str, Any] = NOTHING_GIVEN) -> dict[str, Any]:
        """What figures about such a split are kept with."""
        data = with_data(self.settings, given).data
        told = {"data_dir": data.data_dir, "crop": data.crop and [str(number) for number in data.crop]}
        return {"dataset": data.dataset, **{name: value for name, value in told.items() if value}, "split": split}

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
    return Run(folder, settings_of(folder), model_path)


def load(path: str | Path):
    """The model of a run folder or of a `.keras` file.

    Raises:
      UsageError: nothing is there, the run has not finished, or the file is not one of facezoo's models.
    """
    return open_run(path).model() if Path(path).is_dir() else load_model(Path(path))
