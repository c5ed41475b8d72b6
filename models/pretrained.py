"""Weights that ship with the package: small float16 files, each with a card that says what it is."""

import contextlib
import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Iterable, Sequence
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
HELD = "held"  # of a card: the models whose weights lie in files beside its own, where they are not kept twice
NAME = r"\w[\w-]{0,99}"  # of a file without its ending, of an argument, or a hash
MOST_HELD = 2
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
    way = "install facezoo again" if folder == FOLDER else "get both again from where they were published"
    stored = [_read_weights(folder / f"{name}.npz", card["sha256"], f"is not the file of its card: {way}")]
    held = card.get(HELD, {})
    for other, digest in held.values():
        path = folder / f"{other}.npz"
        if not path.exists():
            raise ValueError(f"{path} is not there, whose weights {name} holds: {way}")
        stored.append(_read_weights(path, digest, f"is not the file whose weights {name} holds: {way}"))
    try:
        _check_sizes(stored, card["model"])
        weights = [_unpack(data) for data in stored]
        model = _in_float32(card["model"])
        places = [_list_own(model, held), *(getattr(model, argument).weights for argument in held)]
    except Exception as error:  # a damaged archive or configuration raises whatever its reader raises
        raise ValueError(f"{folder / name}.npz or its card is damaged: {reason(error)}") from error
    for olds, news in zip(places, weights, strict=True):
        if [old.shape for old in olds] != [new.shape for new in news]:
            raise ValueError(f"{folder / name}.npz does not fit its card's model in this version of facezoo")
        for old, new in zip(olds, news, strict=True):
            old.assign(new)
    return model


def _read_weights(path: Path, digest: str, complaint: str) -> bytes:
    """A file of weights that has this hash."""
    try:
        data = files.read_bytes(path, MOST_BYTES)
    except files.UnfitFileError as error:
        raise ValueError(f"{path} is not read: {error}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{path} {complaint} (SHA-256 differs)")
    return data


def _check_sizes(stored: Sequence[bytes], description: dict[str, Any]) -> None:
    """Raises ValueError where files of weights unpack to more or less than a described model holds."""
    members = [member for data in stored for member in zipfile.ZipFile(io.BytesIO(data)).infolist()]
    unpacked = sum(member.file_size for member in members)
    count = num_parameters(description, len(members))
    if unpacked > MOST_NUMBER_BYTES * count + MOST_HEADER_BYTES * len(members):
        raise ValueError(f"it unpacks to {unpacked:,} bytes, its card's model has {count:,} parameters")
    if count > unpacked:  # each takes a byte at least
        raise ValueError(f"its card's model has {count:,} parameters, it unpacks to {unpacked:,} bytes")


def _unpack(data: bytes) -> list[np.ndarray]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return [arrays[key].astype(np.float32) for key in sorted(arrays.files)]


def _list_own(model: TrainableModel, held: Iterable[str]) -> list:
    """The weights of a model but for those of the models that it holds in some of its arguments."""
    if unknown := set(held) - set(model.model_arguments):
        raise ValueError(f"a {type(model).__name__} holds no model as {unknown.pop()!r}")
    return model.own_weights(held)


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
    if not _names_files(card.get(HELD, {})):
        raise ValueError(f"the card {path} is damaged: what it holds is no name and hash for an argument or two")
    return card


def _names_files(held: Any) -> bool:
    """Whether this is a name and a hash for each of a few arguments, as `save_pretrained` writes them."""
    if not isinstance(held, dict) or len(held) > MOST_HELD:
        return False
    texts = [[argument, *pair] if isinstance(pair, list) else [] for argument, pair in held.items()]
    is_text = re.compile(NAME).fullmatch
    return all(len(own) == 3 and all(isinstance(text, str) and is_text(text) for text in own) for own in texts)


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
    model.set_weights([weight.astype(np.float32) for weight in _round(model.name, model.weights)])


def save_pretrained(
    model: TrainableModel, name: str, card: dict[str, Any], folder: Path, beside: Path | None = None
) -> None:
    """Writes `NAME.npz`, the weights in float16, and `NAME.json`, the card.

    Args:
      model: what to save; its optimizer's state is left out.
      name: of the two files.
      card: what to say besides the model's configuration and the file's hash.
      folder: where to.
      beside: a folder with other such files that these are going to lie beside: weights of a model that this one holds
        are left out where they are among them, and the card names it.

    Raises:
      ValueError: a weight is too large for float16, or not a number.
      OSError: one of the files is there already, or cannot be written.
    """
    held = _find_held(model, beside) if beside else {}
    file = io.BytesIO()
    own = _round(model.name, _list_own(model, held))
    arrays: dict[str, Any] = {f"{number:04d}": weight for number, weight in enumerate(own)}
    np.savez_compressed(file, **arrays)
    if held:  # the hash is of them, too
        with zipfile.ZipFile(file, "a") as archive:
            archive.comment = json.dumps(held).encode()
    data = file.getvalue()
    about = {
        **card,
        **({HELD: held} if held else {}),
        "sha256": hashlib.sha256(data).hexdigest(),
        "model": _description(model),
    }
    with files.whole_file(folder / f"{name}.npz", is_new=True) as partial:
        partial.write_bytes(data)
    with files.whole_file(folder / f"{name}.json", is_new=True) as partial:
        partial.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _find_held(model: TrainableModel, folder: Path) -> dict[str, tuple[str, str]]:
    """By the constructor's argument, the models that one holds and that a folder has: name and hash of its file."""
    found = {}
    for argument in model.model_arguments:
        held = getattr(model, argument)
        for other in sorted(path.stem for path in folder.glob("*.json")):
            card = read_card(other, folder)
            if HELD in card or card["model"].get("class_name") != type(held).__name__:
                continue
            same = load_pretrained(other, folder)
            pairs = zip(held.get_weights(), same.get_weights(), strict=False)
            if len(held.weights) == len(same.weights) and all(np.array_equal(*pair) for pair in pairs):
                found[argument] = other, card["sha256"]
    return found


def _round(name: str, weights: list) -> list[np.ndarray]:
    """Weights of a model in float16."""
    with np.errstate(over="ignore"):
        rounded = [keras.ops.convert_to_numpy(weight).astype(np.float16) for weight in weights]
    if not all(np.isfinite(weight).all() for weight in rounded):
        raise ValueError(f"{name}: a weight is not a finite number in float16")
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
