"""A film in which faces are mapped onto a person, frame by frame, so steadily that nothing flickers."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ...datasets import alignment
from ...datasets.progress import progress_bar
from ...films import Film, FilmWriter, read_frames
from ...films.steadying import bridge, look_around, smooth_at
from ...pictures import to_uint8
from ...pictures.pasting import paste
from ...warping.colours import Colours, recolour
from ...warping.fitting import Fitted, bend_face, measure_pair
from ..faces.fitting import FaceFitter

REACH = 5  # frames before and after one, by which its landmarks and its colours are steadied
TOLD = "told"  # of the frames that are made, what is kept of them
Places = Callable[[int, np.ndarray], Mapping[int, np.ndarray]]
MapFaces = Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray | None]]
BendFace = Callable[[int, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Laid(NamedTuple):
    """A mapped face in a frame.

    Attributes:
      matrix: from the face's pixels to the frame's, [2, 3].
      face: float32 [S, S, C] in [0, 1].
      covered: what it is laid onto, as the face.
      mask: [S, S] if the model has one.
      points: landmarks of both, [2, L, 2] in sides; None where they are not found.
    """

    matrix: np.ndarray
    face: np.ndarray
    covered: np.ndarray
    mask: np.ndarray | None
    points: np.ndarray | None = None


class Bent(NamedTuple):
    """A mapped face that has been bent to the one that it covers.

    Attributes:
      laid: as it was.
      shown: the face as it is shown by itself, as `Laid.face`.
      fitted: to what it covers; None where no landmarks are found, or it is not put back.
      colours: of the face and of what it covers, [2, C + C * C]; None where they are not measured.
    """

    laid: Laid
    shown: np.ndarray
    fitted: Fitted | None
    colours: np.ndarray | None


class Made(NamedTuple):
    """What has become of a film.

    Attributes:
      num_frames: how many it has.
      without: the numbers of those without a face.
      unfitted: of those with a face in which no landmarks are found, nor before and after it.
    """

    num_frames: int
    without: list[int]
    unfitted: list[int]


class Frame(NamedTuple):
    """A frame.

    Attributes:
      number: from 0.
      pixels: uint8 [H, W, 3].
      faces: in it, by their tracks.
    """

    number: int
    pixels: np.ndarray
    faces: Mapping[int, Any]


@dataclasses.dataclass(frozen=True)
class FilmMapper:
    """Maps the faces of films.

    Attributes:
      places: the number and pixels of a frame -> matrices from a face's pixels to the frame's, by track.
      map_faces: the number of a frame and float32 [N, S, S, C] -> as many, and [N, S, S, 1] masks if there are.
      image_shape: (S, S, C).
      fitter: finds the landmarks by which faces are put back; with None films show the face alone.
      bend_face: instead of `map_faces`, the number of a frame, a face and its steadied landmarks -> another face and
        where its landmarks are; it wants a fitter.
      is_pasted: faces are put back where there is a fitter.
    """

    places: Places
    map_faces: MapFaces
    image_shape: tuple[int, int, int]
    fitter: FaceFitter | None
    bend_face: BendFace | None = None
    is_pasted: bool = True

    def write(self, film: Film, path: Path, key: str, description: str) -> Made:
        """Writes a film, or what is missing of one that was begun."""
        writer = FilmWriter(path, film, key)
        reach = 2 * REACH if self.fitter else 0  # from which the first frame to be written is steadied
        first = max(0, writer.num_done - reach)
        frames = show_progress("making the film", film, first)
        without: list[int] = []
        unfitted: list[int] = []
        made = self._make(frames, without, unfitted)
        for _ in range(writer.num_done - first):
            next(made, None)
        before = writer.kept.load(TOLD) or {}

        def list_all(name: str, new: Sequence[int]) -> list[int]:
            """With the numbers of the frames that need not be made again."""
            done = {int(number) for number in before.get(name, ()) if number < writer.num_done}
            return sorted(done | {number for number in new if number >= writer.num_done})

        def note(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
            """The frames; the numbers are kept before a part is ready with one."""
            for number, frame in enumerate(frames, writer.num_done):
                if writer.ends_part(number):
                    told = {"without": list_all("without", without), "unfitted": list_all("unfitted", unfitted)}
                    writer.kept.save(TOLD, **{name: np.array(numbers, np.int64) for name, numbers in told.items()})
                yield frame

        count = writer.write(note(made), description)
        return Made(count, list_all("without", without), list_all("unfitted", unfitted))

    def _make(
        self, frames: Iterable[tuple[int, np.ndarray]], without: list[int], unfitted: list[int]
    ) -> Iterator[np.ndarray]:
        laid = (self._lay(number, pixels, without) for number, pixels in frames)
        if self.fitter is None:
            yield from (self._show(frame, {track: face.face for track, face in frame.faces.items()}) for frame in laid)
            return
        bent = (self._bend(window, place, unfitted) for window, place in look_around(laid, REACH))
        if not self.is_pasted:
            yield from (self._show(frame, {track: face.shown for track, face in frame.faces.items()}) for frame in bent)
            return
        for window, place in look_around(bent, REACH):
            yield self._paste(window, place)

    def _lay(self, number: int, pixels: np.ndarray, without: list[int]) -> Frame:
        """A frame with its faces mapped, and their landmarks found."""
        matrices = self.places(number, pixels)
        covered = cut_faces(pixels, matrices, self.image_shape)
        if not covered:
            without.append(number)
            return Frame(number, pixels, {})
        every = np.stack(list(covered.values()))
        faces, masks = (every, None) if self.bend_face else self.map_faces(number, every)
        found = {}
        for place, (track, below) in enumerate(covered.items()):
            points = self._find_points(number, faces[place], below)
            mask = None if masks is None else masks[place, ..., 0]
            found[track] = Laid(matrices[track], faces[place], below, mask, points)
        return Frame(number, pixels, found)

    def _find_points(self, number: int, face: np.ndarray, below: np.ndarray) -> np.ndarray | None:
        if self.fitter is None:
            return None
        if self.bend_face:
            own = self.fitter.find_one(f"frame {number}", below)
            return None if own is None else np.stack([own, own])
        return self.fitter.find(f"frame {number}", face, below)

    def _show(self, frame: Frame, faces: Mapping[int, np.ndarray]) -> np.ndarray:
        """The first of a frame's faces alone; where there is none all is black."""
        shown = next(iter(faces.values()), np.zeros(self.image_shape, np.float32))
        return np.broadcast_to(to_uint8(shown), (*self.image_shape[:2], 3))

    def _bend(self, window: Sequence[Frame], place: int, unfitted: list[int]) -> Frame:
        assert self.fitter
        number, pixels, faces = window[place]
        bent = {}
        for track, laid in faces.items():
            around = bridge([other.faces[track].points if track in other.faces else None for other in window])
            if around[place] is None:
                bent[track] = Bent(laid, laid.face, None, None)
                unfitted.append(number)
                continue
            points, covered_points = smooth_at(around, place)
            face = laid.face
            if self.bend_face:
                face, points = self.bend_face(number, laid.covered, covered_points)
            if not self.is_pasted:
                bent[track] = Bent(laid, face, None, None)
                continue
            fitted = bend_face(face, points, laid.covered, covered_points, self.fitter.scheme)
            measured = measure_pair(fitted, laid.covered) if self.fitter.match_colour else None
            bent[track] = Bent(laid, face, fitted, None if measured is None else _as_numbers(measured))
        return Frame(number, pixels, bent)

    def _paste(self, window: Sequence[Frame], place: int) -> np.ndarray:
        assert self.fitter
        _, picture, faces = window[place]
        for track, (laid, _, fitted, colours) in faces.items():
            if fitted is None and self.bend_face:
                continue  # its own face stays
            if fitted is None:
                picture = paste(picture, laid.face, laid.matrix, laid.mask, self.fitter.match_colour)
                continue
            face = fitted.face
            if colours is not None:
                around = [other.faces[track].colours if track in other.faces else None for other in window]
                face = np.clip(recolour(face, *_as_colours(smooth_at(around, place, degree=0))), 0.0, 1.0)
            mask = fitted.mask if laid.mask is None else fitted.mask * laid.mask
            picture = paste(picture, face, laid.matrix, mask, match_colour=False)
        return picture


def show_progress(what: str, film: Film, first: int = 0) -> Iterator[tuple[int, np.ndarray]]:
    """Frames from one on with their numbers, and a bar that tells how many are left."""
    left = None if film.num_frames is None else max(0, film.num_frames - first)
    return enumerate(progress_bar(what, read_frames(film, first), left, unit="frame"), first)


def cut_faces(
    pixels: np.ndarray, matrices: Mapping[int, np.ndarray], image_shape: tuple[int, int, int]
) -> dict[int, np.ndarray]:
    """The faces of a frame as a model takes them, float32 [S, S, C] in [0, 1], but for those that have left it.

    Args:
      pixels: of the frame, uint8 [H, W, 3].
      matrices: from a face's pixels to the frame's, by track.
      image_shape: (S, S, C).
    """
    size, _, channels = image_shape
    image, found = Image.fromarray(pixels), {}
    for track, matrix in matrices.items():
        with contextlib.suppress(alignment.NoFaceError):  # it has left the picture
            crop = alignment.cut(image, matrix @ np.diag([size, size, 1.0]), size, channels)
            found[track] = crop.astype(np.float32) / 255.0
    return found


def _as_numbers(pair: tuple[Colours, Colours]) -> np.ndarray:
    return np.stack([np.concatenate([colours.mean, colours.covariance.ravel()]) for colours in pair])


def _as_colours(numbers: np.ndarray) -> list[Colours]:
    channels = round((np.sqrt(4.0 * numbers.shape[1] + 1.0) - 1.0) / 2.0)  # of C + C * C numbers
    return [Colours(row[:channels], row[channels:].reshape(channels, channels)) for row in numbers]
