"""Train an autoencoder on a data set, into a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from ..backend import load_tensorflow
from ..errors import UsageError
from ..flags.training import define_flags
from ..runs.checkpoints import MODEL_FILE, State
from ..runs.folder import default_folder, is_finished, state_of
from ..runs.settings import precision_of, settings_text
from ..training.arguments import sources_and_arguments

if TYPE_CHECKING:
    from ..training.devices import Workers

__all__ = ["define_flags", "run"]


def run(values: flags.FlagValues) -> None:
    settings_text(values)  # refuses what no run could tell of
    folder = Path(values.run_dir or default_folder(values.model, values.dataset))
    if values.precision == "auto":
        values["precision"].value = precision_of(folder) or _best_precision()
    state = None if values.dry_run else state_of(folder, values)
    if not values.dry_run and is_finished(folder, state, values):
        print(f"{folder} is finished; nothing to do")
        return

    if values.strategy not in ("auto", "multi_worker"):
        _train(values, folder, state)
        return
    workers = _workers(values)
    with workers.watched():
        _train(values, folder, state, workers)


def _workers(values: flags.FlagValues) -> "Workers":
    """Those that train together, before data are opened: that may start TensorFlow, which is too late for them."""
    load_tensorflow()
    from ..training.devices import Workers, make_strategy

    workers = Workers(make_strategy(values.strategy, values.devices))
    if workers.count > 1 and not values.run_dir:
        raise UsageError("several workers need --run_dir, the same for all")
    return workers


def _best_precision() -> str:
    load_tensorflow()
    from ..training.devices import best_precision

    return best_precision()


def _train(values: flags.FlagValues, folder: Path, state: State | None, workers: "Workers | None" = None) -> None:
    sources, arguments = sources_and_arguments(values)

    load_tensorflow()
    from ...datasets.pipeline import source_errors
    from ..training.run import TrainingRun
    from ..training.setup import Session

    session = Session(values, sources, arguments, workers=workers, is_new=state is None)
    training = TrainingRun(session, folder, state)
    with source_errors():
        if values.dry_run:
            print(session.summary())
            return
        training.train()
    if session.workers.is_chief:
        print(f"{folder / MODEL_FILE}\ntensorboard --logdir {folder / 'tensorboard'}")
