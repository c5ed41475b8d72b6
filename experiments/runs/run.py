"""A finished run, which every other command reads."""

import dataclasses
import functools
import hashlib
from pathlib import Path

from absl import flags

from ..errors import UsageError
from .checkpoints import MODEL_FILE
from .model_files import load_model
from .settings import FLAGS_FILE, picture_shape, settings_of


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
