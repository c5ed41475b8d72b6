"""The faces of a film: who is where in each of its frames."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from ...datasets import alignment, detection
from ...datasets.alignment import NoFaceError
from ...datasets.manifest import Cut
from ...datasets.progress import progress_bar
from ...films import Film, read_frames
from ...films.tracking import Sighting, Track, Tracker, group_people, measure_size
from ..backend import load_tensorflow
from ..faces.reader import EVERY, LARGEST

SEARCH_SECONDS = 0.5  # after which all of a frame is looked through again, for who has come
LOOK_SIZE, LOOK_SCALE = 8, 3.0  # pixels of the picture that is a face's look, and what makes it about as long as 1
LOOK_CUT = Cut("celeba", -0.15, LOOK_SIZE)


@dataclasses.dataclass(frozen=True)
class FilmFaces:
    """The faces of a film that are asked for.

    Attributes:
      tracks: of them.
    """

    tracks: Sequence[Track]

    def at(self, frame: int) -> dict[int, np.ndarray]:
        """Points of the faces in a frame, each float64 [5, 2] in its pixels, by the numbers of their tracks."""
        places = {number: track.at(frame) for number, track in enumerate(self.tracks)}
        return {number: points for number, points in places.items() if points is not None}


def find_film_faces(film: Film, faces: str = LARGEST) -> FilmFaces:
    """Follows the faces of a film from its first frame to its last.

    A face is looked for where it is awaited, and the whole frame twice a second. Who is who is told
    by place and look; places are smoothed, and a face that is not found for a moment is bridged.

    Args:
      film: which.
      faces: the "largest" person, "all", or which from the left, from 1.

    Raises:
      NoFaceError: nobody is found, or not so many.
      DatasetError: the detector is not installed.
    """
    detection.check_installed()
    load_tensorflow()  # else the detector does, with all that it says
    tracker = Tracker(float(film.frames_per_second))
    search = max(1, round(SEARCH_SECONDS * film.frames_per_second))
    frames = progress_bar("finding faces", read_frames(film), film.num_frames, unit="frame")
    for number, frame in enumerate(frames):
        image = Image.fromarray(frame)
        awaited = tracker.await_next()
        found: list[detection.Face] = []
        searched = detection.find_faces(image) if number % search == 0 else []
        for face in (*(detection.find_near(image, points) for points in awaited), *searched):
            if face and not any(detection.is_same(face, other) for other in found):
                found.append(face)
        tracker.add([Sighting(face.points, _look(image, face.points)) for face in found])
    try:
        return FilmFaces(_choose(tracker.finish(), faces))
    except NoFaceError as error:
        raise NoFaceError(f"{film.path}: {error}") from error


def _look(image: Image.Image, points: np.ndarray) -> np.ndarray:
    try:
        crop = alignment.cut(image, LOOK_CUT.matrix(points), LOOK_SIZE)
    except NoFaceError:  # half out of the picture
        return np.zeros(3 * LOOK_SIZE**2)
    return LOOK_SCALE * crop.reshape(-1) / 255.0 / np.sqrt(crop.size)


def _choose(tracks: Sequence[Track], faces: str) -> list[Track]:
    people = group_people([track for track in tracks if track.is_seen.sum() > 1])
    if not people:
        raise NoFaceError(detection.NONE_FOUND)
    if faces == EVERY:
        return [track for person in people for track in person]
    if faces == LARGEST:
        return max(people, key=lambda person: sum(_weigh(track.points) for track in person))
    if int(faces) > len(people):
        raise NoFaceError(f"it shows {len(people)} people")
    return sorted(people, key=lambda person: _mean([track.points[..., 0].mean() for track in person]))[int(faces) - 1]


def _weigh(points: np.ndarray) -> float:
    """How large a face is over all of its frames."""
    return sum(measure_size(each) for each in points)


def _mean(numbers: Iterable[float]) -> float:
    return float(np.mean(list(numbers)))
