"""Trainings that make a decoder small: what watches the kernels of one, and the settings of its training."""

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..flags.groups import DataSettings
from ..flags.sources import open_source
from ..flags.training import (
    CompressionSettings,
    ModelSettings,
    OptimizerSettings,
    PlanSettings,
    RunSettings,
    ScheduleSettings,
    TrainingSettings,
)
from ..runs.run import Run

if TYPE_CHECKING:  # settings are made before TensorFlow is waited for
    import keras

    from ...models import Autoencoder, TrainableModel

CHOICES = 40  # of a rising sparsity, how often it is chosen which numbers go
MEASURES = 8  # of the validation split, each of so many batches
VALIDATION_STEPS = 8


def make_kernel_callbacks(
    network: "TrainableModel", settings: CompressionSettings, total_steps: int
) -> "list[keras.callbacks.Callback]":
    """What prunes or rounds the kernels of a network's decoder after each step.

    Args:
      network: that is trained, by itself.
      settings: what becomes of its kernels.
      total_steps: of the training; sparsity rises over the first half.

    Raises:
      UsageError: it has no decoder with kernels that learn, or more than its encoder finds its codes.
    """
    if not settings.is_asked:
        return []
    from ...compressing import KernelRounding, MagnitudePruning, find_kernels

    flag = f"--prune={settings.prune:g}" if settings.prune else f"--quantise={settings.quantise}"
    name = type(network).__name__
    if not network.reconstructs:
        raise UsageError(f"{flag}: a {name} has no decoder")
    if not network.decoder.trainable_variables:
        raise UsageError(f"{flag}: the decoder of a {name} is held, and learns nothing: take the autoencoder it is of")
    try:
        network.check_decoder()
    except ValueError as error:
        raise UsageError(f"{flag} does not suit this {name}: {error}; take another model, or distill it") from error
    try:
        find_kernels(network.decoder)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from error
    if settings.prune is None:
        return [KernelRounding(network.decoder, bits=settings.bits)]
    end = max(1, total_steps // 2)
    return [MagnitudePruning(network.decoder, sparsity=settings.prune, end=end, every=max(1, end // CHOICES))]


def check_teacher(teacher: "Autoencoder", named: str) -> None:
    """Raises UsageError where a smaller decoder cannot learn from an autoencoder.

    Args:
      teacher: the autoencoder.
      named: what the user calls it.
    """
    if teacher.conditions:
        kind, told = type(teacher).__name__, ", ".join(teacher.conditions)
        raise UsageError(
            f"--run_dir={named}: a {kind} is told {told}, which a small decoder would not be: take another"
        )


def check_grids(teacher: "Autoencoder", named: str, grid: int | None, stages: int | None) -> None:
    """Raises UsageError where the grids of a new decoder do not suit an autoencoder's codes and pictures.

    Args:
      teacher: the autoencoder.
      named: what the user calls it.
      grid: height and width of the first grid; the model's own if absent.
      stages: how many there are; the model's own choice if absent.
    """
    from ...compressing import FIRST_GRID

    code = teacher.shape_of_code()
    if grid is not None and len(code) == 3:
        raise UsageError(
            f"--grid={grid}: codes of {named} are maps, of {code[0]}x{code[1]}, which the grid is: leave it out"
        )
    first = code[0] if len(code) == 3 else grid or FIRST_GRID
    if teacher.image_size % (first * 2 ** ((stages or 1) - 1)):
        told = f"--grid={first}" if stages is None else f"--stages={stages}, from a grid of {first} on,"
        raise UsageError(f"{told} must go into the picture's {teacher.image_size} pixels without a rest")


def distill_settings(
    opened: Run, named: str, data: DataSettings, plan: PlanSettings, **arguments: Any
) -> TrainingSettings:
    """The settings of a `DistilledAutoencoder` that learns from a trained autoencoder.

    Args:
      opened: the autoencoder.
      named: what the user calls it.
      data: that it learns from.
      plan: of the training.
      arguments: of the model's constructor.
    """
    size, _, channels = opened.image_shape
    told = tuple(f"{name}={value}" for name, value in arguments.items() if value is not None)
    model = ModelSettings(
        model="distilled_autoencoder", image_size=size, channels=channels, autoencoder=named, set=told
    )
    return TrainingSettings(data=data, model=model, **_plan(opened, data, plan))


def compress_settings(
    opened: Run, named: str, data: DataSettings, plan: PlanSettings, compression: CompressionSettings
) -> TrainingSettings:
    """The settings of a training that goes on from a trained model with its own objective, and compresses its kernels.

    Args:
      opened: the model.
      named: what the user calls it.
      data: that it learns from.
      plan: of the training.
      compression: what becomes of its kernels.
    """
    return TrainingSettings(
        data=data,
        model=ModelSettings(init_from=named),
        objective=dataclasses.replace(opened.settings.objective, perceptual_start=0),
        augmentation=opened.settings.augmentation,
        compression=compression,
        **_plan(opened, data, plan),
    )


def _plan(opened: Run, data: DataSettings, plan: PlanSettings) -> dict[str, Any]:
    """The groups of settings that follow from a plan: epochs of equal length, none longer than the data's."""
    pictures = len(open_source(data, "train", opened.image_shape[0], opened.image_shape[2]))
    epochs = math.ceil(plan.steps / max(1, pictures // plan.batch_size))
    every = math.ceil(epochs / MEASURES)
    return {
        "optimizer": OptimizerSettings(learning_rate=plan.learning_rate),
        "schedule": ScheduleSettings(
            batch_size=plan.batch_size,
            epochs=epochs,
            steps_per_epoch=math.ceil(plan.steps / epochs),
            schedule="cosine",
        ),
        "run": RunSettings(
            seed=plan.seed,
            validation_steps=VALIDATION_STEPS,
            perception_count=0,
            measure_every=every,
            draw_every=every,
        ),
    }


def find_name(opened: Run, named: str, checkpoint: str | None) -> str:
    """What a training starts from: what the user calls it, or the file of the checkpoint that is asked for."""
    return named if checkpoint is None else str(opened.model_path)


def list_figures(before: "TrainableModel", after: "TrainableModel") -> list[str]:
    """What has become of a decoder's kernels, a line each."""
    from ...compressing import find_kernels, measure_sparsity

    counts = [sum(math.prod(one.variable.shape) for one in find_kernels(model.decoder)) for model in (before, after)]
    zeros = measure_sparsity(after.decoder)
    return [f"kernels of the decoder: {counts[0]:,} numbers before, {counts[1]:,} after, {zeros:.1%} of them 0"]
