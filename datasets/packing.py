"""Writes packs, the folders that `packed` reads. Importing this module does not import TensorFlow."""

import contextlib
import functools
import io
import json
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from .packed import AROUND, COLUMNS, FORMAT, INDEX_FILE, VERSION, Origin, describe_origin
from .progress import progress_bar
from .source import SPLITS, Source, choose_split

AHEAD = 4  # pictures of each core that wait for the disk

Item = TypeVar("Item")
Result = TypeVar("Result")


def write_pack(
    source: Source, root: Path, shard_bytes: int, origin: Origin | None = None, splits: Sequence[str] | None = None
) -> dict[str, int]:
    """Packs all pictures of a source into an empty folder.

    Only names, offsets and checksums are kept in memory, and a few pictures.

    Args:
      source: what to pack, with any of the columns attributes, landmarks and identity.
      root: the folder.
      shard_bytes: a file that has as many is followed by another.
      origin: how the pictures were cut, if that is known.
      splits: of each picture; default those that their names fall into.

    Returns:
      How many pictures each split has.

    Raises:
      DatasetError: a picture cannot be read.
      tf.errors.OpError: a file cannot be written.
    """
    first = source.load(np.zeros(1, np.int64))
    with contextlib.ExitStack() as stack:
        writers = {
            split: stack.enter_context(contextlib.closing(_Writer(root, split, shard_bytes))) for split in SPLITS
        }
        examples = _in_threads(functools.partial(_example, source), range(len(source)))
        progress = progress_bar("packing pictures", examples, len(source))
        for name, split, example in zip(source.names, splits or map(choose_split, source.names), progress, strict=True):
            writers[split].write(name, example)
    index = {
        "format": FORMAT,
        "version": VERSION,
        "size": source.image_shape[0],
        "channels": source.image_shape[-1],
        "attribute_names": source.attribute_names,
        "landmark_names": source.landmark_names,
        "identity_names": source.identity_names,
        "columns": {name: first[name].shape[1:] for name in COLUMNS if name in first},
        "splits": {split: writer.shards for split, writer in writers.items()},
    }
    (root / INDEX_FILE).write_text(json.dumps(index | describe_origin(origin)), encoding="ascii")
    return {split: sum(len(shard["names"]) for shard in writer.shards) for split, writer in writers.items()}


class _Writer:
    """Writes the shards of a split; what the index says of them is in `shards`."""

    def __init__(self, root: Path, split: str, shard_bytes: int):
        self.shards: list[dict[str, Any]] = []
        self._root, self._split, self._shard_bytes = root, split, shard_bytes
        self._file: Any = None

    def write(self, name: str, example: bytes) -> None:
        if not self.shards or self.shards[-1]["offsets"][-1] >= self._shard_bytes:
            self._begin()
        shard = self.shards[-1]
        self._file.write(example)
        shard["names"].append(name)
        shard["offsets"].append(shard["offsets"][-1] + len(example) + AROUND)
        shard["checksums"].append(zlib.crc32(example))

    def _begin(self) -> None:
        import tensorflow as tf

        self.close()
        file = f"{self._split}-{len(self.shards):05d}.tfrecord"
        self._file = tf.io.TFRecordWriter(str(self._root / file))
        self.shards.append({"file": file, "names": [], "offsets": [0], "checksums": []})

    def close(self) -> None:
        if self._file:
            self._file.close()


def _example(source: Source, position: int) -> bytes:
    import tensorflow as tf

    columns = {name: values[0] for name, values in source.load(np.array([position])).items()}
    image = columns["image"]
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
    feature = {name: _feature(columns[name]) for name in COLUMNS if name in columns}
    for name, data in (("image/encoded", file.getvalue()), ("name", os.fsencode(source.names[position]))):
        feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def _feature(values: np.ndarray) -> Any:
    import tensorflow as tf

    if np.issubdtype(values.dtype, np.integer):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=np.ravel(values)))
    return tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(values)))


def _in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The function of each item in order, computed on all cores, not far ahead of what is taken."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > AHEAD * (os.cpu_count() or 1):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
