"""A contest: all train for as long, by turns, so that noise on the machine hits all alike, and are measured alike.

After each turn its state is on the disk: a contest that was killed goes on.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .... import files
from ....losses.weights import reason
from ...errors import UsageError
from ...terminal import announce
from .entrant import Entrant

CONTEST_FILE = "contest.json"
MOST_TEXT_BYTES = 1_000_000
LAST_SHARE = 0.01  # of the learning rate, at the end
SECONDS, STEPS = "progress/seconds", "progress/steps"


@dataclasses.dataclass
class Progress:
    """How far an entrant has come.

    Attributes:
      seconds: of training, without what a process needs before and during its first step.
      steps: batches, those first ones too.
      timed_steps: without them.
    """

    seconds: float = 0.0
    steps: int = 0
    timed_steps: int = 0


class Contest:
    """Trains entrants in turn.

    Args:
      folder: of their states and figures; new, or of the same contest.
      makers: each makes an entrant, by name.
      images: of training, uint8 [N, S, S, 3].
      batch_size: pictures of a step.
      seconds: that each trains.
      turn_seconds: of a turn.
      about: what the contest is, which has to be the same where it goes on.
      clock: seconds that only rise.

    Raises:
      UsageError: the folder has another contest, or something else.
    """

    def __init__(
        self,
        folder: Path,
        makers: Mapping[str, Callable[[], Entrant]],
        images: np.ndarray,
        *,
        batch_size: int,
        seconds: float,
        turn_seconds: float,
        about: Mapping[str, Any],
        clock: Callable[[], float] = time.perf_counter,
    ):
        self.folder, self.makers, self.images, self.clock = folder, makers, images, clock
        self.batch_size, self.seconds, self.turn_seconds = batch_size, seconds, turn_seconds
        self._entrants: dict[str, Entrant] = {}
        self._progress: dict[str, Progress] = {}
        self._take(dict(about))

    def run(self, measure: Callable[[Entrant], dict[str, float]]) -> list[dict[str, Any]]:
        """Trains and measures what has not been yet; returns a row of figures for each entrant."""
        waiting = [name for name in self.makers if not self._figures_file(name).exists()]
        for turn in range(1, math.ceil(self.seconds / self.turn_seconds) + 1):
            until = min(turn * self.turn_seconds, self.seconds)
            for name in waiting:
                self._train(name, until)
        for name in waiting:
            announce(f"Measuring {name} ...")
            self._measure(name, measure)
        self._entrants.clear()  # another contest may follow
        return [{"model": name} | _read(self._figures_file(name)) for name in self.makers]

    def _take(self, about: dict[str, Any]) -> None:
        kept = self.folder / CONTEST_FILE
        try:
            if kept.exists():
                if (there := _read(kept)) != about:
                    differing = [name for name in {**about, **there} if there.get(name) != about.get(name)]
                    raise UsageError(f"{self.folder} has another contest ({', '.join(differing)}): choose a new folder")
                return
            files.refuse_what_is_there(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            files.write_text(kept, json.dumps(about, indent=2) + "\n")
        except files.OccupiedError as error:
            raise UsageError(str(error)) from error
        except OSError as error:
            raise UsageError(f"{self.folder}: {error.strerror or error}") from error

    def _train(self, name: str, until: float) -> None:
        """One turn, up to so many seconds of training in all."""
        entrant, progress = self._find(name)
        if progress.seconds >= until:
            return
        announce(f"{name}: {progress.seconds:.0f} of {self.seconds:.0f} s ...")
        while progress.seconds < until:
            begin = self.clock()
            entrant.take_step(self._batch(progress.steps), _rate_share(progress.seconds / self.seconds))
            progress.seconds += self.clock() - begin
            progress.steps, progress.timed_steps = progress.steps + 1, progress.timed_steps + 1
        self._save(name)

    def _find(self, name: str) -> tuple[Entrant, Progress]:
        """An entrant and its progress; it is made the first time, goes on from its state, and takes an untimed step."""
        if name not in self._entrants:
            entrant, progress = self.makers[name](), Progress()
            path = self._state_file(name)
            if path.exists():
                try:
                    with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                        state = dict(found)
                    progress = Progress(float(state.pop(SECONDS)), *map(int, state.pop(STEPS)))
                    entrant.restore(state)
                except Exception as error:  # a damaged archive raises whatever its reader raises, and so do networks
                    why = reason(error)
                    raise UsageError(f"{path} is damaged, or of another version: remove it ({why})") from error
            if progress.seconds < self.seconds:
                entrant.take_step(self._batch(progress.steps), _rate_share(progress.seconds / self.seconds))
                progress.steps += 1
            self._entrants[name], self._progress[name] = entrant, progress
        return self._entrants[name], self._progress[name]

    def _batch(self, step: int) -> np.ndarray:
        """The pictures of a step, the same for all: float32 in [0, 1]."""
        chosen = np.random.default_rng((0, step)).integers(len(self.images), size=self.batch_size)
        return self.images[np.sort(chosen)].astype(np.float32) / 255.0

    def _save(self, name: str) -> None:
        progress = self._progress[name]
        told: dict[str, Any] = {
            SECONDS: np.float64(progress.seconds),
            STEPS: np.array([progress.steps, progress.timed_steps]),
        }
        with files.whole_file(self._state_file(name)) as partial, partial.open("wb") as file:
            np.savez(file, **self._entrants[name].state() | told)

    def _measure(self, name: str, measure: Callable[[Entrant], dict[str, float]]) -> None:
        entrant, progress = self._find(name)
        speed = progress.timed_steps * self.batch_size / progress.seconds
        about = {"parameters": f"{entrant.num_parameters:,}", "steps": progress.steps, "pictures/s": round(speed)}
        files.write_text(self._figures_file(name), json.dumps(about | measure(entrant), indent=2) + "\n")

    def _state_file(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _figures_file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _rate_share(elapsed: float) -> float:
    """Of the learning rate, along a cosine over the time of training."""
    return LAST_SHARE + (1.0 - LAST_SHARE) * 0.5 * (1.0 + math.cos(math.pi * min(elapsed, 1.0)))


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(files.read_text(path, MOST_TEXT_BYTES))
        if not isinstance(found, dict):
            raise ValueError("it holds no figures by name")
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is damaged: remove it ({reason(error)})") from error
    return found
