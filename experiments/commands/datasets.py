"""List the data sets, or draw a labelled sheet of one."""

from pathlib import Path

import numpy as np
from absl import flags

from ... import files, pictures
from ...datasets import DATASETS
from ...datasets.source import SPLITS, Source
from ..backend import load_tensorflow, without_chatter
from ..errors import UsageError
from ..flags import groups, kinds
from ..flags.kinds import define, read, read_given
from ..flags.sources import default_channels, open_source

COLUMNS = 8
GAP = 8  # pixels between two pairs
MOST_LABELS = 6


def define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string("show", None, "Data set to draw a sheet of.", flag_values=values)
    kinds.define_path(values, "out", "File for the sheet, a PNG.", default="sheet.png")
    flags.DEFINE_enum("split", "train", SPLITS, "Split to draw from.", flag_values=values)
    kinds.define_number(values, "count", 64, "Pictures on the sheet.", 1, 1024)
    groups.define_image_size(values, 128)
    groups.define_data_flags(values, ("dataset",))
    define(values, groups.AugmentationSettings)
    text = "Draw the landmarks, where the data set has them, as dots; --nodots leaves them out."
    flags.DEFINE_bool("dots", True, text, flag_values=values)


def run(values: flags.FlagValues) -> None:
    if values.show is None:
        width = max(map(len, DATASETS))
        for name, function in DATASETS.items():
            print(f"{name:{width}}  {(function.__doc__ or '').splitlines()[0]}")
        return
    _check(values)
    with files.whole_file(Path(values.out), is_new=True) as partial:
        _draw(values, partial)
    print(values.out)


def _draw(values: flags.FlagValues, file: Path) -> None:
    data = groups.DataSettings(**read_given(values, groups.DataSettings) | {"dataset": values.show})
    source = open_source(data, values.split, values.image_size, default_channels(values.show))
    examples = _examples(values, source, min(values.count, len(source)))
    labels = [_label(source, examples, position) for position in range(len(examples["image"]))]
    images, columns = _images(values, examples)
    sheet = pictures.draw_labelled_sheet(images, labels, columns, max(len(label.splitlines()) for label in labels))
    pictures.save_png(file, sheet, f"the first {len(labels)} examples of {source.name}{_changes(values)}")


def _check(values: flags.FlagValues) -> None:
    if values.show not in DATASETS:
        raise UsageError(f"--show={values.show} must be one of {', '.join(DATASETS)}")
    out = Path(values.out)
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out={out} must end in .png")
    if out.exists():
        raise UsageError(f"--out={out} exists: choose another file")
    read(values, groups.AugmentationSettings)  # which refuses what contradicts itself
    if not values.affine and values.warp is None:
        raise UsageError("--noaffine: without --warp the pictures stay where they are")


def _examples(values: flags.FlagValues, source: Source, count: int) -> dict[str, np.ndarray]:
    """The first examples, changed as the flags say."""
    if not _changes(values):
        with without_chatter():  # some data sets take TensorFlow to be read
            return source.load(np.arange(count))
    load_tensorflow()
    from ...datasets.augmentation import chain
    from ..flags.augmentation import change_examples, check_window, make_augmentation, make_selection

    settings = read(values, groups.AugmentationSettings)
    if settings.window:
        clip = source.load(np.zeros(1, np.int64)).get("clip")
        if clip is None:
            raise UsageError(f"--window={settings.window}: {source.name} has no clips")
        check_window(settings, clip.shape[1])
    asked = make_selection(settings), make_augmentation(settings, source, is_warped=values.warp is not None)
    chosen = [augment for augment in asked if augment]
    return change_examples(source, count, chain(*chosen)) if chosen else source.load(np.arange(count))


def _changes(values: flags.FlagValues) -> str:
    """The augmentation flags that are not as they are by default."""
    return "".join(
        f" {values[name].serialize()}" for name in groups.AUGMENTATIONS if values[name].value != values[name].default
    )


def _images(values: flags.FlagValues, examples: dict[str, np.ndarray]) -> tuple[np.ndarray, int]:
    """What the sheet shows of each example [N, H, W, C], and how many columns there are.

    Left of what a model is to make of it stands a warped picture, with a gap on the other side of both.
    """
    images = examples["image"]
    if values.dots and "landmarks" in examples:
        images = pictures.with_dots(images, examples["landmarks"])
    if "warped" not in examples:
        return images, COLUMNS
    warped = np.broadcast_to(examples["warped"], images.shape)  # gray, if dots are in colour
    gap = np.full((*images.shape[:2], GAP, images.shape[3]), 255, np.uint8)
    return np.concatenate([warped, images, gap], axis=2), COLUMNS // 2


def _label(source: Source, examples: dict[str, np.ndarray], position: int) -> str:
    """The example's name and identity, then the attributes that it has, one a line."""
    head = source.names[position]
    if "identity" in examples:
        head += f" (person {examples['identity'][position]})"
    has = examples["attributes"][position] > 0.5 if "attributes" in examples else ()
    attributes = [name for name, is_there in zip(source.attribute_names, has, strict=True) if is_there]
    return "\n".join([head, *attributes[:MOST_LABELS]])
