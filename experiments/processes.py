"""facezoo's commands as processes of their own."""

import os
import resource
import select
import signal
import sys
import threading
import time
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext
from pathlib import Path

SECONDS_TO_STOP = 120  # for a process that saves what it does
NOBODY_READS = 128 + signal.SIGPIPE  # the exit code of a program whose output goes to a pipe that is closed


def command_line(*arguments: str) -> list[str]:
    """What `subprocess` takes to run `facezoo` with these arguments, in the Python that runs now."""
    return [sys.executable, "-P", "-c", "from facezoo.experiments.cli import main; main()", *arguments]


def worker_line(*arguments: str) -> list[str]:
    """As `command_line`, of a process that does not outlive the one that holds its standard input open."""
    code = "from facezoo.experiments import cli, processes; processes.stop_with_input(); cli.main()"
    return [sys.executable, "-P", "-c", code, *arguments]


def stop_with_input() -> None:
    """Has this process stop, as by SIGTERM, when its standard input ends: nobody is there any more who started it."""
    threading.Thread(target=_stop_after_input, daemon=True).start()


def _stop_after_input() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_STOP)
    os._exit(1)


def spawn_context() -> SpawnContext:
    """How processes are started that run functions: as new ones, and without a look for modules in the working folder.

    They begin with `python -c`, which looks there first. Python's `-P` is not theirs to be given, but its variable is.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    return get_context("spawn")


def end_with_parent() -> None:
    """Has this process, started by `spawn_context`, end when the one that started it is gone, however that ended."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def limit_seconds(seconds: int) -> None:
    """Has the system end this process when it has computed for so long from now, if it did not get another limit."""
    wanted, (_, highest) = int(time.process_time()) + seconds, resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (wanted if highest == resource.RLIM_INFINITY else min(wanted, highest), highest)
    )


def open_closed_streams() -> None:
    """Leads closed standard streams nowhere, as cron and `>&-` leave them: else the next file gets their place."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one's
            os.set_inheritable(nowhere, True)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8"))  # noqa: SIM115, PTH123


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
