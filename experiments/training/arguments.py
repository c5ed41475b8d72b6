"""From a training's flags to its data and its model's arguments."""

import ast
from typing import Any

from absl import flags

from ...datasets.once import found_once
from ...datasets.source import Source, with_attributes
from ..errors import UsageError
from ..flags import groups
from ..flags.sources import open_source
from ..flags.training import ATTRIBUTE_MODELS, OWN_FLAGS
from ..runs.settings import picture_shape


def sources_and_arguments(values: flags.FlagValues) -> tuple[dict[str, Source], dict[str, Any]]:
    """What a `Session` is made of: "train" and "validation", and the arguments of the model's constructor.

    Raises:
      UsageError: flags that do not go together.
      DatasetError: the data is not there or damaged.
    """
    groups.check_augmentation_flags(values)
    image_size, _, channels = picture_shape(values)
    with found_once():
        sources = {split: open_source(values, split, image_size, channels) for split in ("train", "validation")}
    if values.attributes and values.model not in ATTRIBUTE_MODELS:
        raise UsageError(f"--attributes: --model={values.model} takes none; {' and '.join(ATTRIBUTE_MODELS)} do")
    if values.attributes:
        sources = {split: with_attributes(source, values.attributes) for split, source in sources.items()}
    return sources, model_arguments(values, image_size, channels)


def model_arguments(values: flags.FlagValues, image_size: int, channels: int) -> dict[str, Any]:
    """The constructor arguments that the flags name."""
    arguments: dict[str, Any] = {"image_size": image_size, "channels": channels, "seed": values.seed}
    if values.latent_dim is not None:
        arguments["latent_dim"] = values.latent_dim
    for setting in values.set:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set={setting} must be name=value")
        if name in OWN_FLAGS:
            raise UsageError(f"--set={setting}: {name} has a flag of its own, --{name}")
        arguments[name] = _literal(name, text)
    return arguments


def _literal(name: str, text: str) -> object:
    """Numbers, tuples, True, None; everything else is a string."""
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError):
        return text
    except (MemoryError, RecursionError) as error:  # of Python's parser
        raise UsageError(f"--set={name}: the value is too deeply nested") from error
