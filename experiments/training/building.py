"""The model of a training, its optimizers and its first weights."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from ...datasets.source import Source
from ...models import NETWORKS, AutoencoderGAN, Discriminator, ProjectedDiscriminator, TrainableModel
from ...models.discriminator import Judge
from ...models.learning_rate import Schedule
from ...models.pretrained import reason
from ..errors import UsageError
from ..flags.training import OWN_FLAGS, AdversarialSettings, ModelSettings, TrainingSettings
from ..runs.model_files import load_model
from ..runs.places import find_model_file
from ..terminal import announce
from .arguments import write_literal
from .objective import make_objective

USUAL_SIZE = ModelSettings().image_size
# What a model wants to know of the data, and how a user gives it.
DATA_HINTS = {
    "attribute_names": "attributes: give --labels, or sub-folders with --subfolders=attribute",
    "identity_names": "people with names: a folder for each person and --subfolders=identity, or procedural_people",
    "landmark_names": "landmarks: choose --dataset=procedural_faces",
    "factor_names": "true factors: choose --dataset=procedural_faces",
}


def make_model(name: str, arguments: dict[str, Any], source: Source) -> TrainableModel:
    """A network of the zoo by its key, with its constructor's arguments.

    Args:
      name: in NETWORKS.
      arguments: what the flags say; the rest follows from the data, or is the network's own default.
      source: the training split.

    Raises:
      UsageError: no such model, an argument that it does not have, a value that it refuses, or data that do not tell
        what it must know.
    """
    networks = NETWORKS
    if name not in networks:
        raise UsageError(f"--model={name} must be one of {', '.join(networks)}")
    known = [parameter for parameter in inspect.signature(networks[name]).parameters if parameter != "name"]
    for argument in arguments:
        if argument in networks[name].data_arguments:
            raise UsageError(f"--set={argument}: follows from the data set; a conditional model takes --attributes")
        if argument not in known:
            flag = f"--{argument}" if argument in OWN_FLAGS else f"--set={argument}"
            raise UsageError(f"{flag}: --model={name} has no argument {argument!r}; it has {', '.join(known)}")
    places = {part: arguments[part] for part in networks[name].model_arguments if part in arguments}
    models = {part: _load_part(part, place, arguments) for part, place in places.items()}
    for part in set(networks[name].model_arguments) - set(places):
        logging.warning("--%s is not given: --model=%s holds an untrained one, of use to try things only", part, name)
    try:
        model = networks[name](**_data_arguments(networks[name], source) | arguments | models)
    except (ValueError, TypeError) as error:
        raise UsageError(f"--model={name}: {reason(error)}") from error
    except tf.errors.OpError as error:
        given = ", ".join(f"{argument}={value!r}" for argument, value in arguments.items())
        raise UsageError(f"--model={name} does not fit into memory with {given}") from error
    if model.image_size > USUAL_SIZE and "filters" in known and "filters" not in arguments:
        widths = ",".join(map(str, model.filters))
        announce(f"--image_size={model.image_size}: as --set=filters={widths}, which may be others")
    return model


def _load_part(part: str, place: str, arguments: dict[str, Any]) -> TrainableModel:
    """A trained model that another one is to hold, as it computes where that is trained."""
    held = load_model(find_model_file(place, part), TrainableModel).network().find_part(part)
    if not held.reconstructs:
        raise UsageError(f"--{part}={place} holds a {type(held).__name__}, no autoencoder")
    for name in ("image_size", "channels"):
        if name in arguments and (own := getattr(held, name)) != arguments[name]:
            way = f"give --{name}={own}, or another --{part}"
            raise UsageError(f"--{name}={arguments[name]}: --{part}={place} has {own}, and keeps it: {way}")
    model = type(held).from_config(held.get_config())  # whose layers compute in the precision of now
    model.set_weights(held.get_weights())
    return model


def _data_arguments(network: type[TrainableModel], source: Source) -> dict[str, Any]:
    known = {argument: getattr(source, field) for argument, field in network.data_arguments.items()}
    for argument, field in network.data_arguments.items():
        if not known[argument] and argument not in network.spared_arguments:
            hint = DATA_HINTS.get(field, field)
            raise UsageError(f"--model needs a data set with {hint} ({source.name} has none)")
    return {argument: told for argument, told in known.items() if told}


def add_discriminator(model: TrainableModel, settings: TrainingSettings, is_new: bool = True) -> TrainableModel:
    """The model as it is, or, where an adversarial factor is above 0, held together with a discriminator.

    Args:
      model: that is to be judged.
      settings: of training.
      is_new: whether the discriminator is to have its first weights; where a training goes on they come from a file.

    Raises:
      UsageError: no such discriminator for this model, or weights that it needs cannot be had.
    """
    chosen = settings.adversarial
    if not (chosen.adversarial_factor or chosen.feature_matching_factor) or not model.reconstructs:
        return model
    try:
        return AutoencoderGAN(
            autoencoder=model,
            discriminator=_make_discriminator(model, chosen, is_new),
            loss=chosen.adversarial_loss,
            balance=chosen.balance,
            start_step=chosen.adversarial_start,
            r1_factor=chosen.r1_factor,
        )
    except ValueError as error:
        raise UsageError(f"--adversarial_factor: {reason(error)}") from error
    except tf.errors.OpError as error:
        given = ",".join(map(str, chosen.discriminator_filters))
        raise UsageError(f"--discriminator_filters={given}: the discriminator does not fit into memory") from error


def _make_discriminator(model: TrainableModel, chosen: AdversarialSettings, is_new: bool) -> Judge:
    """Of the kind that the flags ask for.

    Raises:
      ValueError: its channels do not fit the pictures.
      UsageError: the same of a projected one, or weights that it needs cannot be had.
    """
    arguments = {
        "image_size": model.image_size,
        "channels": model.channels,
        "filters": chosen.discriminator_filters,
    }
    if chosen.discriminator != "projected":
        return Discriminator(kind=chosen.discriminator, **arguments)
    try:
        discriminator = ProjectedDiscriminator(**arguments)
        if is_new:
            discriminator.read_weights()
    except ValueError as error:
        raise UsageError(f"--discriminator=projected: {reason(error)}") from error
    return discriminator


def compile_model(
    model: TrainableModel, settings: TrainingSettings, source: Source, total_steps: int, rate_scale: float = 1.0
) -> None:
    """Compiles with the objective and the optimizers that the flags ask for.

    Args:
      model: in the scope of its strategy.
      settings: of training.
      source: the training split.
      total_steps: that the schedule spans.
      rate_scale: of every learning rate.

    Raises:
      UsageError: flags that do not go together, or a term that cannot be had.
    """
    objective = make_objective(model, settings, source)
    options: dict[str, Any] = {}
    if len(model.parts()) > 1:  # two players, each with an optimizer
        rate = settings.adversarial.discriminator_learning_rate or settings.optimizer.learning_rate
        steps = max(total_steps - settings.adversarial.adversarial_start, settings.schedule.warmup_steps + 1)
        options["discriminator_optimizer"] = make_optimizer(settings, steps, rate_scale * rate)
    chosen = settings.optimizer
    optimizer = make_optimizer(settings, total_steps, rate_scale * chosen.learning_rate, chosen.ema)
    try:
        model.compile(optimizer, objective, chosen.clip_norm, chosen.accumulation_steps, **options)
    except ValueError as error:
        raise UsageError(str(error)) from error


def make_optimizer(
    settings: TrainingSettings, total_steps: int, learning_rate: float, ema: float | None = None
) -> keras.Optimizer:
    """The optimizer with its learning-rate schedule, and with a running mean of the weights where `ema` decays one."""
    try:
        schedule = Schedule(
            learning_rate,
            total_steps,
            settings.schedule.schedule,
            settings.schedule.warmup_steps,
            settings.schedule.final_fraction,
        )
    except ValueError as error:
        raise UsageError(f"--warmup_steps={settings.schedule.warmup_steps}: {error}") from error
    averaging: dict[str, Any] = {} if ema is None else {"use_ema": True, "ema_momentum": ema}
    chosen = settings.optimizer
    if chosen.optimizer == "sgd":
        return keras.optimizers.SGD(schedule, momentum=chosen.momentum, **averaging)
    if chosen.optimizer == "adamw":
        return keras.optimizers.AdamW(schedule, weight_decay=chosen.weight_decay, **averaging)
    return keras.optimizers.Adam(schedule, beta_1=chosen.beta_1, **averaging)


def copy_weights(
    start: str, model: TrainableModel, load: Callable[[int], Mapping[str, np.ndarray]] = lambda _: {}
) -> None:
    """Starts `model` from the weights of a model that is named as `runs.places.find_place` takes it.

    An autoencoder that was trained with a discriminator gives its own weights only. Models that `model` holds stay
    those that it was made with. Pictures may have another size where that changes no weight, as in networks of
    convolutions alone, and 2, 4, ... times as large a one where the model can grow (`TrainableModel.grow_from`). Of
    another model it takes what `begin_from` can.

    Args:
      start: names the model.
      model: that is to begin.
      load: gives a number of examples of the training split, pictures in [0, 1].

    Raises:
      UsageError: no such model, or one of another kind, or of a size that does not grow to this one.
    """
    loaded = load_model(find_model_file(start, "init_from"), TrainableModel).network()
    _take_weights(start, loaded, model, load)
    if model.measures_held and _holds_another(model, loaded):
        announce(f"--init_from={start} held another autoencoder: the codes of this one are measured")
        adapt_model(model, load)


def adapt_model(model: TrainableModel, load: Callable[[int], Mapping[str, np.ndarray]]) -> None:
    """Has a model measure what it must know of the data, see `copy_weights`."""
    examples = load(model.adapts_to)
    model.adapt(*(examples[column] for column in model.adapts_by))


def _take_weights(start: str, loaded: TrainableModel, model: TrainableModel, load: Callable) -> None:
    """As `copy_weights`, from a model that is loaded; what is measured of one that both hold stays as it was there."""
    if type(loaded) is not type(model):
        if model.begin_from(loaded, load):
            announce(f"--init_from={start}: a {type(model).__name__} begins from a {type(loaded).__name__}")
            return
        kinds = f"--init_from={start} holds a {type(loaded).__name__}, not a {type(model).__name__}"
        there, here = loaded.get_config(), model.get_config()
        if not there.keys() <= here.keys():
            raise UsageError(kinds)
        shared = {name: here[name] for name in there}
        told = _tell(_list_differing(there, shared, loaded.free_arguments), there, shared)
        raise UsageError(f"{kinds}{told and f', and {told}'}")
    there, here = loaded.get_config(), model.get_config()
    fits = [weight.shape for weight in loaded.own_weights()] == [weight.shape for weight in model.own_weights()]
    larger = None if fits else _enlarge(start, loaded, model)
    free = {*model.free_arguments, *model.model_arguments, *(("image_size",) if fits else ())}
    names = _list_differing(larger or there, here, free)
    if not names and larger:
        _grow(start, loaded, model)
        announce(f"--init_from={start} grows from {loaded.image_size} to {model.image_size} pixels")
        return
    if not names and fits:
        for own, weight in zip(model.own_weights(), loaded.own_weights(), strict=True):
            own.assign(weight)
        return
    if model.begin_from(loaded, load):
        announce(f"--init_from={start} is made otherwise: what is the same in both is taken")
        return
    if not names:
        raise UsageError(f"--init_from={start} belongs to another autoencoder, whose codes have another shape")
    for name in set(names) & set(model.replaced_arguments) if larger else ():
        way = f"grows to {model.image_size} pixels or gets --set={name}={here[name]}, one training after the other"
        raise UsageError(f"--init_from={start} {way}")
    differing = _tell(_list_differing(there, here, free), there, here)
    grown = [name for name in names if larger and larger[name] != there[name]]
    told = " ".join(f"--set={name}={write_literal(larger[name])}" for name in grown)
    way = f", and for {model.image_size} pixels it grows to {told}" if grown else ""
    raise UsageError(f"--init_from={start} is another model: {differing}; what is not given is taken from there{way}")


def _holds_another(model: TrainableModel, loaded: TrainableModel) -> bool:
    """Whether one of the models that it holds is not the one that the other holds."""
    pairs = [[getattr(one, part).get_weights() for one in (model, loaded)] for part in model.model_arguments]
    return any(len(own) != len(there) or not all(map(np.array_equal, own, there)) for own, there in pairs)


def _grow(start: str, small: TrainableModel, model: TrainableModel) -> None:
    """Has a model grow from a smaller one."""
    try:
        model.grow_from(small)
    except ValueError as error:
        raise _refuse_to_grow(start, small, model, error) from error


def _enlarge(start: str, small: TrainableModel, model: TrainableModel) -> dict[str, Any] | None:
    """The arguments of what a model grows to for a larger one's pictures; None where these are not larger."""
    if small.image_size >= model.image_size:
        return None
    try:
        return model.enlarge_arguments(small.get_config(), model.image_size)
    except ValueError as error:
        raise _refuse_to_grow(start, small, model, error) from error


def _refuse_to_grow(start: str, small: TrainableModel, model: TrainableModel, error: ValueError) -> UsageError:
    message = f"--init_from={start} is made for {small.image_size} pixels and cannot grow to {model.image_size}"
    return UsageError(f"{message}: {error}")


def _tell(names: Collection[str], there: dict[str, Any], here: dict[str, Any]) -> str:
    return "; ".join(f"{name} is {there[name]!r}, not {here[name]!r}" for name in names)


def _list_differing(there: dict[str, Any], here: dict[str, Any], free: Collection[str]) -> list[str]:
    return [name for name in here if there[name] != here[name] and name not in free]
