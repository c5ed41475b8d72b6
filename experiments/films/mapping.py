"""A film in which a person's face is mapped onto another, frame by frame, steadily."""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ...datasets import alignment
from ...datasets.manifest import Cut
from ...datasets.progress import progress_bar
from ...films import Film, FilmWriter, read_frames
from ...films.steadying import OneEuro
from ...pictures import to_uint8
from ...pictures.pasting import paste
from ..codes.encoding import encode_batch, floats
from ..faces.fitting import FaceFitter
from .following import FilmFaces

BATCH_FRAMES = 32


@dataclasses.dataclass
class FilmMapper:
    """Maps the faces of a film.

    Attributes:
      model: a mapping model.
      person: whose face they get.
      cut: how faces are cut out of the frames.
      channels: of the model's pictures.
      fitter: puts the faces back; None makes a film of the faces alone.
    """

    model: object
    person: str
    cut: Cut
    channels: int
    fitter: FaceFitter | None

    def write(self, film: Film, faces: FilmFaces, path: Path, key: str, description: str) -> int:
        """Writes the film, or what is missing of one that was begun; returns the number of frames that were mapped."""
        writer = FilmWriter(path, film, key)
        frames = enumerate(read_frames(film, writer.num_done), writer.num_done)
        return writer.write(self._map(frames, faces, film.num_frames), description)

    def _map(self, frames, faces: FilmFaces, total: int | None) -> Iterator[np.ndarray]:
        steady = Steadier(faces)
        for group in itertools.batched(progress_bar("mapping", frames, total, unit="frame"), BATCH_FRAMES):
            yield from group
