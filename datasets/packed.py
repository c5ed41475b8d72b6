"""A pack: a data set's pictures at one size, in few large files. Importing this module does not import TensorFlow.

It is a folder of TFRecord files, `train-00000.tfrecord` and so on, each record a `tf.train.Example` of these features,

    image/encoded   bytes [1]: a PNG, `size` x `size` pixels, RGB or gray
    name            bytes [1]
    attributes      float [A], as known, and so are
    landmarks       float [2 L]: x, y, x, y, ... as fractions of the picture
    identity        int64 [1]

and of `index.json`: its `format` and `version`; the pictures' `size` and `channels`; `attribute_names`,
`landmark_names`, `identity_names`; in `columns` the shape of each known column for one example; and in `splits` the
files of each: `file`, the `names` of its examples, the `offsets` in bytes where records begin and the last one ends,
and the `checksums`, `zlib.crc32`, of the examples. Where it is known how the pictures were cut, `crop` says what was
taken of the photographs (null for the largest square in the centre, the side of one, or left, top, width, height), and
`cut` where faces lie in the pictures (null, or `template`, `margin` and `shift` as in `manifest.Cut`).
"""

import contextlib
import functools
import hashlib
import io
import json
import os
import weakref
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import files
from . import photographs, picture_bounds
from .folder import ALL
from .manifest import Cut
from .once import once
from .photographs import Crop
from .source import SPLITS, DatasetError, Source

INDEX_FILE, FORMAT, VERSION = "index.json", "facezoo pack", 1
COLUMNS = {"attributes": np.float32, "landmarks": np.float32, "identity": np.int32}
BEFORE, AROUND = 12, 16  # bytes of a record before its example, and before and after it together
MOST_INDEX_BYTES = 2**30
OPEN_FILES = 32  # of one source


def packed(split: str, *, data_dir: str | os.PathLike[str], image_size: int = 64, channels: int = 3) -> Source:
    """What `facezoo pack` made of a folder of photographs: the same pictures and splits in few files.

    The crop is the one that they were packed with; `read_origin` tells it.

    Args:
      split: train, validation, test, or all for the three together.
      data_dir: the folder that it made.
      image_size: side S of the pictures in pixels, not above that of the pack: more detail is not in it.
      channels: C, 3 for RGB or 1 for gray, whatever the pack has.

    Returns:
      Pictures [S, S, C] and all columns as `folder` gives them, in the same order and by the same names.

    Raises:
      DatasetError: no pack, a damaged one or one of another version, no pictures in the split, or an unfit argument.
        That files are whole is checked at once, what they hold when it is read.
    """
    if split not in (*SPLITS, ALL):
        raise DatasetError(f"packed: split={split!r} is none of {', '.join(SPLITS)}, {ALL}")
    if channels not in (1, 3):
        raise DatasetError(f"packed: channels={channels} is neither 1 (gray) nor 3 (RGB)")
    root = _root(data_dir)
    index = _read_index(root)
    if image_size > index.size:
        raise DatasetError(
            f"packed: image_size={image_size}, but {root} holds pictures of {index.size} pixels: "
            f"ask for no more, or pack them again with --size={image_size}"
        )
    records = _Records(root, index, split)

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        examples = {name: np.empty((len(positions), *shape), COLUMNS[name]) for name, shape in index.columns.items()}
        images = np.empty((len(positions), image_size, image_size, channels), np.uint8)
        for row, position in enumerate(positions.tolist()):
            with records.example(position) as features:
                picture = photographs.read(io.BytesIO(features["image/encoded"].bytes_list.value[0]))
                images[row] = photographs.fit(picture, image_size, channels=channels)
                for name, values in examples.items():
                    values[row] = np.reshape(_numbers(features[name]), values.shape[1:])
        return {"image": images} | examples

    return Source(
        name=f"packed/{split}",
        names=records.names,
        load=load,
        image_shape=(image_size, image_size, channels),
        attribute_names=index.attribute_names,
        landmark_names=index.landmark_names,
        identity_names=index.identity_names,
        digest=records.digest,
    )


class Origin(NamedTuple):
    """How pictures were cut.

    Attributes:
      crop: what was taken of the photographs; None for the largest square in the centre.
      cut: where faces lie in the pictures, or None where nothing tells.
    """

    crop: Crop | None
    cut: Cut | None


def read_origin(data_dir: str | os.PathLike[str]) -> Origin | None:
    """How the pictures of a pack were cut; None where it does not tell, or is not there.

    Raises:
      DatasetError: what is there is no pack, a damaged one, or one of another version.
    """
    try:
        root = _root(data_dir)
    except DatasetError:
        return None
    return _read_index(root).origin


# The index.


class _Shard(NamedTuple):
    """A file of records.

    Attributes:
      file: its name.
      names: of its N examples.
      places: int64 [N, 3], of each record where it begins and how many bytes it has, and its example's checksum.
    """

    file: str
    names: list[str]
    places: np.ndarray

    @property
    def num_bytes(self) -> int:
        return int(self.places[-1, 0] + self.places[-1, 1])


class _Index(NamedTuple):
    size: int
    attribute_names: tuple[str, ...]
    landmark_names: tuple[str, ...]
    identity_names: tuple[str, ...]
    columns: dict[str, tuple[int, ...]]
    splits: dict[str, list[_Shard]]
    origin: Origin | None


def _root(data_dir: str | os.PathLike[str]) -> Path:
    if not data_dir:
        raise DatasetError("packed: data_dir is missing, the folder that `facezoo pack` made")
    root = Path(os.path.realpath(os.path.expanduser(data_dir)))  # noqa: PTH111 (Path's may raise)
    if not root.is_dir():
        raise DatasetError(f"packed: data_dir={data_dir} is {'not a folder' if root.exists() else 'not there'}")
    return root


@once
def _read_index(root: Path) -> _Index:
    path = root / INDEX_FILE
    try:
        content = json.loads(files.read_bytes(path, MOST_INDEX_BYTES))
    except FileNotFoundError as error:
        raise DatasetError(
            f"packed: {root} is not a pack, it has no {INDEX_FILE}: `facezoo pack --in=PICTURES --out=NEW` makes one"
        ) from error
    except OSError as error:
        raise DatasetError(f"packed: cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise _damage(path, "it is not JSON") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DatasetError(f"packed: {path} is not of a pack: give the folder that `facezoo pack` made")
    if content.get("version") != VERSION:
        raise DatasetError(
            f"packed: {path} is of version {content.get('version')} of the format, and this facezoo reads version "
            f"{VERSION}: pack the pictures again with it"
        )
    try:
        return _parse_index(content)
    except (KeyError, TypeError, ValueError, OverflowError, IndexError, AttributeError) as error:
        raise _damage(path, "it does not describe a pack") from error


def _parse_index(content: dict[str, Any]) -> _Index:
    """Any of half a dozen exceptions for an index that does not describe a pack."""
    size = int(content["size"])
    if not 1 <= size <= picture_bounds.MAX_SIDE:
        raise ValueError(f"no picture has {size} pixels a side")
    names = {name: tuple(map(str, content[name])) for name in ("attribute_names", "landmark_names", "identity_names")}
    shapes = {
        "attributes": (len(names["attribute_names"]),),
        "landmarks": (len(names["landmark_names"]), 2),
        "identity": (),
    }
    columns = {name: tuple(map(int, content["columns"][name])) for name in COLUMNS if name in content["columns"]}
    if any(shape != shapes[name] for name, shape in columns.items()):
        raise ValueError("its columns are not as many as their names")
    return _Index(
        size=size,
        **names,
        columns=columns,
        splits={split: [_parse_shard(row) for row in content["splits"][split]] for split in SPLITS},
        origin=parse_origin(content) if "crop" in content else None,
    )


def describe_origin(origin: Origin | None) -> dict[str, Any]:
    """What an index or a card says of how pictures were cut; `parse_origin` reads it."""
    if origin is None:
        return {}
    cut = origin.cut
    told = None if cut is None else {"template": cut.template, "margin": cut.margin, "shift": cut.shift}
    return {"crop": origin.crop, "cut": told}


def parse_origin(content: dict[str, Any]) -> Origin:
    """What `describe_origin` has told, with the pictures' `size`, whoever has written it.

    Raises:
      ValueError, TypeError, KeyError, AttributeError: it tells of no sound cut or crop.
    """
    crop, cut = content["crop"], content["cut"]
    crop = tuple(map(int, crop)) if isinstance(crop, list) else crop
    photographs.check_crop(crop)
    return Origin(crop, None if cut is None else _cut_in(cut, int(content["size"])))


def _cut_in(values: dict[str, Any], size: int) -> Cut:
    right, down = map(float, values["shift"])
    cut = Cut(values["template"], float(values["margin"]), size, shift=(right, down))
    cut.check()
    return cut


def _parse_shard(row: dict[str, Any]) -> _Shard:
    offsets = np.array(row["offsets"], np.int64)
    places = np.stack([offsets[:-1], np.diff(offsets), np.array(row["checksums"], np.int64)], 1)  # [N, 3]
    shard = _Shard(row["file"], list(map(str, row["names"])), places)
    is_sound = len(places) == len(shard.names) > 0 and places[:, 0].min() >= 0 and places[:, 1].min() >= AROUND
    if not is_sound or not files.is_plain_name(shard.file):
        raise ValueError(f"{shard.file} is not described soundly")
    return shard


def _damage(path: Path, what: str) -> DatasetError:
    return DatasetError(f"packed: {path} is damaged, {what}: copy the pack once more, or pack the pictures again")


# Records.


class _Records:
    """The examples of a split, each by one read at its place, for any number of threads at once.

    Attributes:
      names: of the examples, by position.

    Raises:
      DatasetError: there are none, or a file is not there or not whole.
    """

    def __init__(self, root: Path, index: _Index, split: str):
        shards = [shard for name in (SPLITS if split == ALL else (split,)) for shard in index.splits[name]]
        if not shards:
            raise DatasetError(f"packed: {root} has no pictures in the {split} split: pack more, about 50 are enough")
        self._paths = [root / shard.file for shard in shards]
        for path, shard in zip(self._paths, shards, strict=True):
            _check_whole(path, shard)
        names = [name for shard in shards for name in shard.names]
        places = np.concatenate(
            [np.insert(shard.places, 0, number, 1) for number, shard in enumerate(shards)]
        )  # [N, 4]
        order = sorted(range(len(names)), key=names.__getitem__) if split == ALL else range(len(names))
        self.names = [names[position] for position in order]
        self._places = places[np.array(order)]
        self._opened = functools.lru_cache(OPEN_FILES)(_OpenFile)

    def digest(self) -> str:
        """Of the names and the checksums of all examples."""
        sums = hashlib.sha256("\n".join(self.names).encode("utf-8", "surrogateescape"))
        sums.update(np.ascontiguousarray(self._places[:, -1]).tobytes())
        return sums.hexdigest()

    @contextlib.contextmanager
    def example(self, position: int) -> Iterator[Any]:
        """The features of an example by name.

        Raises:
          DatasetError: the example is damaged; or the block has met something that says so.
        """
        import tensorflow as tf

        number, offset, num_bytes, checksum = self._places[position].tolist()
        try:
            file = self._opened(self._paths[number])  # a variable holds it open
            data = os.pread(file.descriptor, num_bytes - AROUND, offset + BEFORE)
            if zlib.crc32(data) != checksum:
                raise ValueError("its checksum is another")
            yield tf.train.Example.FromString(data).features.feature
        except Exception as error:  # Parsers meet foreign bytes with a dozen different exceptions.
            raise _damage(self._paths[number], f"at {self.names[position]}: {error}") from error


class _OpenFile:
    """A file that is closed when nobody holds it any more: not while another thread still reads it."""

    def __init__(self, path: Path):
        self.descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.descriptor)


def _check_whole(path: Path, shard: _Shard) -> None:
    try:
        num_bytes = path.stat().st_size
    except OSError as error:
        raise _damage(path, (error.strerror or "it cannot be read").lower()) from error
    if num_bytes != shard.num_bytes:
        raise _damage(path, f"it has {num_bytes:,} bytes instead of {shard.num_bytes:,}")


def _numbers(feature: Any) -> Sequence[float]:
    return feature.float_list.value or feature.int64_list.value
