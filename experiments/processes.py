"""facezoo's commands as processes of their own."""

import os
import select
import signal
import sys
from pathlib import Path

NOBODY_READS = 128 + signal.SIGPIPE  # the exit code of a program whose output goes to a pipe that is closed


def command_line(*arguments: str) -> list[str]:
    """What `subprocess` takes to run `facezoo` with these arguments, in the Python that runs now."""
    return [sys.executable, "-c", "from facezoo.experiments.cli import main; main()", *arguments]


def leave_closed_pipes() -> bool:
    """Whether nobody reads standard output or error any more; what is still to be written there goes nowhere.

    The way of Python's "Note on SIGPIPE" (https://docs.python.org/3/library/signal.html#note-on-sigpipe): the signal
    is left alone, which child processes would inherit.
    """
    streams = select.poll()
    for stream in (1, 2):
        streams.register(stream, 0)  # closed it tells unasked
    closed = [stream for stream, _ in streams.poll(0)]
    with Path(os.devnull).open("wb") as nowhere:
        for stream in closed:
            os.dup2(nowhere.fileno(), stream)
    return bool(closed)
