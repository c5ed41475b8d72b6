"""Worker processes on this machine that train together."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

from ..errors import UsageError
from ..processes import worker_line
from .stopping import heeded_signals

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 15.0  # for the chief to say by itself what another worker has ended by


def share_gpus(workers: int) -> list[str | None]:
    """Each worker's CUDA_VISIBLE_DEVICES; None where there are no GPUs."""
    gpus = _gpus()
    if not gpus:
        return [None] * workers
    if len(gpus) < workers:
        raise UsageError(f"--workers={workers}, but there are {len(gpus)} GPUs (CUDA_VISIBLE_DEVICES=-1 hides them)")
    each = len(gpus) // workers
    return [",".join(gpus[number * each : (number + 1) * each]) for number in range(workers)]


def _gpus() -> list[str]:
    """Those that CUDA_VISIBLE_DEVICES names, or that NVIDIA's tool lists where it is not set."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu for gpu in named.split(",") if gpu.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout.splitlines()
    return [str(number) for number, line in enumerate(line for line in listed if line.startswith("GPU "))]


class Team:
    """All workers. The chief, number 0, speaks to the user; what the others say is kept for the worst.

    Args:
      count: of workers.
      arguments: of `facezoo`, the same for all.
      gpus: CUDA_VISIBLE_DEVICES of each, or None.
      is_cluster: they train together; else one works alone.

    Attributes:
      signals: that the user has sent.
    """

    def __init__(self, count: int, arguments: Sequence[str], gpus: Sequence[str | None], is_cluster: bool = True):
        self.count, self.arguments, self.gpus, self.is_cluster = count, arguments, gpus, is_cluster
        self.signals: list[signal.Signals] = []
        self._processes: list[subprocess.Popen] = []

    def work(self) -> tuple[int, int]:
        """Starts all and waits: (0, 0) where all have ended well, else the first that has not, and its code."""
        with contextlib.ExitStack() as stack:
            said: list[IO | None] = [None]
            said += [stack.enter_context(tempfile.TemporaryFile()) for _ in range(1, self.count)]
            stack.callback(self._end)
            addresses = [f"127.0.0.1:{port}" for port in _free_ports(self.count)]
            for number, stream in enumerate(said):
                self._start(number, addresses, stream)
            while True:
                codes = [process.poll() for process in self._processes]
                failed = [number for number, code in enumerate(codes) if code]
                if None not in codes or (failed and not self.signals):  # after a signal each ends in its time
                    break
                time.sleep(POLL_SECONDS)
            number = failed[0] if failed else 0
            if number and not self.signals:
                self._tell(self._processes[number].returncode, said[number])
            return number, self._processes[number].returncode

    def _start(self, number: int, addresses: Sequence[str], said: IO | None) -> None:
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        environment = os.environ | ({"TF_CONFIG": json.dumps(cluster)} if self.is_cluster else {})
        if (gpus := self.gpus[number]) is not None:
            environment["CUDA_VISIBLE_DEVICES"] = gpus
        streams: dict[str, Any] = {"stdout": said, "stderr": said} if said else {}
        # A session of its own: Ctrl-C reaches the launcher, which passes it on once. The pipe closes when it is gone.
        process = subprocess.Popen(
            worker_line(*self.arguments), env=environment, start_new_session=True, stdin=subprocess.PIPE, **streams
        )
        self._processes.append(process)
        if self.signals:
            process.terminate()

    def _tell(self, code: int, said: IO | None) -> None:
        """The last words of a worker that failed by itself, if the chief does not say the same."""
        if code == 2:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._processes[0].wait(PATIENCE_SECONDS)
        if said and (code != 2 or self._processes[0].returncode != code):
            said.seek(0)
            sys.stderr.write(said.read().decode(errors="replace")[-2000:])

    def _end(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.communicate()
        self._processes.clear()

    @contextlib.contextmanager
    def passing_on_signals(self) -> Iterator[None]:
        """Within, Ctrl-C, SIGTERM, a closed terminal and the like reach every worker, which saves and ends."""

        def pass_on(number, frame):
            self.signals.append(signal.Signals(number))
            for process in self._processes:
                process.send_signal(number)

        before = {number: signal.signal(number, pass_on) for number in heeded_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for held in sockets:  # all at once, so that they differ
            held.bind(("127.0.0.1", 0))
        return [held.getsockname()[1] for held in sockets]
