"""One training in its run folder: begins or goes on, records, saves, and goes back where it has come apart."""

import contextlib
import dataclasses
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from ... import files
from ...models import randomness
from ..errors import StoppedError, UsageError
from ..flags.kinds import flatten
from ..runs.checkpoints import MODEL_FILE, Checkpoints, State, read_trackers, save_model
from ..runs.data import check_data, describe_data, write_data
from ..runs.environment import environment
from ..runs.folder import create, find_state, lock, remove_beginning
from ..runs.settings import FLAGS_FILE, write_settings
from .evaluation import Measurement, Measurer
from .loop import Epoch, UnstableError, find_told, take_steps
from .perception import Perception, is_due
from .records import STEPS_OF_A_POINT, Monitor
from .setup import Session
from .stopping import EarlyStopping, stop_requests
from .telling import Telling

BAD_BATCH_FILE = "bad_batch.npz"
WINNING_ACCURACY = 0.99  # of a discriminator


class DivergedError(UsageError):
    """The updates stay other than finite."""


class TrainingRun:
    """A training and its run folder.

    Args:
      session: what trains.
      folder: the run folder. Of several workers, to which it must be the same one, only the chief writes there.
      state: where the run stands, as `runs.folder.find_state` says; None is a new one.

    Raises:
      UsageError: the data are not those that the run began with.
    """

    def __init__(self, session: Session, folder: Path, state: State | None = None):
        self.session, self.settings, self.folder = session, session.settings, folder
        if session.schedule_steps != session.total_steps:  # flags.txt says what reproduces an extended run
            schedule = dataclasses.replace(self.settings.schedule, schedule_steps=session.schedule_steps)
            self.settings = dataclasses.replace(self.settings, schedule=schedule)
        self.workers = session.workers
        self.state = state or State(steps_per_epoch=session.steps_per_epoch)
        if self.state.steps_per_epoch != session.steps_per_epoch:
            raise UsageError(
                f"--run_dir={folder}: the data fill {session.steps_per_epoch} steps an epoch, not "
                f"{self.state.steps_per_epoch} as when the run began: it goes on with the same pictures only"
            )
        self._data = describe_data(session.sources)
        if state is not None:
            check_data(folder, self.settings.data, self._data)
        self.checkpoints = Checkpoints(folder / "checkpoints", self.settings.run.keep_checkpoints)

    def train(self) -> None:
        """Trains to the end, from where the run stands.

        Raises:
          UsageError: another training writes there, or the updates stay other than finite.
          StoppedError: Ctrl-C, SIGTERM or another of `stopping.SIGNALS`; the run is saved.
        """
        with stop_requests() as self._stop_request:
            self._check_agreement()
            with self._hold_folder():
                self.workers.wait()  # until the chief holds it
                self._restore()
                self.workers.wait()  # before the chief writes there
                with self._write_run():
                    self._train()
                self.workers.wait()

    @contextlib.contextmanager
    def _hold_folder(self) -> Iterator[None]:
        """Holds the folder, as chief; the others leave it alone."""
        if not self.workers.is_chief:
            yield
            return
        with lock(self.folder):
            self.checkpoints.clean()
            yield

    @contextlib.contextmanager
    def _write_run(self) -> Iterator[None]:
        """As chief, begins the run before, saves its model after, and leaves nothing of a beginning that fails."""
        if not self.workers.is_chief:
            yield
            return
        is_begun_here = not (self.folder / FLAGS_FILE).exists()
        try:
            self._begin()
            yield
            with self.session.average_weights():
                save_model(self.session.model, self.folder / MODEL_FILE)
        except Exception:
            if is_begun_here and self._has_nothing_to_keep():
                remove_beginning(self.folder)
            raise

    def _check_agreement(self) -> None:
        """A UsageError in all workers where they do not stand at the same point of the same run."""
        state = self.state
        point = (
            state.step,
            state.rollbacks,
            self.session.schedule_steps,
            write_settings(self.settings, with_paths=False),
        )
        if len(self.workers.numbers(zlib.crc32(repr(point).encode()))) > 1:
            raise UsageError(
                f"--run_dir={self.folder}: the workers see different runs there, or have different flags: give all of "
                "them the same, and a folder that they share"
            )

    def _restore(self) -> None:
        """Takes up the state that the model was compiled for."""
        state = find_state(self.folder, self.settings)
        if (state.step if state else 0) != self.state.step:
            raise UsageError(f"--run_dir={self.folder}: another training has gone on there: give the command again")
        self.state = self.checkpoints.restore(self.session.model, self.workers.is_chief) or self.state

    def _begin(self) -> None:
        devices, step, settings = self.session.devices, self.state.step, self.settings
        beginning = f"training on {', '.join(devices)} in {settings.run.precision}"
        print(f"{beginning}, from step {step}" if step else beginning, flush=True)
        (self.folder / MODEL_FILE).unlink(missing_ok=True)  # of a run that is extended
        create(self.folder, settings, environment(settings.run.seed, settings.run.precision, devices))
        write_data(self.folder, self._data, is_new=step == 0)

    def _has_nothing_to_keep(self) -> bool:
        state = self.checkpoints.newest()
        return (state is None or state.step == 0) and not (self.folder / BAD_BATCH_FILE).exists()

    def _train(self) -> None:
        """Trains to the end; where the updates are not finite, from the last state with half the learning rate."""
        if self.state.step == 0:
            self._save()
        self._begin_callbacks()
        while True:
            try:
                return self._train_from_state()
            except UnstableError as error:
                self._roll_back(error)

    def _begin_callbacks(self) -> None:
        """Has them read the weights that training goes on from: of a state, the exact kernels."""
        for callback in self.session.callbacks:
            callback.set_model(self.session.model)
            callback.on_train_begin()

    def _train_from_state(self) -> None:
        session, settings, state = self.session, self.settings, self.state
        monitor = None
        if self.workers.is_chief:
            monitor = Monitor(self.folder, session.examples(), flatten(settings), state.rows, state.step)
        self._perception: Perception | None = None
        self._telling = Telling(settings.schedule.epochs, state.step // session.steps_per_epoch)
        stopping = EarlyStopping(settings.run.monitor, settings.run.patience, state.best, state.epochs_since_best)
        measurer = Measurer(session.model, session.strategy)
        steps = take_steps(
            session.model,
            session.distribute_batches(state.step),
            session.strategy,
            first_step=state.step,
            epochs=0 if stopping.should_stop else settings.schedule.epochs,
            steps_per_epoch=session.steps_per_epoch,
            batch_size=session.batch_size,
            skipped_in_a_row=state.skipped_in_a_row,
            is_shown=self.workers.is_chief,
            measure_every=settings.run.measure_every,
        )
        with contextlib.closing(steps):
            for step in steps:
                state.step, state.skipped_in_a_row = step.number, step.skipped_in_a_row
                for callback in session.callbacks:
                    callback.on_train_batch_end(step.number)
                if step.epoch is not None:
                    self._end_epoch(step.epoch, monitor, stopping, measurer)
                    self._save()
                    if self._is_last(step.epoch, stopping):
                        break
                    self._stop_if(self._agree_on_stop())
                else:
                    self._record_step(step.number, monitor)
                    request, save_every = self._agree_on_stop(), settings.run.save_every
                    is_due = save_every and step.number % save_every == 0 and not step.skipped_in_a_row
                    if request or is_due:
                        self._save()
                    self._stop_if(request)
        if monitor:
            monitor.finish(state.step)

    def _is_last(self, epoch: Epoch, stopping: EarlyStopping) -> bool:
        return stopping.should_stop or epoch.number == self.settings.schedule.epochs

    def _is_drawn(self, epoch: Epoch) -> bool:
        """Whether it is the first one that is measured after some of those between pictures."""
        run = self.settings.run
        return epoch.number // run.draw_every > find_told(epoch.number, run.measure_every) // run.draw_every

    def _record_step(self, step: int, monitor: Monitor | None) -> None:
        """A point of the curves, now and then; all workers read it, since what they have counted is summed."""
        if step % STEPS_OF_A_POINT:
            return
        terms = {metric.name: float(metric.result()) for metric in self.session.model.metrics}
        terms.pop("skipped_steps", None)  # a sum, which an epoch's end tells
        if monitor:
            monitor.record_step(step, terms)

    def _end_epoch(self, epoch: Epoch, monitor: Monitor | None, stopping: EarlyStopping, measurer: Measurer) -> None:
        """Measures, records and draws."""
        session, state = self.session, self.state
        with session.average_weights():
            validation = measurer(session.sources["validation"], session.batch_size, session.validation_count)
            is_new_best = stopping.is_new_best(validation.values)
            if monitor:
                perceived = self._perceive(epoch, self._is_last(epoch, stopping))
                validation = dataclasses.replace(validation, values=validation.values | perceived)
                monitor.record(epoch, validation, float(session.model.optimizer.learning_rate))
                self._telling.tell(epoch.number, validation.values)
                _warn_of_collapse(epoch, validation)
                if is_new_best:
                    self.checkpoints.save_best(session.model)
                if self._is_last(epoch, stopping) or self._is_drawn(epoch):
                    monitor.draw(session.model, epoch)
                state.rows = monitor.rows
        state.best, state.epochs_since_best = stopping.best, stopping.epochs_since_best

    def _perceive(self, epoch: Epoch, is_last: bool) -> dict[str, float]:
        """LPIPS and KID, where they are due and can be had."""
        model, count = self.session.model, self.settings.run.perception_count
        if not (count and model.reconstructs and is_due(self.state.rows, epoch.step, is_last)):
            return {}
        if self._perception is None:  # networks that a short training does not need
            self._perception = Perception(model, self.session.examples(count))
        return self._perception.measure()

    def _agree_on_stop(self) -> signal.Signals | None:
        """That of any worker, known to all."""
        request = max(self.workers.numbers(self._stop_request() or 0))
        return signal.Signals(request) if request else None

    def _stop_if(self, request: signal.Signals | None) -> None:
        if request:
            self.workers.wait()  # until the chief has saved
            message = f"stopped after step {self.state.step}, saved; the same command goes on from there"
            raise StoppedError(f"{request.name}: {message}", 128 + request)

    def _save(self) -> None:
        self.state.schedule_steps, self.state.trackers = self.session.schedule_steps, read_trackers(self.session.model)
        with self.session.exact_kernels():
            if self.workers.is_chief:
                self.checkpoints.save(self.session.model, self.state)

    def _roll_back(self, error: UnstableError) -> None:
        """Goes back to the last state, with half the learning rate.

        Raises:
          DivergedError: that was done as often as it may be.
        """
        rollbacks, scale = self.state.rollbacks + 1, self.state.learning_rate_scale / 2.0
        if rollbacks > self.settings.run.rollbacks:
            raise DivergedError(self._explain(error))
        self.state = dataclasses.replace(
            self.checkpoints.newest() or self.state,
            skipped_in_a_row=0,
            rollbacks=rollbacks,
            learning_rate_scale=scale,
        )
        logging.warning("%s; back to step %d with %g times the learning rate", error, self.state.step, scale)
        self.session.compile(scale)
        self._check_agreement()
        self.checkpoints.restore(self.session.model, self.workers.is_chief)
        self.workers.wait()  # all have read it
        self._begin_callbacks()  # before what they hold is saved
        self._save()  # a kill does not undo it

    def _explain(self, error: UnstableError) -> str:
        """Saves the batch of the last update, and says which term was not finite."""
        path, model = self.folder / BAD_BATCH_FILE, self.session.model
        told = {name: values for name, values in error.batch.items() if not name.startswith("target_features")}
        arrays: dict[str, Any] = {name: np.asarray(values) for name, values in told.items()}
        if self.workers.is_chief:
            with files.whole_file(path) as partial:
                np.savez_compressed(partial, **arrays)
        with randomness.at_step(model.optimizer.iterations):
            values = model.objective.measure(error.batch, model(error.batch, training=True))
        terms = [name for name, value in values.items() if name != "loss" and not np.isfinite(value).all()]
        culprits = f"{' and '.join(terms)} is not finite" if terms else "each term by itself is finite"
        return (
            f"{error}, rolled back {self.settings.run.rollbacks} times: {culprits} (the batch is in {path}); "
            "lower --learning_rate or a factor, in another --run_dir"
        )


def _warn_of_collapse(epoch: Epoch, validation: Measurement) -> None:
    """Says it where a code tells nothing any more, or where one player of two has lost."""
    if validation.values.get("active_units") == 0:
        has_kl = validation.kl is not None
        advice = " (posterior collapse): lower --kl_factor or raise the other factors" if has_kl else ""
        logging.warning(
            "epoch %d: no unit of the code is active, all pictures get the same one%s", epoch.number, advice
        )
    accuracy = epoch.terms.get("discriminator_accuracy", 0.5)
    if accuracy > WINNING_ACCURACY:
        logging.warning(
            "epoch %d: the discriminator is right of %.1f %% of the pictures, the autoencoder learns nothing from it: "
            "lower --discriminator_learning_rate, or give it --r1_factor",
            epoch.number,
            100.0 * accuracy,
        )
