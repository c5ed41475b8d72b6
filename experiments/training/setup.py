"""What one training needs, put together as its flags say: sources, model, objective, optimizers, strategy."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ...datasets import pipeline
from ...datasets.share import WHOLE, Share
from ...datasets.source import Source
from ..errors import UsageError
from ..flags.augmentation import check_window, make_augmentation, make_selection
from ..flags.sources import for_model
from ..flags.training import TrainingSettings
from ..runs.checkpoints import State
from ..runs.settings import write_settings
from . import devices
from .building import adapt_model, add_discriminator, compile_model, copy_weights, make_model
from .compressing import make_kernel_callbacks
from .records import SHOWN

# Of --cache_gb, about as the splits are cut.
CACHE_SHARES = {"train": 0.85, "validation": 0.15}


class Session:
    """Everything that one `facezoo train` needs besides its run folder.

    Args:
      settings: what to train, and how.
      sources: "train" and "validation".
      model_arguments: of the model's constructor.
      workers: where they came together before the sources were opened; else they do here.
      state: where the run stands; None is a new one, which takes its weights from --init_from where that is given.

    Attributes:
      settings, batch_size, strategy: as asked for.
      workers: the processes that train together.
      model: in the strategy's scope.
      sources: the pictures as the model takes them, kept in memory as far as --cache_gb goes.
      steps_per_epoch: batches in an epoch.
      schedule_steps: steps that the learning rate's schedule spans.
      callbacks: Keras' own kind, of what is to happen at the beginning and after each step.

    Raises:
      UsageError: the flags do not go together, a term cannot be had, or --monitor names none.
      DatasetError: the training split does not fill one batch.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        sources: dict[str, Source],
        model_arguments: dict[str, Any],
        *,
        workers: devices.Workers | None = None,
        state: State | None = None,
    ):
        self.settings, self.batch_size = settings, settings.schedule.batch_size
        self.steps_per_epoch = pipeline.steps_in_epoch(
            sources["train"], self.batch_size, settings.schedule.steps_per_epoch
        )
        self.workers = workers or devices.Workers(devices.make_strategy(settings.run.strategy, settings.run.devices))
        self.strategy = self.workers.strategy
        self._check_batch_size()
        keras.utils.set_random_seed(settings.run.seed)
        keras.config.set_dtype_policy(settings.run.precision)
        with self.strategy.scope():
            network = make_model(settings.model.model, model_arguments, sources["train"])
            load = functools.partial(load_spread, sources["train"])
            if settings.model.init_from and state is None:
                copy_weights(settings.model.init_from, network, load)
            elif network.adapts_to and state is None:
                adapt_model(network, load)
            if settings.compression.is_asked and network.reconstructs:
                network.freeze_codes()
            self.model = add_discriminator(network, settings, is_new=state is None)
        self._uncached = {
            name: for_model(source, self.model, settings.objective.masks) for name, source in sources.items()
        }
        self.sources = {
            name: pipeline.cache(source, settings.run.cache_gb * CACHE_SHARES[name])
            for name, source in self._uncached.items()
        }
        spanned = settings.schedule.schedule_steps or (state.schedule_steps if state else 0)
        self.schedule_steps = spanned or self.total_steps
        self.compile(state.learning_rate_scale if state else 1.0)
        self.callbacks = make_kernel_callbacks(network, settings.compression, self.schedule_steps)
        self._check_monitor()
        self._check_columns()
        self._keep_columns()

    def compile(self, rate_scale: float) -> None:
        """Gives the model its objective and optimizers, as new, with every learning rate times `rate_scale`."""
        with self.strategy.scope():
            compile_model(self.model, self.settings, self.sources["train"], self.schedule_steps, rate_scale)

    def _keep_columns(self) -> None:
        """Has what is found in the pictures at every step kept beside them, if all of it fits.

        That is the features that the perceptual loss compares with, or what the model says itself.
        """
        term = self.model.objective.terms.get("perceptual")
        columns = getattr(term, "target_columns", None) or getattr(self.model, "columns_to_keep", None)
        if columns is None or self._augmentation() or self.settings.augmentation.window:
            return
        source = pipeline.with_columns(self._uncached["train"], columns)
        gigabytes = self.settings.run.cache_gb * CACHE_SHARES["train"]
        if pipeline.number_cached(source, gigabytes) == len(source):
            self.sources["train"] = pipeline.cache(source, gigabytes)

    @contextlib.contextmanager
    def average_weights(self) -> Iterator[None]:
        """Within, the weights that are learned are their running mean, where --ema keeps one.

        The moments of batch normalisation, running means themselves, stay the latest.
        """
        variables = self.model.learned_variables
        if (
            self.settings.optimizer.ema is None or self.model.optimizer.iterations.numpy() == 0
        ):  # no update yet: no mean
            yield
            return
        latest = [variable.numpy() for variable in variables]
        self.model.optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, value in zip(variables, latest, strict=True):
                variable.assign(value)

    @contextlib.contextmanager
    def exact_kernels(self) -> Iterator[None]:
        """Within, kernels that are trained rounded are what training goes on from."""
        with contextlib.ExitStack() as stack:
            for callback in self.callbacks:
                if hasattr(callback, "exact"):
                    stack.enter_context(callback.exact())
            yield

    @property
    def total_steps(self) -> int:
        return self.settings.schedule.epochs * self.steps_per_epoch

    def distribute_batches(self, first_step: int = 0) -> tf.distribute.DistributedDataset:
        """The endless stream of training batches, as the strategy takes them."""
        return devices.distribute(self.strategy, lambda share: self.batches(first_step, share), self.batch_size)

    def batches(self, first_step: int = 0, share: Share = WHOLE) -> tf.data.Dataset:
        """The endless stream of training batches, or of a share of each."""
        return pipeline.training_batches(
            self.sources["train"],
            self.batch_size,
            seed=self.settings.run.seed,
            steps_per_epoch=self.steps_per_epoch,
            first_step=first_step,
            augmentation=self._augmentation(),
            selection=make_selection(self.settings.augmentation),
            share=share,
        )

    def _augmentation(self) -> pipeline.Augmentation | None:
        return make_augmentation(self.settings.augmentation, self.sources["train"], self._is_warped)

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
                write_settings(self.settings).strip(),
                *(line for network in self.model.parts() for line in _describe(network)),
                f"loss factors: {self.model.objective.factors}",
                f"{sizes} examples; {self.settings.schedule.epochs} epochs of {self.steps_per_epoch} steps",
                "one batch:",
                *shapes,
            ]
        )

    @property
    def devices(self) -> list[str]:
        """The devices that compute, as "GPU:0", or "worker 1 GPU:0" of several workers."""
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        each = self.strategy.num_replicas_in_sync // self.workers.count
        names = [f"{kind}:{number}" for number in range(each)]
        if self.workers.count == 1:
            return names
        return [f"worker {worker} {name}" for worker in range(self.workers.count) for name in names]

    def examples(self, count: int = SHOWN) -> dict[str, np.ndarray]:
        """Some validation examples, far apart, since neighbours may show one person."""
        return load_spread(self.sources["validation"], count)

    @property
    def validation_count(self) -> int | None:
        """Examples to validate with; None is all of them."""
        steps = self.settings.run.validation_steps
        return steps * self.batch_size if steps else None

    def _check_batch_size(self) -> None:
        count, steps = self.strategy.num_replicas_in_sync, self.settings.optimizer.accumulation_steps
        if self.batch_size % (count * steps):
            times = f" times --accumulation_steps={steps}" if steps > 1 else ""
            raise UsageError(f"--batch_size={self.batch_size} must be a multiple of the {count} devices{times}")

    def _check_columns(self) -> None:
        source = self.sources["train"]
        columns = source.load(np.zeros(1, np.int64))
        if self.model.reads_clips and "clip" not in columns:
            raise UsageError(
                f"--model={self.settings.model.model} learns from clips, which {source.name} does not give: choose "
                "--dataset=procedural_clips, or --dataset=clips with films or folders of frames in --data_dir"
            )
        if "mask" in self.model.objective.terms and "mask" not in columns:
            raise UsageError(
                f"the mask head learns from masks, which {source.name} does not give (no landmarks, or --nomasks): "
                "--mask_factor=0 leaves it untrained"
            )
        asked = self.settings.augmentation
        if (asked.warp or not asked.affine) and not self._is_warped:
            flag = f"--warp={asked.warp:g}" if asked.warp else "--noaffine"
            raise UsageError(f"{flag}: --model={self.settings.model.model} does not learn from warped pictures")
        if asked.window and not self.model.reads_clips:
            model = self.settings.model.model
            raise UsageError(f"--window={asked.window}: --model={model} does not learn from clips")
        if asked.window:
            check_window(asked, columns["clip"].shape[1])
        if "factors" in self.model.objective.terms and "factors" not in self.batches().element_spec:
            raise UsageError(
                f"--model={self.settings.model.model} learns the factors that faces were drawn from, which mirrored, "
                "moved or recoloured faces no longer have: of the augmentations only --blur goes with it"
            )

    def _check_monitor(self) -> None:
        known = [*self.model.objective.trackers, "psnr", "ssim"]
        if self.settings.run.monitor not in known:
            raise UsageError(f"--monitor={self.settings.run.monitor} must be one of {', '.join(known)}")


def load_spread(source: Source, count: int) -> dict[str, np.ndarray]:
    """Up to `count` examples that lie far apart, as one batch."""
    positions = np.unique(np.linspace(0, len(source) - 1, count).astype(int))
    return {name: values.numpy() for name, values in pipeline.load_batch(source, positions).items()}


def _describe(network: keras.Model) -> list[str]:
    """Class, parameters and the constructor's arguments, a line each."""
    trainable = sum(int(np.prod(weight.shape)) for weight in network.trainable_variables)
    models = getattr(network, "model_arguments", ())  # a discriminator is none of facezoo's trainable models
    arguments = [f"  {name}={value!r}" for name, value in network.get_config().items() if name not in models]
    return [f"{type(network).__name__}, {trainable:,} trainable parameters", *arguments]
