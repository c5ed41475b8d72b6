"""What all commands share that make something of a film."""

import contextlib
import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from ... import __version__, files
from ...datasets import photographs
from ...datasets.alignment import NoFaceError
from ...datasets.manifest import Cut
from ...films import Film, FilmWriter, Parts
from ...films.probing import ENDINGS
from ...pictures.pasting import crop_matrix
from ..errors import UsageError
from ..faces.fitting import FaceFitter
from ..faces.origins import find_picture_crop
from ..runs.run import Run
from ..terminal import announce
from .following import KEPT_FRAMES, Choice, FilmFaces, NobodyError, find_film_faces
from .looks import has_recogniser
from .mapping import BendFace, FilmMapper, MapFaces, Places, cut_faces, show_progress

ENDING = ".mp4"
NAMED = 5
MEAN, WHOLE = "mean", -1  # frames of a film that has been looked at wholly
OF_FILM = "--{} is a film, and what is made of it another one"


@dataclasses.dataclass(frozen=True)
class FilmTask:
    """Something to be made of a film.

    Attributes:
      film: the source.
      out: what is made, which may be a film, a file or a folder.
      image_shape: (S, S, C) of its faces.
      cut: how they are cut out where they are found; None where a crop is taken of each frame.
      crop: that one; the largest square if absent.
      choice: whose faces.
      settings: all else that what is made depends on.
    """

    film: Film
    out: Path
    image_shape: tuple[int, int, int]
    cut: Cut | None
    crop: photographs.Crop | None
    choice: Choice
    settings: Sequence[Any]

    @functools.cached_property
    def key(self) -> str:
        """What is made, as 16 characters."""
        identity = None if self.choice.identity is None else self.choice.identity.tolist()
        told = self.cut, self.crop, self.choice.faces, identity
        return make_key(self.film, [*self.settings, *told])

    @functools.cached_property
    def parts(self) -> Parts:
        """Where what is ready is kept."""
        return Parts(self.out, self.key)

    @functools.cached_property
    def seen(self) -> Parts:
        """Where the faces are kept that are seen in the film, whomever and whatever they are asked for."""
        return Parts(self.out, make_key(self.film, ["faces", has_recogniser()]))

    @contextlib.contextmanager
    def find_faces(self) -> Iterator[FilmFaces]:
        """Follows the faces that are asked for; what is kept goes when all is done."""
        with self._keep():
            try:
                followed = find_film_faces(self.film, self.choice, self.seen)
            except NobodyError:
                self.seen.clear()
                raise
            except NoFaceError:
                if self.seen.list_kept():
                    announce(f"Who is seen is kept in {self.seen.folder} for the next try ...")
                raise
            yield followed

    @contextlib.contextmanager
    def find_places(self) -> Iterator[Places]:
        """Where faces lie in each frame: where they are found, or where the crop is."""
        if self.cut is None:
            with self._keep():
                yield functools.partial(_place_by_crop, crop=self.crop, size=self.image_shape[0])
            return
        with self.find_faces() as followed:
            yield functools.partial(_place_by_points, followed=followed, cut=self.cut)

    @contextlib.contextmanager
    def _keep(self) -> Iterator[None]:
        """Nobody else makes it meanwhile; what is kept goes when the block has ended well."""
        with self.seen.hold():
            self._tell_others()
            yield
            self.parts.clear()
            self.seen.clear()

    def _tell_others(self) -> None:
        """Says what is left of other films that were stopped, with which this one does not go on."""
        for left in self.parts.list_others():
            if left != self.seen.folder:
                logging.warning("%s is left of a command that was stopped: remove it, or give that one again", left)

    def read_faces(self, places: Places, what: str, first: int = 0) -> Iterator[tuple[int, dict[int, np.ndarray]]]:
        """The faces of each frame from one on as a model takes them, by their tracks, and the frame's number.

        Args:
          places: from `find_places`.
          what: is done with them, for the bar that tells how long it takes.
          first: of the frames that are wanted.
        """
        for number, pixels in show_progress(what, self.film, first):
            yield number, cut_faces(pixels, places(number, pixels), self.image_shape)

    def average(self, places: Places, measure: Callable[[int, np.ndarray], np.ndarray | None]) -> np.ndarray:
        """The mean over all frames of what is measured in the faces of each; a command that was stopped keeps it.

        Args:
          places: from `find_places`.
          measure: the number of a frame and float32 [N, S, S, C] -> [N, ...], or None where there is nothing.

        Raises:
          NoFaceError: there is nothing in any frame.
        """
        kept = self.parts.load(MEAN) or {"total": np.zeros(()), "count": np.array(0), "frames": np.array(0)}
        total, count, first = kept["total"], int(kept["count"]), int(kept["frames"])
        if first == WHOLE:
            return total / count
        for number, faces in self.read_faces(places, "looking at the film", first):
            measured = measure(number, np.stack(list(faces.values()))) if faces else None
            if measured is not None:
                total, count = total + measured.sum(axis=0, dtype=np.float64), count + len(measured)
            if (number + 1) % KEPT_FRAMES == 0:
                self.parts.save(MEAN, total=total, count=np.array(count), frames=np.array(number + 1))
        if not count:
            self.parts.clear()
            raise NoFaceError(f"{self.film.path}: nothing is found in the faces of any frame")
        self.parts.save(MEAN, total=total, count=np.array(count), frames=np.array(WHOLE))
        return total / count

    def write(
        self,
        places: Places,
        fitter: FaceFitter | None,
        map_faces: MapFaces,
        description: str,
        outcome: str,
        bend_face: BendFace | None = None,
        is_pasted: bool = True,
    ) -> None:
        """Makes a film, and prints what comes of it.

        Args:
          places: of the faces, from `find_places`.
          fitter, map_faces, bend_face, is_pasted: as `FilmMapper` has them.
          description: what the film says of itself.
          outcome: what has become of its frames, in a few words.
        """
        done = FilmWriter(self.out, self.film, self.key).num_done
        if done:
            announce(f"Going on from frame {done:,} of a film that was stopped ...")
        mapper = FilmMapper(places, map_faces, self.image_shape, fitter, bend_face, is_pasted)
        made = mapper.write(self.film, self.out, self.key, description)
        print(f"{self.out}: {made.num_frames} frames, {outcome}")
        if made.without:
            how = "stay as they are" if fitter and is_pasted else "are black"
            print(f"{len(made.without)} frames {how}: {list_numbers(made.without)}")
        if unfitted := made.unfitted if fitter and fitter.reader else []:
            how = "show the face as it is" if bend_face else "have it pasted by an oval"
            print(f"{len(unfitted)} frames {how}, since no landmarks are found: {list_numbers(unfitted)}")
            if not self.cut:
                taken = "crop" if self.crop else "middle"
                print(f"The {taken} of each frame was taken for the face: --align looks for it")


def make_task(
    film: Film,
    out: Path,
    run: Run,
    cut: Cut | None,
    given: Mapping[str, Any],
    choice: Choice,
    settings: Sequence[Any],
) -> FilmTask:
    """A task whose faces a run's model takes.

    Args:
      film, out, cut, choice: as `FilmTask` has them.
      run: of the model.
      given: data settings that win over the run's.
      settings: what is made of them.
    """
    crop = None if cut else find_picture_crop(run, given)
    return FilmTask(film, out, run.image_shape, cut, crop, choice, [run.model_hash, *settings])


def ramp(first: float, last: float, number: int, count: int) -> float:
    """A number that goes evenly from one to another over a film's frames."""
    return first + (last - first) * min(1.0, number / max(1, count - 1))


def parse_ramp(flag: str, text: str) -> tuple[float, float]:
    """ "0:1" as what it is at the first frame and at the last, "1" at all of them.

    Raises:
      UsageError: it is neither.
    """
    parts = text.split(":")
    with contextlib.suppress(ValueError):
        numbers = [float(part) for part in parts]
        if len(numbers) < 3 and np.isfinite(numbers).all():
            return numbers[0], numbers[-1]
    raise UsageError(f"--{flag}={text}: of a film a number, or from:to, which is reached in its last frame")


def new_film(out: str | None, why: str = OF_FILM.format("in")) -> Path:
    """The place of a film that is to be made.

    Args:
      out: what --out says.
      why: it has to be a film.

    Raises:
      UsageError: it is not told, something is there, or it is called as no MP4 is.
    """
    if not out:
        raise UsageError(f"--out is required: a new {ENDING} file")
    path = Path(out)
    if path.suffix.lower() != ENDING:
        raise UsageError(f"--out={out}: {why}; {advise_name(path)}")
    if path.is_dir() or files.is_taken(path):
        raise UsageError(f"--out={out} exists: choose another file")
    return path


def advise_name(path: Path) -> str:
    """What to call a film that is called otherwise than an MP4."""
    stem = path.name[: -len(path.suffix)] if path.suffix.lower() in ENDINGS else path.name
    return f"films are written as MP4: call it {stem or 'film'}{ENDING}"


def make_key(film: Film, settings: Sequence[Any]) -> str:
    """What is made of a film depends on this, as 16 characters: its source, and how it is made."""
    read = sorted(film.path.rglob("*")) if film.path.is_dir() else [film.path]  # the frames of a folder
    told = [(str(path.absolute()), path.stat()) for path in read if path.is_file()]
    source = [(name, status.st_size, status.st_mtime_ns) for name, status in told]
    text = json.dumps([source, str(film.frames_per_second), list(settings), __version__], default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _place_by_points(number: int, pixels: np.ndarray, followed: FilmFaces, cut: Cut) -> dict[int, np.ndarray]:
    at_pixels = np.diag([1.0 / cut.size, 1.0 / cut.size, 1.0])
    return {track: cut.matrix(points) @ at_pixels for track, points in followed.at(number).items()}


def _place_by_crop(number: int, pixels: np.ndarray, crop: photographs.Crop | None, size: int) -> dict[int, np.ndarray]:
    """One face in each frame, where the crop is."""
    return {0: find_crop_matrix(pixels, crop, size)}


def find_crop_matrix(pixels: np.ndarray, crop: photographs.Crop | None, size: int) -> np.ndarray:
    """From the pixels of a face that a crop cuts out of a photograph to the photograph's: [2, 3]."""
    height, width, _ = pixels.shape
    left, top, right, bottom = photographs.crop_box((width, height), crop)
    return crop_matrix((left, top, right - left, bottom - top), size)


def list_numbers(numbers: Sequence[int]) -> str:
    """Numbers in order, as "3, 7 to 9 and 12 more"."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    named = [str(low) if low == high else f"{low} to {high}" for low, high in spans[:NAMED]]
    left = sum(high - low + 1 for low, high in spans[NAMED:])
    return ", ".join(named) + (f" and {left} more" if left else "")
