"""Train all runs that a file tells of, one after the other, and put them side by side."""

import subprocess
import sys
from pathlib import Path

from absl import flags

from ... import files
from ..errors import UsageError
from ..flags import kinds
from ..folders import new_folder
from ..processes import NOBODY_READS, command_line
from ..training.launcher import Team
from ..training.sweep import SWEEP_FILE, Trial, read_sweep

WORDS = ("file", "out")  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    kinds.define_required(values, "file", "File that tells of the runs, in TOML: see docs/measuring.md.")
    kinds.define_required(values, "out", "Folder of the runs, new or of the same sweep, which goes on.")
    flags.DEFINE_bool("compare", True, "Put the runs side by side at the end.", flag_values=values)


def run(values: flags.FlagValues) -> int:
    """Trains what has not been trained yet; returns the exit code: of the last run that failed, or of the comparison.

    Raises:
      UsageError: a file that tells of no trainings, or a folder that is another sweep's.
    """
    path, folder = Path(values.file), Path(values.out)
    trials = read_sweep(path)
    _take(folder, path)
    team = Team(1, [], [None], is_cluster=False)
    failed: dict[str, int] = {}
    with team.passing_on_signals():
        for number, trial in enumerate(trials, 1):
            print(f"run {number} of {len(trials)}: {trial.name}", flush=True)
            code = _train(team, trial, folder)
            if team.signals:
                return 128 + team.signals[0]
            if code == NOBODY_READS:
                return code
            if code:
                failed[trial.name] = code
    for name, code in failed.items():
        how = f"ended with code {code}" if code > 0 else f"was killed by signal {-code}"
        print(f"facezoo: {name} {how}; the same command tries again", file=sys.stderr)
    done = [str(folder / trial.name) for trial in trials if trial.name not in failed]
    code = list(failed.values())[-1] if failed else 0
    if values.compare and len(done) > 1:
        comparison = command_line("compare", *done, f"--out={new_folder(None, folder / 'comparison')}")
        code = code or subprocess.run(comparison).returncode
    return code if code >= 0 else 1


def _train(team: Team, trial: Trial, folder: Path) -> int:
    """The exit code of a training in a process of its own, so that its memory goes with it."""
    team.arguments = ["train", *trial.arguments, f"--run_dir={folder / trial.name}"]
    return team.work()[1]


def _take(folder: Path, path: Path) -> None:
    """Keeps the file with the runs, or refuses a folder that has another one's."""
    kept, text = folder / SWEEP_FILE, files.read_text(path)
    try:
        if kept.exists():
            if files.read_text(kept) != text:
                raise UsageError(f"--out={folder} has the runs of another sweep, {kept}: choose another folder")
            return
        files.refuse_what_is_there(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with files.whole_file(kept, is_new=True) as partial:
            files.write_text(partial, text)
    except files.OccupiedError as error:
        raise UsageError(f"--out={error}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"--out={folder}: {getattr(error, 'strerror', None) or error}") from error
