"""One training: puts sources, model, objective and strategy together, trains, and records."""

import dataclasses
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags, logging

from ..datasets import augmentation, pipeline
from ..datasets.source import Source
from ..models import AutoencoderGAN, randomness
from . import parts, runs
from .checkpoints import Checkpoints, State, save_model, trackers_of
from .data import for_model
from .errors import StoppedError, UsageError
from .measuring import Measurement, Measurer
from .monitoring import SHOWN, Monitor
from .training import EarlyStopping, Epoch, UnstableError, stop_requests, train

# Of --cache_gb, about as the splits are cut.
CACHE_SHARES = {"train": 0.85, "validation": 0.15}
BAD_BATCH_FILE = "bad_batch.npz"
WINNING_ACCURACY = 0.99  # of a discriminator


class DivergedError(UsageError):
    """The updates stay other than finite."""


class Session:
    """Everything that one `facezoo train` needs.

    Args:
      values: the command's flags.
      sources: "train" and "validation".
      model_arguments: of the model's constructor.
      state: of the run that is to go on; None is a new one.

    Raises:
      UsageError: the flags do not go together.
      DatasetError: the training split does not fill one batch.
    """

    def __init__(
        self,
        values: flags.FlagValues,
        sources: dict[str, Source],
        model_arguments: dict[str, Any],
        state: State | None = None,
    ):
        self.values, self.batch_size = values, values.batch_size
        self.steps_per_epoch = pipeline.steps_in_epoch(sources["train"], self.batch_size, values.steps_per_epoch)
        self.strategy = parts.make_strategy(values.strategy, values.devices)
        if self.batch_size % self.strategy.num_replicas_in_sync:
            raise UsageError(
                f"--batch_size={self.batch_size} must be a multiple of the {self.strategy.num_replicas_in_sync} devices"
            )
        self.state = state or State(steps_per_epoch=self.steps_per_epoch)
        if self.state.steps_per_epoch != self.steps_per_epoch:
            raise UsageError(
                f"--run_dir: the data fill {self.steps_per_epoch} steps an epoch, not {self.state.steps_per_epoch} as "
                "when the run began: it goes on with the same pictures only"
            )
        self.state.schedule_steps = values.schedule_steps or self.state.schedule_steps or self.total_steps
        keras.utils.set_random_seed(values.seed)
        keras.config.set_dtype_policy(values.precision)
        with self.strategy.scope():
            network = parts.make_model(values.model, model_arguments, sources["train"])
            if values.init_from and state is None:
                parts.copy_weights(values.init_from, network)
            self.model = parts.with_discriminator(network, values)
        self._source_of_terms = sources["train"]
        self._compile()
        self._check_monitor()
        fitted = {name: for_model(source, self.model, values) for name, source in sources.items()}
        self._check_columns(fitted["train"])
        self.sources = {
            name: pipeline.cached(source, values.cache_gb * CACHE_SHARES[name]) for name, source in fitted.items()
        }

    def _compile(self) -> None:
        scale, steps = self.state.learning_rate_scale, self.state.schedule_steps
        with self.strategy.scope():
            parts.compile_model(self.model, self.values, self._source_of_terms, steps, scale)

    @property
    def total_steps(self) -> int:
        return self.values.epochs * self.steps_per_epoch

    def batches(self, first_step: int = 0) -> tf.data.Dataset:
        """The endless stream of training batches."""
        return pipeline.training_batches(
            self.sources["train"],
            self.batch_size,
            seed=self.values.seed,
            steps_per_epoch=self.steps_per_epoch,
            first_step=first_step,
            augmentation=self._augmentation(),
        )

    def _augmentation(self) -> pipeline.Augmentation | None:
        values, landmark_names = self.values, self.sources["train"].landmark_names
        asked = [
            augmentation.flip(landmark_names) if values.flip else None,
            self._random_warp(landmark_names) if self._is_warped else None,
            augmentation.blur() if values.blur else None,
        ]
        chosen = [augment for augment in asked if augment]
        return augmentation.chain(*chosen) if chosen else None

    def _random_warp(self, landmark_names: Sequence[str]) -> pipeline.Augmentation:
        warp = augmentation.WARP if self.values.warp is None else self.values.warp
        if self.values.affine:
            return augmentation.random_warp(warp=warp, landmark_names=landmark_names)
        return augmentation.random_warp(warp=warp, degrees=0.0, scale=1.0, shift=0.0, flip=0.0)

    @property
    def _is_warped(self) -> bool:
        return "warped" in self.model.batch_columns

    def summary(self) -> str:
        """The resolved settings, the parameter count and one batch's shapes."""
        batch = next(iter(self.batches()))
        shapes = [f"  {name}: {value.dtype.name} {list(value.shape)}" for name, value in batch.items()]
        sizes = ", ".join(f"{len(source)} {name}" for name, source in self.sources.items())
        return "\n".join(
            [
                runs.settings_text(self.values).strip(),
                *(line for network in self._networks for line in _described(network)),
                f"loss factors: {self.model.objective.factors}",
                f"{sizes} examples; {self.values.epochs} epochs of {self.steps_per_epoch} steps",
                "one batch:",
                *shapes,
            ]
        )

    @property
    def _networks(self) -> list[keras.Model]:
        """What the model is made of: itself, or an autoencoder and its discriminator."""
        if isinstance(self.model, AutoencoderGAN):
            return [self.model.autoencoder, self.model.discriminator]
        return [self.model]

    def train(self, folder: Path) -> None:
        """Trains into a run folder, from where the run stood if it has begun.

        Raises:
          UsageError: another training writes there, or the updates stay other than finite.
          StoppedError: Ctrl-C or SIGTERM; the run is saved.
        """
        is_new = not (folder / runs.FLAGS_FILE).exists()
        with runs.locked(folder) as new_folders, stop_requests() as self.stop_requested:
            checkpoints = Checkpoints(folder / "checkpoints", self.values.keep_checkpoints)
            checkpoints.clean()
            self._restore(folder, checkpoints)
            try:
                self._begin(folder)
                self._train(folder, checkpoints)
                save_model(self.model, folder / runs.MODEL_FILE)
            except Exception:
                state = checkpoints.newest()
                if is_new and (state is None or state.step == 0) and not (folder / BAD_BATCH_FILE).exists():
                    shutil.rmtree(folder)  # nothing was worth recording
                    runs.remove_folders(new_folders)
                raise

    def _restore(self, folder: Path, checkpoints: Checkpoints) -> None:
        """Takes up the state that the model was compiled for."""
        state = runs.state_of(folder, self.values)
        if (state.step if state else 0) != self.state.step:
            raise UsageError(f"--run_dir={folder}: another training has gone on there: give the command again")
        if restored := checkpoints.restore(self.model):
            self.state = dataclasses.replace(restored, schedule_steps=self.state.schedule_steps)

    def _begin(self, folder: Path) -> None:
        devices, step = self._devices(), self.state.step
        beginning = f"training on {', '.join(devices)} in {self.values.precision}"
        print(f"{beginning}, from step {step}" if step else beginning, flush=True)
        self.values["schedule_steps"].value = self.state.schedule_steps
        (folder / runs.MODEL_FILE).unlink(missing_ok=True)  # of a run that is extended
        runs.create(folder, self.values, runs.environment(self.values.seed, self.values.precision, devices))

    def _train(self, folder: Path, checkpoints: Checkpoints) -> None:
        """Trains to the end; where the updates are not finite, from the last state with half the learning rate."""
        if self.state.step == 0:
            self._save(checkpoints)
        while True:
            try:
                return self._train_from_state(folder, checkpoints)
            except UnstableError as error:
                self._roll_back(folder, checkpoints, error)

    def _train_from_state(self, folder: Path, checkpoints: Checkpoints) -> None:
        monitor = Monitor(folder, self._examples(), self.values.flag_values_dict(), self.state.rows, self.state.step)
        stopping = EarlyStopping(
            self.values.monitor, self.values.patience, self.state.best, self.state.epochs_since_best
        )
        measurer = Measurer(self.model, self.strategy)

        def end_of_epoch(epoch: Epoch) -> bool:
            validation = measurer(self.sources["validation"], self.batch_size, self._validation_count())
            monitor.record(epoch, validation, float(self.model.optimizer.learning_rate))
            _warn_of_collapse(epoch, validation)
            if stopping.is_new_best(validation.values):
                checkpoints.save_best(self.model)
            goes_on = epoch.number < self.values.epochs and not stopping.should_stop
            if not goes_on or epoch.number % self.values.draw_every == 0:
                monitor.draw(self.model, epoch)
            self.state.step, self.state.rows = epoch.step, monitor.rows
            self.state.best, self.state.epochs_since_best = stopping.best, stopping.epochs_since_best
            self._save(checkpoints)
            if goes_on:
                self._stop_if(self.stop_requested())
            return goes_on

        def after_step(step: int, is_good: bool) -> None:
            if step % self.steps_per_epoch == 0:
                return  # the epoch's end saves
            self.state.step, request = step, self.stop_requested()
            if request or (self.values.save_every and step % self.values.save_every == 0 and is_good):
                self._save(checkpoints)
            self._stop_if(request)

        train(
            self.model,
            self.batches(self.state.step),
            self.strategy,
            first_step=self.state.step,
            epochs=0 if stopping.should_stop else self.values.epochs,
            steps_per_epoch=self.steps_per_epoch,
            batch_size=self.batch_size,
            end_of_epoch=end_of_epoch,
            after_step=after_step,
        )

    def _stop_if(self, request: signal.Signals | None) -> None:
        if request:
            message = f"stopped after step {self.state.step}, saved; the same command goes on from there"
            raise StoppedError(f"{request.name}: {message}", 128 + request)

    def _save(self, checkpoints: Checkpoints) -> None:
        self.state.trackers = trackers_of(self.model)
        checkpoints.save(self.model, self.state)

    def _roll_back(self, folder: Path, checkpoints: Checkpoints, error: UnstableError) -> None:
        """Goes back to the last state, with half the learning rate.

        Raises:
          DivergedError: that was done as often as it may be.
        """
        rollbacks, scale = self.state.rollbacks + 1, self.state.learning_rate_scale / 2.0
        if rollbacks > self.values.rollbacks:
            raise DivergedError(self._explained(folder, error))
        self.state = dataclasses.replace(
            checkpoints.newest() or self.state,
            schedule_steps=self.state.schedule_steps,
            rollbacks=rollbacks,
            learning_rate_scale=scale,
        )
        logging.warning("%s; back to step %d with %g times the learning rate", error, self.state.step, scale)
        self._compile()
        checkpoints.restore(self.model)
        self._save(checkpoints)  # a kill does not undo it

    def _explained(self, folder: Path, error: UnstableError) -> str:
        """Saves the batch of the last update, and says which term was not finite."""
        path = folder / BAD_BATCH_FILE
        arrays: dict[str, Any] = {name: np.asarray(values) for name, values in error.batch.items()}
        np.savez_compressed(path, **arrays)
        with randomness.at_step(self.model.optimizer.iterations):
            values = self.model.objective.measured(error.batch, self.model(error.batch, training=True))
        terms = [name for name, value in values.items() if name != "loss" and not np.isfinite(value).all()]
        culprits = f"{' and '.join(terms)} is not finite" if terms else "each term by itself is finite"
        return (
            f"{error}, rolled back {self.values.rollbacks} times: {culprits} (the batch is in {path}); "
            "lower --learning_rate or a factor, in another --run_dir"
        )

    def _devices(self) -> list[str]:
        """The devices that compute, as "GPU:0"."""
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        return [f"{kind}:{number}" for number in range(self.strategy.num_replicas_in_sync)]

    def _examples(self) -> dict[str, np.ndarray]:
        """Some validation examples, far apart, since neighbours may show one person."""
        source = self.sources["validation"]
        positions = np.unique(np.linspace(0, len(source) - 1, SHOWN).astype(int))
        return {name: values.numpy() for name, values in pipeline.batch_of(source, positions).items()}

    def _validation_count(self) -> int | None:
        steps = self.values.validation_steps
        return steps * self.batch_size if steps else None

    def _check_columns(self, source: Source) -> None:
        if "mask" in self.model.objective.terms and "mask" not in source.load(np.zeros(1, np.int64)):
            raise UsageError(
                f"the mask head learns from masks, which {source.name} does not give (no landmarks, or --nomasks): "
                "--mask_factor=0 leaves it untrained"
            )
        if (self.values.warp or not self.values.affine) and not self._is_warped:
            flag = f"--warp={self.values.warp:g}" if self.values.warp else "--noaffine"
            raise UsageError(f"{flag}: --model={self.values.model} does not learn from warped pictures")

    def _check_monitor(self) -> None:
        known = [*self.model.objective.trackers, "psnr", "ssim"]
        if self.values.monitor not in known:
            raise UsageError(f"--monitor={self.values.monitor} must be one of {', '.join(known)}")


def _described(network: keras.Model) -> list[str]:
    """Class, parameters and the constructor's arguments, a line each."""
    trainable = sum(int(np.prod(weight.shape)) for weight in network.trainable_variables)
    arguments = [f"  {name}={value!r}" for name, value in network.get_config().items()]
    return [f"{type(network).__name__}, {trainable:,} trainable parameters", *arguments]


def _warn_of_collapse(epoch: Epoch, validation: Measurement) -> None:
    """Says it where a code tells nothing any more, or where one player of two has lost."""
    if validation.values.get("active_units") == 0:
        logging.warning(
            "epoch %d: no unit of the code is active, all pictures get the same one (posterior collapse): "
            "lower --kl_factor or raise the other factors",
            epoch.number,
        )
    accuracy = epoch.terms.get("discriminator_accuracy", 0.5)
    if accuracy > WINNING_ACCURACY:
        logging.warning(
            "epoch %d: the discriminator is right of %.1f %% of the pictures, the autoencoder learns nothing from it: "
            "lower --discriminator_learning_rate, or give it --r1_factor",
            epoch.number,
            100.0 * accuracy,
        )
