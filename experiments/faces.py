"""Faces for a trained model: picture files and places in a split, cropped and resized as the run's data were."""

from pathlib import Path

import numpy as np
from absl import flags

from ..datasets import photographs
from ..datasets.source import SPLITS, DatasetError
from .data import open_source
from .errors import UsageError
from .options import are_digits, crop_of
from .runs import Run, with_data_flags


def read_face(path: str | Path, model, crop: photographs.Crop | None = None) -> np.ndarray:
    """A photograph in the shape that a model takes: float32 [H, W, C] in [0, 1].

    Args:
      path: a JPEG, PNG or WebP file.
      model: an `Autoencoder`.
      crop: (left, top, width, height) in its pixels; default the centre square.

    Raises:
      DatasetError: the file is damaged or the crop does not fit.
    """
    return _read(Path(path), model.image_size, crop, model.channels)


def _read(path: Path, image_size: int, crop: photographs.Crop | None, channels: int) -> np.ndarray:
    return photographs.fit(photographs.read(path), image_size, crop, channels).astype(np.float32) / 255.0


class FaceReader:
    """Reads faces in the shape that a run's model wants.

    Args:
      run: the finished run.
      values: the command's flags; data flags given there win over the run's.
    """

    def __init__(self, run: Run, values: flags.FlagValues):
        self.settings = with_data_flags(run.settings, values)
        self.image_size, self.channels = run.image_shape[0], run.image_shape[2]
        self.crop = crop_of(self.settings)

    def read(self, face: str) -> np.ndarray:
        """A file, or `test:17`: float32 [H, W, C] in [0, 1].

        Raises:
          UsageError: no such file, a damaged one, or a place that the split does not have.
        """
        split, _, place = face.partition(":")
        if split in SPLITS and not Path(face).exists():
            return self._from_split(split, place)
        return self.read_file(Path(face))

    def read_file(self, path: Path) -> np.ndarray:
        """One picture file, cropped and resized: float32 [H, W, C] in [0, 1].

        Raises:
          UsageError: no such file, a damaged one, or one that the crop does not fit.
        """
        try:
            return _read(path, self.image_size, self.crop, self.channels)
        except DatasetError as error:
            hint = "; give another --crop, or --crop= for the centre square" if "crop" in str(error) else ""
            raise UsageError(f"{path}: {error}{hint}") from error

    def _from_split(self, split: str, place: str) -> np.ndarray:
        source = open_source(self.settings, split, self.image_size, self.channels)
        if not (are_digits(place) and int(place) < len(source)):
            raise UsageError(f"{split}:{place}: {source.name} has the faces {split}:0 to {split}:{len(source) - 1}")
        return source.load(np.array([int(place)]))["image"][0].astype(np.float32) / 255.0
