"""From settings to a trained run: begins a training, or goes on with it, whoever asks for it."""

import contextlib
import dataclasses
import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..backend import check_keras_backend, load_tensorflow
from ..codes.encoding import list_people
from ..errors import UsageError
from ..flags.groups import PRECISIONS
from ..flags.training import TrainingSettings
from ..runs.checkpoints import State
from ..runs.data import check_data, describe_data, is_elsewhere
from ..runs.folder import default_folder, find_state, is_finished
from ..runs.places import is_run
from ..runs.run import Run, open_run
from ..runs.settings import count_epochs, read_precision, write_settings
from ..terminal import announce
from .arguments import open_sources
from .starting import inherit_settings
from .telling import list_next_commands

if TYPE_CHECKING:  # settings are refused before TensorFlow is waited for
    from .devices import Workers
    from .setup import Session


MOST_MEASURES = 20  # of the validation split, where --min_steps makes epochs many
# By the figures at the head of the recipes: of 64 units 18 are active where --r_loss_factor is the VAE's own.
FROM_NOTHING = (
    "a VAE with its own loss factors learns from photographs slowly: few units of its code come to tell faces apart; "
    "--recipe=photographs goes on from weights that ship (sharp morphs of a few hundred photographs in minutes), "
    "--recipe=vae_folder trains a VAE to draw new faces from (a few thousand photographs, twenty minutes)"
)


class Outcome(NamedTuple):
    """What has come of a training.

    Attributes:
      was_finished: there was nothing to do.
      is_chief: this process has written the run; of several workers only one does.
      next_commands: what somebody does with the run, as command lines.
    """

    was_finished: bool
    is_chief: bool
    next_commands: tuple[str, ...] = ()


def train(settings: TrainingSettings | None = None, run_dir: str | Path | None = None) -> Run:
    """Trains into a run folder, as `facezoo train` does with the same settings, bit for bit.

    A folder that holds an unfinished run of the same settings is gone on with; a finished one is returned as it is.

    >>> from facezoo import TrainingSettings
    >>> TrainingSettings().optimizer.learning_rate
    0.0005

    Args:
      settings: what to train, and how; those of `facezoo train` without flags if absent.
      run_dir: the folder, new or of such a run; runs/<model>-<dataset>-<time> if absent.

    Returns:
      The finished run.

    Raises:
      UsageError, DatasetError: settings that do not go together, a folder that is not such a run's, or data that are
        not there.
      StoppedError: Ctrl-C, SIGTERM or the like; what is saved goes on with the next call.
    """
    check_keras_backend()
    settings = settings or TrainingSettings()
    folder = Path(run_dir or default_folder(settings.model.model, settings.data.dataset))
    train_into(folder, settings, is_named=run_dir is not None)
    return open_run(folder)


def train_into(
    folder: Path, settings: TrainingSettings, is_named: bool = True, given: Collection[str] | None = None
) -> Outcome:
    """Trains as `train` does.

    Args:
      folder: of the run.
      settings: what to train, and how.
      is_named: the user has named the folder, so that all workers know it.
      given: the model's settings that --init_from does not change, see `starting.inherit_settings`.
    """
    is_free = settings.run.precision == "auto"
    settings, state = _find_begun(folder, settings, given)
    if is_finished(folder, state, settings):
        if is_elsewhere(folder, settings.data):
            check_data(folder, settings.data, describe_data(open_sources(settings)[0]))
        return Outcome(was_finished=True, is_chief=True)
    with _gather_workers(settings, is_named) as workers:
        settings = _agree_on_precision(settings, workers, is_free)
        settings = _resolve_epochs(settings, folder)
        session = _make_session(settings, state, workers)
        if state is None and _is_plain(settings):
            announce(FROM_NOTHING)
        from ...datasets.pipeline import source_errors
        from .run import TrainingRun

        training = TrainingRun(session, folder, state)
        with source_errors():
            training.train()
        model = session.model
        commands = (
            list_next_commands(folder, model.reconstructs, list_people(model)) if session.workers.is_chief else []
        )
        return Outcome(was_finished=False, is_chief=session.workers.is_chief, next_commands=tuple(commands))


def check_folder(folder: Path, settings: TrainingSettings) -> None:
    """Raises UsageError where a folder holds what is neither such a run nor the beginning of one."""
    if folder.exists():
        _find_begun(folder, settings, None)


def _find_begun(
    folder: Path, settings: TrainingSettings, given: Collection[str] | None
) -> tuple[TrainingSettings, State | None]:
    """The settings as a run in the folder has them, and where it stands; a new one stands nowhere."""
    write_settings(settings)  # refuses what no run could tell of
    settings = _resolve_precision(inherit_settings(settings, folder, given), folder)
    settings = _resolve_epochs(settings, folder) if is_run(folder) else settings
    return settings, find_state(folder, settings)


def summarise(settings: TrainingSettings, given: Collection[str] | None = None) -> str:
    """The resolved settings, the parameters and one batch's shapes of a training that is not begun."""
    write_settings(settings)
    settings = inherit_settings(settings, None, given)
    settings = _resolve_precision(settings, None)
    with _gather_workers(settings, is_named=True) as workers:
        settings = _resolve_epochs(settings, None)
        session = _make_session(settings, None, workers)
        from ...datasets.pipeline import source_errors

        with source_errors():
            return session.summary()


def _make_session(settings: TrainingSettings, state: State | None, workers: "Workers | None") -> "Session":
    sources, arguments = open_sources(settings)
    load_tensorflow()
    from .devices import warn_of_devices
    from .setup import Session

    warn_of_devices(settings.run.precision)
    return Session(settings, sources, arguments, workers=workers, state=state)


def _is_plain(settings: TrainingSettings) -> bool:
    """True of the architecture, the weights and the objective that one gets unasked, on somebody's own pictures."""
    plain = TrainingSettings()
    return (
        settings.data.data_dir is not None
        and (settings.model.model, settings.model.init_from) == (plain.model.model, plain.model.init_from)
        and settings.objective == plain.objective
    )


def _resolve_precision(settings: TrainingSettings, folder: Path | None) -> TrainingSettings:
    """The settings with "auto" resolved: what the run computes in already, or what this machine is fast in."""
    if settings.run.precision != "auto":
        return settings
    known = read_precision(folder) if folder else None
    if known is None:
        load_tensorflow()
        from .devices import best_precision

        known = best_precision()
    return _with_precision(settings, known)


def _agree_on_precision(settings: TrainingSettings, workers: "Workers | None", is_free: bool) -> TrainingSettings:
    """The settings in float32 where workers that are free to choose are fast in different precisions."""
    if workers is None:
        return settings
    found = workers.numbers(PRECISIONS.index(settings.run.precision))  # of all of them, free or not: they have to meet
    return _with_precision(settings, "float32") if is_free and len(found) > 1 else settings


def _with_precision(settings: TrainingSettings, precision: str) -> TrainingSettings:
    return dataclasses.replace(settings, run=dataclasses.replace(settings.run, precision=precision))


def _resolve_epochs(settings: TrainingSettings, folder: Path | None) -> TrainingSettings:
    """The settings with as many epochs as --min_steps takes: those of the run, or those that the pictures need.

    Of a new run it opens the data, before which workers must meet.
    """
    schedule = settings.schedule
    if schedule.min_steps is None:
        return settings
    epochs = count_epochs(folder) if folder else None
    if epochs is None:
        sources, _ = open_sources(settings)
        steps = schedule.steps_per_epoch or max(1, len(sources["train"]) // schedule.batch_size)
        epochs = math.ceil(schedule.min_steps / steps)
    if epochs <= schedule.epochs:
        return settings
    run = dataclasses.replace(
        settings.run,
        draw_every=math.ceil(settings.run.draw_every * epochs / schedule.epochs),
        measure_every=max(settings.run.measure_every, math.ceil(epochs / MOST_MEASURES)),
    )
    return dataclasses.replace(settings, schedule=dataclasses.replace(schedule, epochs=epochs), run=run)


@contextlib.contextmanager
def _gather_workers(settings: TrainingSettings, is_named: bool) -> Iterator["Workers | None"]:
    """Those that train together, before data are opened: that may start TensorFlow, which is too late for them."""
    if settings.run.strategy not in ("auto", "multi_worker"):
        yield None
        return
    load_tensorflow()
    from .devices import Workers, make_strategy

    workers = Workers(make_strategy(settings.run.strategy, settings.run.devices))
    if workers.count > 1 and not is_named:
        raise UsageError("several workers need --run_dir, the same for all")
    with workers.watch():
        yield workers
