"""Who is who from frame to frame: what is found in each frame of a film, linked into steady tracks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.signal import savgol_filter

FARTHEST = 0.8  # of a face's size: how far from where it is awaited a face may be found
LOOK = 1.0  # how much two looks count beside places; a look is a vector of about unit length
# Looks of one frame each that are farther apart are two people's; of two tracks those that are nearer are one's. Of 120
# photographs that were turned, lit and blurred otherwise 1 % of looks are farther apart than 0.59, 5 % than 0.43; of
# strangers' 1 % are nearer than 0.42, 5 % than 0.52.
UNLIKE, ALIKE = 0.7, 0.45
UNLIKE_PLACE = 0.45  # looks of a place without a face that are farther from the face's show something else, no blur
MEMORY = 0.9  # part of a track's look that stays when it is seen again
DAMPING = 0.7  # part of a movement that is awaited to go on
IDENTITY = 1.0  # how much two identities count beside places and looks
# The same of identities. Of those photographs 1 % are farther apart than 0.25, of strangers' 1 % nearer than 0.61 and
# 9 % than 0.7; drawn people's, of whom the recogniser knows less, are up to 0.67 apart from frame to frame.
STRANGERS, SAME_PERSON = 0.7, 0.6
BRIDGE_SECONDS = 0.5  # for which a face that is not found is still thought to be there, between two places
HIDDEN = 1.5  # sizes of a face within which another one hides it
SMOOTHING_SECONDS = 0.37  # of a film over which places are smoothed


class Sighting(NamedTuple):
    """One face in one frame.

    Attributes:
      points: of it, float64 [P, 2], (x, y) in pixels.
      look: what it looks like, [K]; nearer vectors are more alike.
      identity: who it is, [I], as a recogniser tells; None where it was not asked.
    """

    points: np.ndarray
    look: np.ndarray
    identity: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Track:
    """One face over some frames in a row.

    Attributes:
      first: the number of its first frame.
      points: float64 [T, P, 2], smoothed.
      is_seen: bool [T]; where not, the points are bridged from those before and after.
      look: what it looks like on the whole, [K].
      identity: who it is on the whole, [I]; None where no recogniser was asked.
    """

    first: int
    points: np.ndarray
    is_seen: np.ndarray
    look: np.ndarray
    identity: np.ndarray | None = None

    @property
    def end(self) -> int:
        """The number of the first frame after it."""
        return self.first + len(self.points)

    def at(self, frame: int) -> np.ndarray | None:
        """Its points in a frame, [P, 2]; None where it is not there."""
        place = frame - self.first
        return self.points[place] if 0 <= place < len(self.points) else None


class _Growing:
    """A track while its film is gone through."""

    def __init__(self, frame: int, sighting: Sighting):
        self.frames, self.points, self.look = [frame], [sighting.points], sighting.look
        self.identity, self._num_told = sighting.identity, int(sighting.identity is not None)
        self.unlike_at = -2  # the last frame in which something else was seen in its place

    def await_at(self, frame: int) -> np.ndarray:
        """Where its points will be, if it moves on as it did."""
        if len(self.frames) < 2:
            return self.points[-1]
        speed = (self.points[-1] - self.points[-2]) / (self.frames[-1] - self.frames[-2])
        steps = frame - self.frames[-1]
        return self.points[-1] + speed * DAMPING * (1.0 - DAMPING**steps) / (1.0 - DAMPING)

    def add(self, frame: int, sighting: Sighting) -> None:
        self.frames.append(frame)
        self.points.append(sighting.points)
        self.look = MEMORY * self.look + (1.0 - MEMORY) * sighting.look
        if sighting.identity is not None:
            self._num_told += 1
            known = sighting.identity if self.identity is None else self.identity
            self.identity = known + (sighting.identity - known) / self._num_told  # their mean

    def finish(self, rate: float) -> Track:
        """The track with its gaps bridged and its points smoothed."""
        frames = np.arange(self.frames[0], self.frames[-1] + 1)
        found = np.stack(self.points)
        columns = found.reshape(len(found), -1).T
        bridged = np.stack([np.interp(frames, self.frames, column) for column in columns], axis=-1)
        return Track(
            self.frames[0],
            smooth_places(bridged.reshape(len(frames), *found.shape[1:]), rate),
            np.isin(frames, self.frames),
            self.look,
            self.identity,
        )


class Tracker:
    """Links sightings of one frame after the other.

    A sighting goes on with the track that awaits it nearest and looks most like it, all of a frame at once by least
    cost (Kuhn's method); one that goes on with none begins a track. A track that is not found for longer than
    `BRIDGE_SECONDS` ends, and after two frames that show something else in its place, as after a cut; one that looks
    alike later is another.

    Args:
      rate: frames a second.
    """

    def __init__(self, rate: float):
        self.rate = rate
        self._last = -1
        self._growing: list[_Growing] = []
        self._ended: list[_Growing] = []

    def await_next(self) -> list[np.ndarray]:
        """Where the faces of the tracks that go on will be in the next frame, each [P, 2]."""
        return [track.await_at(self._last + 1) for track in self._growing]

    def recall_last(self) -> list[np.ndarray]:
        """Where the faces of the same tracks were found last."""
        return [track.points[-1] for track in self._growing]

    def add(self, sightings: Sequence[Sighting], glimpses: Mapping[int, np.ndarray] | None = None) -> None:
        """Takes the sightings of the next frame.

        Args:
          sightings: all that are found.
          glimpses: by number in `await_next`, the looks [2, K] of where a face is awaited and of where it was last, if
            it is not found.
        """
        self._last += 1
        places = [(self._growing[number], looks) for number, looks in (glimpses or {}).items()]
        costs = np.array([[self._cost(track, sighting) for sighting in sightings] for track in self._growing])
        linked: set[int] = set()
        if costs.size:
            for row, column in zip(*linear_sum_assignment(np.minimum(costs, 1e6)), strict=True):
                if np.isfinite(costs[row, column]):
                    self._growing[row].add(self._last, sightings[column])
                    linked.add(int(column))
        self._growing += [
            _Growing(self._last, sighting) for number, sighting in enumerate(sightings) if number not in linked
        ]
        lost = [track for track in self._growing if self._last - track.frames[-1] > BRIDGE_SECONDS * self.rate]
        lost += [track for track, looks in places if track not in lost and self._is_gone(track, looks, sightings)]
        self._ended += lost
        self._growing = [track for track in self._growing if track not in lost]

    def _is_gone(self, track: _Growing, looks: np.ndarray, sightings: Sequence[Sighting]) -> bool:
        """Whether something else is in the place of a face for the second frame in a row, and nobody in front of it."""
        is_like = np.linalg.norm(looks - track.look, axis=-1).min() <= UNLIKE_PLACE
        is_hidden = any(is_behind(track.await_at(self._last), sighting.points) for sighting in sightings)
        if track.frames[-1] == self._last or is_like or is_hidden:
            return False
        was_unlike, track.unlike_at = track.unlike_at, self._last
        return was_unlike == self._last - 1

    def finish(self) -> list[Track]:
        """All tracks, the longest first."""
        tracks = [track.finish(self.rate) for track in (*self._ended, *self._growing)]
        return sorted(tracks, key=lambda track: -int(track.is_seen.sum()))

    def _cost(self, track: _Growing, sighting: Sighting) -> float:
        """How unlike it is that a sighting goes on with a track; infinite where it cannot be."""
        awaited = track.await_at(self._last)
        away = np.linalg.norm(sighting.points - awaited, axis=-1).mean() / measure_size(awaited)
        unlike = float(np.linalg.norm(sighting.look - track.look))
        missed = self._last - track.frames[-1]
        stranger = measure_strangeness(track.identity, sighting.identity)
        if away > FARTHEST * missed or unlike > UNLIKE or stranger > STRANGERS:
            return np.inf
        return float(away / missed + LOOK * unlike + IDENTITY * stranger)


def measure_strangeness(identity: np.ndarray | None, other: np.ndarray | None) -> float:
    """How far two identities are apart; 0 where one is not known."""
    return 0.0 if identity is None or other is None else float(np.linalg.norm(identity - other))


def group_people(tracks: Sequence[Track]) -> list[list[Track]]:
    """The tracks of each person, who is seen longest first.

    They are of one where they are never there at once, and their identities are near or, where these are not known,
    they look alike.
    """
    people: list[list[Track]] = []
    for track in tracks:
        for person in people:
            are_apart = all(track.end <= other.first or other.end <= track.first for other in person)
            if are_apart and _are_one(track, person[0]):
                person.append(track)
                break
        else:
            people.append([track])
    return sorted(people, key=lambda person: -sum(int(track.is_seen.sum()) for track in person))


def _are_one(track: Track, other: Track) -> bool:
    if track.identity is not None and other.identity is not None:
        return measure_strangeness(track.identity, other.identity) < SAME_PERSON
    return bool(np.linalg.norm(track.look - other.look) < ALIKE)


def measure_size(points: np.ndarray) -> float:
    """How large a face is by its points [..., P, 2]: twice the root mean square of their distance from the middle."""
    apart = points - points.mean(axis=-2, keepdims=True)
    return 2.0 * float(np.sqrt((apart**2).sum(axis=-1).mean())) + 1e-6


def is_behind(points: np.ndarray, front: np.ndarray) -> bool:
    """Whether a face is hidden by another one, by the points [P, 2] of both."""
    apart = np.linalg.norm(points.mean(axis=0) - front.mean(axis=0))
    return bool(apart < HIDDEN * max(measure_size(points), measure_size(front)))


def smooth_places(places: np.ndarray, rate: float) -> np.ndarray:
    """Places [T, ...] without the jitter of finding them, by parabolas through the frames around each.

    Savitzky and Golay, "Smoothing and Differentiation of Data by Simplified Least Squares Procedures" (1964); films are
    at hand whole, so that nothing lags behind, as it would by a filter of what has been seen so far.
    """
    window = 2 * round(SMOOTHING_SECONDS * rate / 2.0) + 1
    window = min(window, len(places) - 1 + len(places) % 2)
    return savgol_filter(places, window, 2, axis=0) if window >= 5 else places
