"""From data flags to a source."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

from ...datasets import DATASETS
from ...datasets.clips import without_clips
from ...datasets.masks import with_masks
from ...datasets.source import DatasetError, Source, with_attributes, with_people
from ..errors import UsageError
from .groups import FOLDER_FLAGS, DataSettings

OPTIONAL_FLAGS = ("data_dir", *FOLDER_FLAGS, "frames")


def default_channels(dataset: str) -> int:
    """1 for the gray data sets, 3 for the rest."""
    return inspect.signature(_function(dataset)).parameters["channels"].default


def open_source(data: DataSettings, split: str, image_size: int, channels: int) -> Source:
    """One split of the data set that the settings name, for a model's picture size.

    Raises:
      UsageError: an unknown data set, a flag that it does not have, or one missing that it needs.
      DatasetError: the data is not there or damaged.
    """
    check_data_flags(data)
    return _function(data.dataset)(split, image_size=image_size, channels=channels, **read_given_arguments(data))


def check_data_flags(data: DataSettings) -> None:
    """Raises UsageError where a flag does not go with the data set, or one is missing that it needs."""
    name, given = data.dataset, read_given_arguments(data)
    parameters = inspect.signature(_function(name)).parameters
    for flag in given:
        if flag not in parameters:
            raise UsageError(f"--{flag} does not go with --dataset={name}")
    for flag in OPTIONAL_FLAGS:
        if flag in parameters and parameters[flag].default is inspect.Parameter.empty and flag not in given:
            raise UsageError(f"--dataset={name} needs --{flag}")


def open_given(given: Mapping[str, Any], split: str, image_size: int, channels: int) -> Source:
    """`open_source` of data flags that photographs besides the data set may be meant by.

    A crop is that of photographs alone where the data set takes none, as drawn faces do.
    """
    data = DataSettings(**given)
    if "crop" not in inspect.signature(_function(data.dataset)).parameters:
        data = dataclasses.replace(data, crop=None)
    return open_source(data, split, image_size, channels)


def read_given_arguments(data: DataSettings) -> dict[str, Any]:
    """What data settings say to the function of a data set."""
    given = {name: getattr(data, name) for name in OPTIONAL_FLAGS if getattr(data, name) is not None}
    return given | ({"crop": data.square()} if "crop" in given else {})


def for_model(source: Source, model: Any, masks: bool, keeps_clips: bool = False) -> Source:
    """The source with what a model reads besides pictures: its own attributes in its order, and masks of the faces.

    Args:
      source: a split.
      model: the network that is to read it.
      masks: it learns inside of them, if it does at all.
      keeps_clips: clips stay even where the model reads none.

    Raises:
      DatasetError: the data set does not have what the model was trained with.
    """
    network = model.network()
    for argument, field in network.data_arguments.items():
        source = _FITTED.get(field, _as_it_is)(source, field, getattr(network, argument))
    if not (network.reads_clips or keeps_clips):
        source = without_clips(source)
    return with_masks(source) if masks and "mask" in model.batch_columns else source


def _with_attributes(source: Source, field: str, names: tuple[str, ...]) -> Source:
    """Where a data set knows no attributes at all, all are unknown."""
    return with_attributes(source, names) if source.attribute_names else source


def _with_people(source: Source, field: str, names: tuple[str, ...]) -> Source:
    return with_people(source, names)


def _as_it_is(source: Source, field: str, expected: tuple) -> Source:
    if getattr(source, field) != expected:
        raise DatasetError(f"{source.name} does not have the {field} that the model was trained with")
    return source


# How a source is made to fit what a model knows of its data, by the field of `Source`.
_FITTED = {"attribute_names": _with_attributes, "identity_names": _with_people}


def _function(dataset: str):
    if dataset not in DATASETS:
        raise UsageError(f"--dataset={dataset} must be one of {', '.join(DATASETS)}")
    return DATASETS[dataset]
