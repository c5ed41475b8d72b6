"""Measure a trained run on a split: PSNR, SSIM, feature distance, every loss term, active units."""

import json

from absl import flags

from .. import files
from ..datasets.source import SPLITS
from . import options, runs
from .backend import load_tensorflow
from .data import for_model, open_source
from .errors import UsageError
from .tables import table

BATCH_SIZE = 64


def define_flags(values: flags.FlagValues) -> None:
    options.define_run_dir(values)
    flags.DEFINE_enum("split", "test", SPLITS, "Split to measure.", flag_values=values)
    options.define_number(values, "count", None, "Only the first examples of the split.", 1)
    text = "Adds the feature distance in VGG19: its weights file, or imagenet to download them."
    options.define_path(values, "vgg19_weights", text)
    options.define_data_flags(values, dataset=None)


def run(values: flags.FlagValues) -> None:
    opened = runs.open_run(values.run_dir, values.checkpoint)
    settings = runs.with_data_flags(opened.settings, values)
    source = open_source(settings, values.split, opened.image_shape[0], opened.image_shape[2])

    tf = load_tensorflow()

    from ..datasets.pipeline import source_errors
    from ..models import TrainableModel
    from . import parts
    from .measuring import Measurer

    distance = _feature_distance(values.vgg19_weights, source.image_shape[0]) if values.vgg19_weights else None
    model = opened.model(TrainableModel)
    source = for_model(source, model, opened.settings)
    parts.complete_objective(model, opened.settings, source)
    with source_errors():
        measurement = Measurer(model, tf.distribute.get_strategy(), distance)(source, BATCH_SIZE, values.count)
    metrics = {
        "dataset": settings.dataset,
        **{name: settings[name].value for name in ("data_dir", "crop") if settings[name].value},
        "split": values.split,
        "count": measurement.count,
        **measurement.values,
    }
    files.write_text(opened.folder / "metrics.json", json.dumps(metrics, indent=2) + "\n", is_shared=True)
    print(table(metrics))


def _feature_distance(weights: str, image_size: int):
    from ..losses.vgg import WeightsError
    from ..metrics.features import FeatureDistance

    try:
        return FeatureDistance(weights, image_size)
    except WeightsError as error:
        raise UsageError(f"--vgg19_weights={weights}: {error}") from error
