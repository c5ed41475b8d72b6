"""What a model makes of a split, batch by batch: reconstructions, samples, morphs, edits."""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...datasets.source import Source
from ...metrics.path_length import EPSILON
from ..errors import UsageError
from ..flags.sources import for_model
from ..runs.run import Run
from .encoding import (
    NOTHING,
    Columns,
    batches,
    choose_conditions,
    count_at_once,
    decode_codes,
    encode_exactly,
    floats,
    tell_person,
)
from .kept import CodeKeeper
from .measure_names import CLIPS, EDITS, INVERSIONS, RECONSTRUCTIONS, SAMPLES
from .morphing import decode_between
from .sampling import SamplingSettings, sample_source
from .vectors import read_vectors

MOST_FITTED = 10_000  # training faces that samples are fitted to

Pictures = tuple[np.ndarray, np.ndarray]  # float32 [N, H, W, C] in [0, 1], twice


class Made(NamedTuple):
    """A batch of pictures that were made.

    Attributes:
      sets: real pictures, and made ones, which the set of them is held against; either may be none.
      pairs: what a made picture should be like, and the made one.
      steps: pictures of places on ways through codes, and of places a little further.
      noise: that was found in real pictures, [N, ...], alone.
      clips: real ones and what was made of them, [N, T, H, W, C].
    """

    sets: Pictures
    pairs: Pictures | None = None
    steps: Pictures | None = None
    noise: tuple[np.ndarray] | None = None
    clips: Pictures | None = None


def make_batches(kind: str, run: Run, model, source: Source, count: int | None, seed: int = 0) -> Iterator[Made]:
    """What a model makes of the first pictures of a split.

    Args:
      kind: "reconstructions"; "samples", as many as real pictures, drawn as `facezoo sample --fit_count=10000` does;
        "morphs", midpoints between pictures of the split's first half, held against the second half, so that none of
        them shows a picture that it is held against; "edits", each picture with one of the run's attributes added;
        "inversions", each picture by its code and the noise that was found in it; "clips", each clip, frame by frame
        where the model reads no clips.
      run: of the model.
      model: an `Autoencoder`.
      source: the split, as the model reads it.
      count: of its pictures; all if absent.
      seed: of samples, and of places on ways.

    Raises:
      UsageError: too few pictures, no attribute vectors, or no clips.
    """
    total = min(count or len(source), len(source))
    if kind == RECONSTRUCTIONS:
        return _reconstructions(model, source, total)
    if kind == SAMPLES:
        return _samples(run, model, source, total, seed)
    if kind == EDITS:
        return _edits(run, model, source, total)
    if kind == INVERSIONS:
        return _inversions(run, model, source, total)
    if kind == CLIPS:
        return _clips(model, source, total)
    if total < 4:
        raise UsageError(f"morphs need at least 4 pictures, {source.name} has {total}")
    return _morphs(model, source, total, seed)


def _reconstructions(model, source: Source, total: int) -> Iterator[Made]:
    network = model.network()
    for _, examples in batches(source, "reconstructing", total, at_once=count_at_once(source, network.reads_clips)):
        pictures = floats(examples["image"])
        clips = {"clip": floats(examples["clip"])} if network.reads_clips and "clip" in examples else {}
        outputs = network({"image": pictures, **clips, **choose_conditions(model, examples)}, training=False)
        made = np.clip(np.asarray(outputs["reconstruction"], np.float32), 0.0, 1.0)
        if "mask" in examples and "mask" in model.batch_columns:  # it has learnt what is inside of it
            pictures, made = (examples["mask"] * images for images in (pictures, made))
        yield Made((pictures, made), (pictures, made))


def _samples(run: Run, model, source: Source, total: int, seed: int) -> Iterator[Made]:
    known = for_model(run.source("train"), model, run.settings.objective.masks)
    samples = sample_source(
        model, known, SamplingSettings(count=total, seed=seed, fit_count=MOST_FITTED), CodeKeeper(run)
    )
    for kind, pictures in enumerate((source, samples)):
        for _, examples in batches(pictures, "sampling", total):
            found = floats(examples["image"])
            yield Made((found[:0], found) if kind else (found, found[:0]))


def _morphs(model, source: Source, total: int, seed: int) -> Iterator[Made]:
    told, numbers = tell_person(model, None), np.random.default_rng(seed)
    pairs = total // 4
    nothing = np.empty((0, *source.image_shape), np.float32)
    for start in range(0, pairs, 64):
        first = np.arange(start, min(start + 64, pairs))
        ends = [floats(source.load(positions)["image"]) for positions in (first, pairs + first)]
        first_faces, second_faces = (encode_exactly(model, pictures) for pictures in ends)
        pictures_at = functools.partial(decode_between, model, first_faces, second_faces, told=told)
        middles = pictures_at(np.full(len(first), 0.5))
        places = numbers.uniform(0.0, 1.0 - EPSILON, len(first))
        steps = pictures_at(places), pictures_at(places + EPSILON)
        yield Made((nothing, middles), (np.concatenate(ends), np.concatenate([middles, middles])), steps)
    for start in range(2 * pairs, total, 64):
        real = floats(source.load(np.arange(start, min(start + 64, total)))["image"])
        yield Made((real, nothing))


def _edits(run: Run, model, source: Source, total: int) -> Iterator[Made]:
    found = read_vectors(run)
    vectors = np.stack([found.vector(name) for name in found.names])
    for rows, examples in batches(source, "editing", total):
        pictures = floats(examples["image"])
        added = vectors[np.arange(rows.start, rows.stop) % len(vectors)]
        codes, details = encode_exactly(model, pictures)
        made = decode_codes(model, codes + added, {**tell_person(model, None), **details})
        yield Made((pictures, made), (pictures, made))


def _inversions(run: Run, model, source: Source, total: int) -> Iterator[Made]:
    if model.network().noise_shape is None:
        raise UsageError(f"--what={INVERSIONS}: the model of {run.folder} finds no noise; a diffusion autoencoder does")
    for _, examples in batches(source, "inverting", total):
        pictures = floats(examples["image"])
        codes, details = encode_exactly(model, pictures)
        made = decode_codes(model, codes, details)
        yield Made((pictures, made), (pictures, made), noise=(details["noise"],))


def _clips(model, source: Source, total: int) -> Iterator[Made]:
    for _, examples in batches(source, "reconstructing", total, at_once=count_at_once(source, reads_clips=True)):
        clips = floats(examples["clip"])
        made = make_clips(model, clips, choose_conditions(model, examples))
        frames, made_frames = (each.reshape(-1, *source.image_shape) for each in (clips, made))
        yield Made((frames, made_frames), (frames, made_frames), clips=(clips, made))


def make_clips(model, clips: np.ndarray, told: Columns = NOTHING) -> np.ndarray:
    """What a model makes of clips, float32 [N, T, H, W, C] in [0, 1]; each frame by itself where it reads no clips.

    Args:
      model: an `Autoencoder`.
      clips: of the same shape.
      told: what the model is told of each clip besides.
    """
    network, count = model.network(), clips.shape[1]
    if network.reads_clips:
        made = network({"image": clips[:, count // 2], "clip": clips, **told}, training=False)["clip_reconstruction"]
    else:
        frames = {name: np.repeat(column, count, axis=0) for name, column in told.items()}
        made = network({"image": clips.reshape(-1, *clips.shape[2:]), **frames}, training=False)["reconstruction"]
    return np.clip(np.asarray(made, np.float32), 0.0, 1.0).reshape(clips.shape)
