"""The loss terms of a training, with those that need a frozen network or know the data."""

from collections.abc import Callable, Collection
from typing import Any

import keras
from absl import logging

from ...datasets.source import Source
from ...losses import MissingTerm, Objective
from ...losses.expression import ExpressionCode
from ...losses.landmark import LandmarkConsistency, LandmarkWeightedError
from ...losses.lpips import lpips_network
from ...losses.objective import Term
from ...losses.perceptual import PerceptualLoss, feature_scales
from ...losses.recogniser import CODE_SIZE, STRANGERS, recogniser
from ...losses.vgg import vgg_features
from ...losses.weights import WeightsError
from ...models import TrainableModel
from ...models.trainable import FromStep
from ..codes.face_network import DEFAULT_LAYERS, draw_pairs, load_face_network
from ..errors import UsageError
from ..faces.origins import recognise_square
from ..flags.training import FITTED_DISTANCES, TrainingSettings, list_factors

# What a picture shows besides whose face it is and the face network reads: not the gaze, too small at its size.
EXPRESSION = (
    *("smile", "mouth_open", "eyes_open", "brow_raise"),
    *("yaw", "pitch", "roll", "light_x", "light_y", "light_strength", "light_warmth"),
)


def _perceptual_loss(settings: TrainingSettings, source: Source) -> PerceptualLoss:
    image_size, _, channels = source.image_shape
    if settings.objective.perceptual_network in FITTED_DISTANCES:
        return _fit_distance(settings, source)
    network = _perceptual_network(settings, image_size, channels)
    return PerceptualLoss(network, feature_scales(network, *draw_pairs(image_size, channels)))


def _fit_distance(settings: TrainingSettings, source: Source) -> PerceptualLoss:
    """LPIPS as it is; the recogniser's squared distance, 1 between two strangers."""
    objective, image_size = settings.objective, source.image_shape[0]
    given = f"--perceptual_network={objective.perceptual_network}"
    if objective.perceptual_layers:
        raise UsageError(f"--perceptual_layers does nothing with {given}")
    weights = None if objective.perceptual_weights == "imagenet" else objective.perceptual_weights
    try:
        if objective.perceptual_network != "recogniser":
            return PerceptualLoss(
                lpips_network(objective.perceptual_network.removeprefix("lpips_"), weights, image_size)
            )
        square = recognise_square(settings.data, source)
        if square is None:
            raise ValueError(f"it cannot be told where the faces lie in the pictures of {source.name}")
        return PerceptualLoss(recogniser(square, image_size, weights), [STRANGERS**2 / CODE_SIZE])
    except ValueError as error:
        raise UsageError(f"{given}: {error}") from error


def _perceptual_network(settings: TrainingSettings, image_size: int, channels: int) -> keras.Model:
    name = settings.objective.perceptual_network
    layers = settings.objective.perceptual_layers or DEFAULT_LAYERS[name]
    try:
        if name == "face":
            return load_face_network().feature_network(layers, channels)
        return vgg_features(name, layers, settings.objective.perceptual_weights, image_size)
    except WeightsError as error:
        hint = "; --perceptual_network=face ships with facezoo"
        raise UsageError(f"--perceptual_weights={settings.objective.perceptual_weights}: {error}{hint}") from error
    except ValueError as error:
        raise UsageError(f"--perceptual_layers={','.join(layers)}: {error}") from error


def _landmark_error(settings: TrainingSettings, source: Source) -> LandmarkWeightedError:
    names = source.landmark_names
    if not names:
        factor = settings.objective.landmark_factor  # None where a model file, not a flag, asks for the term
        raise UsageError(f"--landmark_factor={'' if factor is None else f'{factor:g}'}: {source.name} has no landmarks")
    parts = settings.objective.landmark_parts
    rows = [row for row, name in enumerate(names) if any(part in name for part in parts)]
    if not rows:
        raise UsageError(f"--landmark_parts={','.join(parts)}: no landmark of {source.name} is called so")
    return LandmarkWeightedError(rows)


def _landmark_consistency(settings: TrainingSettings, source: Source) -> LandmarkConsistency:
    return LandmarkConsistency(load_face_network().landmark_network(source.image_shape[2]))


def _expression_code(settings: TrainingSettings, source: Source) -> ExpressionCode:
    return ExpressionCode(load_face_network().factor_network(EXPRESSION, source.image_shape[2]))


OUTSIDE_TERMS: dict[str, Callable[[TrainingSettings, Source], Term]] = {
    "perceptual": _perceptual_loss,
    "landmark": _landmark_error,
    "landmark_consistency": _landmark_consistency,
    "expression": _expression_code,
}


def make_outside_terms(names: Collection[str], settings: TrainingSettings, source: Source) -> dict[str, Term]:
    """Some of `OUTSIDE_TERMS`, ready to use.

    Args:
      names: of the terms wanted; a network is built for no other.
      settings: of training.
      source: the training split.

    Raises:
      UsageError: no such term, weights that cannot be had, an unknown layer, or landmarks that the data set does not
        have.
    """
    if unknown := [name for name in names if name not in OUTSIDE_TERMS]:
        raise UsageError(f"no term {unknown[0]!r} is known")
    return {name: OUTSIDE_TERMS[name](settings, source) for name in names}


def make_objective(model: TrainableModel, settings: TrainingSettings, source: Source) -> Objective:
    """The model's own factors with those that the flags give.

    Raises:
      UsageError: a factor of a term that the model does not have or that cannot be had, or no term left.
    """
    terms = model.loss_terms()
    known = {*terms, *(OUTSIDE_TERMS if model.reconstructs else ())}
    factors: dict[str, Any] = dict(model.default_factors)
    if len(model.parts()) > 1 and settings.adversarial.adversarial_factor is None:
        factors["adversarial"] = 0.0  # a discriminator for its features only
    for factor in list_factors(settings):
        if factor.value is None or (factor.value == 0 and factor.term not in known):
            continue
        if factor.term not in known:
            only = ", ".join(sorted(known))
            raise UsageError(
                f"--{factor.name}: --model={settings.model.model} has no term {factor.term!r}, only {only}"
            )
        factors[factor.term] = factor.value
    _refuse_useless(settings, factors)
    if factors.get("expression"):
        _refuse_codes_without_room(model, settings)
    try:
        wanted = [term for term in OUTSIDE_TERMS if factors.get(term)]
        placeholders = {term: MissingTerm(term) for term in OUTSIDE_TERMS}  # of a factor 0
        outside = make_outside_terms(wanted, settings, source)
        inside = {name: model.inside(term) for name, term in outside.items()}
        if settings.objective.perceptual_start and "perceptual" in inside:
            inside["perceptual"] = FromStep(inside["perceptual"], settings.objective.perceptual_start)
        return Objective(placeholders | terms | inside, factors)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _refuse_useless(settings: TrainingSettings, factors: dict[str, Any]) -> None:
    """A UsageError for a flag about a term that neither the model nor a factor flag, be it 0, asks for."""
    asked = [factor for factor in list_factors(settings) if factor.value is not None or factors.get(factor.term)]
    used = {name for factor in asked for name in factor.companions}
    for factor in list_factors(settings):
        for name in factor.find_changed_companions():
            if name not in used:
                able = [other.name for other in list_factors(settings) if name in other.companions]
                raise UsageError(f"--{name} does nothing without --{' or --'.join(able)}")
    if settings.objective.perceptual_network == "face" and settings.objective.perceptual_weights != "imagenet":
        raise UsageError("--perceptual_weights does nothing with --perceptual_network=face, which ships with facezoo")


def _refuse_codes_without_room(model: TrainableModel, settings: TrainingSettings) -> None:
    """A UsageError where a code is no vector, or too short for what it is to tell."""
    shape = model.shape_of_code()
    if len(shape) != 1 or shape[0] < len(EXPRESSION):
        raise UsageError(
            f"--expression_factor={settings.objective.expression_factor:g} needs codes of at least {len(EXPRESSION)} "
            f"numbers in a row, those of --model={settings.model.model} are {shape}"
        )


def complete_objective(model: TrainableModel, settings: TrainingSettings, source: Source) -> None:
    """Gives a loaded model the terms that come from outside; a warning names those that cannot be had here."""
    if not model.compiled:  # it was published: without its discriminator, if it had one
        model.compile(objective=_find_known_objective(model, settings))
    for name, term in model.objective.terms.items():
        if isinstance(term, MissingTerm):
            try:
                model.objective.terms[name] = model.inside(make_outside_terms([name], settings, source)[name])
            except UsageError as error:
                logging.warning("%s is not measured, nor is loss: %s", name, error)


def _find_known_objective(model: TrainableModel, settings: TrainingSettings) -> Objective:
    """The factors that settings give to terms of the network by itself, with a `MissingTerm` for those from outside."""
    terms: dict[str, Term] = {name: MissingTerm(name) for name in (OUTSIDE_TERMS if model.reconstructs else ())}
    terms |= model.loss_terms()
    asked = {factor.term: factor.value for factor in list_factors(settings) if factor.value is not None}
    return Objective(
        terms, {name: value for name, value in {**model.default_factors, **asked}.items() if name in terms}
    )
