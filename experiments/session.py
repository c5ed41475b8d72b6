"""One training: puts sources, model, objective and strategy together, trains, and records."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from ..datasets import augmentation, pipeline
from ..datasets.source import Source
from ..models import AutoencoderGAN
from . import parts, runs
from .data import for_model
from .errors import UsageError
from .measuring import Measurer
from .monitoring import SHOWN, Monitor
from .training import EarlyStopping, Epoch, train

# Of --cache_gb, about as the splits are cut.
CACHE_SHARES = {"train": 0.85, "validation": 0.15}


class Session:
    """Everything that one `facezoo train` needs.

    Args:
      values: the command's flags.
      sources: "train" and "validation".
      model_arguments: of the model's constructor.

    Raises:
      UsageError: the flags do not go together.
      DatasetError: the training split does not fill one batch.
    """

    def __init__(self, values: flags.FlagValues, sources: dict[str, Source], model_arguments: dict[str, Any]):
        self.values, self.batch_size = values, values.batch_size
        self.steps_per_epoch = pipeline.steps_in_epoch(sources["train"], self.batch_size, values.steps_per_epoch)
        self.strategy = parts.make_strategy(values.strategy, values.devices)
        if self.batch_size % self.strategy.num_replicas_in_sync:
            raise UsageError(
                f"--batch_size={self.batch_size} must be a multiple of the {self.strategy.num_replicas_in_sync} devices"
            )
        keras.utils.set_random_seed(values.seed)
        keras.config.set_dtype_policy(values.precision)
        with self.strategy.scope():
            network = parts.make_model(values.model, model_arguments, sources["train"])
            if values.init_from:
                parts.copy_weights(values.init_from, network)
            self.model = parts.with_discriminator(network, values)
            parts.compile_model(self.model, values, sources["train"], self.total_steps)
        self._check_monitor()
        fitted = {name: for_model(source, self.model, values) for name, source in sources.items()}
        self._check_columns(fitted["train"])
        self.sources = {
            name: pipeline.cached(source, values.cache_gb * CACHE_SHARES[name]) for name, source in fitted.items()
        }

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
        unmoved = {} if self.values.affine else {"degrees": 0.0, "scale": 1.0, "shift": 0.0, "flip": 0.0}
        return augmentation.random_warp(warp=warp, landmark_names=landmark_names, **unmoved)

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
        """Trains into a new run folder."""
        devices = self._devices()
        print(f"training on {', '.join(devices)} in {self.values.precision}", flush=True)
        runs.create(folder, self.values, runs.environment(self.values.seed, self.values.precision, devices))
        monitor = Monitor(folder, self._examples(), self.values.flag_values_dict())
        stopping = EarlyStopping(self.values.monitor, self.values.patience)
        measurer = Measurer(self.model, self.strategy)
        checkpoints = folder / "checkpoints"

        def end_of_epoch(epoch: Epoch) -> bool:
            validation = measurer(self.sources["validation"], self.batch_size, self._validation_count())
            monitor.record(epoch, validation, float(self.model.optimizer.learning_rate))
            if stopping.is_new_best(validation.values):
                (checkpoints / "best").mkdir(exist_ok=True)
                runs.save_model(self.model, checkpoints / "best" / runs.MODEL_FILE)
            goes_on = epoch.number < self.values.epochs and not stopping.should_stop
            if not goes_on or epoch.number % self.values.draw_every == 0:
                monitor.draw(self.model, epoch)
            return goes_on

        def after_step(step: int) -> None:
            if step % (self.values.save_every or self.steps_per_epoch) == 0:
                runs.save_model(self.model, checkpoints / "last.keras")

        try:
            train(
                self.model,
                self.batches(),
                self.strategy,
                epochs=self.values.epochs,
                steps_per_epoch=self.steps_per_epoch,
                batch_size=self.batch_size,
                end_of_epoch=end_of_epoch,
                after_step=after_step,
            )
        except Exception:
            if not (folder / "metrics.csv").exists():
                shutil.rmtree(folder)  # not one epoch was worth recording
            raise
        runs.save_model(self.model, folder / runs.MODEL_FILE)

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
