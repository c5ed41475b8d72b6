"""Sample new faces: pictures, or a pack to train on, drawn from the codes that a model knows."""

from absl import flags

from ... import files
from ...datasets.packing import write_pack
from ...latents import sampling
from ..backend import load_tensorflow
from ..codes.encoding import as_person, asked_person
from ..codes.sampling import LABELS_FILE, SHARD_BYTES, sample_source, save_pictures
from ..errors import UsageError
from ..faces.origins import origin_of_data
from ..flags import groups, kinds
from ..flags.sources import for_model, open_source
from ..folders import new_folder
from ..runs.run import open_run
from ..runs.settings import with_data_flags

FORMATS = ("png", "packed")


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    kinds.define_number(values, "count", 64, "Faces to draw.", 1, 1_000_000)
    text = "Distribution of codes: the prior, or what is fitted to the codes of the run's training faces."
    flags.DEFINE_enum("sampler", "mixture", sampling.KINDS, text, flag_values=values)
    kinds.define_number(values, "components", 10, "Gaussians of the mixture.", 1, 1000)
    text = "Share of the noise that is kept: less than 1 gives more typical and less various faces."
    kinds.define_number(values, "truncation", 1.0, text, 0, 1, kind=float)
    kinds.define_number(values, "fit_count", None, "Only the first training faces are fitted to; all if absent.", 1)
    kinds.define_number(values, "seed", 0, "Of what is drawn.", 0, 2**31 - 1)
    text = f"Single pictures, with {LABELS_FILE} for a conditional model, or a pack for --dataset=packed."
    flags.DEFINE_enum("format", "png", FORMATS, text, flag_values=values)
    groups.define_person(values)
    kinds.define_path(values, "out", "New folder for them (RUN/samples).")
    groups.define_data_flags(values, dataset=None)


def run(values: flags.FlagValues) -> None:
    opened = open_run(values.run_dir, values.checkpoint)
    out = new_folder(values.out, opened.folder / "samples")
    settings = with_data_flags(opened.settings, values)
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
            save_pictures(samples, partial, description)
    print(f"{out}: {len(samples)} faces")
