"""Weights that ship with the package: small float16 files, each with a card that says what it is."""

import contextlib
import hashlib
import io
import json
import math
import re
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import files
from .trainable import TrainableModel

FOLDER = files.WEIGHTS_FOLDER
MOST_BYTES = 2 * 2**30  # of a file of weights
MOST_CARD_BYTES = 10_000_000
MOST_NUMBER_BYTES, MOST_HEADER_BYTES = 8, 1000  # of a parameter and of an array in a file
REPEATING = re.compile("blocks|depth|stages|levels")  # arguments of which a network has that many parts
FEW = 64  # such parts, which are made in no time
MOST_TEXT = 1000  # characters of a name in a description: Keras puts names before names


def pretrained_names() -> list[str]:
    """The names that `load_pretrained` takes.

    >>> "vae" in pretrained_names()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load_pretrained(name: str, folder: str | Path | None = None) -> TrainableModel:
    """A trained model that ships with the package, or that `facezoo publish` has written, in float32.

    >>> load_pretrained("cae").shape_of_code()
    (16, 16, 64)

    Args:
      name: one of `pretrained_names()`.
      folder: where card and weights lie, `NAME.json` and `NAME.npz`; facezoo's own if absent.

    Raises:
      ValueError: no such name, or files that are not those the card speaks of.
    """
    folder = FOLDER if folder is None else Path(folder)
    card = read_card(name, folder)
    try:
        data = files.read_bytes(folder / f"{name}.npz", MOST_BYTES)
    except files.UnfitFileError as error:
        raise ValueError(f"{folder / name}.npz is not read: {error}") from error
    if hashlib.sha256(data).hexdigest() != card["sha256"]:
        way = "install facezoo again" if folder == FOLDER else "get both again from where they were published"
        raise ValueError(f"{folder / name}.npz is not the file of its card (SHA-256 differs): {way}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        count = num_parameters(card["model"], len(archive.infolist()))
        if unpacked > MOST_NUMBER_BYTES * count + MOST_HEADER_BYTES * len(archive.infolist()):
            raise ValueError(f"it unpacks to {unpacked:,} bytes, its card's model has {count:,} parameters")
        if count > unpacked:  # each takes a byte at least
            raise ValueError(f"its card's model has {count:,} parameters, it unpacks to {unpacked:,} bytes")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            weights = [arrays[key].astype(np.float32) for key in sorted(arrays.files)]
        model = _in_float32(card["model"])
    except Exception as error:  # a damaged archive or configuration raises whatever its reader raises
        raise ValueError(f"{folder / name}.npz or its card is damaged: {reason(error)}") from error
    if [weight.shape for weight in weights] != [weight.shape for weight in model.get_weights()]:
        raise ValueError(f"{folder / name}.npz does not fit its card's model in this version of facezoo")
    model.set_weights(weights)
    return model


def read_card(name: str, folder: str | Path | None = None) -> dict[str, Any]:
    """What is known of a model that ships or was published: recipe, data, seed, metrics, hash.

    Raises:
      ValueError: no such name, or the card is damaged.
    """
    folder = FOLDER if folder is None else Path(folder)
    path = folder / f"{name}.json"
    known = sorted(found.stem for found in folder.glob("*.json"))
    if name not in known:  # which a path is not
        raise ValueError(f"no pretrained model {name!r}; there are {', '.join(known) or 'none'}")
    try:
        card = json.loads(files.read_text(path, MOST_CARD_BYTES))
    except (files.UnfitFileError, ValueError, RecursionError) as error:
        raise ValueError(f"the card {path} is damaged: {error}") from error
    if not isinstance(card, dict) or not isinstance(card.get("model"), dict):
        raise ValueError(f"the card {path} is damaged: it does not describe a model")
    for field in ("sha256", "recipe", "data"):
        if field not in card:
            raise ValueError(f"the card {path} is damaged: it has no {field}")
    return card


def num_parameters(description: dict[str, Any], num_arrays: int) -> int:
    """How many numbers a model would hold that Keras has described, found without holding them.

    Args:
      description: as `keras.saving.serialize_keras_object` gives it; what it names has to be known as harmless.
      num_arrays: that are stored of it: it has no more parts.

    Raises:
      ValueError: a text in it is longer than any name, or it has more parts than arrays.
      Exception: whatever the constructor raises.
    """
    check_description(description, num_arrays)
    with keras.StatelessScope(initialize_variables=False):  # variables of it get no values
        model = keras.saving.deserialize_keras_object(description, safe_mode=True)
    _forget_variables()
    if not isinstance(model, keras.Model):  # what is not the description of an object comes back as it is
        raise TypeError(f"it describes a {type(model).__name__}, no model of facezoo's")
    return sum(math.prod(weight.shape) for weight in model.weights)


def check_description(description: Any, num_arrays: int) -> None:
    """Raises ValueError where a description, at any depth, holds very long texts, or more parts than arrays."""
    parts = [description]
    while parts:  # not recursively: a file may be nested as deeply as it likes
        part = parts.pop()
        if isinstance(part, dict):
            parts += [*part.keys(), *part.values()]
            counts = {name: value for name, value in part.items() if REPEATING.search(str(name))}
            for name, value in counts.items():
                if isinstance(value, int) and value > max(num_arrays, FEW):
                    raise ValueError(f"its configuration asks for {value:,} {name}")
        elif isinstance(part, list | tuple):
            parts += part
            if len(part) > max(num_arrays, MOST_TEXT):
                raise ValueError(f"a list in its configuration has {len(part):,} parts")
        elif isinstance(part, str) and len(part) > MOST_TEXT:
            raise ValueError(f"a text in its configuration has {len(part):,} characters")


def _forget_variables() -> None:
    """Keras 3.15 keeps a list of variables without values, to give them values at the next occasion."""
    with contextlib.suppress(ImportError, AttributeError):  # of a Keras that is made otherwise
        from keras.src.backend.common import global_state

        global_state.set_global_attribute("uninitialized_variables", [])


def reason(error: BaseException) -> str:
    """An exception in one line; of Keras' long ones, the line that says what happened."""
    text = str(error).rpartition("Exception encountered:")[2].strip()
    return text.splitlines()[0] if text else type(error).__name__


def round_weights(model: TrainableModel) -> None:
    """Rounds a model's weights to float16, as `save_pretrained` keeps them, so that what ships can be measured.

    Raises:
      ValueError: a weight is too large for float16, or not a number.
    """
    model.set_weights([weight.astype(np.float32) for weight in _round(model)])


def save_pretrained(model: TrainableModel, name: str, card: dict[str, Any], folder: Path) -> None:
    """Writes `NAME.npz`, the weights in float16, and `NAME.json`, the card.

    Args:
      model: what to save; its optimizer's state is left out.
      name: of the two files.
      card: what to say besides the model's configuration and the file's hash.
      folder: where to.

    Raises:
      ValueError: a weight is too large for float16, or not a number.
      OSError: one of the files is there already, or cannot be written.
    """
    file = io.BytesIO()
    arrays: dict[str, Any] = {f"{number:04d}": weight for number, weight in enumerate(_round(model))}
    np.savez_compressed(file, **arrays)
    data = file.getvalue()
    about = {**card, "sha256": hashlib.sha256(data).hexdigest(), "model": _description(model)}
    with files.whole_file(folder / f"{name}.npz", is_new=True) as partial:
        partial.write_bytes(data)
    with files.whole_file(folder / f"{name}.json", is_new=True) as partial:
        partial.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _round(model: TrainableModel) -> list[np.ndarray]:
    with np.errstate(over="ignore"):
        rounded = [weight.astype(np.float16) for weight in model.get_weights()]
    if not all(np.isfinite(weight).all() for weight in rounded):
        raise ValueError(f"{model.name}: a weight is not a finite number in float16")
    return rounded


def _description(model: TrainableModel) -> dict[str, Any]:
    """The class and the constructor's arguments, as JSON."""
    description = keras.saving.serialize_keras_object(model)
    return {key: description[key] for key in ("module", "class_name", "config", "registered_name")}


def _in_float32(description: dict[str, Any]) -> TrainableModel:
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("float32")
        model = keras.saving.deserialize_keras_object(description, safe_mode=True)
    finally:
        keras.config.set_dtype_policy(policy)
    if not isinstance(model, TrainableModel):  # what is not the description of an object comes back as it is
        raise TypeError(f"it describes a {type(model).__name__}, no model of facezoo's")
    return model
