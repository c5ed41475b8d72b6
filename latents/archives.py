"""Named arrays in one file (.npz) that says what it holds and to which model's codes it belongs."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from .. import files

FORMAT = 1
HASH_SHOWN = 8  # digits of it that tell two models apart


def save_arrays(path: Path, kind: str, model_hash: str, arrays: dict[str, np.ndarray], is_shared: bool = False) -> None:
    """Writes the whole file or nothing.

    Args:
      path: of the file, in a folder that is there.
      kind: what it holds, e.g. "attribute vectors".
      model_hash: of the model whose codes they are about.
      arrays: numbers and strings by name; no names `kind`, `format`, `model_hash`.
      is_shared: several processes may replace it at once; the last one stays.
    """
    about = {"kind": np.array(kind), "format": np.array(FORMAT), "model_hash": np.array(model_hash)}
    everything: dict[str, Any] = {**about, **arrays}
    with files.whole_file(path, is_shared=is_shared) as partial, partial.open("wb") as file:
        np.savez(file, **everything)


def load_arrays(path: Path, kind: str, model_hash: str | None) -> dict[str, np.ndarray]:
    """Reads what `save_arrays` has written, `model_hash` included; nothing in the file is executed.

    Args:
      path: of the file.
      kind: what it has to hold.
      model_hash: of the model in use; None takes any.

    Raises:
      ValueError: it cannot be read, is damaged, holds something else, or is about another model's codes.
    """
    arrays = _read(path)
    if str(arrays.pop("kind", None)) != kind:
        raise ValueError(f"{path} does not hold {kind} of facezoo's")
    if (found := str(arrays.pop("format", None))) != str(FORMAT):
        raise ValueError(f"{path} has the format {found}, this facezoo reads {FORMAT}: make it again")
    if "model_hash" not in arrays:
        raise ValueError(f"{path} is damaged: it has no model_hash")
    if model_hash is not None and str(arrays["model_hash"]) != model_hash:
        found, wanted = str(arrays["model_hash"])[:HASH_SHOWN], model_hash[:HASH_SHOWN]
        raise ValueError(f"{path} belongs to another model: its hash begins with {found}, not {wanted}")
    return arrays


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with files.open_regular(path) as file:
            with zipfile.ZipFile(file) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > path.stat().st_size:
                raise ValueError("it unpacks to more than itself")  # which an archive that is not compressed never does
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # a damaged archive raises whatever its reader raises
        raise ValueError(f"{path} is damaged: {str(error).partition(chr(10))[0]}") from error
