"""A process in which things are tried, since some faults of drivers and libraries end the process they are in."""

import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from ..processes import end_with_parent, spawn_context
from ..terminal import find_message

SECONDS = 300  # after which an answer is no longer waited for


class TrialError(Exception):
    """What was tried has failed.

    Attributes:
      has_ended: so has the process.
    """

    def __init__(self, message: str, has_ended: bool = False):
        super().__init__(message)
        self.has_ended = has_ended


class Trial:
    """Runs functions in one other process, until the end of the block.

    Args:
      seconds: that each may take.
    """

    def __init__(self, seconds: float = SECONDS):
        self._seconds = seconds
        self._pipe, self._other = spawn_context().Pipe()
        self._process = spawn_context().Process(target=_answer, args=(self._other,), daemon=True)

    def __enter__(self) -> "Trial":
        self._process.start()
        self._other.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def run(self, function: Callable[[], Any]) -> Any:
        """What a function returns there.

        Args:
          function: of a module.

        Raises:
          TrialError: it has raised something, has ended the process, or does not come to an end.
        """
        try:
            self._pipe.send(function)
            if not self._pipe.poll(self._seconds):
                raise TrialError(f"no answer within {self._seconds:g} s", has_ended=True)
            is_done, told = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise TrialError(f"the process was ended by {self._find_end()}", has_ended=True) from error
        if not is_done:
            raise TrialError(told)
        return told

    def _find_end(self) -> str:
        """What has ended the process: a signal, or its own exit."""
        self._process.join(self._seconds)
        code = self._process.exitcode or 0
        if code >= 0:
            return f"itself with code {code}"
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"


def _answer(pipe: Connection) -> None:
    """Runs what comes through a pipe, and says what it has returned or raised."""
    end_with_parent()
    while True:
        try:
            function = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, function()
        except Exception as error:  # of whatever kind, some of which cannot be sent
            text = find_message(error).partition("\n")[0]
            answer = False, f"{type(error).__name__}: {text}" if text else type(error).__name__
        pipe.send(answer)
