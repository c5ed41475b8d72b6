"""A film in which faces are mapped onto a person, frame by frame, so steadily that nothing flickers."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...datasets import alignment
from ...datasets.progress import progress_bar
from ...films import Film, FilmWriter, read_frames
from ...films.steadying import look_around, smooth_at
from ...pictures import to_uint8
from ...pictures.pasting import paste
from ...warping.colours import Colours, recolour
from ...warping.fitting import Fitted, bend_face, measure_pair
from ..faces.fitting import FaceFitter

REACH = 5  # frames before and after one, by which its landmarks and its colours are steadied
Places = Callable[[int, np.ndarray], Mapping[int, np.ndarray]]
MapFaces = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]


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
      fitted: None where no landmarks are found.
      colours: of the face and of what it covers, [2, C + C * C]; None where they are not measured.
    """

    laid: Laid
    fitted: Fitted | None
    colours: np.ndarray | None


Frame = tuple[np.ndarray, Mapping[int, Laid]]  # its pixels, and the faces in it by their tracks


@dataclasses.dataclass(frozen=True)
class FilmMapper:
    """Maps the faces of films.

    Attributes:
      places: the number and pixels of a frame -> matrices from a face's pixels to the frame's, by track.
      map_faces: float32 [N, S, S, C] -> as many, and [N, S, S, 1] masks if the model has them.
      image_shape: (S, S, C).
      fitter: puts faces back; None makes films of the face alone.
    """

    places: Places
    map_faces: MapFaces
    image_shape: tuple[int, int, int]
    fitter: FaceFitter | None

    def write(self, film: Film, path: Path, key: str, description: str) -> tuple[int, list[int]]:
        """Writes a film, or what is missing of one that was begun.

        Returns:
          how many frames it has, and the numbers of those without a face among what was made now.
        """
        writer = FilmWriter(path, film, key)
        reach = 2 * REACH if self.fitter else 0  # from which the first frame to be written is steadied
        first = max(0, writer.num_done - reach)
        frames = progress_bar("mapping", enumerate(read_frames(film, first), first), film.num_frames, unit="frame")
        without: list[int] = []
        made = self._make(frames, without)
        for _ in range(writer.num_done - first):
            next(made, None)
        count = writer.write(made, description)
        return count, [number for number in without if number >= writer.num_done]

    def _make(self, frames: Iterable[tuple[int, np.ndarray]], without: list[int]) -> Iterator[np.ndarray]:
        laid = (self._lay(number, pixels, without) for number, pixels in frames)
        if self.fitter is None:
            yield from self._show_faces(laid)
            return
        bent = (self._bend(window, place) for window, place in look_around(laid, REACH))
        for window, place in look_around(bent, REACH):
            yield self._paste(window, place)

    def _lay(self, number: int, pixels: np.ndarray, without: list[int]) -> Frame:
        """A frame with its faces mapped, and their landmarks found."""
        matrices = self.places(number, pixels)
        size, _, channels = self.image_shape
        covered: dict[int, np.ndarray] = {}
        for track, matrix in matrices.items():
            sides = matrix @ np.diag([size, size, 1.0])
            try:
                crop = alignment.cut(Image.fromarray(pixels), sides, size, channels)
            except alignment.NoFaceError:  # it has left the picture
                continue
            covered[track] = crop.astype(np.float32) / 255.0
        if not covered:
            without.append(number)
            return pixels, {}
        faces, masks = self.map_faces(np.stack(list(covered.values())))
        found = {}
        for place, (track, below) in enumerate(covered.items()):
            points = self.fitter.find(f"frame {number}", faces[place], below) if self.fitter else None
            mask = None if masks is None else masks[place, ..., 0]
            found[track] = Laid(matrices[track], faces[place], below, mask, points)
        return pixels, found

    def _show_faces(self, frames: Iterable[Frame]) -> Iterator[np.ndarray]:
        """The faces alone; where none is found all is black."""
        for _, faces in frames:
            shown = next((laid.face for laid in faces.values()), np.zeros(self.image_shape, np.float32))
            yield np.broadcast_to(to_uint8(shown), (*self.image_shape[:2], 3))

    def _bend(self, window: Sequence[Frame], place: int) -> tuple[np.ndarray, dict[int, Bent]]:
        assert self.fitter
        pixels, faces = window[place]
        bent = {}
        for track, laid in faces.items():
            if laid.points is None:
                bent[track] = Bent(laid, None, None)
                continue
            around = [other[track].points if track in other else None for _, other in window]
            points = smooth_at(around, place)
            fitted = bend_face(laid.face, points[0], laid.covered, points[1], self.fitter.scheme)
            measured = measure_pair(fitted, laid.covered) if self.fitter.match_colour else None
            bent[track] = Bent(laid, fitted, None if measured is None else _as_numbers(measured))
        return pixels, bent

    def _paste(self, window: Sequence[tuple[np.ndarray, dict[int, Bent]]], place: int) -> np.ndarray:
        assert self.fitter
        picture, faces = window[place]
        for track, (laid, fitted, colours) in faces.items():
            if fitted is None:
                picture = paste(picture, laid.face, laid.matrix, laid.mask, self.fitter.match_colour)
                continue
            face = fitted.face
            if colours is not None:
                around = [other[track].colours if track in other else None for _, other in window]
                face = np.clip(recolour(face, *_as_colours(smooth_at(around, place, degree=0))), 0.0, 1.0)
            mask = fitted.mask if laid.mask is None else fitted.mask * laid.mask
            picture = paste(picture, face, laid.matrix, mask, match_colour=False)
        return picture


def _as_numbers(pair: tuple[Colours, Colours]) -> np.ndarray:
    return np.stack([np.concatenate([colours.mean, colours.covariance.ravel()]) for colours in pair])


def _as_colours(numbers: np.ndarray) -> list[Colours]:
    channels = round((np.sqrt(4.0 * numbers.shape[1] + 1.0) - 1.0) / 2.0)  # of C + C * C numbers
    return [Colours(row[:channels], row[channels:].reshape(channels, channels)) for row in numbers]
