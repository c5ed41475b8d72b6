"""Drawn faces and clips as TensorFlow Datasets (TFDS) builds them: `tensorflow_datasets.load("procedural_faces/64")`.

facezoo's own commands draw each picture when it is needed and read none of these files. TFDS finds the builders through
the package's root.
"""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from . import DATASETS
from .drawing.factors import FACTOR_RANGES, FACTORS, Factor
from .processes import load_in_processes
from .source import SPLITS, Source

IMAGE_SIZES = (64, 128, 256)
PROCESSES = os.cpu_count() or 1
COLUMNS = """
`attributes` (what is true of the face) and `factors` (what it is drawn from) have their names. `landmarks` are (x, y)
in [0, 1] from the picture's left top corner, in the order of `landmark_names` in the metadata. `index` is the number
over all splits. Every value is that of the data set of this name in `facezoo.DATASETS`; pictures are stored as PNG.
"""


class ProceduralFaces(tfds.core.GeneratorBasedBuilder):
    """`procedural_faces` for TFDS, in pictures of 64, 128 or 256 pixels."""

    VERSION = tfds.core.Version("1.0.0")  # to be raised where a picture or a number changes
    BUILDER_CONFIGS = [  # noqa: RUF012  TFDS wants a list
        tfds.core.BuilderConfig(name=str(size), description=f"{size} x {size} pixels.") for size in IMAGE_SIZES
    ]
    description = """
24,000 drawn faces of 2,400 people, ten of each. Nobody in them exists: a face is drawn from 43 numbers, so that its
attributes and landmarks are exact.
"""
    portion = 32  # examples that a process draws before it hands them over

    def _source(self, split: str) -> Source:
        return DATASETS[self.name](split, image_size=int(self.builder_config.name))

    def _info(self) -> tfds.core.DatasetInfo:
        source = self._source("train")
        names = {"landmark_names": list(source.landmark_names), "factor_names": list(source.factor_names)}
        ranges = {"factor_ranges": {name: list(ends) for name, ends in FACTOR_RANGES.items()}}
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.description + COLUMNS,
            features=tfds.features.FeaturesDict(self._features(source)),
            metadata=tfds.core.MetadataDict(names | ranges),
            license="Apache-2.0",
        )

    def _features(self, source: Source) -> dict[str, Any]:
        return {
            "image": tfds.features.Image(shape=source.image_shape, encoding_format="png"),
            "attributes": dict.fromkeys(source.attribute_names, np.bool_),
            "landmarks": tfds.features.Tensor(shape=(len(source.landmark_names), 2), dtype=np.float32),
            "factors": {name: _feature(factor) for name, factor in FACTORS.items()},
            "identity": np.int32,
            "index": np.int32,
        }

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        source = self._source(split)
        indices = map(int, source.names)
        portions = load_in_processes(
            self.name, split, processes=PROCESSES, portion=self.portion, image_size=source.image_shape[0]
        )
        for columns in portions:
            for row in zip(*columns.values(), strict=True):
                example = dict(zip(columns, row, strict=True)) | {"index": next(indices)}
                yield example["index"], _by_name(source, example)


class ProceduralClips(ProceduralFaces):
    """`procedural_clips` for TFDS, in frames of 64, 128 or 256 pixels."""

    description = """
2,400 clips of 600 drawn people, four of each, in 16 frames in which expression, gaze, head and light move. `clip` is
all of it, with `clip_landmarks` and `clip_factors` in the order of `factor_names` in the metadata; `image`,
`attributes`, `landmarks` and `factors` are of the frame in the middle.
"""
    portion = 4

    def _features(self, source: Source) -> dict[str, Any]:
        shapes = {name: values.shape[1:] for name, values in source.load(np.zeros(1, np.int64)).items()}
        return super()._features(source) | {
            "clip": tfds.features.Video(shape=shapes["clip"], encoding_format="png"),
            "clip_landmarks": tfds.features.Tensor(shape=shapes["clip_landmarks"], dtype=np.float32),
            "clip_factors": tfds.features.Tensor(shape=shapes["clip_factors"], dtype=np.float32),
        }


def _by_name(source: Source, example: dict[str, Any]) -> dict[str, Any]:
    """The example with its attributes [A] and factors [F] as dictionaries."""
    attributes = dict(zip(source.attribute_names, example["attributes"].astype(bool), strict=True))
    factors = dict(zip(source.factor_names, example["factors"], strict=True))
    choices = {name: int(value) for name, value in factors.items() if FACTORS[name].choices}
    return example | {"attributes": attributes, "factors": factors | choices}


def _feature(factor: Factor) -> Any:
    return tfds.features.ClassLabel(names=factor.choices) if factor.choices else np.float32


BUILDERS = {builder.name: builder for builder in (ProceduralFaces, ProceduralClips)}
