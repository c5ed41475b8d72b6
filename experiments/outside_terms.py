"""The loss terms that need a frozen network, or to know the data: what a model cannot make by itself."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from absl import flags

from ..datasets.procedural import IMAGE_SIZES, procedural_faces
from ..datasets.source import Source
from ..losses.expression import ExpressionCode
from ..losses.landmark import LandmarkConsistency, LandmarkWeightedError
from ..losses.objective import Term
from ..losses.perceptual import PerceptualLoss, feature_scales
from ..losses.vgg import WeightsError, vgg_features
from ..models.pretrained import load_pretrained
from .errors import UsageError

DEFAULT_LAYERS = {
    "vgg16": ("block3_conv3",),
    "vgg19": ("relu1_1", "relu2_1", "relu3_1"),
    "face": ("stage_1_conv_1", "stage_2_conv_2", "stage_3_conv_2"),
}
# What a picture shows besides whose face it is and the face network reads: not the gaze, too small at its size.
EXPRESSION = (
    *("smile", "mouth_open", "eyes_open", "brow_raise"),
    *("yaw", "pitch", "roll", "light_x", "light_y", "light_strength", "light_warmth"),
)
CALIBRATION_PAIRS = 128


def _perceptual_loss(settings: flags.FlagValues, source: Source) -> PerceptualLoss:
    image_size, _, channels = source.image_shape
    network = _perceptual_network(settings, image_size, channels)
    return PerceptualLoss(network, feature_scales(network, *pairs_of_people(image_size, channels)))


def _perceptual_network(settings: flags.FlagValues, image_size: int, channels: int) -> keras.Model:
    name = settings.perceptual_network
    layers = settings.perceptual_layers or DEFAULT_LAYERS[name]
    try:
        if name == "face":
            return face_network().feature_network(layers, channels)
        return vgg_features(name, layers, settings.perceptual_weights, image_size)
    except WeightsError as error:
        hint = "; --perceptual_network=face ships with facezoo"
        raise UsageError(f"--perceptual_weights={settings.perceptual_weights}: {error}{hint}") from error
    except ValueError as error:
        raise UsageError(f"--perceptual_layers={','.join(layers)}: {error}") from error


def pairs_of_people(image_size: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Drawn faces of different people, against which the feature distance 1 is set: two float32 [N, H, W, C]."""
    size = int(np.clip(image_size, *IMAGE_SIZES))
    faces = procedural_faces("validation", image_size=size, channels=channels)
    positions = np.arange(2 * CALIBRATION_PAIRS) * (len(faces) // (2 * CALIBRATION_PAIRS))
    images = faces.load(positions)["image"].astype(np.float32) / 255.0
    if size != image_size:
        images = np.asarray(keras.ops.image.resize(images, (image_size, image_size)))
    return images[:CALIBRATION_PAIRS], images[CALIBRATION_PAIRS:]


def _landmark_error(settings: flags.FlagValues, source: Source) -> LandmarkWeightedError:
    names = source.landmark_names
    if not names:
        raise UsageError(f"--landmark_factor={settings.landmark_factor:g}: {source.name} has no landmarks")
    parts = settings.landmark_parts
    rows = [row for row, name in enumerate(names) if any(part in name for part in parts)]
    if not rows:
        raise UsageError(f"--landmark_parts={','.join(parts)}: no landmark of {source.name} is called so")
    return LandmarkWeightedError(rows)


def _landmark_consistency(settings: flags.FlagValues, source: Source) -> LandmarkConsistency:
    return LandmarkConsistency(face_network().landmark_network(source.image_shape[2]))


def _expression_code(settings: flags.FlagValues, source: Source) -> ExpressionCode:
    return ExpressionCode(face_network().factor_network(EXPRESSION, source.image_shape[2]))


def face_network() -> Any:
    """The network that reads drawn faces, with the weights that ship; a UsageError where they are damaged."""
    try:
        return load_pretrained("face_features")
    except ValueError as error:
        raise UsageError(f"the face network cannot be loaded: {error}") from error


OUTSIDE_TERMS: dict[str, Callable[[flags.FlagValues, Source], Term]] = {
    "perceptual": _perceptual_loss,
    "landmark": _landmark_error,
    "landmark_consistency": _landmark_consistency,
    "expression": _expression_code,
}


def make_outside_terms(names: Iterable[str], settings: flags.FlagValues, source: Source) -> dict[str, Term]:
    """Some of `OUTSIDE_TERMS`, ready to use.

    Args:
      names: of the terms wanted; a network is built for no other.
      settings: of training.
      source: the training split.

    Raises:
      UsageError: weights that cannot be had, an unknown layer, or landmarks that the data set does not have.
    """
    return {name: OUTSIDE_TERMS[name](settings, source) for name in names}
