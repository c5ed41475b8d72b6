"""The one training loop: it drives every model under every strategy."""

import dataclasses
import math
import time
from collections.abc import Generator

import tensorflow as tf
from tqdm import tqdm

from ...datasets.progress import width_unless_known
from ...models import TrainableModel

REFRESH_SECONDS = 0.5
SKIPPED_IN_A_ROW = 10  # updates, after which a run goes back to its last state


@dataclasses.dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes:
      number: from 1.
      step: batches taken since the start of the run.
      terms: training means of `loss`, of each unweighted term and of `gradient_norm`, nan where no update was done, and
        `skipped_steps`.
      images_per_second: of those of its steps that were done without a break.
    """

    number: int
    step: int
    terms: dict[str, float]
    images_per_second: float


@dataclasses.dataclass(frozen=True)
class Step:
    """One batch that was taken.

    Attributes:
      number: batches taken since the start of the run.
      skipped_in_a_row: how many updates have been left out in a row by now.
      epoch: what the epoch came to that ends here; None within one.
    """

    number: int
    skipped_in_a_row: int
    epoch: Epoch | None = None


class UnstableError(Exception):
    """Too many updates in a row were left out because the loss or a gradient was not finite.

    Attributes:
      step: batches taken since the start of the run.
      batch: the last of them, of all replicas.
    """

    def __init__(self, step: int, batch):
        super().__init__(f"{SKIPPED_IN_A_ROW} updates in a row were not finite, up to step {step}")
        self.step, self.batch = step, batch


def take_steps(
    model: TrainableModel,
    batches: tf.distribute.DistributedDataset,
    strategy: tf.distribute.Strategy,
    *,
    first_step: int,
    epochs: int,
    steps_per_epoch: int,
    batch_size: int,
    skipped_in_a_row: int,
    is_shown: bool,
    measure_every: int = 1,
) -> Generator[Step]:
    """Trains a compiled model, and tells each step when it is done; whoever asks for no more has ended the training.

    Args:
      batches: an endless stream of batches, the first of them number `first_step`.
      first_step: batches taken before; before epochs are told of, the model's metrics go on from what they are.
      skipped_in_a_row: the last so many of the updates before were left out.
      is_shown: a progress bar tells the user.
      measure_every: epochs that are told of together, with the means of all their steps; the last one in any case.

    Raises:
      UnstableError: too many updates in a row had to be left out.
    """
    take_step = step_function(model, strategy)
    iterator = iter(batches)
    for number in range(first_step // steps_per_epoch + 1, epochs + 1):
        before = (number - 1) * steps_per_epoch
        begin = max(first_step - before, 0)
        told = find_told(number, measure_every)
        if begin == 0 and number == told + 1:
            model.reset_metrics()
        # Here it is the sum over replicas, in the logs each replica's own.
        skipped = float(model.objective.skipped_steps.result()) / strategy.num_replicas_in_sync
        start = time.perf_counter()
        with _progress_bar(number, epochs, steps_per_epoch, begin, is_shown) as bar:
            for step in range(begin + 1, steps_per_epoch + 1):
                batch = next(iterator)
                logs = take_step(batch)
                skipped_before, skipped = skipped, float(logs["skipped_steps"])
                skipped_in_a_row = skipped_in_a_row + 1 if skipped > skipped_before else 0
                if skipped_in_a_row == SKIPPED_IN_A_ROW:
                    whole = {name: strategy.gather(rows, axis=0) for name, rows in batch.items()}
                    raise UnstableError(before + step, whole)
                _show(bar, logs, (step - begin) * batch_size / (time.perf_counter() - start))
                if step < steps_per_epoch:
                    yield Step(before + step, skipped_in_a_row)
        if number % measure_every and number < epochs:
            yield Step(number * steps_per_epoch, skipped_in_a_row)
            continue
        terms = {name: float(value) for name, value in logs.items()}
        if skipped == (number - told) * steps_per_epoch:
            terms = dict.fromkeys(terms, math.nan) | {"skipped_steps": skipped}
        rate = (steps_per_epoch - begin) * batch_size / (time.perf_counter() - start)
        last = number * steps_per_epoch
        yield Step(last, skipped_in_a_row, Epoch(number, last, terms, rate))


def find_told(number: int, measure_every: int) -> int:
    """The last epoch before `number` that was told of, 0 if none was."""
    return (number - 1) // measure_every * measure_every


def step_function(model: TrainableModel, strategy: tf.distribute.Strategy) -> tf.types.experimental.PolymorphicFunction:
    """`train_step` on all replicas as one traced function: a distributed batch -> the logs' means over replicas."""

    @tf.function(autograph=False)
    def step(batch):
        logs = strategy.run(model.train_step, args=(batch,))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    return step


def _progress_bar(number: int, epochs: int, steps: int, begin: int, is_shown: bool) -> tqdm:
    title = f"epoch {number}/{epochs}"
    return tqdm(
        total=steps,
        initial=begin,
        desc=title,
        unit="step",
        mininterval=REFRESH_SECONDS,
        disable=not is_shown,
        ncols=width_unless_known(),
    )


def _show(bar: tqdm, logs, images_per_second: float) -> None:
    """Advances the bar; the terms are fetched from the device only when the bar is drawn again."""
    if bar.disable:
        return
    if bar.n + 1 == bar.total or time.time() - bar.last_print_t >= REFRESH_SECONDS:
        names = [name for name in logs if name != "gradient_norm" and (name != "skipped_steps" or logs[name])]
        terms = {name: f"{float(logs[name]):.4g}" for name in names}
        bar.set_postfix({**terms, "images/s": f"{images_per_second:.0f}"}, refresh=False)
    bar.update()
