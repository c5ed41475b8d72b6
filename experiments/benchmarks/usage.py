"""What using facezoo takes besides training steps: reading pictures, aligning, one face's way through a model."""

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from ...datasets import detection
from ...datasets.folder import ALL, folder
from ...datasets.manifest import Cut
from ...datasets.packing import write_pack
from ...datasets.picture_index import find_files
from ...datasets.procedural import procedural_faces
from ...latents.interpolation import interpolate
from ...models import MODELS
from ..errors import UsageError
from ..faces.aligning import Aligner, make_pool, run_aligner
from ..flags.parsing import parse_training
from ..training.arguments import open_sources
from ..training.setup import Session

MORPH_PICTURES = 10
PHOTOGRAPHS, PHOTOGRAPH_SIZE = 4, 512
AT_ONCE = 64  # faces that are drawn
SHARD_BYTES = 1_000_000  # of a pack, so that it has several files


@contextlib.contextmanager
def faces_on_disk(image_size: int, count: int) -> Iterator[dict[str, Sequence[str]]]:
    """Drawn faces as PNG files and as a pack of these, until the end of the block.

    Yields:
      What each is, and the flags of `facezoo train` that have it read in every epoch anew.
    """
    with tempfile.TemporaryDirectory() as place, _environment("FACEZOO_CACHE_DIR", place):
        files, pack = Path(place) / "files", Path(place) / "pack"
        files.mkdir()
        pack.mkdir()
        faces = procedural_faces("train", image_size=image_size)
        for start in range(0, count, AT_ONCE):
            for number, face in enumerate(faces.load(np.arange(start, min(start + AT_ONCE, count)))["image"], start):
                Image.fromarray(face).save(files / f"{number:05d}.png")
        write_pack(folder(ALL, data_dir=files, image_size=image_size), pack, SHARD_BYTES)
        yield {
            "PNG files": ("--dataset=folder", f"--data_dir={files}", "--cache_gb=0"),
            "a pack": ("--dataset=packed", f"--data_dir={pack}", "--cache_gb=0"),
        }


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A variable for this process, and for those that it starts, until the end of the block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        os.environ |= {} if before is None else {name: before}


class Pipeline:
    """The input of a training, alone; calling it takes so many batches.

    Args:
      flags: of `facezoo train`.
    """

    def __init__(self, flags: Sequence[str]):
        settings = parse_training(list(flags))
        self.session = Session(settings, *open_sources(settings))
        source = self.session.sources["train"]
        for start in range(0, len(source), settings.schedule.batch_size):  # so that what is kept in memory is there
            source.load(np.arange(start, min(start + settings.schedule.batch_size, len(source))))
        self.batches = self.session.batches()

    def __call__(self, count: int) -> None:
        for _ in self.batches.take(count):  # anew: what was loaded ahead in another's turn must not count
            pass


class Aligning:
    """Photographs from their files to their crops; calling it does PHOTOGRAPHS of them so many times.

    Args:
      processes: that work side by side.
    """

    def __init__(self, processes: int):
        detection.check_installed()
        self._folder = tempfile.TemporaryDirectory()
        root, out = Path(self._folder.name) / "in", Path(self._folder.name) / "out"
        root.mkdir()
        faces = procedural_faces("test", image_size=256).load(10 * np.arange(PHOTOGRAPHS))["image"]
        for number, face in enumerate(faces):
            Image.fromarray(face).resize((PHOTOGRAPH_SIZE, PHOTOGRAPH_SIZE)).save(root / f"{number}.jpg")
        self._files = find_files(root)
        self._pool = make_pool(Aligner(root, out, Cut()), processes)
        self(processes)  # so that every process has its detector

    def __call__(self, count: int) -> None:
        for _ in self._pool.map(run_aligner, itertools.chain.from_iterable([self._files] * count)):
            pass

    def close(self) -> None:
        self._pool.shutdown()
        self._folder.cleanup()


class Latency:
    """One face through a model; calling it does so many.

    Args:
      model: of `MODELS`.
      image_size: of the face.
      what: "encode", "decode" or "morph".
    """

    def __init__(self, model: str, image_size: int, what: str):
        try:
            network = MODELS[model](image_size=image_size, channels=3)
        except ValueError as error:
            raise UsageError(f"--image_size={image_size}: {model}: {error}") from error
        face = np.random.default_rng(0).uniform(size=(1, image_size, image_size, network.channels)).astype(np.float32)
        code = np.asarray(network.encode(face))
        encode, decode = (tf.function(function) for function in (network.encode, network.decode))

        def morph():
            ends = np.asarray(encode(np.concatenate([face, 1.0 - face])))
            return decode(interpolate(ends[0], ends[1], np.linspace(0.0, 1.0, MORPH_PICTURES), path="slerp"))

        self._do = {"encode": lambda: encode(face), "decode": lambda: decode(code), "morph": morph}[what]

    def __call__(self, count: int) -> None:
        for _ in range(count):
            self._do().numpy()
