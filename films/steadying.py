"""Numbers that belong to the frames of a film, smoothed over the frames around each while the film runs by."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

Item = TypeVar("Item")
BEND_FROM = 5  # numbers: through fewer a mean is laid, and no parabola


def look_around(items: Iterable[Item], reach: int) -> Iterator[tuple[Sequence[Item], int]]:
    """Yields each item with up to `reach` before and after it, and its place among them; `reach` are read ahead."""
    end: Any = object()
    window: deque[Item] = deque(maxlen=2 * reach + 1)
    for count, item in enumerate(itertools.chain(items, itertools.repeat(end, reach))):
        window.append(item)
        if count >= reach:
            yield [each for each in window if each is not end], len(window) - 1 - reach


def find_unbroken(numbers: Sequence[np.ndarray | None], place: int) -> range:
    """The places around one, itself among them, at which none is missing (None)."""
    first = last = place
    while first > 0 and numbers[first - 1] is not None:
        first -= 1
    while last + 1 < len(numbers) and numbers[last + 1] is not None:
        last += 1
    return range(first, last + 1)


def bridge(numbers: Sequence[np.ndarray | None]) -> list[np.ndarray | None]:
    """Numbers of frames in a row, those that are missing (None) between two others on a straight line; ends stay so."""
    bridged = list(numbers)
    known = [place for place, each in enumerate(numbers) if each is not None]
    for before, after in itertools.pairwise(known):
        first, last = numbers[before], numbers[after]
        assert first is not None and last is not None
        for place in range(before + 1, after):
            bridged[place] = first + (last - first) * ((place - before) / (after - before))
    return bridged


def smooth_at(numbers: Sequence[np.ndarray | None], place: int, degree: int = 2) -> np.ndarray:
    """What numbers [...] of frames in a row are at one place without their jitter.

    A curve is laid through those around the place, as far as none is missing, by least squares (Savitzky and Golay
    1964, of windows that may be lopsided at the ends); through fewer than five their mean.

    Args:
      numbers: of frames in a row, float arrays of one shape; None where they are missing.
      place: of those that are wanted, which are not missing.
      degree: of the curve: 2 is a parabola, 0 their mean.
    """
    places = find_unbroken(numbers, place)
    known = np.stack([each for each in numbers[places.start : places.stop] if each is not None])
    steps = np.arange(places.start, places.stop) - float(place)
    weights = np.linalg.pinv(np.vander(steps, 1 + (degree if len(known) >= BEND_FROM else 0), increasing=True))[0]
    return np.tensordot(weights, known, axes=1)
