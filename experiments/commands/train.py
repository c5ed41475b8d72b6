"""Train an autoencoder on a data set, into a run folder."""

from pathlib import Path

from absl import flags

from ..flags.kinds import list_titles, read, read_given
from ..flags.parsing import define_train_flags
from ..flags.training import ModelSettings, TrainingSettings
from ..runs.checkpoints import MODEL_FILE
from ..runs.folder import default_folder
from ..training.start import summarise, train_into

define_flags = define_train_flags
FLAGS_BY_TITLE = list_titles(TrainingSettings)


def run(values: flags.FlagValues) -> None:
    settings, given = read(values, TrainingSettings), read_given(values, ModelSettings).keys()
    if values.dry_run:
        print(summarise(settings, given))
        return
    folder = Path(values.run_dir or default_folder(settings.model.model, settings.data.dataset))
    outcome = train_into(folder, settings, is_named=bool(values.run_dir), given=given)
    if outcome.was_finished:
        print(f"{folder} is finished; nothing to do")
    elif outcome.is_chief:
        print(f"{folder / MODEL_FILE}\ntensorboard --logdir {folder / 'tensorboard'}")
        print("\n".join(outcome.next_commands))
