"""Train all runs that a file tells of, one after the other, measure them, and put them side by side."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ... import files
from ..codes.measure_names import RECONSTRUCTIONS, SAMPLES, chosen
from ..codes.readiness import check_networks
from ..errors import UsageError
from ..flags import kinds
from ..flags.parsing import parse_training
from ..folders import new_folder, take_folder
from ..pages import align, write_table
from ..processes import NOBODY_READS, command_line
from ..runs.results import SAMPLES_FILE, has_kl, is_measured, make_line, read_results
from ..tables import BEGIN, END, markdown_table
from ..training.launcher import Team
from ..training.sweep import SWEEP_FILE, Trial, read_sweep, read_targets

WORDS = ("file", "out")  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    kinds.define_required(values, "file", "File that tells of the runs, in TOML: see docs/measuring.md.")
    kinds.define_required(values, "out", "Folder of the runs, new or of the same sweep, which goes on.")
    flags.DEFINE_bool("compare", True, "Put the runs side by side at the end.", flag_values=values)
    text = "Measure each run as facezoo evaluate --metrics does: all, or names; with kid, samples of VAEs besides."
    flags.DEFINE_list("metrics", None, text, flag_values=values)
    text = f"Page of Markdown for a table of what --metrics says, new, or with the marks {BEGIN} and {END} around one."
    kinds.define_path(values, "table", text)


def run(values: flags.FlagValues) -> int:
    """Trains and measures what has not been yet; returns the exit code: of the last that failed, or of the comparison.

    Raises:
      UsageError: a file that tells of no trainings, a folder that is another sweep's, a page without the marks, or
        measures by name whose networks cannot be had.
    """
    path, folder = Path(values.file), Path(values.out)
    measures = chosen(values.metrics, RECONSTRUCTIONS) if values.metrics else []
    trials, targets = read_sweep(path), read_targets(path)
    if values.table:
        if not measures:
            raise UsageError(f"--table={values.table} needs --metrics=all, or names of some")
        write_table(Path(values.table), [], "--table")  # or it says what is wrong with it
    if measures and values.metrics != ["all"]:
        sizes = {parse_training(trial.arguments, has_recipes=True).model.image_size for trial in trials}
        check_networks(measures, sizes)
    take_folder(folder, SWEEP_FILE, files.read_text(path), "the runs of another sweep")
    team = Team(1, [], [None], is_cluster=False)
    failed: dict[str, int] = {}
    done: list[Path] = []  # trained, be they measured or not
    with team.passing_on_signals():
        for number, trial in enumerate(trials, 1):
            print(f"run {number} of {len(trials)}: {trial.name}", flush=True)
            code = _train(team, trial, folder)
            if not code and not team.signals:
                done.append(folder / trial.name)
                code = _measure(team, done[-1], values.metrics, measures) if measures else 0
            if team.signals:
                return 128 + team.signals[0]
            if code == NOBODY_READS:
                return code
            if code:
                failed[trial.name] = code
    for name, code in failed.items():
        how = f"ended with code {code}" if code > 0 else f"was killed by signal {-code}"
        print(f"facezoo: {name} {how}; the same command tries again", file=sys.stderr)
    if measures:
        rows = [{"run": name} | target for name, target in targets.items()]
        rows += [{"run": place.name} | make_line(place, measures) for place in done]
        if values.table and failed:
            print(f"facezoo: {values.table} stays as it is until no run fails", file=sys.stderr)
        is_for_page = values.table and not failed
        print(write_table(Path(values.table), rows, "--table") if is_for_page else markdown_table(align(rows)))
    code = list(failed.values())[-1] if failed else 0
    if values.compare and len(done) > 1:
        arguments = (*map(str, done), f"--out={new_folder(None, folder / 'comparison')}")
        compared = subprocess.run(command_line("compare", *arguments)).returncode
        code = code or compared
    return code if code >= 0 else 1


def _train(team: Team, trial: Trial, folder: Path) -> int:
    """The exit code of a training in a process of its own, so that its memory goes with it."""
    team.arguments = ["train", *trial.arguments, f"--run_dir={folder / trial.name}"]
    return team.work()[1]


def _measure(team: Team, place: Path, names: Sequence[str], measures: Sequence[str]) -> int:
    """The exit code of measuring what has not been measured since the training."""
    if not is_measured(read_results(place), names, measures):
        team.arguments = ["evaluate", f"--run_dir={place}", f"--metrics={','.join(names)}"]
        code = team.work()[1]
        if code or team.signals:
            return code
    of_samples = ["kid"] if "kid" in measures and has_kl(place) else []
    if not of_samples or is_measured(read_results(place, SAMPLES_FILE), of_samples, of_samples):
        return 0
    team.arguments = ["evaluate", f"--run_dir={place}", f"--what={SAMPLES}", "--metrics=kid"]
    return team.work()[1]
