"""What using facezoo takes besides training steps: reading pictures, aligning, one face's way through a model."""

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from ...datasets.manifest import Cut
from ...datasets.picture_index import found_files
from ...datasets.procedural import procedural_faces
from ...latents.interpolation import interpolate
from ...models import MODELS
from .. import cli, train
from ..aligning import Aligner, make_pool, run_aligner
from ..errors import UsageError
from ..session import Session

MORPH_PICTURES = 10
PHOTOGRAPHS, PHOTOGRAPH_SIZE = 4, 512


class Pipeline:
    """The input of a training whose pictures are in memory, alone; calling it takes so many batches.

    Args:
      flags: of `facezoo train`.
    """

    def __init__(self, flags: Sequence[str]):
        values = cli.parse(train, list(flags))
        self.session = Session(values, *train.sources_and_arguments(values))
        source = self.session.sources["train"]
        for start in range(0, len(source), values.batch_size):  # so that what is kept in memory is there
            source.load(np.arange(start, min(start + values.batch_size, len(source))))
        self._batches = iter(self.session.batches())

    def __call__(self, count: int) -> None:
        for _ in range(count):
            next(self._batches)


class Aligning:
    """Photographs from their files to their crops; calling it does PHOTOGRAPHS of them so many times.

    Args:
      processes: that work side by side.
    """

    def __init__(self, processes: int):
        self._folder = tempfile.TemporaryDirectory()
        root, out = Path(self._folder.name) / "in", Path(self._folder.name) / "out"
        root.mkdir()
        faces = procedural_faces("test", image_size=256).load(10 * np.arange(PHOTOGRAPHS))["image"]
        for number, face in enumerate(faces):
            Image.fromarray(face).resize((PHOTOGRAPH_SIZE, PHOTOGRAPH_SIZE)).save(root / f"{number}.jpg")
        self._files = found_files(root)
        self._pool = make_pool(Aligner(root, out, Cut()), processes)
        self(processes)  # so that every process has its detector

    def __call__(self, count: int) -> None:
        for _ in self._pool.map(run_aligner, itertools.chain.from_iterable([self._files] * count)):
            pass


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
