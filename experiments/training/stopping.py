"""When a training ends before its last epoch."""

import contextlib
import dataclasses
import math
import signal
import threading
from collections.abc import Callable, Iterator

HIGHER_IS_BETTER = ("psnr", "ssim")


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
    """Within, Ctrl-C and SIGTERM only leave a request, which the function tells; a second one acts as ever."""
    requested: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():  # Python lets no other one handle signals
        yield lambda: None
        return

    def remember(number, frame):
        requested.append(signal.Signals(number))
        signal.signal(number, previous[number])

    previous = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: requested[0] if requested else None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
