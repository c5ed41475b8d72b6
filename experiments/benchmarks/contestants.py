"""Work that is timed in a process of its own, one kind after the other, again and again."""

import dataclasses
import pickle
import resource
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from ..backend import without_chatter
from ..processes import spawn_context

Work = Callable[[int], Any]  # does something so many times, and is back when it is done
WARM_UP = 3  # repetitions before the first that counts


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds that one piece of work took.

    Attributes:
      seconds: of each alternation, a mean over its repetitions.
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    @property
    def spread(self) -> float:
        """The distance of the slowest and the fastest alternation, as a share of the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median


class Contestant:
    """Work in a process of its own, which waits while others work.

    Args:
      make: gives the work; a function of a module, called in the other process.
      arguments: of `make`.
    """

    def __init__(self, make: Callable[..., Work], *arguments: Any):
        self._process = ProcessPoolExecutor(1, mp_context=spawn_context())
        self._process.submit(_prepare, pickle.dumps((make, arguments))).result()

    def seconds(self, count: int) -> float:
        """How long `count` repetitions took."""
        return self._process.submit(_time, count).result()

    def peak_megabytes(self) -> float:
        """The most memory that the process has held."""
        return self._process.submit(_peak_megabytes).result()

    def ask(self, question: Callable[[Work], Any]) -> Any:
        """What a function of a module says of the work, in the other process."""
        return self._process.submit(_answer, question).result()

    def close(self) -> None:
        self._process.submit(_close).result()
        self._process.shutdown()


def alternate(contestants: Mapping[str, Contestant], alternations: int, seconds: float) -> dict[str, Timing]:
    """Lets contestants work in turn, so that a noisy machine hits all of them.

    Args:
      contestants: by name.
      alternations: turns of each.
      seconds: that a turn is to take.

    Returns:
      By name, the time of one repetition.
    """
    counts = {}
    for name, contestant in contestants.items():
        contestant.seconds(WARM_UP)
        counts[name] = max(1, round(seconds * WARM_UP / contestant.seconds(WARM_UP)))
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(alternations):
        for name, contestant in contestants.items():
            taken[name].append(contestant.seconds(counts[name]) / counts[name])
    return {name: Timing(tuple(values)) for name, values in taken.items()}


_work: list[Work] = []  # of this process


def _prepare(make_and_arguments: bytes) -> None:
    with without_chatter():  # unpickling imports TensorFlow
        make, arguments = pickle.loads(make_and_arguments)
        _work[:] = [make(*arguments)]


def _time(count: int) -> float:
    start = time.perf_counter()
    _work[0](count)
    return time.perf_counter() - start


def _answer(question: Callable[[Work], Any]) -> Any:
    return question(_work[0])


def _close() -> None:
    """Lets the work end what it has started."""
    if hasattr(_work[0], "close"):
        _work[0].close()


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, kilobytes elsewhere
