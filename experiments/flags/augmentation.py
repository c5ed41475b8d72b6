"""The random changes of pictures that flags ask for."""

from typing import Any

import numpy as np
import tensorflow as tf

from ...datasets import augmentation, pipeline
from ...datasets.source import Source
from ...pictures.sheets import to_uint8
from ..errors import UsageError
from .groups import MOVES, AugmentationSettings

STILL: dict[str, Any] = {"degrees": 0.0, "scale": 1.0, "shift": 0.0}
PICTURES = ("image", "warped", "mask", "clip")
AT_ONCE = 8  # pictures of the largest size, which are large as floats


def make_augmentation(settings: AugmentationSettings, source: Source, is_warped: bool) -> pipeline.Augmentation | None:
    """The augmentation of a source's pictures, or None where nothing is asked for.

    Args:
      settings: which and how far.
      source: whose pictures.
      is_warped: the model learns from warped pictures, which are moved in any case.
    """
    names: dict[str, Any] = {"landmark_names": source.landmark_names, "attribute_names": source.attribute_names}
    moves: dict[str, Any] = {
        argument: getattr(settings, name) for name, argument in MOVES.items() if getattr(settings, name) is not None
    }
    asked = [
        augmentation.flip(**names) if settings.flip else None,
        augmentation.colour(settings.colour) if settings.colour else None,
        augmentation.affine(**STILL | moves) if not is_warped and STILL | moves != STILL else None,
        _random_warp(settings, moves, names) if is_warped else None,
        augmentation.blur() if settings.blur else None,
    ]
    chosen = [augment for augment in asked if augment]
    return augmentation.chain(*chosen) if chosen else None


def make_selection(settings: AugmentationSettings) -> pipeline.Augmentation | None:
    """Which frames of clips are shown, or None where it is all of them."""
    return augmentation.window(settings.window, settings.pace) if settings.window else None


def check_window(settings: AugmentationSettings, frames: int) -> None:
    """Raises UsageError where clips of so many frames cannot be shown as `make_selection` would."""
    if settings.window and settings.window > frames:
        raise UsageError(f"--window={settings.window} must be 2 to {frames}, the frames of a clip (--frames)")


def _random_warp(settings: AugmentationSettings, moves: dict[str, Any], names: dict[str, Any]) -> pipeline.Augmentation:
    warp = augmentation.WARP if settings.warp is None else settings.warp
    if not settings.affine:
        return augmentation.random_warp(warp=warp, **STILL, flip=0.0)
    return augmentation.random_warp(warp=warp, **moves, **names)


def change_examples(source: Source, count: int, augment: pipeline.Augmentation) -> dict[str, np.ndarray]:
    """The first examples as a training could see them, pictures in uint8 as `source.load` gives them."""
    batches = []
    for step, start in enumerate(range(0, count, AT_ONCE)):
        batch = pipeline.load_batch(source, np.arange(start, min(start + AT_ONCE, count)))
        changed = augment(batch, tf.constant([0, step], tf.int64))
        arrays = {name: values.numpy() for name, values in changed.items()}
        batches.append({name: to_uint8(array) if name in PICTURES else array for name, array in arrays.items()})
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
