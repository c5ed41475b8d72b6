"""Clips of drawn people: expression, gaze, head and light move along smooth paths, person and place stay."""

import dataclasses

import numpy as np

from .drawing.factors import FACTOR_NAMES, FACTOR_RANGES, Draws, face_attributes, sample_pictures
from .drawing.geometry import face_landmarks
from .procedural import check_drawable, draw_faces, gray, make_drawn_source
from .source import SPLITS, DatasetError, Source

CLIPS = {"train": 2_000, "validation": 200, "test": 200}
CLIPS_OF_EACH = 4
FRAMES = (2, 128)
# How many frames lie between two keyframes of each factor that moves, where a second has about twelve.
PACE = {
    "smile": 10,
    "mouth_open": 6,
    "eyes_open": 10,
    "brow_raise": 10,
    "gaze_x": 7,
    "gaze_y": 7,
    "yaw": 12,
    "pitch": 12,
    "roll": 12,
    "light_x": 48,
    "light_y": 48,
    "light_strength": 48,
    "light_warmth": 48,
}
BLINK_FRAMES = 2.5  # from open to shut
BLINK_EVERY = 40
# Beyond the people and pictures of the other drawn data sets.
FIRST_PERSON = 10_000
FIRST_KEYFRAME = 1_000_000
KEYFRAMES_OF_EACH = 32  # more than the longest clip needs
_EYES, _SHUT = FACTOR_NAMES.index("eyes_open"), FACTOR_RANGES["eyes_open"][0]
_LOW, _HIGH = np.array(list(FACTOR_RANGES.values()), np.float32).T


def procedural_clips(split: str, *, image_size: int = 64, channels: int = 3, frames: int = 16, seed: int = 0) -> Source:
    """Drawn people that move, 2,000 / 200 / 200 short clips, four of each person.

    Expression, gaze, head and light pass through keyframes that are sampled as pictures are, and now and then the eyes
    blink; person, glasses, clothes and what is behind stay. None of the people are in another split or data set.

    Args:
      split: "train", "validation" or "test".
      image_size: side of the frames in pixels, 32 to 256.
      channels: 3 for colour, 1 for gray.
      frames: T, 2 to 128, about twelve a second; more of them change nothing about the first ones.
      seed: which world of people.

    Returns:
      `clip` uint8 [n, T, H, W, C], `clip_landmarks` float32 [n, T, L, 2] and `clip_factors` float32 [n, T, F]; of the
      frame in the middle, number T // 2, all that a picture has; `identity` counting from 0.

    Raises:
      DatasetError: a value outside of these.
    """
    first = _find_first("procedural_clips", split, image_size, channels, frames)

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        clips = first + np.asarray(positions, np.int64).reshape(-1)
        factors = sample_paths(clips, frames, seed)
        every = factors.reshape(-1, len(FACTOR_NAMES))  # [n * T, F]
        pictures = draw_faces(every, image_size)
        pictures = pictures if channels == 3 else gray(pictures)
        pictures = pictures.reshape(len(clips), frames, *pictures.shape[1:])  # [n, T, H, W, C]
        landmarks = face_landmarks(every)
        landmarks = landmarks.reshape(len(clips), frames, *landmarks.shape[1:])  # [n, T, L, 2]
        middle = frames // 2
        return {
            "clip": pictures,
            "image": pictures[:, middle],
            "attributes": face_attributes(factors[:, middle]),
            "landmarks": landmarks[:, middle],
            "identity": (clips // CLIPS_OF_EACH).astype(np.int32),
            "factors": factors[:, middle],
            "clip_landmarks": landmarks,
            "clip_factors": factors,
        }

    names = tuple(str(first + position) for position in range(CLIPS[split]))
    return make_drawn_source(f"procedural_clips/{split}", names, load, (image_size, image_size, channels))


def _find_first(name: str, split: str, image_size: int, channels: int, frames: int) -> int:
    """The number of a split's first clip among those of all splits; a DatasetError where there is no such data set."""
    check_drawable(name, split, image_size, channels)
    check_frames(name, frames)
    return sum(CLIPS[before] for before in SPLITS[: SPLITS.index(split)])


def procedural_frames(
    split: str, *, image_size: int = 64, channels: int = 3, frames: int = 16, seed: int = 0
) -> Source:
    """The frames of `procedural_clips`, each a picture by itself: 2,000 / 200 / 200 times `frames`.

    Args:
      split: "train", "validation" or "test".
      image_size: side of the frames in pixels, 32 to 256.
      channels: 3 for colour, 1 for gray.
      frames: of each clip, 2 to 128.
      seed: which world of people.

    Raises:
      DatasetError: a value outside of these.
    """
    first = _find_first("procedural_frames", split, image_size, channels, frames)

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        places, numbers = np.divmod(np.asarray(positions, np.int64).reshape(-1), frames)
        clips, rows = np.unique(first + places, return_inverse=True)
        factors = sample_paths(clips, frames, seed)[rows, numbers]
        pictures = draw_faces(factors, image_size)
        return {
            "image": pictures if channels == 3 else gray(pictures),
            "attributes": face_attributes(factors),
            "landmarks": face_landmarks(factors),
            "identity": ((first + places) // CLIPS_OF_EACH).astype(np.int32),
            "factors": factors,
        }

    names = tuple(f"{first + place}/{number}" for place in range(CLIPS[split]) for number in range(frames))
    return make_drawn_source(f"procedural_frames/{split}", names, load, (image_size, image_size, channels))


def without_clips(source: Source) -> Source:
    """The source with pictures alone, for what reads no clips; one that has none is returned as it is."""
    if "clip" not in source.load(np.zeros(1, np.int64)):
        return source

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        return {name: column for name, column in source.load(positions).items() if not name.startswith("clip")}

    return dataclasses.replace(source, load=load)


def check_frames(name: str, frames: int) -> None:
    """A DatasetError for a number of frames that no clip has."""
    if not FRAMES[0] <= frames <= FRAMES[1]:
        raise DatasetError(f"{name} has frames {FRAMES[0]} to {FRAMES[1]}, not {frames}")


def sample_paths(clips: np.ndarray, frames: int, seed: int = 0) -> np.ndarray:
    """Draws the factors of all frames of clips, each a pure function of (seed, clip, frame).

    From frame to frame a factor changes by at most 2 / PACE of its range, and this change by at most 6 / PACE**2; only
    a blink is faster.

    Args:
      clips: [n] non-negative numbers of clips; four in a row show one person.
      frames: T, at most 128.
      seed: which world of people.

    Returns:
      float32 [n, T, F] in the order of FACTOR_NAMES, within FACTOR_RANGES.
    """
    count = (frames - 1) // min(PACE.values()) + 5  # one before the clip, one after, and one for the phase
    first = FIRST_KEYFRAME + clips * KEYFRAMES_OF_EACH
    people = np.repeat(FIRST_PERSON + clips // CLIPS_OF_EACH, count)
    keyframes = sample_pictures(people, (first[:, None] + np.arange(count)).reshape(-1), seed)
    keyframes = keyframes.reshape(len(clips), count, len(FACTOR_NAMES)).astype(np.float64)
    paths = np.repeat(keyframes[:, :1], frames, axis=1)  # [n, T, F]
    draws = Draws(2 * seed + 1, first)
    for name, pace in PACE.items():
        column = FACTOR_NAMES.index(name)
        places = draws.uniform(f"phase/{pace}")[:, None] + np.arange(frames) / pace  # [n, T]
        paths[:, :, column] = _path(keyframes[:, :, column], places)
    shut = _blinks(draws.uniform("blink", 0.0, BLINK_EVERY), frames)
    paths[:, :, _EYES] += shut * (_SHUT - paths[:, :, _EYES])
    return paths.astype(np.float32).clip(_LOW, _HIGH)  # a rounded value may lie beyond the end


def _path(keys: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A smooth path through keys [n, K] at places [n, T], counted from key 1, that never passes beyond a key.

    Cubics whose slopes at the keys are harmonic means (Fritsch and Butland 1984, doi:10.1137/0905021).
    """
    steps = np.diff(keys)
    before, after = steps[:, :-1], steps[:, 1:]
    turns = before * after <= 0.0
    slopes = np.where(turns, 0.0, 2.0 * before * after / np.where(turns, 1.0, before + after))  # of keys 1, 2, ...
    row, key = np.arange(len(keys))[:, None], places.astype(int)
    start, end, step = slopes[row, key], slopes[row, key + 1], steps[row, key + 1]
    s = places - key
    return keys[row, key + 1] + s * (start + s * (3 * step - 2 * start - end + s * (start + end - 2 * step)))


def _blinks(first: np.ndarray, frames: int) -> np.ndarray:
    """How far the eyes are shut, 0 to 1: frame of the first blink [n] -> [n, T]."""
    half = BLINK_EVERY / 2
    away = np.abs((np.arange(frames) - first[:, None] + half) % BLINK_EVERY - half)
    return np.cos(np.pi / 2 * np.minimum(away / BLINK_FRAMES, 1.0)) ** 2
