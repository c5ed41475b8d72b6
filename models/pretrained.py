"""Weights that ship with the package: small float16 files, each with a card that says what it is."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .trainable import TrainableModel

FOLDER = Path(__file__).parent / "weights"


def pretrained_names() -> list[str]:
    """The names that `load_pretrained` takes."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load_pretrained(name: str, folder: Path = FOLDER) -> TrainableModel:
    """A trained model that ships with the package, in float32.

    Args:
      name: one of `pretrained_names()`.
      folder: where card and weights lie: `NAME.json` and `NAME.npz`.

    Raises:
      ValueError: no such name, or files that are not those the card speaks of.
    """
    card = read_card(name, folder)
    data = (folder / f"{name}.npz").read_bytes()
    if hashlib.sha256(data).hexdigest() != card["sha256"]:
        raise ValueError(f"{folder / name}.npz is not the file of its card (SHA-256 differs): install facezoo again")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            weights = [arrays[key].astype(np.float32) for key in sorted(arrays.files)]
        model = _in_float32(card["model"])
    except Exception as error:  # a damaged archive or configuration raises whatever its reader raises
        raise ValueError(f"{folder / name}.npz or its card is damaged: {reason(error)}") from error
    if [weight.shape for weight in weights] != [weight.shape for weight in model.get_weights()]:
        raise ValueError(f"{folder / name}.npz does not fit its card's model in this version of facezoo")
    model.set_weights(weights)
    return model


def read_card(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """What is known of a model that ships: recipe, data, seed, metrics, hash.

    Raises:
      ValueError: no such name, or the card is damaged.
    """
    path = folder / f"{name}.json"
    known = sorted(found.stem for found in folder.glob("*.json"))
    if name not in known:  # which a path is not
        raise ValueError(f"no pretrained model {name!r}; there are {', '.join(known) or 'none'}")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the card {path} is damaged: {error}") from error
    if not isinstance(card, dict) or not isinstance(card.get("model"), dict):
        raise ValueError(f"the card {path} is damaged: it does not describe a model")
    for field in ("sha256", "recipe", "data"):
        if field not in card:
            raise ValueError(f"the card {path} is damaged: it has no {field}")
    return card


def reason(error: BaseException) -> str:
    """An exception in one line; of Keras' long ones, the line that says what happened."""
    text = str(error).rpartition("Exception encountered:")[2].strip()
    return text.splitlines()[0] if text else type(error).__name__


def round_weights(model: TrainableModel) -> None:
    """Rounds a model's weights to float16, as `save_pretrained` keeps them, so that what ships can be measured.

    Raises:
      ValueError: a weight is too large for float16, or not a number.
    """
    model.set_weights([weight.astype(np.float32) for weight in _rounded(model)])


def save_pretrained(model: TrainableModel, name: str, card: dict[str, Any], folder: Path) -> None:
    """Writes `NAME.npz`, the weights in float16, and `NAME.json`, the card.

    Args:
      model: what to save; its optimizer's state is left out.
      name: of the two files.
      card: what to say besides the model's configuration and the file's hash.
      folder: where to.

    Raises:
      ValueError: a weight is too large for float16, or not a number.
    """
    file = io.BytesIO()
    arrays: dict[str, Any] = {f"{number:04d}": weight for number, weight in enumerate(_rounded(model))}
    np.savez_compressed(file, **arrays)
    data = file.getvalue()
    about = {**card, "sha256": hashlib.sha256(data).hexdigest(), "model": _description(model)}
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"{name}.npz", data)
    _write(folder / f"{name}.json", (json.dumps(about, indent=2) + "\n").encode())


def _write(path: Path, data: bytes) -> None:
    """The whole file or nothing."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_bytes(data)
    temporary.replace(path)


def _rounded(model: TrainableModel) -> list[np.ndarray]:
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
