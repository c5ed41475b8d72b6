"""List the data sets, or draw a labelled sheet of one."""

from pathlib import Path

import numpy as np
from absl import flags

from ..datasets import DATASETS
from ..datasets.source import SPLITS, Source
from ..latents import pictures
from . import options
from .data import default_channels, open_source
from .errors import UsageError

COLUMNS = 8
MOST_LABELS = 6


def define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string("show", None, "Data set to draw a sheet of.", flag_values=values)
    options.define_path(values, "out", "File for the sheet, a PNG.", default="sheet.png")
    flags.DEFINE_enum("split", "train", SPLITS, "Split to draw from.", flag_values=values)
    options.define_number(values, "count", 64, "Pictures on the sheet.", 1, 1024)
    options.define_image_size(values, 128)
    options.define_data_flags(values, dataset=None)


def run(values: flags.FlagValues) -> None:
    if values.dataset is not None:
        raise UsageError(f"--dataset={values.dataset}: the data set to draw is named by --show")
    if values.show is None:
        width = max(map(len, DATASETS))
        for name, function in DATASETS.items():
            print(f"{name:{width}}  {(function.__doc__ or '').splitlines()[0]}")
        return
    if values.show not in DATASETS:
        raise UsageError(f"--show={values.show} must be one of {', '.join(DATASETS)}")
    out = Path(values.out)
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out={out} must end in .png")
    if out.exists():
        raise UsageError(f"--out={out} exists: choose another file")
    values["dataset"].value = values.show
    channels = default_channels(values.show)
    source = open_source(values, values.split, values.image_size, channels)
    examples = source.load(np.arange(min(values.count, len(source))))
    labels = [_label(source, examples, position) for position in range(len(examples["image"]))]
    sheet = pictures.labelled_sheet(examples["image"], labels, COLUMNS, label_lines=MOST_LABELS + 1)
    out.parent.mkdir(parents=True, exist_ok=True)
    pictures.save_png(out, sheet, f"the first {len(labels)} examples of {source.name}")
    print(out)


def _label(source: Source, examples: dict[str, np.ndarray], position: int) -> str:
    """The example's name and identity, then the attributes that it has, one a line."""
    head = source.names[position]
    if "identity" in examples:
        head += f" (person {examples['identity'][position]})"
    has = examples["attributes"][position] > 0.5 if "attributes" in examples else ()
    attributes = [name for name, is_there in zip(source.attribute_names, has, strict=True) if is_there]
    return "\n".join([head, *attributes[:MOST_LABELS]])
