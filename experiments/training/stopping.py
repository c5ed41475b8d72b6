"""When a training ends before its last epoch."""

import contextlib
import dataclasses
import math
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator

HIGHER_IS_BETTER = ("psnr", "ssim")
# By which terminals (Ctrl-C, or that they are closed) and schedulers end a process, most of them some time before they
# kill it: Slurm's --signal=USR1@300, Grid Engine's -notify, and a limit of seconds that is reached.
SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
    if hasattr(signal, name)
)


@dataclasses.dataclass
class EarlyStopping:
    """Remembers the best epoch by one validation value, and whether to go on.

    Attributes:
      monitor: name of the value; `psnr` and `ssim` are better when higher, everything else when lower.
      patience: epochs without a new best after which to stop; None never stops.
      best: the best value so far, turned so that lower is better; None before the first.
      epochs_since_best: how long ago that was.
    """

    monitor: str
    patience: int | None = None
    best: float | None = None
    epochs_since_best: int = 0

    def is_new_best(self, values: dict[str, float]) -> bool:
        """Takes the validation values of one epoch."""
        badness = -values[self.monitor] if self.monitor in HIGHER_IS_BETTER else values[self.monitor]
        if math.isfinite(badness) and (self.best is None or badness < self.best):
            self.best, self.epochs_since_best = badness, 0
            return True
        self.epochs_since_best += 1
        return False

    @property
    def should_stop(self) -> bool:
        return self.patience is not None and self.epochs_since_best >= self.patience


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], signal.Signals | None]]:
    """Within, Ctrl-C and the other `SIGNALS` only leave a request, which the function tells; a second one acts as ever.

    A SIGHUP that is ignored, as after `nohup`, stays so.
    """
    requested: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():  # Python lets no other one handle signals
        yield lambda: None
        return

    def remember(number, frame):
        requested.append(signal.Signals(number))
        signal.signal(number, previous[number])
        _leave_closed_terminal()

    previous = {number: signal.signal(number, remember) for number in heeded_signals()}
    try:
        yield lambda: requested[0] if requested else None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def heeded_signals() -> list[signal.Signals]:
    """`SIGNALS` without a SIGHUP that is ignored."""
    return [number for number in SIGNALS if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN]


def _leave_closed_terminal() -> None:
    """Leads output nowhere that goes to a terminal which is closed: what is written there would end the training."""
    for stream in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(stream).st_mode) and not os.isatty(stream):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream)
                os.close(nowhere)
