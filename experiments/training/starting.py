"""What a training starts from: the network of --init_from, whose arguments count where none are given."""

import contextlib
import dataclasses
import inspect
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..backend import load_tensorflow
from ..errors import UsageError
from ..flags.training import OWN_FLAGS, ModelSettings, TrainingSettings
from ..runs.model_files import describe_model
from ..runs.places import find_model_file, is_run
from ..runs.settings import make_settings, read_settings
from .arguments import read_literal, write_literal

INHERITED = ("model", "image_size", "channels", "latent_dim", "attributes", "autoencoder")  # by settings of their own


def inherit_settings(
    settings: TrainingSettings, folder: Path | None, given: Collection[str] | None = None
) -> TrainingSettings:
    """Settings whose network is that of --init_from but for what is given, and what weights leave free.

    A run that has begun goes on with what it has, wherever its beginning came from is now.

    Args:
      settings: of a training.
      folder: of the run, if there is one.
      given: names of the model's settings that were given; None are those that are not as by default.

    Raises:
      UsageError: there is no such model.
    """
    asked = settings.model
    if not asked.init_from:
        return settings
    given = _find_changed(asked) if given is None else given
    is_begun = folder is not None and is_run(folder)
    if is_begun:
        start = read_settings(folder).model
        if not _is_same(start.init_from, asked.init_from):
            return settings  # which is refused with all that differs
    else:
        start = _describe(asked.init_from, asked.image_size if "image_size" in given else None)
    kept = asked.set if "set" in given else ()
    start = _leave_out_replaced(start, kept)
    if _is_another(asked, start, given):
        return settings  # which is refused with all that differs
    taken = {name: getattr(start, name) for name in INHERITED if name not in given}
    own = dataclasses.replace(asked, **taken)
    free = () if is_begun else _list_free(own)
    return dataclasses.replace(settings, model=dataclasses.replace(own, set=_merge(free, start.set, kept)))


def _describe(start: str, image_size: int | None) -> ModelSettings:
    """The settings of the network in a model file: its arguments that are not the class' own, nor free to differ.

    Args:
      start: what --init_from names.
      image_size: for which the network has the stages that it grows, if it does; None is its own.
    """
    path = find_model_file(start, "init_from")
    if not path.is_file():
        raise UsageError(f"--init_from={start}: its training has not finished, there is no {path} yet")
    load_tensorflow()
    from ...models import NETWORKS

    name, arguments = describe_model(path)
    found = make_settings(path, name, arguments).model
    network = NETWORKS[found.model]
    if image_size is not None:
        with contextlib.suppress(ValueError):  # which is refused where its weights are copied
            arguments = network.enlarge_arguments(arguments, image_size)
    left_out = {*OWN_FLAGS, *network.free_arguments, *network.data_arguments, *network.model_arguments}
    own = {one.name: one.default for one in inspect.signature(network).parameters.values()}
    differing = {
        argument: value
        for argument, value in arguments.items()
        if argument in own and argument not in left_out and _plain(value) != _plain(own[argument])
    }
    part = start if "autoencoder" in network.model_arguments else None
    attributes = arguments.get("attributes") if "attributes" in network.data_arguments else None
    return dataclasses.replace(
        found,
        set=tuple(f"{argument}={write_literal(value)}" for argument, value in differing.items()),
        attributes=tuple(map(str, attributes)) if attributes else None,
        autoencoder=part,
    )


def _is_another(asked: ModelSettings, start: ModelSettings, given: Collection[str]) -> bool:
    """Whether what is given asks for another network than the one to start from."""
    free = ("model", "image_size", "autoencoder")  # which weights may leave free, or grow for
    fixed = [name for name in INHERITED if name in given and name not in free]
    if any(getattr(asked, name) != getattr(start, name) for name in fixed):
        return True
    if "model" in given and not _can_begin(asked.model, start.model):
        return True
    there = dict(text.partition("=")[::2] for text in start.set)
    ours = dict(text.partition("=")[::2] for text in asked.set) if "set" in given else {}
    return any(
        _plain(read_literal(name, ours[name])) != _plain(read_literal(name, there[name]))
        for name in ours.keys() & there.keys()
    )


def _can_begin(model: str, start: str) -> bool:
    """Whether a network is the same, or has all arguments of another and begins from it in a way of its own."""
    if model == start:
        return True
    load_tensorflow()
    from ...models import NETWORKS

    asked, there = NETWORKS[model], NETWORKS[start]
    return issubclass(asked, there) and asked.begin_from is not there.begin_from


def _leave_out_replaced(start: ModelSettings, given: Collection[str]) -> ModelSettings:
    """The network to start from without the arguments whose place the ones that are given take."""
    added = _list_names(text for text in given if not text.endswith("=None")) - _list_names(start.set)
    if not added:
        return start
    from ...models import NETWORKS

    instead = NETWORKS[start.model].replaced_arguments
    replaced = {other for name in added for other in instead.get(name, ())}
    return dataclasses.replace(start, set=tuple(text for text in start.set if text.partition("=")[0] not in replaced))


def _list_names(arguments: Iterable[str]) -> set[str]:
    return {text.partition("=")[0] for text in arguments}


def _find_changed(settings: ModelSettings) -> set[str]:
    """The settings that are not as by default."""
    own = ModelSettings()
    return {
        field.name for field in dataclasses.fields(own) if getattr(settings, field.name) != getattr(own, field.name)
    }


def _list_free(settings: ModelSettings) -> tuple[str, ...]:
    """The arguments that weights leave free, as `name=value`: a recipe's count where the start has none of its own."""
    if not settings.set:
        return ()
    load_tensorflow()
    from ...models import NETWORKS

    free = NETWORKS[settings.model].free_arguments
    return tuple(text for text in settings.set if text.partition("=")[0] in free)


def _merge(*sets: Collection[str]) -> tuple[str, ...]:
    """Arguments as `name=value`, later ones instead of earlier ones."""
    named: Mapping[str, str] = {text.partition("=")[0]: text for texts in sets for text in texts}
    return tuple(named.values())


def _plain(value: Any) -> Any:
    """A value as JSON gives it back; what JSON cannot hold as Python writes it."""
    try:
        return json.loads(json.dumps(value, default=str))
    except TypeError:  # of keys
        return repr(value)


def _is_same(first: str | None, second: str) -> bool:
    """Whether two spellings, of which a run keeps the absolute one, name one start."""
    return first is not None and (first == second or Path(first) == Path(second).absolute())
