"""What a training tells a person as it goes: figures after each epoch, how long it takes, and what comes next."""

import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ..terminal import announce

MINUTE, HOUR = 60.0, 3600.0


class Telling:
    """Tells of the epochs of a training.

    Args:
      epochs: of the whole run.
      done: of them, before.
      clock: seconds that only rise.
    """

    def __init__(self, epochs: int, done: int = 0, clock: Callable[[], float] = time.monotonic):
        self._epochs, self._done, self._clock = epochs, done, clock
        self._begin = clock()

    def tell(self, number: int, validation: Mapping[str, float]) -> None:
        """Says what an epoch has come to in validation, and how long the rest will take at this pace."""
        left = (self._epochs - number) * (self._clock() - self._begin) / (number - self._done)
        figures = ", ".join(f"{name} {value:.4g}" for name, value in validation.items())
        rest = f"; {say_duration(left)} left" if number < self._epochs else ""
        announce(f"after epoch {number}/{self._epochs}: validation {figures}{rest}")


class Stages:
    """Tells of the stages of a longer work, and how long all of it will still take, at the pace of those that are done.

    Args:
      expected: seconds of each that is to be done, on a machine that is known.
      count: of all, those that were done before too.
      clock: seconds that only rise.
    """

    def __init__(self, expected: Mapping[str, float], count: int, clock: Callable[[], float] = time.monotonic):
        self._left, self._count, self._clock = dict(expected), count, clock
        self._expected, self._taken, self._begun = 0.0, 0.0, clock()

    def begin(self, number: int, title: str) -> None:
        """Says which stage begins, and what is left of all."""
        pace = self._taken / self._expected if self._expected else 1.0
        left = say_duration(pace * sum(self._left.values()))
        announce(f"stage {number} of {self._count}, {title}: {left} left for all")
        self._begun = self._clock()

    def end(self, title: str) -> None:
        """Learns from a stage that is done how fast it goes here."""
        self._expected += self._left.pop(title)
        self._taken += self._clock() - self._begun


def say_duration(seconds: float) -> str:
    """About how long, as people say it."""
    if seconds < MINUTE:
        return "less than a minute"
    if seconds < 1.5 * HOUR:
        return f"about {_counted(seconds / MINUTE, 'minute')}"
    return f"about {_counted(seconds / HOUR, 'hour')}"


def _counted(amount: float, unit: str) -> str:
    return f"{round(amount)} {unit}{'' if round(amount) == 1 else 's'}"


def list_next_commands(folder: Path, makes_pictures: bool, people: tuple[str, ...]) -> list[str]:
    """What somebody does with a finished run, as commands to copy.

    Args:
      folder: of the run.
      makes_pictures: its model does.
      people: whom it maps faces onto.
    """
    run = f"--run_dir={shlex.quote(str(folder))}"
    commands = [f"facezoo evaluate {run}"]
    if people:
        commands.append(f"facezoo swap {run} --in=PHOTOGRAPHS --to={shlex.quote(people[-1])} --out=swapped")
    elif makes_pictures:
        commands.append(f"facezoo morph {run} --start=test:0 --end=test:1")
    return commands
