"""One's own clips: films, and folders of frames."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from absl import logging
from PIL import Image

from .. import files
from ..films import FilmError, is_film, probe, read_frames
from . import photographs
from .clips import check_frames
from .folder import find_root
from .once import once
from .photographs import Crop
from .picture_index import index_pictures
from .progress import progress_bar
from .source import SPLITS, DatasetError, Source, choose_split

ALL = "all"


@dataclasses.dataclass(frozen=True)
class _Shape:
    """How frames become pictures: hashable, so that what is found of it is found once."""

    image_size: int
    crop: Crop | None
    channels: int
    max_pixels: int

    def fit(self, picture: Image.Image) -> np.ndarray:
        return photographs.fit(picture, self.image_size, self.crop, self.channels)


@dataclasses.dataclass(frozen=True)
class _Recording:
    """Frames that follow each other, in one film or one folder.

    Attributes:
      name: path below the data folder.
      frames: paths of pictures, or None of a film.
      count: how many frames there are.
    """

    name: str
    frames: tuple[Path, ...] | None
    count: int


def clips(
    split: str,
    *,
    data_dir: str | os.PathLike[str],
    image_size: int = 64,
    channels: int = 3,
    frames: int = 16,
    crop: Crop | None = None,
    max_megapixels: int | None = None,
    split_by: str | None = None,
) -> Source:
    """One's own clips: films, and folders whose pictures, in the order of their numbers, are frames.

    Each is cut into clips of `frames` frames, one after the other; what is left at its end, and what is shorter, is
    left out. A frame that cannot be read ends a clip, and the next begins after it. All clips of one film or folder
    fall into one split, by its name. Frames of films are kept in the user's cache folder as small as they are wanted.

    Args:
      split: train, validation, test, or all for the three together.
      data_dir: the folder.
      image_size: side S of the frames in pixels.
      channels: C, 3 for RGB or 1 for gray.
      frames: T, 2 to 128.
      crop: the side of a square in the centre, or (left, top, width, height) of one, in pixels of the frames; default
        the largest in the centre.
      max_megapixels: larger pictures are left out; default `photographs.MEGAPIXELS`.
      split_by: "file" has each clip fall into a split by itself, for few films; default all of a film or folder.

    Returns:
      `clip` uint8 [n, T, S, S, C] and `image`, the frame in the middle, number T // 2.

    Raises:
      DatasetError: no folder, no clips in it or in the split, or an unfit film or crop.
    """
    if split not in (*SPLITS, ALL):
        raise DatasetError(f"clips: split={split!r} is none of {', '.join(SPLITS)}, {ALL}")
    if channels not in (1, 3):
        raise DatasetError(f"clips: channels={channels} is neither 1 (gray) nor 3 (RGB)")
    if split_by not in (None, "file"):
        raise DatasetError(
            f"clips: split_by={split_by!r} is not 'file'; by default all of a film or folder falls together"
        )
    photographs.check_crop(crop)
    check_frames("clips", frames)
    root = find_root(data_dir, "clips")
    shape = _Shape(image_size, crop, channels, (max_megapixels or photographs.MEGAPIXELS) * 10**6)
    recordings = _find_recordings(root, shape)
    members = [
        (recording, start)
        for recording in recordings
        for start in range(0, recording.count - frames + 1, frames)
        if split in (ALL, choose_split(f"{recording.name}/{start}" if split_by else recording.name.partition("#")[0]))
    ]
    if not members:
        _refuse(root, split, frames, recordings)

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        chosen = [members[position] for position in np.asarray(positions).reshape(-1)]
        found = np.empty((len(chosen), frames, image_size, image_size, channels), np.uint8)
        for row, (recording, start) in zip(found, chosen, strict=True):
            row[:] = _read(root, recording, shape, start, start + frames)
        return {"clip": found, "image": found[:, frames // 2]}

    def digest() -> str:
        """Of the names and sizes of what the split is made of, wherever it lies."""
        sums = hashlib.sha256(f"{frames} {shape}\n".encode())
        for recording in dict.fromkeys(recording for recording, _ in members):
            sums.update(f"{recording.name} {recording.count}\n".encode("utf-8", "surrogateescape"))
            for path in recording.frames or (root / recording.name,):
                sums.update(f"{path.name} {path.stat().st_size}\n".encode("utf-8", "surrogateescape"))
        return sums.hexdigest()

    names = [f"{recording.name}/{start}" for recording, start in members]
    return Source(f"clips/{split}", names, load, (image_size, image_size, channels), digest=digest)


def _refuse(root: Path, split: str, frames: int, recordings: Sequence[_Recording]) -> None:
    if not any(recording.count >= frames for recording in recordings):
        raise DatasetError(f"clips: in {root} are no films and no folders of {frames} frames or more")
    raise DatasetError(
        f"clips: none of the {len(recordings)} films and folders of {root} falls into the {split} split "
        "(80/10/10 by name): add some, about 30 are enough to fill every split, or --split_by=file has each clip fall "
        "by itself"
    )


@once
def _find_recordings(root: Path, shape: _Shape) -> list[_Recording]:
    """All films and folders of frames, sorted by their names."""
    index = index_pictures(root, shape.max_pixels)
    folders: dict[str, list] = {}
    for picture in index.pictures:
        folders.setdefault(PurePosixPath(picture.name).parent.as_posix(), []).append(picture)
    found = []
    for name, pictures in folders.items():
        runs: list[list[Path]] = [[]]
        for picture in sorted(pictures, key=lambda one: split_numbers(one.name)):
            if picture.damage:
                logging.warning("%s: %s; a clip ends before it", root / picture.name, picture.damage)
                runs.append([])
            else:
                runs[-1].append(root / picture.name)
        for number, run in enumerate(filter(None, runs)):
            found.append(_Recording(f"{name}#{number}" if number else name, tuple(run), len(run)))
    films = [name for name in index.others if is_film(root / name)]
    for name in progress_bar("reading films", films, unit="film") if films else ():
        try:
            found.append(_Recording(name, None, len(_open_film(root / name, shape))))
        except FilmError as error:
            raise DatasetError(f"clips: {error}") from error
    return sorted(found, key=lambda recording: recording.name)


def split_numbers(name: str) -> list[tuple[int, int | str]]:
    """What sorts frame 10 after frame 9."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]


def _read(root: Path, recording: _Recording, shape: _Shape, start: int, end: int) -> np.ndarray:
    """Frames uint8 [end - start, S, S, C]."""
    if recording.frames is None:
        return _open_film(root / recording.name, shape)[start:end]
    return np.stack([shape.fit(photographs.read(path, shape.max_pixels)) for path in recording.frames[start:end]])


def _open_film(path: Path, shape: _Shape) -> np.ndarray:
    """The frames of a film, uint8 [N, S, S, C], on the disk and not in memory; made where they are not there yet."""
    told = path.stat()
    key = f"{path} {told.st_size} {told.st_mtime_ns} {shape}".encode("utf-8", "surrogateescape")
    kept = files.cache_folder() / "films" / f"{hashlib.sha256(key).hexdigest()[:32]}.frames"
    size = (shape.image_size, shape.image_size, shape.channels)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with files.whole_file(kept, is_shared=True) as partial, partial.open("wb") as file:
            for frame in _fit_frames(path, shape):
                file.write(frame.tobytes())
    return np.memmap(kept, np.uint8, "r").reshape(-1, *size)


def _fit_frames(path: Path, shape: _Shape) -> Iterator[np.ndarray]:
    for frame in read_frames(probe(path)):
        yield shape.fit(Image.fromarray(frame))
