"""Measure a trained run on a split: PSNR, SSIM, every loss term, active units; and what the field measures."""

from typing import Any

import numpy as np
from absl import flags, logging

from ...datasets.source import SPLITS
from ..backend import load_tensorflow
from ..codes.measure_names import CLIPS, OF_SETS, chosen
from ..errors import UsageError
from ..flags import groups, kinds
from ..flags.kinds import read_given
from ..flags.sources import for_model
from ..runs.checkpoints import MODEL_FILE
from ..runs.results import ASKED, METRICS_FILE, MODEL_HASH, keep_figures, refuse_foreign_figures
from ..runs.run import Run, open_run
from ..runs.settings import with_data
from ..tables import figures_table, markdown_row, table
from ..terminal import announce

LEAST_FRAMES = 3  # that flicker is told by
FEW = 100  # pictures, of which distances between sets say little
WHOLE = groups.MADE[0]
KID_NETWORKS = VGG16, INCEPTION = ("vgg16", "inception_v3")
DECIDING = (
    "metrics",
    "split",
    "count",
    "kid_network",
    "sampling_steps",
    *kinds.list_names(groups.DataSettings),
)  # of what figures are
HIDDEN = ("intervals", MODEL_HASH, ASKED)  # in the file alone
WORDS = ("run_dir",)  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    groups.define_sampling_steps(values)
    flags.DEFINE_enum("split", "test", SPLITS, "Split to measure.", flag_values=values)
    kinds.define_number(values, "count", None, "Only the first examples of the split.", 1)
    text = "What is measured: all, or names with commas between them (docs/measuring.md); as in training if absent."
    flags.DEFINE_list("metrics", None, text, flag_values=values)
    text = "Pictures to measure: of codes, drawn codes, middles, with attributes, of codes and their noise; or clips."
    flags.DEFINE_enum("what", WHOLE, groups.MADE, text, flag_values=values)
    text = "Adds the feature distance in VGG19: its weights file, or imagenet to download them."
    kinds.define_path(values, "vgg19_weights", text)
    text = "Network of KID, Frechet distance, precision and recall."
    flags.DEFINE_enum("kid_network", KID_NETWORKS[0], KID_NETWORKS, text, flag_values=values)
    text = "Weights file of --kid_network=inception_v3; imagenet downloads them."
    kinds.define_path(values, "kid_weights", text, default="imagenet")
    groups.define_data_flags(values)


def run(values: flags.FlagValues) -> None:
    if values.metrics:
        chosen(values.metrics, values.what)  # or it says which there are
    opened = open_run(values.run_dir, values.checkpoint, values.sampling_steps)
    given = read_given(values, groups.DataSettings)
    source = opened.source(values.split, given)
    if values.metrics is None and values.what != WHOLE:
        raise UsageError(f"--what={values.what} needs --metrics=all, or names of some")
    _refuse_useless(values)
    place = opened.folder / (METRICS_FILE if values.what == WHOLE else f"metrics-{values.what}.json")
    refuse_foreign_figures(place)
    load_tensorflow()

    from ...datasets.pipeline import source_errors
    from ...models import TrainableModel

    is_whole = values.what == WHOLE and values.metrics in (None, ["all"])
    model = opened.model(TrainableModel)
    if values.metrics and not model.reconstructs:
        raise UsageError(f"--metrics={','.join(values.metrics)}: the model of {opened.folder} makes no pictures")
    source = for_model(source, model, opened.settings.objective.masks, keeps_clips=values.what == CLIPS)
    frames = _count_frames(source) if values.what == CLIPS else 1
    measured: dict[str, Any] = {}
    announce(f"Measuring {min(values.count or len(source), len(source)):,} faces of {source.name} ...")
    with source_errors():
        if is_whole:
            measured |= _as_in_training(values, opened, model, source)
        found = _judge(values, opened, model, source, given, frames) if values.metrics else {}
    measured |= {name: figure.value for name, figure in found.items()}
    most = min(values.count or len(source), len(source))
    count = measured.pop("count", None) or min((figure.num_pictures for figure in found.values()), default=most)
    provenance = opened.provenance(values.split, given) | ({} if values.what == WHOLE else {"what": values.what})
    if values.sampling_steps:
        provenance["sampling_steps"] = values.sampling_steps
    kept = {**provenance, "count": count, **measured}
    if values.kid_network != VGG16:
        kept["kid_network"] = values.kid_network
    if found:
        kept["intervals"] = {name: list(figure.interval) for name, figure in found.items()}
    kept |= {MODEL_HASH: opened.model_hash, ASKED: _list_asked(values, opened)}
    try:
        opened.folder.mkdir(parents=True, exist_ok=True)  # of a model without a run
        place = keep_figures(place, kept)
    finally:  # figures that cannot be kept are told
        _tell(opened, kept, provenance, measured, found)
    print(place)


def _list_asked(values: flags.FlagValues, opened: Run) -> dict[str, Any]:
    """What was asked for: which measures, and all by which it is another model or other pictures than by default."""
    asked = {name: values[name].value for name in DECIDING if values[name].value != values[name].default}
    return asked if opened.model_path == opened.folder / MODEL_FILE else asked | {"model": str(opened.model_path)}


def _refuse_useless(values: flags.FlagValues) -> None:
    names = chosen(values.metrics, values.what) if values.metrics else []
    if values.kid_network == INCEPTION and not set(names) & set(OF_SETS):
        raise UsageError(
            f"--kid_network={INCEPTION} does nothing without --metrics={','.join(OF_SETS)}, or some of them"
        )
    if values["kid_weights"].present and values.kid_network != INCEPTION:
        raise UsageError(f"--kid_weights does nothing without --kid_network={INCEPTION}")


def _tell(
    opened: Run, kept: dict[str, Any], provenance: dict[str, Any], measured: dict[str, Any], found: dict[str, Any]
) -> None:
    shown = kept | ({"crop": ",".join(kept["crop"])} if "crop" in kept else {})
    print(table({name: value for name, value in shown.items() if name not in (*HIDDEN, *found)}))
    if found:
        from ..codes.judging import MEASURES

        print(figures_table(found, {name: MEASURES[name].better for name in found}))
        of_sets = [name for name in OF_SETS if name in found]
        if of_sets and (least := min(found[name].num_pictures for name in of_sets)) < FEW:
            logging.warning("%s compare sets: of only %d pictures they say little", ", ".join(of_sets), least)
        about = {name: shown[name] for name in provenance if name != "data_dir"}
        print("\n" + markdown_row({"run": opened.folder.name, **about, "count": kept["count"]}, measured))


def _as_in_training(values: flags.FlagValues, opened: Run, model, source) -> dict[str, Any]:
    import tensorflow as tf

    from ..codes.encoding import count_at_once
    from ..training.evaluation import Measurer
    from ..training.objective import complete_objective

    distance = _feature_distance(values.vgg19_weights, source.image_shape[0]) if values.vgg19_weights else None
    complete_objective(model, opened.settings, source)
    at_once = count_at_once(source, model.reads_clips)
    measurement = Measurer(model, tf.distribute.get_strategy(), distance)(source, at_once, values.count)
    return {"count": measurement.count, **measurement.values}


def _count_frames(source) -> int:
    """How many frames its clips have; a UsageError where they cannot be measured."""
    clip = source.load(np.zeros(1, np.int64)).get("clip")
    if clip is None:
        raise UsageError(
            f"--what={CLIPS}: {source.name} has no clips: choose --dataset=procedural_clips, or --dataset=clips with "
            "films or folders of frames in --data_dir"
        )
    if clip.shape[1] < LEAST_FRAMES:
        raise UsageError(f"--what={CLIPS}: --frames={clip.shape[1]} must be at least {LEAST_FRAMES} to tell flicker by")
    return clip.shape[1]


def _judge(values: flags.FlagValues, opened: Run, model, source, given, frames: int) -> dict[str, Any]:
    from ..codes.judging import Setting, judge, make_streams
    from ..codes.making import make_batches
    from ..faces.origins import recognise_square

    names = chosen(values.metrics, values.what)
    size, _, channels = source.image_shape
    needs_square = bool({"identity", "identity_drift"} & set(names))
    square = recognise_square(with_data(opened.settings, given).data, source) if needs_square else None
    inception_weights = values.kid_weights if values.kid_network == INCEPTION else None
    setting = Setting(size, channels, source.landmark_names, square, values.vgg19_weights, inception_weights, frames)
    streams = make_streams(names, setting, is_asked=values.metrics != ["all"])
    return judge(make_batches(values.what, opened, model, source, values.count), streams)


def _feature_distance(weights: str, image_size: int):
    from ...losses.weights import WeightsError
    from ...metrics.features import FeatureDistance

    try:
        return FeatureDistance(weights, image_size)
    except WeightsError as error:
        raise UsageError(f"--vgg19_weights={weights}: {error}") from error
