"""Train with several worker processes on this machine: facezoo launch --workers=2 -- train ..."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

from absl import flags

from . import options, runs
from .errors import UsageError
from .processes import command_line

MOST_WORKERS = 1024
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 15.0  # for the chief to say by itself what another worker has ended by
FINAL_CODES = (2, 128 + signal.SIGINT, 128 + signal.SIGTERM)  # another try would end alike, or is not wanted


def define_flags(values: flags.FlagValues) -> None:
    options.define_number(values, "workers", 2, "Processes that train together.", 1, MOST_WORKERS)
    text = "How often all workers are started again after one has died; the run goes on from its last checkpoint."
    options.define_number(values, "restarts", 3, text, 0)


def run(values: flags.FlagValues, command: Sequence[str]) -> int:
    """Starts the workers, and again where one dies; returns the exit code of the one that ended it.

    Args:
      values: the launcher's flags.
      command: `train` and its flags.

    Raises:
      UsageError: another command, flags that it refuses, or fewer GPUs than workers.
    """
    arguments = _train_arguments(command)
    gpus = _shares_of_gpus(values.workers)
    for restart in range(values.restarts + 1):
        code = _Team(values.workers, arguments, gpus).watch()
        if code == 0 or code in FINAL_CODES:
            return code
        if restart < values.restarts:
            print(
                f"facezoo: a worker has died: starting all again, {restart + 1} of {values.restarts} times",
                file=sys.stderr,
                flush=True,
            )
    print(f"facezoo: a worker has died again, after {values.restarts} restarts", file=sys.stderr)
    return 1


def _train_arguments(command: Sequence[str]) -> list[str]:
    """The command with what all workers must agree on."""
    from . import cli, train

    if not command or command[0] != "train":
        raise UsageError("give the training after two dashes: facezoo launch --workers=2 -- train --model=vae ...")
    values = cli.parse(train, list(command[1:]))
    if values.strategy not in ("auto", "one_device", "multi_worker"):
        raise UsageError(f"--strategy={values.strategy}: `facezoo launch` trains with multi_worker")
    run_dir = values.run_dir or str(runs.default_folder(values.model, values.dataset))
    return [*command, "--strategy=multi_worker", f"--run_dir={run_dir}"]


def _shares_of_gpus(workers: int) -> list[str | None]:
    """Each worker's CUDA_VISIBLE_DEVICES; None where the launcher has none."""
    gpus = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    if not gpus:
        return [None] * workers
    if len(gpus) < workers:
        raise UsageError(f"--workers={workers}, but CUDA_VISIBLE_DEVICES has {len(gpus)} GPUs")
    each = len(gpus) // workers
    return [",".join(gpus[number * each : (number + 1) * each]) for number in range(workers)]


class _Team:
    """All workers, once. The chief, number 0, speaks to the user; what the others say is kept for the worst.

    Args:
      count: of workers.
      arguments: of `facezoo`, the same for all.
      gpus: CUDA_VISIBLE_DEVICES of each, or None.
    """

    def __init__(self, count: int, arguments: Sequence[str], gpus: Sequence[str | None]):
        self.count, self.arguments, self.gpus = count, arguments, gpus

    def watch(self) -> int:
        """Starts them and waits: 0 where all have ended well, else the code of the first that has not."""
        with _free_ports(self.count) as ports:
            addresses = [f"127.0.0.1:{port}" for port in ports]
        with contextlib.ExitStack() as stack, _passing_on_signals() as processes:
            said = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(1, self.count)]
            stack.callback(_kill, processes)
            processes += [self._start(number, addresses, [None, *said][number]) for number in range(self.count)]
            while True:
                codes = [process.poll() for process in processes]
                failed = [number for number, code in enumerate(codes) if code]
                if failed:
                    return self._ended(processes, said, failed[0])
                if None not in codes:
                    return 0
                time.sleep(POLL_SECONDS)

    def _start(self, number: int, addresses: Sequence[str], said: IO | None) -> subprocess.Popen:
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        environment = os.environ | {"TF_CONFIG": json.dumps(cluster)}
        if (gpus := self.gpus[number]) is not None:
            environment["CUDA_VISIBLE_DEVICES"] = gpus
        streams: dict[str, Any] = {"stdout": said, "stderr": said} if said else {}
        # A session of its own: Ctrl-C reaches the launcher, which passes it on once.
        return subprocess.Popen(command_line(*self.arguments), env=environment, start_new_session=True, **streams)

    @staticmethod
    def _ended(processes: Sequence[subprocess.Popen], said: Sequence[IO], number: int) -> int:
        """The exit code of a worker that failed; if the chief does not tell why, its last words are shown."""
        code = processes[number].returncode
        if code in FINAL_CODES:
            with contextlib.suppress(subprocess.TimeoutExpired):
                processes[0].wait(PATIENCE_SECONDS)
            if processes[0].returncode != code:
                said[number - 1].seek(0)
                sys.stderr.write(said[number - 1].read().decode(errors="replace")[-2000:])
        return code


def _kill(processes: Sequence[subprocess.Popen]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


@contextlib.contextmanager
def _passing_on_signals() -> Iterator[list[subprocess.Popen]]:
    """Processes that get the launcher's SIGINT and SIGTERM; both save the run."""
    processes: list[subprocess.Popen] = []

    def pass_on(number, frame):
        for process in processes:
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield processes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    """Ports that nobody else listens on; held inside, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        yield [held.getsockname()[1] for held in sockets]
