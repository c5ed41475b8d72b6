"""Round a trained run's weights to float16, measure them again, and write them with a card, to share or to ship."""

import re
from pathlib import Path

from absl import flags

from ... import __version__, files
from ...datasets.source import SPLITS
from ..backend import load_tensorflow
from ..errors import UsageError
from ..flags import groups, kinds
from ..flags.sources import for_model
from ..runs.run import Run, open_run
from ..runs.settings import settings_text

BATCH_SIZE = 64


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    kinds.define_required(values, "name", "What the files are called.")
    kinds.define_path(values, "out", "Folder for NAME.npz and NAME.json.", default=".")
    flags.DEFINE_string("of_recipe", None, "The recipe that the run followed, for the card.", flag_values=values)
    flags.DEFINE_enum("split", "test", SPLITS, "Split to measure.", flag_values=values)


def run(values: flags.FlagValues) -> None:
    opened, out = open_run(values.run_dir, values.checkpoint), Path(values.out)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", values.name):
        raise UsageError(f"--name={values.name} must be made of letters, digits, _ and -")
    for path in (out / f"{values.name}.npz", out / f"{values.name}.json"):
        if path.exists():
            raise UsageError(f"--name={values.name}: {path} exists: choose another name or folder")
    with files.locked(out / values.name):
        _publish(values, opened, out)
    print(f"{out / values.name}.npz\n{out / values.name}.json")


def _publish(values: flags.FlagValues, opened: Run, out: Path) -> None:
    source = opened.source(values.split)
    tf = load_tensorflow()
    from ...models import TrainableModel
    from ...models.pretrained import round_weights, save_pretrained
    from ..training.evaluation import Measurer

    trained = opened.model(TrainableModel)
    model = trained.network()
    try:
        round_weights(model)
    except ValueError as error:
        raise UsageError(f"--run_dir={opened.folder}: {error}") from error
    measurer = Measurer(trained, tf.distribute.get_strategy())
    measurement = measurer(for_model(source, trained, opened.settings.objective.masks), BATCH_SIZE)
    card = {
        "name": values.name,
        "recipe": values.of_recipe,
        "data": f"{opened.settings.data.dataset}, measured on its {values.split} split of {measurement.count}",
        "seed": opened.settings.run.seed,
        "facezoo": __version__,
        "flags": settings_text(opened.settings, with_paths=False).splitlines(),
        "metrics": measurement.values,
    }
    save_pretrained(model, values.name, card, out)
