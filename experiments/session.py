"""One training: puts sources, model, objective and strategy together, trains, and records."""

import inspect
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from ..datasets import pipeline
from ..datasets.augmentation import flip
from ..datasets.source import Source
from ..losses import Objective
from ..models import MODELS, Autoencoder
from ..models.learning_rate import Schedule
from . import runs
from .errors import UsageError
from .measuring import Measurer
from .monitoring import SHOWN, Monitor
from .train import FACTOR_FLAGS, OWN_FLAGS
from .training import DivergedError, EarlyStopping, Epoch, train

# What a model may have otherwise than the one it takes its weights from: none of it changes what weights mean.
FREE_ARGUMENTS = ("seed", "name", "dropout", "l2", "capacity", "capacity_steps", "free_bits", "kernel_initializer")


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
        self.values = values
        self.sources = {
            name: pipeline.cached(source, values.cache_gb * CACHE_SHARES[name]) for name, source in sources.items()
        }
        self.batch_size = self.values.batch_size
        self.steps_per_epoch = pipeline.steps_in_epoch(sources["train"], self.batch_size, self.values.steps_per_epoch)
        self.strategy = make_strategy(self.values.strategy, self.values.devices)
        if self.batch_size % self.strategy.num_replicas_in_sync:
            raise UsageError(
                f"--batch_size={self.batch_size} must be a multiple of the {self.strategy.num_replicas_in_sync} devices"
            )
        keras.utils.set_random_seed(self.values.seed)
        keras.config.set_dtype_policy(self.values.precision)
        with self.strategy.scope():
            self.model = make_model(self.values.model, model_arguments)
            if self.values.init_from:
                copy_weights(self.values.init_from, self.model)
            self.model.compile(make_optimizer(values, self.total_steps), make_objective(self.model, values))
        self._check_monitor()

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
            augmentation=flip(self.sources["train"].landmark_names) if self.values.flip else None,
        )

    def summary(self) -> str:
        """The resolved settings, the parameter count and one batch's shapes."""
        batch = next(iter(self.batches()))
        shapes = [f"  {name}: {value.dtype.name} {list(value.shape)}" for name, value in batch.items()]
        arguments = [f"  {name}={value!r}" for name, value in self.model.get_config().items()]
        trainable = sum(int(np.prod(weight.shape)) for weight in self.model.trainable_variables)
        sizes = ", ".join(f"{len(source)} {name}" for name, source in self.sources.items())
        return "\n".join(
            [
                runs.settings_text(self.values).strip(),
                f"{type(self.model).__name__}, {trainable:,} trainable parameters",
                *arguments,
                f"loss factors: {self.model.objective.factors}",
                f"{sizes} examples; {self.values.epochs} epochs of {self.steps_per_epoch} steps",
                "one batch:",
                *shapes,
            ]
        )

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
        except DivergedError:
            if not (folder / "metrics.csv").exists():
                shutil.rmtree(folder)  # not one epoch was worth recording
            raise
        runs.save_model(self.model, folder / runs.MODEL_FILE)

    def _devices(self) -> list[str]:
        """The devices that compute, as "GPU:0"."""
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        return [f"{kind}:{number}" for number in range(self.strategy.num_replicas_in_sync)]

    def _examples(self) -> np.ndarray:
        """Some validation pictures, far apart, since neighbours may show one person: [N, H, W, C] in [0, 1]."""
        source = self.sources["validation"]
        positions = np.linspace(0, len(source) - 1, SHOWN).astype(int)
        return source.load(np.unique(positions))["image"].astype(np.float32) / 255.0

    def _validation_count(self) -> int | None:
        steps = self.values.validation_steps
        return steps * self.batch_size if steps else None

    def _check_monitor(self) -> None:
        known = [*self.model.objective.trackers, "psnr", "ssim"]
        if self.values.monitor not in known:
            raise UsageError(f"--monitor={self.values.monitor} must be one of {', '.join(known)}")


def make_strategy(name: str, devices: int | None) -> tf.distribute.Strategy:
    """TensorFlow's strategy by its flag.

    Without a GPU, several devices are logical ones that share the CPU: slower than one, for trying and testing.

    Raises:
      UsageError: more devices than there are, or devices for one_device.
    """
    if name == "one_device":
        if devices not in (None, 1):
            raise UsageError(f"--devices={devices} needs --strategy=mirrored")
        return tf.distribute.get_strategy()
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if kind == "CPU" and devices:
        _split_cpu(devices)
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if devices and devices > len(found):
        raise UsageError(f"--devices={devices}, but there are {len(found)} {kind}s")
    return tf.distribute.MirroredStrategy(found[:devices])


def _split_cpu(devices: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    except RuntimeError:  # TensorFlow is running already: the devices are what they are
        return


def make_model(name: str, arguments: dict[str, Any]) -> Autoencoder:
    """An architecture by its key, with its constructor's arguments.

    Raises:
      UsageError: no such model, an argument that it does not have, or a value that it refuses.
    """
    if name not in MODELS:
        raise UsageError(f"--model={name} must be one of {', '.join(MODELS)}")
    known = [parameter for parameter in inspect.signature(MODELS[name]).parameters if parameter != "name"]
    for argument in arguments:
        if argument not in known:
            flag = f"--{argument}" if argument in OWN_FLAGS else f"--set={argument}"
            raise UsageError(f"{flag}: --model={name} has no argument {argument!r}; it has {', '.join(known)}")
    try:
        return MODELS[name](**arguments)
    except (ValueError, TypeError) as error:
        raise UsageError(f"--model={name}: {str(error).splitlines()[0]}") from error


def make_optimizer(settings: flags.FlagValues, total_steps: int) -> keras.Optimizer:
    """The optimizer with its learning-rate schedule."""
    try:
        schedule = Schedule(
            settings.learning_rate,
            total_steps,
            settings.schedule,
            settings.warmup_steps,
            settings.final_fraction,
        )
    except ValueError as error:
        raise UsageError(f"--warmup_steps={settings.warmup_steps}: {error}") from error
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(schedule, momentum=settings.momentum)
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)
    return keras.optimizers.Adam(schedule)


def make_objective(model: Autoencoder, settings: flags.FlagValues) -> Objective:
    """The model's own factors with those that the flags give.

    Raises:
      UsageError: a factor of a term that the model does not have, or no term left.
    """
    terms = model.loss_terms()
    factors: dict[str, Any] = dict(model.default_factors)
    given = {flag: term for flag, term in FACTOR_FLAGS.items() if settings[flag].value is not None}
    for flag, term in given.items():
        if term not in terms:
            raise UsageError(f"--{flag}: --model={settings.model} has no term {term!r}, only {', '.join(terms)}")
        factors[term] = settings[flag].value
    try:
        return Objective(terms, factors)
    except ValueError as error:
        raise UsageError(str(error)) from error


def copy_weights(source: str, model: Autoencoder) -> None:
    """Starts `model` from the weights of a run or a model file.

    Raises:
      UsageError: no such run or file, or a model of another kind or size.
    """
    path = Path(source)
    loaded = runs.load_model(path / runs.MODEL_FILE if path.is_dir() else path)
    if type(loaded) is not type(model):
        raise UsageError(f"--init_from={source} holds a {type(loaded).__name__}, not a {type(model).__name__}")
    there, here = loaded.get_config(), model.get_config()
    names = [name for name in here if there[name] != here[name] and name not in FREE_ARGUMENTS]
    if names:
        differing = "; ".join(f"{name} is {there[name]!r}, not {here[name]!r}" for name in names)
        raise UsageError(f"--init_from={source} is another model: {differing}")
    model.set_weights(loaded.get_weights())
