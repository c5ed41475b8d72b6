"""One's own clips: films, and folders of frames."""

import contextlib
import dataclasses
import hashlib
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from .. import files
from ..films import FilmError, is_film, probe, read_frames
from . import photographs
from .clips import check_frames
from .folder import MOST_DAMAGED, find_fault, find_root, name_first, warn_once
from .once import once
from .photographs import Crop
from .picture_index import index_pictures
from .progress import progress_bar
from .source import SPLITS, DatasetError, Source, choose_split

ALL = "all"
MOST_KEPT_BYTES = 10 * 10**9  # of the frames of films, about nine hours of them in 64 pixels


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
      name: path below the data folder, with a number for what follows a frame that cannot be read.
      of: the film's or folder's path.
      frames: paths of pictures, or None of a film.
      count: how many frames there are.
    """

    name: str
    of: str
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
    left out. A frame that cannot be read, or that `crop` does not fit into, ends a clip, and the next begins after it;
    such films are left out. All clips of one film or folder fall into one split, by its name. Frames of films are kept
    in the user's cache folder as small as they are wanted, up to 10 GB besides those of the films at hand.

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
      DatasetError: no folder, no clips in it or in the split, an unfit crop, or more than 10 % of the films unfit.
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
    recordings, unfit = _find_recordings(root, shape)
    members = [
        (recording, start)
        for recording in recordings
        for start in range(0, recording.count - frames + 1, frames)
        if split in (ALL, choose_split(f"{recording.name}/{start}" if split_by else recording.of))
    ]
    if not members:
        _refuse(root, split, frames, recordings, unfit)

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


def _refuse(root: Path, split: str, frames: int, recordings: Sequence[_Recording], unfit: dict[str, str]) -> None:
    if not any(recording.count >= frames for recording in recordings):
        faults = [f"{len(unfit)} files cannot be used: {name_first(unfit)}"] if unfit else []
        raise DatasetError(f"clips: in {root} are no films and no folders of {frames} frames or more", *faults)
    raise DatasetError(
        f"clips: none of the {len(recordings)} films and folders of {root} falls into the {split} split "
        "(80/10/10 by name): add some, about 30 are enough to fill every split, or --split_by=file has each clip fall "
        "by itself"
    )


@once
def _find_recordings(root: Path, shape: _Shape) -> tuple[list[_Recording], dict[str, str]]:
    """All films and folders of frames, sorted by their names; and of files that cannot be used their names and why."""
    index = index_pictures(root, shape.max_pixels, True)  # by position, as `once` wants it
    unfit = {
        picture.name: fault
        for picture in index.pictures
        if (fault := find_fault(picture, shape.crop, shape.max_pixels))
    }
    if unfit:
        warn_once(root, f"{root}: clips end before {len(unfit)} frames that cannot be used: {name_first(unfit)}")
    folders: dict[str, list] = {}
    for picture in index.pictures:
        folders.setdefault(PurePosixPath(picture.name).parent.as_posix(), []).append(picture)
    found = []
    for name, pictures in folders.items():
        runs: list[list[Path]] = [[]]
        for picture in sorted(pictures, key=lambda one: split_numbers(one.name)):
            if picture.name in unfit:
                runs.append([])
            else:
                runs[-1].append(root / picture.name)
        for number, run in enumerate(filter(None, runs)):
            found.append(_Recording(f"{name}#{number}" if number else name, name, tuple(run), len(run)))
    films, unfit_films = _read_films(root, [name for name in index.others if is_film(root / name)], shape)
    return sorted(found + films, key=lambda recording: recording.name), unfit | unfit_films


def _read_films(root: Path, names: Sequence[str], shape: _Shape) -> tuple[list[_Recording], dict[str, str]]:
    """The films that can be used, and of the others their names and why; a DatasetError where those are too many."""
    found, kept, unfit = [], [], {}
    for name in progress_bar("reading films", names, unit="film") if names else ():
        try:
            frames = _open_film(root / name, shape)
        except (FilmError, DatasetError) as error:
            unfit[name] = str(error)
        else:
            found.append(_Recording(name, name, None, len(frames)))
            kept.append(Path(str(frames.filename)))
    if len(unfit) > MOST_DAMAGED * len(names):
        raise DatasetError(
            f"clips: {len(unfit)} of {len(names)} films in {root} cannot be used, more than {MOST_DAMAGED:.0%}:",
            name_first(unfit),
            "replace or remove them, or choose another crop if it reaches outside",
        )
    if unfit:
        warn_once(root, f"leaving out {len(unfit)} of {len(names)} films in {root}: {name_first(unfit)}")
    with contextlib.suppress(OSError):  # a cache that may only be read
        for path in kept:
            os.utime(path)  # wanted now, so that others go first
        files.remove_abandoned(_film_folder())
        files.keep_newest(_film_folder(), "[0-9a-f]" * 32 + ".frames", MOST_KEPT_BYTES, kept)
    return found, unfit


def split_numbers(name: str) -> list[tuple[int, int | str]]:
    """What sorts frame 10 after frame 9."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]


def _read(root: Path, recording: _Recording, shape: _Shape, start: int, end: int) -> np.ndarray:
    """Frames uint8 [end - start, S, S, C]."""
    if recording.frames is None:
        with _name_changed(root / recording.name):
            frames = _open_film(root / recording.name, shape)
            if len(frames) < end:
                raise DatasetError(f"it has only {len(frames)} frames")
            return frames[start:end]
    found = []
    for path in recording.frames[start:end]:
        with _name_changed(path):
            found.append(shape.fit(photographs.read(path, shape.max_pixels)))
    return np.stack(found)


@contextlib.contextmanager
def _name_changed(path: Path) -> Iterator[None]:
    """Has the error of a file that could be used when the data set was opened tell of it."""
    try:
        yield
    except (DatasetError, OSError) as error:
        raise DatasetError(f"clips: {path} has changed since it was found: {error}") from error


def _film_folder() -> Path:
    return files.cache_folder() / "films"


def _open_film(path: Path, shape: _Shape) -> np.memmap:
    """The frames of a film, uint8 [N, S, S, C], on the disk and not in memory; made where they are not there yet."""
    told = path.stat()
    key = f"{path} {told.st_size} {told.st_mtime_ns} {shape}".encode("utf-8", "surrogateescape")
    kept = _film_folder() / f"{hashlib.sha256(key).hexdigest()[:32]}.frames"
    size = (shape.image_size, shape.image_size, shape.channels)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with files.whole_file(kept, is_shared=True) as partial, partial.open("wb") as file:
            for frame in _fit_frames(path, shape):
                file.write(frame.tobytes())
    return np.memmap(kept, np.uint8, "r", shape=(kept.stat().st_size // math.prod(size), *size))


def _fit_frames(path: Path, shape: _Shape) -> Iterator[np.ndarray]:
    for frame in read_frames(probe(path)):
        photographs.check_pixels((frame.shape[1], frame.shape[0]), shape.max_pixels)
        yield shape.fit(Image.fromarray(frame))
