"""The one training loop: it drives every model under every strategy."""

import dataclasses
import math
import time
from collections.abc import Callable

import tensorflow as tf
from tqdm import tqdm

from ..models import TrainableModel
from .errors import UsageError

REFRESH_SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes:
      number: from 1.
      step: updates done since the start of the run.
      terms: training means of `loss` and of each unweighted term.
      images_per_second: over the epoch's training.
    """

    number: int
    step: int
    terms: dict[str, float]
    images_per_second: float


@dataclasses.dataclass
class EarlyStopping:
    """Remembers the best epoch by one validation value, and whether to go on.

    Attributes:
      monitor: name of the value; `psnr` and `ssim` are better when higher, everything else when lower.
      patience: epochs without a new best after which to stop; None never stops.
    """

    monitor: str
    patience: int | None = None
    best: float = math.inf
    epochs_since_best: int = 0

    def is_new_best(self, values: dict[str, float]) -> bool:
        """Takes the validation values of one epoch."""
        badness = -values[self.monitor] if self.monitor in ("psnr", "ssim") else values[self.monitor]
        if badness < self.best:
            self.best, self.epochs_since_best = badness, 0
            return True
        self.epochs_since_best += 1
        return False

    @property
    def should_stop(self) -> bool:
        return self.patience is not None and self.epochs_since_best >= self.patience


class DivergedError(UsageError):
    """The loss is no longer a finite number."""


def train(
    model: TrainableModel,
    batches: tf.data.Dataset,
    strategy: tf.distribute.Strategy,
    *,
    epochs: int,
    steps_per_epoch: int,
    batch_size: int,
    end_of_epoch: Callable[[Epoch], bool],
    after_step: Callable[[int], None] = lambda step: None,
) -> None:
    """Trains a compiled model.

    Args:
      batches: an endless stream of global batches.
      end_of_epoch: is told each epoch; answers whether to go on.
      after_step: is told the number of updates done.

    Raises:
      DivergedError: the loss became NaN or infinite.
    """

    @tf.function(autograph=False)
    def distributed_step(batch):
        logs = strategy.run(model.train_step, args=(batch,))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    iterator = iter(strategy.experimental_distribute_dataset(batches))
    for number in range(1, epochs + 1):
        model.reset_metrics()
        start = time.perf_counter()
        with _progress_bar(number, epochs, steps_per_epoch) as bar:
            for step in range(steps_per_epoch):
                logs = distributed_step(next(iterator))
                _show(bar, logs, (step + 1) * batch_size / (time.perf_counter() - start))
                after_step((number - 1) * steps_per_epoch + step + 1)
        terms = {name: float(value) for name, value in logs.items()}
        rate = steps_per_epoch * batch_size / (time.perf_counter() - start)
        if not end_of_epoch(Epoch(number, number * steps_per_epoch, terms, rate)):
            return


def _progress_bar(number: int, epochs: int, steps: int) -> tqdm:
    return tqdm(total=steps, desc=f"epoch {number}/{epochs}", unit="step", mininterval=REFRESH_SECONDS, leave=True)


def _show(bar: tqdm, logs, images_per_second: float) -> None:
    """Advances the bar; the terms are fetched from the device only when the bar is drawn again."""
    if bar.n + 1 == bar.total or time.time() - bar.last_print_t >= REFRESH_SECONDS:
        terms = {name: f"{float(value):.4g}" for name, value in logs.items()}
        if not math.isfinite(float(logs["loss"])):
            raise DivergedError(f"the loss became {terms['loss']}: lower --learning_rate or a factor")
        bar.set_postfix({**terms, "images/s": f"{images_per_second:.0f}"}, refresh=False)
    bar.update()
