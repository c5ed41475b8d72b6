"""The faces of a film: who is where in each of its frames."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...datasets import detection
from ...datasets.alignment import NoFaceError
from ...datasets.progress import progress_bar
from ...films import Film, Parts, read_frames
from ...films.tracking import (
    SAME_PERSON,
    Sighting,
    Track,
    Tracker,
    group_people,
    is_behind,
    measure_size,
    measure_strangeness,
)
from ..backend import load_tensorflow
from ..faces.reader import EVERY, LARGEST
from .looks import Recogniser, find_recogniser, see_look

SEARCH_SECONDS = 0.5  # after which all of a frame is looked through again, for who has come
SEARCH_PIXELS = 2**26  # of frames that are held meanwhile, 4 bytes each
FOUND = 0.5  # of its frames in which a face is found, or it is none
KEPT_FRAMES = 24  # or some more, whose sightings are kept together
KEPT = "sightings-{:06d}"


class NobodyError(NoFaceError):
    """No face is found in any frame of a film."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """Whom of a film's people a command is about.

    Attributes:
      faces: the "largest" person, "all", or which from the left, from 1, where each is seen first.
      identity: who it is, [I]; then it is whoever is nearest.
      name: the flag that asks for them, "--person=2".
    """

    faces: str = LARGEST
    identity: np.ndarray | None = None
    name: str = dataclasses.field(default="", compare=False)

    def describe(self) -> str:
        """What tells it from others, as `Cut.faces` keeps it."""
        if self.identity is not None:
            digest = hashlib.sha256(self.identity.tobytes()).hexdigest()[:8]
            return f"{self.name.removeprefix('--')} ({digest})"
        return self.faces if self.faces in (LARGEST, EVERY) else f"person={self.faces}"


@dataclasses.dataclass(frozen=True)
class FilmFaces:
    """The faces of a film that are asked for.

    Attributes:
      tracks: of them.
      people: by track, who it is, counted from 0 as people are first seen from the left.
      others: tracks of those that are not asked for.
    """

    tracks: Sequence[Track]
    people: Sequence[int]
    others: Sequence[Track] = ()

    def at(self, frame: int) -> dict[int, np.ndarray]:
        """Points of the faces in a frame, each float64 [5, 2] in its pixels, by the numbers of their tracks.

        One that is not seen, while somebody else's face is in its place, is behind that, and left out.
        """
        places = {number: track.at(frame) for number, track in enumerate(self.tracks)}
        there = {number: points for number, points in places.items() if points is not None}
        seen = [track.points[frame - track.first] for track in (*self.tracks, *self.others) if is_seen(track, frame)]
        return {
            number: points
            for number, points in there.items()
            if is_seen(self.tracks[number], frame) or not any(is_behind(points, front) for front in seen)
        }


def find_film_faces(film: Film, choice: Choice | str = LARGEST, parts: Parts | None = None) -> FilmFaces:
    """Follows the faces of a film from its first frame to its last.

    A face is looked for where it is awaited, and the whole frame twice a second; who has come by then is followed back
    to where they came. Who is who is told by place and look and, where there are several, by the recogniser if its
    weights are there; places are smoothed, and a face that is not found for a moment is bridged where something like
    it is seen.

    Args:
      film: which.
      choice: of its people, or `Choice.faces`.
      parts: where what is seen is kept, for a command that is stopped and given again.

    Raises:
      NobodyError: nobody is found.
      NoFaceError: not so many are, or nobody who looks like the person asked for.
      DatasetError: the detector is not installed.
    """
    detection.check_installed()
    load_tensorflow()  # else the detector does, with all that it says
    tracker = Tracker(float(film.frames_per_second))
    number = 0
    for seen in _recall(parts):
        tracker.add(*seen)
        number += 1
    new: list[Seen] = []
    for group in _see(film, tracker, number):
        new += group
        if parts and len(new) >= KEPT_FRAMES:
            parts.save(KEPT.format(number), **_as_arrays(new))
            number += len(new)
            new = []
    try:
        found = _choose(tracker.finish(), choice if isinstance(choice, Choice) else Choice(choice))
    except NoFaceError as error:
        raise type(error)(f"{film.path}: {error}") from error
    if parts and new:
        parts.save(KEPT.format(number), **_as_arrays(new))
    return found


class Seen(NamedTuple):
    """What a tracker is told of a frame, as `Tracker.add` takes it."""

    sightings: list[Sighting]
    glimpses: dict[int, np.ndarray]


def _see(film: Film, tracker: Tracker, first: int) -> Iterator[list[Seen]]:
    """What is seen in the frames from one on, some at a time; the tracker gets it."""
    recogniser = find_recogniser()
    left = None if film.num_frames is None else max(0, film.num_frames - first)
    frames = progress_bar("finding faces", read_frames(film, first), left, unit="frame")
    for group in _take_groups(map(Image.fromarray, frames), film.frames_per_second, has_begun=first > 0):
        *before, _ = group
        searched = detection.find_faces(group[-1])
        traced: dict[int, list[detection.Face | None]] = {}
        told = []
        for number, image in enumerate(before):
            for place, face in enumerate(searched):
                if place not in traced and not _is_awaited(face, tracker):
                    traced[place] = _follow_back(before, face)
            coming = [found for faces in traced.values() if (found := faces[number])]
            told.append(_see_frame(image, tracker, recogniser, coming, is_searched=False))
            tracker.add(*told[-1])
        told.append(_see_frame(group[-1], tracker, recogniser, searched, is_searched=True))
        tracker.add(*told[-1])
        yield told


def _take_groups(images: Iterable[Image.Image], rate: Fraction, has_begun: bool) -> Iterator[list[Image.Image]]:
    """Pictures of half a second at a time, or of less where they are large; a film's first one alone."""
    rest = iter(images)
    for first in rest:
        most = SEARCH_PIXELS // (first.width * first.height)
        count = max(1, min(round(SEARCH_SECONDS * rate), most)) if has_begun else 1
        has_begun = True
        yield [first, *itertools.islice(rest, count - 1)]


def _is_awaited(face: detection.Face, tracker: Tracker) -> bool:
    """Whether a face of half a second later is about where one is followed."""
    size = measure_size(face.points)
    return any(np.linalg.norm((face.points - points).mean(axis=0)) < size for points in tracker.await_next())


def _follow_back(images: list[Image.Image], face: detection.Face) -> list[detection.Face | None]:
    """A face in the pictures before the one that it is found in, as far back as it is found in each of them."""
    found: list[detection.Face | None] = []
    before: detection.Face | None = face
    for image in reversed(images):
        before = before and detection.find_near(image, before.points)
        found.append(before)
    return found[::-1]


def _see_frame(
    image: Image.Image,
    tracker: Tracker,
    recogniser: Recogniser | None,
    known: list[detection.Face],
    is_searched: bool,
) -> Seen:
    """What is seen in the tracker's next frame.

    Args:
      image: it.
      tracker: who is awaited.
      recogniser: tells who somebody is, if there is one.
      known: faces that are found already.
      is_searched: they are all that there are.
    """
    awaited = tracker.await_next()
    near = [detection.find_near(image, points) for points in awaited]
    if not is_searched and None in near:  # one that comes out from behind another is not where it is awaited
        known = [*known, *detection.find_upright_faces(image)]
    found: list[detection.Face] = []
    for face in (*near, *known):
        if face and not any(detection.is_same(face, other) for other in found):
            found.append(face)
    is_asked = recogniser and (is_searched or len(found) > 1 or len(awaited) > 1)
    sightings = _sight(image, [face.points for face in found], recogniser if is_asked else None)
    lost = [number for number, face in enumerate(near) if face is None]
    last = tracker.recall_last()
    looks = {number: np.stack([see_look(image, points[number]) for points in (awaited, last)]) for number in lost}
    return Seen(sightings, looks)


def _sight(image: Image.Image, faces: list[np.ndarray], recogniser: Recogniser | None) -> list[Sighting]:
    identities = recogniser.see(image, faces) if recogniser else [None] * len(faces)
    return [
        Sighting(points, see_look(image, points), identity) for points, identity in zip(faces, identities, strict=True)
    ]


def _as_arrays(frames: list[Seen]) -> dict[str, np.ndarray]:
    """What is seen in some frames as arrays: `counts` and `glimpse_counts` in each, and of all of them the rest."""
    every = list(itertools.chain.from_iterable(seen.sightings for seen in frames))
    glimpses = list(itertools.chain.from_iterable(seen.glimpses.items() for seen in frames))
    told = [sighting.identity for sighting in every]
    known = [identity for identity in told if identity is not None]
    return {
        "counts": np.array([len(seen.sightings) for seen in frames]),
        "points": np.array([sighting.points for sighting in every], np.float64).reshape(-1, 5, 2),
        "looks": np.array([sighting.look for sighting in every], np.float64),
        "is_told": np.array([identity is not None for identity in told], bool),
        "identities": np.array(known, np.float64),
        "glimpse_counts": np.array([len(seen.glimpses) for seen in frames]),
        "glimpse_numbers": np.array([number for number, _ in glimpses], np.int64),
        "glimpses": np.array([look for _, look in glimpses], np.float64),
    }


def _recall(parts: Parts | None) -> Iterator[Seen]:
    """What an earlier try has seen, frame by frame, as far as it has been kept."""
    number = 0
    while parts and (arrays := parts.load(KEPT.format(number))):
        identities = iter(arrays["identities"])
        rows = zip(arrays["points"], arrays["looks"], arrays["is_told"], strict=True)
        sightings = iter([Sighting(points, look, next(identities) if told else None) for points, look, told in rows])
        glimpses = zip(arrays["glimpse_numbers"].tolist(), arrays["glimpses"], strict=True)
        for count, num_glimpses in zip(arrays["counts"].tolist(), arrays["glimpse_counts"].tolist(), strict=True):
            yield Seen(list(itertools.islice(sightings, count)), dict(itertools.islice(glimpses, num_glimpses)))
        number += len(arrays["counts"])


def is_seen(track: Track, frame: int) -> bool:
    """Whether its face is found in a frame, and not only bridged."""
    place = frame - track.first
    return 0 <= place < len(track.is_seen) and bool(track.is_seen[place])


def _choose(tracks: Sequence[Track], choice: Choice) -> FilmFaces:
    steady = [track for track in tracks if track.is_seen.sum() > 1 and track.is_seen.mean() > FOUND]
    people = group_people(steady or tracks)
    if not people:
        raise NobodyError(detection.NONE_FOUND)
    people.sort(key=_find_left)
    chosen = range(len(people)) if choice.faces == EVERY else [_find_one(people, choice)]
    every = [(track, number) for number in chosen for track in people[number]]
    others = [track for number, person in enumerate(people) if number not in chosen for track in person]
    return FilmFaces([track for track, _ in every], [number for _, number in every], others)


def _find_one(people: Sequence[Sequence[Track]], choice: Choice) -> int:
    if choice.identity is not None:
        return _find_nearest(people, choice)
    if choice.faces == LARGEST:
        weights = [sum(_weigh(track.points) for track in person) for person in people]
        return int(np.argmax(weights))
    if int(choice.faces) > len(people):
        shown = f"it shows {len(people)} {'person' if len(people) == 1 else 'people'}"
        raise NoFaceError(f"{shown}, counted from the left from 1{f', not {choice.name}' if choice.name else ''}")
    return int(choice.faces) - 1


def _find_nearest(people: Sequence[Sequence[Track]], choice: Choice) -> int:
    far = [
        min(measure_strangeness(track.identity, choice.identity) for track in person if track.identity is not None)
        if any(track.identity is not None for track in person)
        else np.inf
        for person in people
    ]
    nearest = int(np.argmin(far))
    if far[nearest] >= SAME_PERSON:
        told = "one person's faces are less than 0.6 apart"
        raise NoFaceError(
            f"nobody in it is like {choice.name}: the nearest is {far[nearest]:.2f} away, and {told}; "
            f"--person=1 to {len(people)} counts them from the left"
        )
    return nearest


def _find_left(person: Sequence[Track]) -> tuple[float, int]:
    """Where a person is seen first, from the left; who has come before comes first where two stand alike."""
    first = min(person, key=lambda track: track.first)
    return float(first.points[0, :, 0].mean()), first.first


def _weigh(points: np.ndarray) -> float:
    """How large a face is over all of its frames."""
    return sum(measure_size(each) for each in points)
