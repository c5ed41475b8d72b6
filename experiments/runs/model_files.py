"""Model files, which may come from anybody: they are read in Keras' safe mode, and name no class but the known ones."""

import json
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import logging

from ..backend import load_tensorflow
from ..errors import UsageError

if TYPE_CHECKING:
    import h5py

# What of Keras a model of facezoo's may hold besides facezoo's own classes.
KERAS_MODULES = ("keras.optimizers", "keras.optimizers.schedules", "keras.initializers")
# Of its metrics those that keep a number or two, whatever a file says of them.
KERAS_METRICS = (
    *("MeanAbsoluteError", "MeanSquaredError", "RootMeanSquaredError", "MeanAbsolutePercentageError"),
    *("CosineSimilarity", "LogCoshError", "MeanSquaredLogarithmicError"),
)
_PACKAGE = __name__.split(".")[0] + "."
PUBLISHED, CARD = ".npz", ".json"  # weights as `facezoo publish` writes them, and what tells of them
MOST_BYTES = 10_000_000  # of a configuration, unpacked
WEIGHTS = "model.weights.h5"
DESCRIPTION = ("module", "class_name", "config", "registered_name")  # of a model, in its configuration
MOST_MEMBERS = 10_000  # of an archive, and arrays of a file of weights
LARGEST_RATIO = 20  # of what something unpacks to and what it takes on the disk
MOST_UNSTORED = 1_000_000  # bytes that an array may have without any being stored


def load_model(path: Path, kind: type | None = None):
    """A saved model, in float32 and in Keras' safe mode: nothing in the file is executed or looked up elsewhere.

    Args:
      path: a `.keras` file, or published weights, an `.npz` beside its card.
      kind: the class that it must have; `Autoencoder` by default.

    Raises:
      UsageError: the file is not there, is damaged, or holds another kind of model or something besides.
    """
    load_tensorflow()
    from ...models import Autoencoder

    kind = kind or Autoencoder
    if not path.is_file():
        raise UsageError(f"{path}: no such model file")
    model = _load_published(path) if path.suffix == PUBLISHED else _load_saved(path, kind)
    if not isinstance(model, kind):
        raise UsageError(f"{path} holds a {type(model).__name__}, not one of facezoo's {_plural(kind)}")
    _warn_of_weights(path, model)
    return model


def _warn_of_weights(path: Path, model: Any) -> None:
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        logging.warning("%s: not all weights are finite numbers: its training has come apart", path)


def _load_saved(path: Path, kind: type) -> Any:
    import keras

    from ...models.pretrained import reason

    config = read_config(path)
    if "class_name" in config and not _is_known(config):
        raise UsageError(f"{path} holds a {config['class_name']}, not one of facezoo's {_plural(kind)}")
    if foreign := _foreign_classes(config):
        raise UsageError(f"{path} names {foreign[0]}, which is no part of facezoo's models: it is not loaded")
    policy = keras.config.dtype_policy()
    try:
        check_sizes(path, config)
        keras.config.set_dtype_policy("float32")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each layer that does not fit, before Keras raises
            return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # a damaged zip, HDF5 or config raises whatever its reader raises
        raise UsageError(f"{path} cannot be read as a model: {reason(error)}") from error
    finally:
        keras.config.set_dtype_policy(policy)


def _load_published(weights: Path) -> Any:
    from ...models import load_pretrained

    try:
        return load_pretrained(weights.stem, weights.parent)
    except ValueError as error:
        raise UsageError(str(error)) from error


def read_published(weights: Path) -> dict[str, Any]:
    """What the card beside published weights says.

    Raises:
      UsageError: there is none, or it is damaged.
    """
    load_tensorflow()
    from ...models.pretrained import read_card

    if not weights.is_file():
        raise UsageError(f"{weights}: no such file, of which a card tells")
    if not weights.with_suffix(CARD).is_file():
        raise UsageError(f"{weights} has no card beside it, {weights.stem}{CARD}, as `facezoo publish` writes it")
    try:
        return read_card(weights.stem, weights.parent)
    except ValueError as error:
        raise UsageError(str(error)) from error


def describe_model(path: Path) -> tuple[str, dict[str, Any]]:
    """The class of the network in a model file, and its constructor's arguments; of a GAN, its autoencoder's.

    Raises:
      UsageError: it is no model file, or describes none of facezoo's.
    """
    load_tensorflow()
    if path.suffix == PUBLISHED:
        return _describe(path, read_published(path)["model"])
    return _describe(path, read_config(path))


def _describe(path: Path, description: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    config = description.get("config")
    if isinstance(config, dict) and isinstance(config.get("autoencoder"), dict) and "discriminator" in config:
        return _describe(path, config["autoencoder"])
    if not isinstance(config, dict) or not isinstance(description.get("class_name"), str):
        raise UsageError(f"{path} cannot be read as a model: it describes none")
    return description["class_name"], config


def check_sizes(path: Path, config: dict[str, Any]) -> None:
    """Raises ValueError where a model file would take much more memory than the file itself, before any is taken."""
    import h5py

    from ...models.pretrained import num_parameters

    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        unpacked, packed = sum(member.file_size for member in members), path.stat().st_size
        if len(members) > MOST_MEMBERS or unpacked > LARGEST_RATIO * packed:
            raise ValueError(f"it unpacks to {unpacked:,} bytes in {len(members):,} parts, from {packed:,}")
        if WEIGHTS not in archive.namelist():
            raise ValueError(f"it has no {WEIGHTS}")
        with archive.open(WEIGHTS) as member, h5py.File(member, "r") as weights:
            stored, num_arrays = count_stored(weights)
    if (count := num_parameters({key: config.get(key) for key in DESCRIPTION}, num_arrays)) > stored:
        raise ValueError(f"its configuration asks for {count:,} parameters, it holds {stored:,}")


def count_stored(file: "h5py.Group") -> tuple[int, int]:
    """How many numbers the data sets of an HDF5 file hold, and how many data sets there are.

    Raises:
      ValueError: they are very many, or one is declared larger than what is stored of it.
    """
    sizes: list[int] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append(item.size)
            if item.external or item.is_virtual:
                raise ValueError(f"{name[-100:]} lies in another file")
            if item.nbytes > LARGEST_RATIO * item.id.get_storage_size() + MOST_UNSTORED:
                raise ValueError(f"{name[-100:]} is declared as {item.nbytes:,} bytes, of which few are stored")
            if len(sizes) > MOST_MEMBERS:
                raise ValueError(f"it has more than {MOST_MEMBERS:,} arrays")

    import h5py

    file.visititems(visit)
    return sum(sizes), len(sizes)


def _plural(kind: type) -> str:
    return "autoencoders" if kind.__name__ == "Autoencoder" else "models"


def read_config(path: Path) -> dict[str, Any]:
    """What a model file says of its model, as Keras serialises it.

    Raises:
      UsageError: it is no model file.
    """
    from ...models.pretrained import reason

    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > MOST_BYTES:
                raise ValueError(f"its config.json has more than {MOST_BYTES // 1_000_000} MB")
            config = json.loads(archive.read("config.json"))
        if not isinstance(config, dict):
            raise ValueError("its config.json describes none")
    except Exception as error:  # a damaged zip raises whatever its reader raises
        raise UsageError(f"{path} cannot be read as a model: {reason(error)}") from error
    return config


def _foreign_classes(config: dict[str, Any]) -> list[str]:
    """The classes and functions in a configuration, at any depth, that are no class of facezoo's or `KERAS_MODULES`."""
    foreign: list[str] = []
    parts: list[Any] = [config]
    while parts:  # not recursively: a file may be nested as deeply as it likes
        part = parts.pop()
        if isinstance(part, dict):
            if "class_name" in part and not _is_known(part):
                foreign.append(f"{part.get('module')}.{part['class_name']}")
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)
    return foreign


def _is_known(part: dict[str, Any]) -> bool:
    import keras

    name, module = str(part["class_name"]), part.get("module")
    registered = keras.saving.get_registered_object(str(part.get("registered_name")))
    if registered is not None:
        return registered.__name__ == name and registered.__module__.startswith(_PACKAGE)
    if module is None:  # as users write initializers
        return isinstance(getattr(keras.initializers, name, None), type)
    if module == "keras.metrics":
        return name in KERAS_METRICS
    return module in KERAS_MODULES and name != "function" and not name.startswith("__")
