"""An exported part on trial: on faces that the model has not seen, held to what the model makes of them."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...datasets.source import Source
from ...metrics.reconstruction import psnr
from ..codes.encoding import NOTHING, Columns, decode_codes, encode_batch, floats
from ..exporting.format import Format
from ..exporting.formats import FORMATS
from ..exporting.graphs import ExportError, Graph
from ..exporting.held import Outcome, write_and_run
from .parts import make_graphs

NUM_TESTED, NUM_CALIBRATING = 64, 128  # faces


class Result(NamedTuple):
    """What a file of a part is.

    Attributes:
      part, format, precision: what of.
      bytes: of the file.
      largest_difference: of what it gives from the original.
      psnr_loss: in dB, of the whole autoencoder's reconstructions with this part instead of its own.
      milliseconds: of processor time for one face, in one thread, the median.
      refused: why there is no file, in a line, or "".
    """

    part: str
    format: str
    precision: str
    bytes: int = 0
    largest_difference: float = 0.0
    psnr_loss: float = 0.0
    milliseconds: float = 0.0
    refused: str = ""


@dataclasses.dataclass(frozen=True)
class Trial:
    """A model, its parts, and the faces that they are tried on.

    Attributes:
      model: an `Autoencoder` in float32.
      told: what it is told when it decodes.
      calibrating, tested: pictures, float32 [N, H, W, C] in [0, 1], of training and of test.
    """

    model: Any
    told: Columns
    calibrating: np.ndarray
    tested: np.ndarray

    @functools.cached_property
    def graphs(self) -> Mapping[str, Graph]:
        return make_graphs(self.model, self.told)

    @functools.cached_property
    def own_psnr(self) -> float:
        """Of the model's own reconstructions of the tested faces."""
        return float(-np.mean(self.losses))

    @functools.cached_property
    def losses(self) -> np.ndarray:
        """Of each tested face minus the PSNR of its reconstruction, [N]."""
        return -np.asarray(psnr(self.tested, self._expected["decoder"]))

    def write(self, part: str, name: str, precision: str, folder: Path, max_psnr_loss: float) -> Result:
        """Writes one part into a folder, as a file of its name, and tries it.

        Args:
          part: of `graphs`.
          name: of FORMATS.
          precision: of `PRECISIONS`.
          folder: where to.
          max_psnr_loss: in dB, that it may lose.

        Raises:
          ExportError: it cannot be written so, or loses more; what has been written stays.
        """
        written_as: Format = FORMATS[name]
        outcome = write_and_run(
            self.graphs[part],
            written_as,
            precision,
            self._inputs("calibrating", part),
            self._inputs("tested", part),
            self._expected[part],
            folder / part,
        )
        loss = self.own_psnr - self._psnr(self._finish(part, outcome))
        if not loss <= max_psnr_loss:
            raise ExportError(f"loses {loss:.2f} dB of PSNR, more than {max_psnr_loss:g}")
        return Result(part, name, precision, outcome.num_bytes, outcome.largest_difference, loss, outcome.milliseconds)

    @functools.cached_property
    def _expected(self) -> Mapping[str, np.ndarray]:
        """What each part makes of the tested faces."""
        codes = self._codes["tested"]
        decoded = decode_codes(self.model, codes, self.told)
        return {"encoder": codes, "decoder": decoded, "autoencoder": decoded}

    def _inputs(self, which: str, part: str) -> np.ndarray:
        return self._codes[which] if part == "decoder" else getattr(self, which)

    @functools.cached_property
    def _codes(self) -> Mapping[str, np.ndarray]:
        return {which: encode_all(self.model, getattr(self, which)) for which in ("calibrating", "tested")}

    def _finish(self, part: str, outcome: Outcome) -> np.ndarray:
        return decode_codes(self.model, outcome.outputs, self.told) if part == "encoder" else outcome.outputs

    def _psnr(self, pictures: np.ndarray) -> float:
        return float(np.mean(psnr(self.tested, pictures)))


def encode_all(model: Any, images: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Codes of pictures, float32 [N, *code shape]."""
    starts = range(0, len(images), batch_size)
    return np.concatenate([encode_batch(model, images[start : start + batch_size]) for start in starts])


def make_trial(model: Any, source: Callable[[str], Source], told: Columns = NOTHING, tested: int = NUM_TESTED) -> Trial:
    """A model, and faces to try its parts on.

    Args:
      model: an `Autoencoder` in float32.
      source: gives a split of its data.
      told: what it is told when it decodes.
      tested: how many faces of the test split.
    """
    splits = {"train": NUM_CALIBRATING, "test": tested}
    calibrating, of_test = (_load_evenly(source(split), count) for split, count in splits.items())
    return Trial(model, told, calibrating, of_test)


def _load_evenly(source: Source, count: int) -> np.ndarray:
    chosen = np.unique(np.linspace(0, len(source) - 1, min(count, len(source))).astype(int))
    return floats(source.load(chosen)["image"])
