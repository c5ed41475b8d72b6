"""The codes of a film's frames."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ...datasets.alignment import NoFaceError
from ...datasets.detection import NONE_FOUND
from ..codes.encoding import BATCH_SIZE, encode_batch
from .making import FilmTask
from .mapping import Places

KEPT = "codes-{:06d}"
NOTHING_MORE: Mapping[str, np.ndarray] = MappingProxyType({})


class Encoded(NamedTuple):
    """The codes of some pictures.

    Attributes:
      names: of the pictures; of a film's frames their numbers, in six digits.
      codes: float32 [N, *code shape].
      columns: what else is told of them, arrays by name.
      without: the numbers of a film's frames without a face, which are left out.
    """

    names: Sequence[str]
    codes: np.ndarray
    columns: Mapping[str, np.ndarray] = NOTHING_MORE
    without: Sequence[int] = ()


def encode_film(task: FilmTask, places: Places, model) -> Encoded:
    """The codes of one face in each frame, those of an earlier try that was stopped among them.

    Its columns are `frames`, the numbers of the frames, [N], and `frames_per_second`.

    Args:
      task: of the film.
      places: of its faces; what is kept of the codes goes with them.
      model: an `Autoencoder`.

    Raises:
      NoFaceError: there is none in any frame.
    """
    parts: list[dict[str, np.ndarray]] = []
    first = 0
    while kept := task.parts.load(KEPT.format(first)):
        parts.append(kept)
        first += int(kept["count"])
    read: list[tuple[int, list[np.ndarray]]] = []
    for number, faces in task.read_faces(places, "encoding", first):
        read.append((number, list(faces.values())[:1]))
        if len(read) == BATCH_SIZE:
            parts.append(_encode(model, read))
            task.parts.save(KEPT.format(read[0][0]), **parts[-1])
            read = []
    if read:
        parts.append(_encode(model, read))
    with_codes = [part for part in parts if len(part["frames"])]
    if not with_codes:
        task.parts.clear()
        raise NoFaceError(f"{task.film.path}: {NONE_FOUND}")
    frames = np.concatenate([part["frames"] for part in with_codes])
    count = sum(int(part["count"]) for part in parts)
    return Encoded(
        [f"{number:06d}" for number in frames],
        np.concatenate([part["codes"] for part in with_codes]),
        {"frames": frames, "frames_per_second": np.array(float(task.film.frames_per_second))},
        sorted(set(range(count)) - set(frames.tolist())),
    )


def _encode(model, read: list[tuple[int, list[np.ndarray]]]) -> dict[str, np.ndarray]:
    """Codes of some frames' faces, the numbers of those frames that have one, and how many there are with others."""
    faces = [face for _, found in read for face in found]
    codes = encode_batch(model, np.stack(faces)) if faces else np.zeros(0, np.float32)
    frames = np.array([number for number, found in read if found], np.int64)
    return {"codes": codes, "frames": frames, "count": np.array(len(read))}
