"""From a training's flags to its data and its model's arguments."""

import ast
from typing import Any

from ...datasets.once import find_once
from ...datasets.source import Source, with_attributes
from ..backend import load_tensorflow
from ..errors import UsageError
from ..flags.sources import open_source
from ..flags.training import OWN_FLAGS, TrainingSettings
from ..runs.settings import picture_shape


def open_sources(settings: TrainingSettings) -> tuple[dict[str, Source], dict[str, Any]]:
    """What a `Session` is made of: "train" and "validation", and the arguments of the model's constructor.

    Raises:
      UsageError: flags that do not go together.
      DatasetError: the data is not there or damaged.
    """
    image_size, _, channels = picture_shape(settings)
    with find_once():
        sources = {split: open_source(settings.data, split, image_size, channels) for split in ("train", "validation")}
    if settings.model.attributes:
        _check_takes_attributes(settings.model.model)
        sources = {split: with_attributes(source, settings.model.attributes) for split, source in sources.items()}
    return sources, parse_arguments(settings, image_size, channels)


def _check_takes_attributes(model: str) -> None:
    load_tensorflow()
    from ...models import NETWORKS

    able = [name for name, kind in NETWORKS.items() if "attribute_names" in kind.data_arguments.values()]
    if model not in able:
        raise UsageError(f"--attributes: --model={model} takes none; {' and '.join(able)} do")


def parse_arguments(settings: TrainingSettings, image_size: int, channels: int) -> dict[str, Any]:
    """The constructor arguments that the flags name."""
    arguments: dict[str, Any] = {"image_size": image_size, "channels": channels, "seed": settings.run.seed}
    if settings.model.latent_dim is not None:
        arguments["latent_dim"] = settings.model.latent_dim
    if settings.model.autoencoder is not None:
        arguments["autoencoder"] = settings.model.autoencoder
    for setting in settings.model.set:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set={setting} must be name=value")
        if name in OWN_FLAGS:
            raise UsageError(f"--set={setting}: {name} has a flag of its own, --{name}")
        arguments[name] = read_literal(name, text)
    return arguments


def read_literal(name: str, text: str) -> Any:
    """What --set makes of a value: numbers, tuples, True, None; everything else is a string."""
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError):
        return text
    except (MemoryError, RecursionError) as error:  # of Python's parser
        raise UsageError(f"--set={name}: the value is too deeply nested") from error


def write_literal(value: Any) -> str:
    """A value as --set takes it: 64,32 of numbers, a word as it is if it is not taken for anything else."""
    if isinstance(value, list | tuple) and len(value) > 1 and all(isinstance(number, int) for number in value):
        return ",".join(map(str, value))
    return value if isinstance(value, str) and read_literal("", value) == value else repr(value)
