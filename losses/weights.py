"""Weights of frozen networks: in a file, a folder or the cache, or downloaded once; none of them ships with facezoo."""

import contextlib
import hashlib
import io
import math
import os
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .. import files

# A folder that holds the files below, or an address (https://...) that ends in such a folder.
PLACE = "FACEZOO_WEIGHTS"
# What a download must be: the SHA-256 of each file.
SHA256 = {
    "lpips_alex.npz": "f916c32e2d766409b5e46f261350be677009056f0c6a3b50b734da21c95af25b",
    "lpips_squeeze.npz": "5c76ce0e7d7a81d2f98bfd15cd4a452b65c67b68453b3c27a567e9bb3b7587c4",
    "face_recognition.npz": "d2ec836308fb373f83c676887c172e0420aef217d4eb78d26836fc3b56cb837d",
    "vgg16_notop.weights.h5": "a2f51117308129c3de9a523c91d35160eb75a6a9e5db1e2afb4f48e48dfb733a",
}
MOST_BYTES = 256 * 2**20
MOST_HEADER_BYTES = 1000  # of an array in a file
DOWNLOAD_TIMEOUT = 20  # seconds without an answer

Shapes = Mapping[str, tuple[int, ...]]


class WeightsError(ValueError):
    """Weights that cannot be had: no download, or a file that is not what it should be.

    >>> issubclass(WeightsError, ValueError)
    True
    """


class MissingWeightsError(WeightsError):
    """Weights that are in none of the places where they are looked for."""


def find_weights(name: str, given: str | None = None) -> Path:
    """The file of weights of some name.

    Args:
      name: one of `SHA256`.
      given: a file, or a folder that holds the name; by default it is looked for in the folder that the environment
        variable FACEZOO_WEIGHTS names, then in facezoo's cache. Where the variable is an address, the file is
        downloaded from there into the cache, once, and its SHA-256 held against the known one.

    Raises:
      MissingWeightsError: it is in none of these places.
      WeightsError: the file that was given is not there, or the download failed or is another file.
    """
    place = given or os.environ.get(PLACE, "")
    is_address = not given and place.startswith(("https://", "http://"))
    if place and not is_address:
        path = Path(os.path.expanduser(place))  # noqa: PTH111 (Path's may raise)
        path = path / name if path.is_dir() else path
        if path.is_file() and (given or path.name == name):
            return path
        if given:
            raise WeightsError(f"there is no weights file {path}")
    cached = files.cache_folder() / "weights" / name
    if cached.is_file():
        return cached
    if is_address:
        return _download(f"{place.rstrip('/')}/{name}", cached)
    raise MissingWeightsError(f"{name} is not there: name the file, or by {PLACE} a folder or an address that holds it")


def _download(address: str, path: Path) -> Path:
    try:
        with contextlib.closing(urllib.request.urlopen(address, timeout=DOWNLOAD_TIMEOUT)) as answer:
            data = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the answer, too
        raise WeightsError(f"{address} cannot be downloaded: {reason(error)}") from error
    if hashlib.sha256(data).hexdigest() != SHA256[path.name]:
        raise WeightsError(f"{address} is not the file that facezoo knows by this name (SHA-256 differs)")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole_file(path, is_shared=True) as partial:
            partial.write_bytes(data)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {reason(error)}") from error
    return path


def read_arrays(path: Path, shapes: Shapes) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file, held against their shapes before anything is unpacked.

    Args:
      path: of the file.
      shapes: of the arrays wanted, by name; others are not looked at.

    Returns:
      float32 arrays by name.

    Raises:
      WeightsError: the file is damaged or another network's.
    """
    try:
        data = files.read_bytes(path, MOST_BYTES)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {member.filename.removesuffix(".npy"): member.file_size for member in archive.infolist()}
        for name, shape in shapes.items():
            if name not in sizes:
                raise WeightsError(f"{path} has no {name}: give a file of this network")
            if sizes[name] > 8 * math.prod(shape) + MOST_HEADER_BYTES:
                raise WeightsError(f"{path}: {name} is larger than {shape}: give a file of this network")
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            arrays = {name: np.asarray(found[name]) for name in shapes}  # of a member that is none NumPy gives bytes
    except WeightsError:
        raise
    except Exception as error:  # a damaged archive raises whatever its reader raises
        raise WeightsError(f"{path} is not a file of weights, or damaged: {reason(error)}") from error
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise WeightsError(f"{path}: the shape of {name} is {arrays[name].shape}, not {shape}")
        if not np.issubdtype(arrays[name].dtype, np.floating) or not np.isfinite(arrays[name]).all():
            raise WeightsError(f"{path}: {name} holds numbers that are not finite: the file is damaged")
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def reason(error: BaseException) -> str:
    """The first line of what an exception says."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
