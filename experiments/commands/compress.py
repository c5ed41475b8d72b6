"""Prune or quantise a trained decoder and train what is left, into a run that every other command takes."""

from pathlib import Path

from absl import flags

from ..errors import UsageError
from ..flags import groups, kinds
from ..flags.kinds import define, read, read_given
from ..flags.training import CompressionSettings, PlanSettings
from ..runs.checkpoints import MODEL_FILE
from ..runs.run import open_run
from ..runs.settings import with_data
from ..training.compressing import check_teacher, compress_settings, distill_settings, find_name, list_figures
from ..training.start import train_into

WORDS = ("run_dir",)  # flags that words without dashes are meant as
METHODS = ("prune", "prune_channels", "quantise")


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    kinds.define_required(values, "out", "Run folder of the small one, new or of a training that goes on.")
    define(values, CompressionSettings)
    text = "Share of the channels of each hidden layer of the decoder that go: 0.35 is about half of the work."
    kinds.define_number(values, "prune_channels", None, text, 0, 0.99, kind=float, above=True)
    define(values, PlanSettings)
    groups.define_data_flags(values)


def run(values: flags.FlagValues) -> None:
    asked = [f"--{name}" for name in METHODS if values[name].value is not None]
    if len(asked) != 1:
        raise UsageError(f"give one of --{', --'.join(METHODS)}, not {' and '.join(asked) or 'none'}")
    opened = open_run(values.run_dir, values.checkpoint)
    data = with_data(opened.settings, read_given(values, groups.DataSettings)).data
    named, plan = find_name(opened, values.run_dir, values.checkpoint), read(values, PlanSettings)
    if values.prune_channels is not None:
        check_teacher(opened.model(), values.run_dir)
        settings = distill_settings(opened, named, data, plan, prune=values.prune_channels)
    else:
        settings = compress_settings(opened, named, data, plan, read(values, CompressionSettings))
    out = Path(values.out)
    outcome = train_into(out, settings)
    if outcome.was_finished:
        print(f"{out} is finished; nothing to do")
    elif outcome.is_chief:
        figures = list_figures(opened.model(), open_run(out).model())
        print("\n".join([str(out / MODEL_FILE), *figures, *outcome.next_commands]))
