"""CelebA, LFW and MNIST as TensorFlow Datasets (TFDS) prepares them. Importing this module imports neither."""

import io
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from weakref import WeakValueDictionary

import numpy as np

from . import photographs
from .digits import DIGIT_NAMES, one_hot
from .labels import snake_case
from .photographs import Crop
from .source import SPLITS, DatasetError, Source, choose_split

DOWNLOADS = {
    "celeb_a": "https://drive.google.com",
    "lfw": "https://ndownloader.figshare.com",
    "mnist": "https://storage.googleapis.com",
}
SECONDS_TO_REACH = 5
BATCH = 1024
MNIST_VALIDATION = 5_000
CELEB_A_SIZE = (178, 218)  # width and height in pixels
CELEB_A_LANDMARKS = {
    "left_eye": "lefteye",
    "right_eye": "righteye",
    "nose": "nose",
    "left_mouth": "leftmouth",
    "right_mouth": "rightmouth",
}

Columns = dict[str, Any]


def celeb_a(
    split: str,
    *,
    image_size: int = 64,
    channels: int = 3,
    crop: Crop | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Source:
    """CelebA, aligned: 202,599 photographs of 178x218 pixels in TFDS's own three splits.

    Prepared in TFDS's usual format, `tfrecord`, a split is read into memory as encoded JPEG when the first pictures
    are asked for: 1.4 GB for all three. Prepared with `--file_format=array_record`, it is read from the disk.

    Args:
      split: train (162,770), validation (19,867) or test (19,962).
      image_size: side S of the pictures in pixels.
      channels: C, 3 for RGB or 1 for gray.
      crop: the side of a square in the centre, or (left, top, width, height) of one, in pixels of the 178x218;
        default the largest in the centre, (0, 20, 178, 178). Many papers crop to 148, which is (15, 35, 148, 148),
        others to 108.
      data_dir: TFDS's folder, which holds `celeb_a/`; default TFDS's own.

    Returns:
      Pictures [S, S, C] named by their number in the split; 40 `attributes`; 5 `landmarks` as fractions of the crop
      (one that is cut off lies outside [0, 1]), left and right as the viewer sees them; `identity` from 0.

    Raises:
      DatasetError: it is not there and cannot be downloaded (known within 10 seconds), or an unfit argument.
    """
    builder, box = _builder("celeb_a", data_dir, split, channels, crop)
    read = _reader(_prepare(builder), split)
    columns = tuple(builder.info.features["attributes"])

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        rows = read(positions)
        return {
            "image": _images(rows["image"], image_size, crop, channels),
            "attributes": np.stack([rows["attributes"][column] for column in columns], 1).astype(np.float32),
            "landmarks": _landmarks(rows["landmarks"], box),
            "identity": (rows["identity"]["Identity_No"] - 1).astype(np.int32),
        }

    return Source(
        name=f"celeb_a/{split}",
        names=_number(builder, split),
        load=load,
        image_shape=(image_size, image_size, channels),
        attribute_names=tuple(snake_case(column) for column in columns),
        landmark_names=tuple(CELEB_A_LANDMARKS),
    )


def lfw(
    split: str,
    *,
    image_size: int = 64,
    channels: int = 3,
    crop: Crop | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Source:
    """Labeled Faces in the Wild: 13,233 photographs of 250x250 pixels of 5,749 people.

    TFDS has them in one piece; they are split 80/10/10 by their name "person/number", see `choose_split`, so that most
    people are in several splits. Prepared as `tfrecord` all are held in memory as encoded JPEG, 180 MB.

    Args:
      split: train, validation or test.
      image_size: side S of the pictures in pixels.
      channels: C, 3 for RGB or 1 for gray.
      crop: the side of a square in the centre, or (left, top, width, height) of one, in pixels of the 250x250;
        default the whole picture.
      data_dir: TFDS's folder, which holds `lfw/`; default TFDS's own.

    Returns:
      Pictures [S, S, C] named "person/number"; `identity` counts all people of the data set from 0 by name.

    Raises:
      DatasetError: it is not there and cannot be downloaded (known within 10 seconds), or an unfit argument.
    """
    builder, _ = _builder("lfw", data_dir, split, channels, crop)
    read = _reader(_prepare(builder), "train")
    people = _labels(read, builder.info.splits["train"].num_examples)
    names = [f"{person}/{number}" for number, person in enumerate(people)]
    identities = np.unique(people, return_inverse=True)[1].astype(np.int32)
    members = np.array([number for number, name in enumerate(names) if choose_split(name) == split], np.int64)

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        chosen = members[positions]
        images = _images(read(chosen)["image"], image_size, crop, channels)
        return {"image": images, "identity": identities[chosen]}

    return Source(
        name=f"lfw/{split}",
        names=[names[member] for member in members],
        load=load,
        image_shape=(image_size, image_size, channels),
    )


def mnist(
    split: str,
    *,
    image_size: int = 32,
    channels: int = 1,
    crop: Crop | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Source:
    """MNIST: 70,000 handwritten digits of 28x28 pixels, white on black.

    Args:
      split: train (55,000), validation (the last 5,000 of TFDS's train) or test (10,000).
      image_size: side S of the pictures in pixels.
      channels: C, 1 for gray or 3 for the same thrice.
      crop: the side of a square in the centre, or (left, top, width, height) of one, in pixels of the 28x28;
        default the whole picture.
      data_dir: TFDS's folder, which holds `mnist/`; default TFDS's own.

    Returns:
      Pictures [S, S, C] named by their number in the split, with the digit as one of ten `attributes`.

    Raises:
      DatasetError: it is not there and cannot be downloaded (known within 10 seconds), or an unfit argument.
    """
    builder, _ = _builder("mnist", data_dir, split, channels, crop)
    slices = {"train": f"train[:-{MNIST_VALIDATION}]", "validation": f"train[-{MNIST_VALIDATION}:]", "test": "test"}
    read = _reader(_prepare(builder), slices[split])

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        rows = read(positions)
        return {"image": _images(rows["image"], image_size, crop, channels), "attributes": one_hot(rows["label"])}

    return Source(
        name=f"mnist/{split}",
        names=_number(builder, slices[split]),
        load=load,
        image_shape=(image_size, image_size, channels),
        attribute_names=DIGIT_NAMES,
    )


# Finding a data set.


def _builder(
    name: str, data_dir: str | os.PathLike[str] | None, split: str, channels: int, crop: Crop | None
) -> tuple[Any, tuple[int, int, int, int]]:
    """TFDS's builder, and the box that `crop` cuts out of its pictures. Nothing is downloaded."""
    if split not in SPLITS:
        raise DatasetError(f"{name}: split={split!r} is none of {', '.join(SPLITS)}")
    if channels not in (1, 3):
        raise DatasetError(f"{name}: channels={channels} is neither 1 (gray) nor 3 (RGB)")
    import tensorflow_datasets

    where = os.path.expanduser(data_dir) if data_dir else None  # noqa: PTH111 (gs://... is no Path)
    try:
        builder = tensorflow_datasets.builder(name, data_dir=where)
    except Exception as error:  # A damaged dataset_info.json raises whatever its reader raises.
        place = f"{name} in {where}" if where else f"{name} in TFDS's own folder"
        raise DatasetError(f"cannot read {place}; delete and prepare it again: {_reason(error)}") from error
    height, width, _ = builder.info.features["image"].shape
    return builder, photographs.crop_box((width, height), crop)


def _prepare(builder: Any) -> Any:
    """The same builder, its data on the disk: downloaded if need be."""
    if (builder.data_path / "dataset_info.json").exists():
        return builder
    download = DOWNLOADS[builder.name]
    # TFDS itself would try again and again for minutes.
    if not _reachable(download):
        raise DatasetError(
            f"{builder.name} is not in {builder.data_dir}, and {download} cannot be reached to download it.",
            f"Run `tfds build {builder.name}` on a machine with network and copy the folder it leaves,",
            f"or give the folder that holds {builder.name}/ with --data_dir.",
        )
    try:
        builder.download_and_prepare()
    except Exception as error:  # Whatever the network, the host's quota, or the disk did.
        message = f"{builder.name} could not be downloaded into {builder.data_dir}: {_reason(error)}"
        raise DatasetError(message) from error
    return builder


def _reachable(url: str) -> bool:
    """Whether a server answers at all, through a proxy if one is set."""
    answers: list[bool] = []
    # In a thread, since looking up the server's name takes no time-out.
    asking = threading.Thread(target=lambda: answers.append(_answers(url)), daemon=True)
    asking.start()
    asking.join(SECONDS_TO_REACH)
    return any(answers)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=SECONDS_TO_REACH).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
    except OSError:
        return False
    return True


# Reading at random.


class _Read(Protocol):
    def __call__(self, positions: np.ndarray) -> Columns:
        """Columns [n] of the examples, nested as TFDS nests its features; pictures are encoded bytes."""


class _InMemory:
    """A split in memory, read in one go when it is first needed."""

    def __init__(self, builder: Any, split: str) -> None:
        self._builder = builder
        self._split = split
        self._columns: Columns | None = None
        self._lock = threading.Lock()

    def __call__(self, positions: np.ndarray) -> Columns:
        with self._lock:
            if self._columns is None:
                self._columns = _all_columns(self._builder, self._split)
        columns = self._columns
        return _map(lambda values: values[0][positions], [columns])


# Sources of the same split share what they hold, as long as one of them lives.
_in_memory: WeakValueDictionary[tuple[str, str], _InMemory] = WeakValueDictionary()


def _reader(builder: Any, split: str) -> _Read:
    import tensorflow_datasets

    try:
        decoders = {"image": tensorflow_datasets.decode.SkipDecoding()}
        source = builder.as_data_source(split, decoders=decoders)
    except NotImplementedError:  # A format that can only be read from the beginning to the end: tfrecord.
        return _in_memory.setdefault((str(builder.data_dir), split), _InMemory(builder, split))
    return lambda positions: _map(_column, source.__getitems__([int(position) for position in positions]))


def _all_columns(builder: Any, split: str) -> Columns:
    import tensorflow as tf
    import tensorflow_datasets

    # One file after the other: the order in which `as_data_source` numbers them too.
    in_order = tensorflow_datasets.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    decoders = {"image": tensorflow_datasets.decode.SkipDecoding()}
    try:
        examples = builder.as_dataset(split=split, decoders=decoders, read_config=in_order, shuffle_files=False)
        return _map(np.concatenate, list(examples.batch(BATCH).as_numpy_iterator()))
    except (tf.errors.OpError, OSError) as error:
        message = f"cannot read {builder.data_dir}; delete and prepare it again: {_reason(error)}"
        raise DatasetError(message) from error


def _reason(error: Exception) -> str:
    """The first line of what an exception says."""
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__


def _map(function: Callable[[list], Any], trees: Sequence[Columns]) -> Columns:
    """Nested dictionaries of one structure -> one, whose leaves are `function` of the list of their leaves."""
    return {
        key: _map(function, [tree[key] for tree in trees])
        if isinstance(value, dict)
        else function([tree[key] for tree in trees])
        for key, value in trees[0].items()
    }


def _column(values: list) -> np.ndarray:
    # Without dtype=object, NumPy would cut zeros off the end of encoded pictures.
    return np.array(values, object if isinstance(values[0], bytes) else None)


def _number(builder: Any, split: str) -> list[str]:
    return [str(number) for number in range(builder.info.splits[split].num_examples)]


def _labels(read: _Read, count: int) -> list[str]:
    batches = [np.arange(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]
    return [label.decode() for batch in batches for label in read(batch)["label"]]


# What the examples give.


def _images(encoded: np.ndarray, image_size: int, crop: Crop | None, channels: int) -> np.ndarray:
    images = np.empty((len(encoded), image_size, image_size, channels), np.uint8)
    for image, data in zip(images, encoded, strict=True):
        image[:] = photographs.fit(photographs.read(io.BytesIO(data)), image_size, crop, channels)
    return images


def _landmarks(pixels: dict[str, np.ndarray], box: tuple[int, int, int, int]) -> np.ndarray:
    """CelebA's columns `nose_x`, `nose_y`, ... in pixels of the photograph -> fractions of the box, [n, 5, 2]."""
    left, top, right, bottom = box
    x = np.stack([pixels[f"{landmark}_x"] for landmark in CELEB_A_LANDMARKS.values()], 1)  # [n, 5]
    y = np.stack([pixels[f"{landmark}_y"] for landmark in CELEB_A_LANDMARKS.values()], 1)
    return np.stack([(x - left) / (right - left), (y - top) / (bottom - top)], 2).astype(np.float32)  # [n, 5, 2]
