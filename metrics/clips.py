"""How steady clips are: what changes from frame to frame without going anywhere."""

import numpy as np

WHITE = 255.0
LEAST = 1e-9  # so that what stands still in a source is no division by 0


def find_flicker(clips: np.ndarray) -> np.ndarray:
    """Mean absolute second difference over time, in gray levels of 255.

    What stands still and what changes evenly have none. What moves has some, in a source as well as in what is made of
    it: the ratio of both is what tells of flicker.

    Args:
      clips: [N, T, H, W, C] in [0, 1], of at least 3 frames.

    Returns:
      float64 [N].

    Raises:
      ValueError: fewer frames.
    """
    clips = _check_clips(clips)
    return WHITE * np.abs(np.diff(clips, n=2, axis=1)).mean(axis=(1, 2, 3, 4), dtype=np.float64)


def find_added_flicker(real: np.ndarray, made: np.ndarray) -> np.ndarray:
    """The flicker of the error: what jumps in clips that were made and not in the real ones, and the other way.

    Other than the ratio of both, it does not fall where what is made is blurred so far that it hardly moves.

    Args:
      real: [N, T, H, W, C] in [0, 1], of at least 3 frames.
      made: the same.

    Returns:
      float64 [N], in gray levels of 255.

    Raises:
      ValueError: fewer frames.
    """
    return find_flicker(_check_clips(made) - _check_clips(real))


def find_jitter(points: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Mean length of the second difference over time of points, in percent of a size.

    Args:
      points: [N, T, L, 2], of at least 3 frames.
      size: [N, T], such as the distance between the eyes.

    Returns:
      float64 [N].
    """
    turns = np.linalg.norm(np.diff(np.asarray(points, np.float64), n=2, axis=1), axis=-1)  # [N, T - 2, L]
    return 100.0 * (turns / np.asarray(size, np.float64)[:, 1:-1, None]).mean(axis=(1, 2))


def find_drift(people: np.ndarray) -> np.ndarray:
    """How far frames are from the mean of their clip: codes of people [N, T, D] -> the mean distance, float64 [N]."""
    people = np.asarray(people, np.float64)
    return np.linalg.norm(people - people.mean(axis=1, keepdims=True), axis=-1).mean(axis=1)


def find_ratio(real: np.ndarray, made: np.ndarray) -> float:
    """What was made by what is real, both as means: [N], [M] -> a number; 1 where neither has anything."""
    return float((np.mean(made) + LEAST) / (np.mean(real) + LEAST))


def _check_clips(clips: np.ndarray) -> np.ndarray:
    clips = np.asarray(clips, np.float32)
    if clips.ndim != 5 or clips.shape[1] < 3:
        raise ValueError(f"clips of shape {clips.shape} must be [N, T, H, W, C] of at least 3 frames")
    return clips
