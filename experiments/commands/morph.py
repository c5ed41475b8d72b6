"""Morph faces into each other: a row of pictures, the frames, and an animation."""

import numpy as np
from absl import flags

from ... import files
from ...latents.interpolation import PATHS
from ..codes.encoding import as_person, asked_person
from ..codes.morphing import morph_through, save_morph
from ..errors import UsageError
from ..flags import groups, kinds
from ..flags.kinds import read, read_given
from ..folders import new_folder
from ..runs.run import open_run

MOST_UNIFORM = 100  # pictures, which are looked at again and again, and held in memory


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    kinds.define_required(values, "start", f"First face: {groups.FACE}")
    kinds.define_required(values, "end", f"Last face: {groups.FACE}")
    flags.DEFINE_multi_string("through", [], "A face on the way from the first to the last.", flag_values=values)
    flags.DEFINE_bool(
        "closed", False, "Go back from the last face to the first, without repeating it.", flag_values=values
    )
    kinds.define_number(values, "steps", 10, "Pictures, both ends included.", 2, 1000)
    text = "Way through the codes; uniform is linear, with frames at equal distances as the face network sees them."
    flags.DEFINE_enum("path", "linear", PATHS, text, flag_values=values)
    groups.define_person(values)
    kinds.define_path(values, "out", "Folder for the pictures (RUN/morphs).")
    groups.define_alignment(values)
    groups.define_data_flags(values)


def run(values: flags.FlagValues) -> None:
    from ..faces.reader import FaceReader

    opened = open_run(values.run_dir, values.checkpoint)
    out = new_folder(values.out, opened.folder / "morphs")
    if values.path == "uniform" and values.steps > MOST_UNIFORM:
        raise UsageError(f"--path=uniform places up to {MOST_UNIFORM} pictures, not --steps={values.steps}")
    reader = FaceReader(opened, read(values, groups.AlignmentSettings), read_given(values, groups.DataSettings))
    stops = [str(values.start), *values.through, str(values.end)]
    faces = np.stack([reader.read(stop) for stop in stops])
    model = opened.model()
    person = asked_person(model, values.person)
    frames = morph_through(model, faces, values.steps, values.path, values.closed, person)
    way = " through ".join(stops[:-1])
    back = " and back" if values.closed else ""
    description = f"morph from {way} to {stops[-1]}{back} by {opened.folder.name}{as_person(person)}"
    with files.whole_folder(out) as partial:
        save_morph(partial, frames, description, values.closed)
    print("\n".join(str(out / name) for name in ("row.png", "morph.gif", "morph.mp4")))
