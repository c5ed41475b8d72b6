"""The work of `facezoo align`: one photograph after the other, in several processes, whatever a file does to one."""

import dataclasses
import errno
import functools
import signal
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from PIL import Image

from ... import files, pictures
from ...datasets import alignment, detection, photographs
from ...datasets.manifest import CROP_SUFFIX, Cut, Row
from ...datasets.naming import Names
from ...datasets.photographs import UnreadableFileError
from ...datasets.picture_index import UNREADABLE, Picture
from ...datasets.source import DatasetError
from ..backend import load_tensorflow
from ..folders import is_ours
from ..processes import end_with_parent, limit_seconds, spawn_context

AHEAD = 4  # files handed out to each process
MOST_SECONDS = 120  # that a file may be computed on
DEADLY = "the process that read it died"
NO_POINTS = "no landmarks are given for it"
# What a file system says of a name that it does not take, while it takes others.
_OF_ONE_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
TAKEN = "something else is in the crop's place"


@dataclasses.dataclass(frozen=True)
class Aligner:
    """Cuts the faces out of one file after the other.

    Attributes:
      root: the folder that the files are in.
      out: the folder for the crops.
      cut: how.
      points: those of each file, where they are given; else a detector finds them.
      max_pixels: that a photograph may have.
      names: of the crops of each file, but for number and ending; the file's own where it is absent.
    """

    root: Path
    out: Path
    cut: Cut
    points: Mapping[str, np.ndarray] | None = None
    max_pixels: int = photographs.MAX_PIXELS
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def _names_of_points(self) -> Names:
        return Names(self.points or ())

    def __call__(self, file: Picture) -> list[Row]:
        """Writes the crops of a file; returns a row for each face, or one that says why there is none."""
        row = self.row(file)
        try:
            photograph = photographs.read(self.root / file.name, self.max_pixels)
            faces = self._faces(file.name, photograph)
        except UnreadableFileError as error:
            return [dataclasses.replace(row, reason=f"{UNREADABLE}: {error}")]
        except DatasetError as error:
            return [dataclasses.replace(row, reason=str(error))]
        return [self.cut_out(row, photograph, face, name) for face, name in self._name(file.name, faces)]

    def row(self, file: Picture, reason: str = "") -> Row:
        return Row(str(self.root), file.name, file.num_bytes, file.modified_ns, self.cut, reason=reason)

    def _faces(self, name: str, photograph: Image.Image) -> list[detection.Face]:
        """At least one; a NoFaceError else."""
        if self.points is not None:
            key = self._names_of_points.find(name)
            if key is None:
                raise alignment.NoFaceError(NO_POINTS)
            return [make_face(self.points[key])]
        if self.cut.faces == "largest":
            return [detection.largest_face(photograph)]
        faces = detection.find_faces(photograph)
        if not faces:
            raise alignment.NoFaceError(detection.NONE_FOUND)
        return faces

    def _name(self, name: str, faces: Sequence[detection.Face]) -> Iterator[tuple[detection.Face, str]]:
        """Faces with the names of their crops."""
        for number, face in enumerate(faces):
            ending = f".{number}{CROP_SUFFIX}" if self.cut.faces == "all" else CROP_SUFFIX
            yield face, files.name_result(self.names.get(name, name), ending)

    def cut_out(self, row: Row, photograph: Image.Image, face: detection.Face, name: str) -> Row:
        """Writes the crop of a face; returns its row, or one that says why there is none."""
        row = dataclasses.replace(row, confidence=face.confidence, box=face.box, points=face.points)
        try:
            crop = alignment.cut(photograph, self.cut.matrix(face.points), self.cut.size)
        except alignment.NoFaceError as error:
            return dataclasses.replace(row, reason=str(error))
        return self._write(row, self.out / name, crop)

    def _write(self, row: Row, path: Path, crop: np.ndarray) -> Row:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not files.is_below(path, self.out) or (path.exists() and not is_ours(path)):
                raise FileExistsError
            with files.whole_file(path) as partial:
                pictures.save_png(partial, crop, f"face of {row.source}, aligned to the template {self.cut.template}")
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            return dataclasses.replace(row, reason=f"{TAKEN}, {path}")
        except OSError as error:
            if error.errno not in _OF_ONE_NAME:
                raise
            return dataclasses.replace(row, reason=f"its crop cannot be written: {(error.strerror or '').lower()}")
        return dataclasses.replace(row, output=path.relative_to(self.out).as_posix())


def make_face(points: np.ndarray, confidence: float = 1.0) -> detection.Face:
    """A face by its points; its box is around them."""
    left, top = points.min(axis=0).tolist()
    right, bottom = points.max(axis=0).tolist()
    return detection.Face((left, top, right - left, bottom - top), points, confidence)


def align_in_processes(aligner: Aligner, unread: Sequence[Picture], processes: int) -> Iterator[list[Row]]:
    """What `aligner` says of each file, as they get ready.

    The files that were being read when a process died are tried again, each alone; the one it dies of once more is
    left out.

    Raises:
      OSError: a crop cannot be written.
    """
    waiting = deque(unread)
    while waiting:
        suspects = yield from _until_one_dies(aligner, waiting, processes)
        for file in suspects:
            if (yield from _until_one_dies(aligner, deque([file]), 1)):
                yield [aligner.row(file, DEADLY)]


def _until_one_dies(
    aligner: Aligner, waiting: deque[Picture], processes: int
) -> Generator[list[Row], None, list[Picture]]:
    """Takes files from `waiting` until there are none, or until a process dies: then those under way are returned."""
    under_way: dict[Future, Picture] = {}
    pool = make_pool(aligner, processes)
    try:
        while waiting or under_way:
            while waiting and len(under_way) < AHEAD * processes:
                future = pool.submit(run_aligner, waiting[0])
                under_way[future] = waiting.popleft()
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                rows = future.result()
                del under_way[future]
                yield rows
    except BrokenProcessPool:
        return list(under_way.values())
    finally:
        pool.shutdown(cancel_futures=True)
    return []


def make_pool(aligner: Aligner, processes: int) -> ProcessPoolExecutor:
    """Processes in which `run_aligner` runs `aligner`."""
    return ProcessPoolExecutor(processes, spawn_context(), _start, (aligner, processes))


def run_aligner(file: Picture) -> list[Row]:
    """What the aligner of this process says of a file; the process ends where that takes very long."""
    limit_seconds(MOST_SECONDS)
    return _aligner[0](file)


_aligner: list[Aligner] = []  # of this process


def _start(aligner: Aligner, processes: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for this one
    end_with_parent()
    _aligner[:] = [aligner]
    if aligner.points is None:
        tf = load_tensorflow()
        if processes > 1:  # or they would fight over the cores
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
