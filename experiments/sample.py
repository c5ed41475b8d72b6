"""Sample new faces: pictures, or a pack to train on, drawn from the codes that a model knows."""

import csv
import functools
from pathlib import Path

import numpy as np
from absl import flags

from .. import files
from ..datasets.packing import write_pack
from ..datasets.source import Source
from ..latents import pictures, sampling
from . import options, runs
from .backend import load_tensorflow
from .data import for_model, open_source
from .encoding import BATCH_SIZE, as_person, asked_person, attributes_of, batches, decoded, encoded, told_person
from .errors import UsageError
from .faces import origin_of_data

FORMATS = ("png", "packed")
LABELS_FILE = "labels.csv"
SHARD_BYTES = 128_000_000


def define_flags(values: flags.FlagValues) -> None:
    options.define_run_dir(values)
    options.define_number(values, "count", 64, "Faces to draw.", 1, 1_000_000)
    text = "Distribution of codes: the prior, or what is fitted to the codes of the run's training faces."
    flags.DEFINE_enum("sampler", "mixture", sampling.KINDS, text, flag_values=values)
    options.define_number(values, "components", 10, "Gaussians of the mixture.", 1, 1000)
    text = "Share of the noise that is kept: less than 1 gives more typical and less various faces."
    options.define_number(values, "truncation", 1.0, text, 0, 1, kind=float)
    options.define_number(values, "fit_count", None, "Only the first training faces are fitted to; all if absent.", 1)
    options.define_number(values, "seed", 0, "Of what is drawn.", 0, 2**31 - 1)
    text = f"Single pictures, with {LABELS_FILE} for a conditional model, or a pack for --dataset=packed."
    flags.DEFINE_enum("format", "png", FORMATS, text, flag_values=values)
    options.define_person(values)
    options.define_path(values, "out", "New folder for them (RUN/samples).")
    options.define_data_flags(values, dataset=None)


def run(values: flags.FlagValues) -> None:
    opened = runs.open_run(values.run_dir, values.checkpoint)
    out = runs.new_folder(values.out, opened.folder / "samples")
    settings = runs.with_data_flags(opened.settings, values)
    source = open_source(settings, "train", opened.image_shape[0], opened.image_shape[2])
    tf = load_tensorflow()
    model = opened.model()
    person = asked_person(model, values.person)
    description = f"{values.sampler} sample of {opened.folder.name}{as_person(person)}"
    origin = origin_of_data(opened.settings) if values.format == "packed" else None
    with files.whole_folder(out) as partial:
        samples = sample_source(model, for_model(source, model, opened.settings), values, opened.model_hash)
        if values.format == "packed":
            try:
                write_pack(samples, partial, SHARD_BYTES, origin)
            except tf.errors.OpError as error:
                raise UsageError(f"--out={out} cannot be written: {error.message}") from error
        else:
            _save_pictures(samples, partial, description)
    print(f"{out}: {len(samples)} faces")


def sample_source(model, source: Source, values: flags.FlagValues, model_hash: str) -> Source:
    """New faces as a source, decoded when they are asked for.

    A conditional model is told the attributes of a training face each, so that they come together as they do there.

    Args:
      model: an `Autoencoder`.
      source: the training faces, as the model reads them.
      values: the command's flags.
      model_hash: of the model.

    Raises:
      UsageError: too few training faces for the sampler.
    """
    columns = ("attributes",) if attributes_of(model) and source.attribute_names else ()
    is_shape_enough = values.sampler == "normal" and not columns
    known = encoded(model, source, columns, 1 if is_shape_enough else values.fit_count, told=True)
    codes = _sampler(known["codes"], values, model_hash).draw(values.seed, values.count, values.truncation)
    rows = np.random.default_rng(values.seed).integers(0, len(known["codes"]), values.count)
    told = {name: known[name][rows] for name in columns}
    person = told_person(model, values.person)

    @functools.lru_cache(maxsize=4)  # one after the other is asked for, by several threads
    def portion(number: int) -> np.ndarray:
        rows = slice(BATCH_SIZE * number, BATCH_SIZE * (number + 1))
        return pictures.to_uint8(decoded(model, codes[rows], {**{name: told[name][rows] for name in told}, **person}))

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        images = [portion(position // BATCH_SIZE)[position % BATCH_SIZE] for position in positions.tolist()]
        return {"image": np.stack(images)} | {name: column[positions] for name, column in told.items()}

    return Source(
        name="samples/all",
        names=[f"{number:06d}.png" for number in range(values.count)],
        load=load,
        image_shape=source.image_shape,
        attribute_names=source.attribute_names if columns else (),
    )


def _sampler(codes: np.ndarray, values: flags.FlagValues, model_hash: str) -> sampling.Sampler:
    try:
        if values.sampler == "normal":
            return sampling.standard_normal(codes.shape[1:], model_hash)
        if values.sampler == "gaussian":
            return sampling.fit_gaussian(codes, model_hash)
        return sampling.fit_mixture(codes, model_hash, values.components)
    except ValueError as error:
        raise UsageError(f"--sampler={values.sampler}: {error}") from error


def _save_pictures(samples: Source, folder: Path, description: str) -> None:
    """One PNG for each face, and their attributes as `--labels` reads them."""
    rows = []
    for where, examples in batches(samples, "drawing"):
        names = samples.names[where]
        for name, picture in zip(names, examples["image"], strict=True):
            pictures.save_png(folder / name, picture, description)
        if samples.attribute_names:
            rows += [[name, *row] for name, row in zip(names, examples["attributes"].astype(int).tolist(), strict=True)]
    if rows:
        with (folder / LABELS_FILE).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["file", *samples.attribute_names], *rows])
