"""Sample new faces: pictures, or a pack to train on, drawn from the codes that a model knows."""

import numpy as np
from absl import flags

from ... import files
from ...datasets.packing import write_pack
from ..backend import load_tensorflow
from ..codes.encoding import as_person, ask_person
from ..codes.kept import CodeKeeper
from ..codes.morphing import NOBODY
from ..codes.sampling import LABELS_FILE, SHARD_BYTES, SamplingSettings, describe_sampling, sample_source, save_pictures
from ..errors import UsageError
from ..faces.origins import find_data_origin
from ..flags import groups, kinds
from ..flags.kinds import define, read, read_given
from ..flags.sources import for_model
from ..folders import new_folder, save_sheet
from ..runs.run import open_run

PACK = "packed"
FORMATS = ("png", PACK)
SHOWN = 64  # faces on the sheet
WORDS = ("run_dir",)  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    groups.define_sampling_steps(values)
    define(values, SamplingSettings)
    text = f"Single pictures, with {LABELS_FILE} for a conditional model, or a pack for --dataset=packed."
    flags.DEFINE_enum("format", "png", FORMATS, text, flag_values=values)
    groups.define_person(values)
    kinds.define_path(values, "out", "New folder for them (RUN/samples).")
    groups.define_data_flags(values)


def run(values: flags.FlagValues) -> None:
    opened = open_run(values.run_dir, values.checkpoint, values.sampling_steps)
    out = new_folder(values.out, opened.folder / "samples")
    source = opened.source("train", read_given(values, groups.DataSettings))
    tf = load_tensorflow()
    model = opened.model()
    person = ask_person(model, values.person)
    settings = read(values, SamplingSettings)
    description = f"{describe_sampling(settings)} of {opened.folder.name}{as_person(person)}"
    description += "" if person else f": {NOBODY}"
    origin = (opened.origin or find_data_origin(opened.settings.data)) if values.format == PACK else None
    with files.whole_folder(out) as partial:
        samples = sample_source(
            model,
            for_model(source, model, opened.settings.objective.masks),
            settings,
            CodeKeeper(opened),
            person,
        )
        if values.format == PACK:
            try:
                write_pack(samples, partial, SHARD_BYTES, origin)
            except tf.errors.OpError as error:
                raise UsageError(f"--out={out} cannot be written: {error.message}") from error
        else:
            save_pictures(samples, partial, description)
    print(f"{out}: {len(samples)} faces")
    shown = np.arange(min(SHOWN, len(samples)))
    save_sheet(out, samples.load(shown)["image"], [samples.names[place] for place in shown.tolist()], description)
