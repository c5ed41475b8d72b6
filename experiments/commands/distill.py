"""Teach a small decoder to take the place of a trained one, into a run that every other command takes."""

import dataclasses
from pathlib import Path

from absl import flags

from ..flags import groups, kinds
from ..flags.kinds import define, read, read_given
from ..flags.training import TEACHING, ObjectiveSettings, PlanSettings
from ..runs.checkpoints import MODEL_FILE
from ..runs.run import open_run
from ..runs.settings import with_data
from ..training.compressing import check_grids, check_teacher, distill_settings, find_name
from ..training.start import train_into

WORDS = ("run_dir",)  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    kinds.define_required(values, "out", "Run folder of the small one, new or of a training that goes on.")
    kinds.define_number(values, "width", None, "Channels of the new decoder's first maps.", 1, 4096)
    kinds.define_number(values, "depth", None, "Its residual blocks on each grid.", 1, 64)
    kinds.define_number(values, "grid", None, "Height and width of its first maps, of codes that are vectors.", 1)
    kinds.define_number(
        values,
        "stages",
        None,
        "How many grids, each twice as high and wide as the one before; as many as suit it if absent.",
        1,
        8,
    )
    kinds.define_number(
        values, "finish", None, "Channels of convolutions at full size that change the picture; 0 for none.", 0, 256
    )
    define(values, PlanSettings, steps=4000, learning_rate=1e-2)
    define(values, ObjectiveSettings, TEACHING)
    groups.define_data_flags(values)


def run(values: flags.FlagValues) -> None:
    opened = open_run(values.run_dir, values.checkpoint)
    data = with_data(opened.settings, read_given(values, groups.DataSettings)).data
    shape = {name: values[name].value for name in ("width", "depth", "grid", "stages", "finish")}
    check_teacher(opened.model(), values.run_dir)
    check_grids(opened.model(), values.run_dir, shape["grid"], shape["stages"])
    named = find_name(opened, values.run_dir, values.checkpoint)
    settings = distill_settings(opened, named, data, read(values, PlanSettings), **shape)
    settings = dataclasses.replace(settings, objective=ObjectiveSettings(**read_given(values, ObjectiveSettings)))
    out = Path(values.out)
    outcome = train_into(out, settings)
    if outcome.was_finished:
        print(f"{out} is finished; nothing to do")
    elif outcome.is_chief:
        print("\n".join([str(out / MODEL_FILE), *outcome.next_commands]))
