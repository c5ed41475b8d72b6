"""Training steps, taken in the way that costs a test least: a graph is as dear as a dozen steps of a small model."""

import contextlib
import math
from collections.abc import Iterator

import pytest
import tensorflow as tf
from facezoo.experiments.training import evaluation, loop
from facezoo.experiments.training import run as training_run
from zoo import batch

WORTH_A_GRAPH = 15
MOST_EAGER_STEPS = 20  # of a training: what is traced is never freed
_everything_is_traced = False


def take_steps(model, steps, data=None, in_graph=None):
    """Trains on one batch, in a graph if that is asked for or worth its tracing; returns each step's reports."""
    if in_graph is None:
        in_graph = steps >= WORTH_A_GRAPH
    step = tf.function(model.train_step) if in_graph else model.train_step
    data = {name: tf.constant(values) for name, values in (data or batch()).items()}
    return [{name: float(value) for name, value in step(data).items()} for _ in range(steps)]


def step_on(strategy, model):
    """Returns a function of the rows of all replicas: eager on one, on several in a graph as training takes it."""
    if strategy.num_replicas_in_sync == 1:
        return model.train_step
    return tf.function(lambda rows: strategy.run(model.train_step, args=(rows,)))


@contextlib.contextmanager
def everything_traced(is_asked_for: bool = True) -> Iterator[None]:
    """Within, a training takes its steps, and a measurement too, in graphs, however few they are."""
    global _everything_is_traced
    before, _everything_is_traced = _everything_is_traced, is_asked_for
    try:
        yield
    finally:
        _everything_is_traced = before


def is_everything_traced() -> bool:
    return _everything_is_traced


def take_few_steps_eagerly(patch: pytest.MonkeyPatch) -> None:
    """Has trainings and measurements of few steps on one device taken without graphs, unless `everything_traced`.

    A run decides by all its steps, so that it goes on as it began. Graphs are tried nevertheless: of every network by
    the conformance and by the benchmark of steps; of what depends on the step, of frozen networks, of half precision
    and of runs that go on in other processes by tests marked `traced`; of several devices and of longer trainings by
    any test.
    """
    steps_of, measure, step_function = training_run.take_steps, evaluation.Measurer.__call__, loop.step_function

    def take_cheaply(model, batches, strategy, *, epochs, steps_per_epoch, **options):
        taken = steps_of(model, batches, strategy, epochs=epochs, steps_per_epoch=steps_per_epoch, **options)
        with pytest.MonkeyPatch.context() as patch:
            if _are_few(epochs * steps_per_epoch, strategy):
                patch.setattr(loop, "step_function", lambda *parts: step_function(*parts).python_function)
            first = next(taken, None)  # by now the function of a step is made
        with contextlib.closing(taken):
            if first is not None:
                yield first
                yield from taken

    def measure_cheaply(measurer, source, batch_size, count=None):
        if _are_few(math.ceil((count or len(source)) / batch_size), measurer.strategy):
            measurer._step = measurer._measure_batch
        return measure(measurer, source, batch_size, count)

    patch.setattr(training_run, "take_steps", take_cheaply)
    patch.setattr(evaluation.Measurer, "__call__", measure_cheaply)


def _are_few(steps: int, strategy: tf.distribute.Strategy) -> bool:
    return steps <= MOST_EAGER_STEPS and strategy.num_replicas_in_sync == 1 and not _everything_is_traced
