"""Measure a trained run on a split: PSNR, SSIM, feature distance, every loss term, active units."""

import json

from absl import flags

from ... import files
from ...datasets.source import SPLITS
from ..backend import load_tensorflow
from ..errors import UsageError
from ..flags import groups, kinds
from ..flags.kinds import read_given
from ..flags.sources import for_model
from ..runs.run import open_run
from ..tables import table

BATCH_SIZE = 64


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    flags.DEFINE_enum("split", "test", SPLITS, "Split to measure.", flag_values=values)
    kinds.define_number(values, "count", None, "Only the first examples of the split.", 1)
    text = "Adds the feature distance in VGG19: its weights file, or imagenet to download them."
    kinds.define_path(values, "vgg19_weights", text)
    groups.define_data_flags(values)


def run(values: flags.FlagValues) -> None:
    opened = open_run(values.run_dir, values.checkpoint)
    given = read_given(values, groups.DataSettings)
    source = opened.source(values.split, given)

    tf = load_tensorflow()

    from ...datasets.pipeline import source_errors
    from ...models import TrainableModel
    from ..training.evaluation import Measurer
    from ..training.objective import complete_objective

    distance = _feature_distance(values.vgg19_weights, source.image_shape[0]) if values.vgg19_weights else None
    model = opened.model(TrainableModel)
    source = for_model(source, model, opened.settings.objective.masks)
    complete_objective(model, opened.settings, source)
    with source_errors():
        measurement = Measurer(model, tf.distribute.get_strategy(), distance)(source, BATCH_SIZE, values.count)
    metrics = {
        **opened.provenance(values.split, given),
        "count": measurement.count,
        **measurement.values,
    }
    files.write_text(opened.folder / "metrics.json", json.dumps(metrics, indent=2) + "\n", is_shared=True)
    print(table(metrics))


def _feature_distance(weights: str, image_size: int):
    from ...losses.weights import WeightsError
    from ...metrics.features import FeatureDistance

    try:
        return FeatureDistance(weights, image_size)
    except WeightsError as error:
        raise UsageError(f"--vgg19_weights={weights}: {error}") from error
