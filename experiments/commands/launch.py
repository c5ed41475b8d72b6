"""Train with several worker processes on this machine: facezoo launch --workers=2 -- train ..."""

import sys
from collections.abc import Sequence

from absl import flags

from ..errors import UsageError
from ..flags import kinds
from ..flags.kinds import read
from ..flags.parsing import define_train_flags, parse
from ..flags.training import TrainingSettings
from ..processes import NOBODY_READS
from ..runs.folder import default_folder
from ..training.launcher import Team, share_gpus

MOST_WORKERS = 1024


def define_flags(values: flags.FlagValues) -> None:
    kinds.define_number(values, "workers", 2, "Processes that train together.", 1, MOST_WORKERS)
    text = "How often all workers are started again after one has died; the run goes on from its last checkpoint."
    kinds.define_number(values, "restarts", 3, text, 0)


def run(values: flags.FlagValues, command: Sequence[str]) -> int:
    """Starts the workers, and again where one dies; returns the exit code.

    Args:
      values: the launcher's flags.
      command: `train` and its flags.

    Raises:
      UsageError: another command, flags that it refuses, or fewer GPUs than workers.
    """
    team = Team(values.workers, _train_arguments(command), share_gpus(values.workers))
    with team.passing_on_signals():
        for restart in range(values.restarts + 1):
            number, code = team.work()
            if team.signals:
                return 128 + team.signals[0]
            if code in (0, 2, NOBODY_READS):  # done, or another try would end alike
                return code
            next_try = f"starting all again, {restart + 1} of {values.restarts} times"
            what = "ended with code" if code > 0 else "was killed by signal"
            outlook = next_try if restart < values.restarts else "giving up; the same command goes on"
            print(f"facezoo: worker {number} {what} {abs(code)}: {outlook}", file=sys.stderr, flush=True)
    return 1


def _train_arguments(command: Sequence[str]) -> list[str]:
    """The command with what all workers must agree on."""
    if not command or command[0] != "train":
        raise UsageError("give the training after two dashes: facezoo launch --workers=2 -- train --model=vae ...")
    values = parse(define_train_flags, list(command[1:]), has_recipes=True)
    settings = read(values, TrainingSettings)
    if settings.run.strategy not in ("auto", "one_device", "multi_worker"):
        raise UsageError(f"--strategy={settings.run.strategy}: `facezoo launch` trains with multi_worker")
    run_dir = values.run_dir or str(default_folder(settings.model.model, settings.data.dataset))
    return [*command, "--strategy=multi_worker", f"--run_dir={run_dir}"]
