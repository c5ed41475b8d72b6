"""The flags that several commands share."""

import functools
from pathlib import Path
from typing import Any

from absl import flags

from ...datasets.alignment import MOST_MARGIN, TEMPLATES
from ...datasets.photographs import Crop
from ..errors import UsageError
from .kinds import are_digits, define_number, define_path, define_required

MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 16, 1024
CHECKPOINTS = ("last", "best")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
# How far training pictures are moved at random: flags, and what `datasets.augmentation` calls them.
MOVES = {"rotation": "degrees", "scale": "scale", "shift": "shift"}
AUGMENTATIONS = ("flip", *MOVES, "colour", "blur", "warp", "affine")
MOST_SCALE = 100
# What a face may be. Its attributes stay untold: photographs have none, and attribute vectors are found without.
FACE = (
    "a picture file, or `test:17` for a face of a split (train, validation, test) of the run's data; a model is not "
    "told its attributes."
)


def define_data_flags(values: flags.FlagValues, dataset: str | None) -> None:
    """Which pictures. Without a default data set, everything not given is as it was in training."""
    where: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_string("dataset", dataset, "Data set; `facezoo datasets` lists them.", **where)
    define_path(values, "data_dir", "Folder of pictures, a pack, or of prepared TensorFlow Datasets.")
    define_folder_flags(values)


def define_folder_flags(values: flags.FlagValues) -> None:
    """What to make of a folder of pictures."""
    where: dict[str, Any] = {"flag_values": values}
    define_crop(values)
    flags.DEFINE_enum("subfolders", None, ["identity", "attribute"], "What sub-folders say of a picture.", **where)
    define_path(values, "labels", "CSV of attributes by file name, or CelebA's list_attr_celeba.txt.")
    define_path(
        values, "landmarks", "CSV of five points by file name, or CelebA's list; a folder's manifest if absent."
    )


def define_crop(values: flags.FlagValues) -> None:
    where: dict[str, Any] = {"flag_values": values}
    text = "Side of a square in the centre, or left,top,width,height, in source pixels; the largest square if absent."
    flags.DEFINE_list("crop", None, text, **where)
    text = "must be one side or left,top,width,height: whole numbers, side, width and height above 0"
    flags.register_validator("crop", _is_crop, text, **where)


def define_template(values: flags.FlagValues, template: str | None, margin: float | None) -> None:
    """Where the face lies in a crop; with None as the defaults, as in the pictures that the model knows."""
    absent = "" if template else "; that of the run's pictures if absent"
    flags.DEFINE_enum("template", template, list(TEMPLATES), f"Where eyes and mouth lie{absent}.", flag_values=values)
    text = f"How much more of the photograph a crop shows on each side, in sides{absent}."
    define_number(values, "margin", margin, text, 0, MOST_MARGIN, kind=float)


def define_alignment(values: flags.FlagValues, align: bool = False) -> None:
    """For commands that take photographs: find the face, and cut it out as the model knows faces."""
    text = "Photographs as they come: find the face in each and cut it out aligned, instead of a crop."
    flags.DEFINE_bool("align", align, text, flag_values=values)
    define_template(values, None, None)


def define_image_size(values: flags.FlagValues, default: int) -> None:
    define_number(values, "image_size", default, "Height and width in pixels.", MIN_IMAGE_SIZE, MAX_IMAGE_SIZE)


def define_augmentation_flags(values: flags.FlagValues) -> None:
    """The random changes of training pictures; `AUGMENTATIONS` are their names."""
    where: dict[str, Any] = {"flag_values": values}
    number = functools.partial(define_number, values, kind=float)
    flags.DEFINE_bool("flip", False, "Mirror half of the training pictures.", **where)
    text = "Turn the training pictures by up to so many degrees, either way; face mapping does so by 10 if absent."
    number("rotation", None, text, 0, 180)
    text = "Enlarge or shrink the training pictures by up to this factor; face mapping does so by 1.15 if absent."
    number("scale", None, text, 1, MOST_SCALE)
    text = "Shift the training pictures along both axes by up to this share of a side; face mapping by 0.05 if absent."
    number("shift", None, text, 0, 1)
    text = "Change brightness, contrast and saturation of the training pictures, each by up to this share."
    number("colour", 0.0, text, 0, 1)
    flags.DEFINE_bool("blur", False, "Soften half of the training pictures, each to its own degree.", **where)
    text = "Largest move of a grid's point, in cells, of the random warps that face mapping undoes (0.24)."
    number("warp", None, text, 0, 1)
    text = "Face mapping also turns, scales, shifts and mirrors the pictures; --noaffine leaves them where they are."
    flags.DEFINE_bool("affine", True, text, **where)


def check_augmentation_flags(values: flags.FlagValues) -> None:
    """A UsageError for those that contradict each other."""
    given = [flag for flag in MOVES if values[flag].value is not None]
    if given and not values.affine:
        raise UsageError(f"--{given[0]}={values[given[0]].value:g}: --noaffine leaves the pictures where they are")


def define_run_dir(values: flags.FlagValues) -> None:
    define_required(values, "run_dir", "The run folder that `facezoo train` made.")
    help_text = "The model after the last epoch, or the one that was best in validation."
    flags.DEFINE_enum("checkpoint", "last", CHECKPOINTS, help_text, flag_values=values)


def define_person(values: flags.FlagValues) -> None:
    text = "Whose face a mapping model makes of the codes, a name; that of the last person it knows if absent."
    flags.DEFINE_string("person", None, text, flag_values=values)


def crop_of(values: flags.FlagValues) -> Crop | None:
    """--crop as a side or (left, top, width, height)."""
    if not values.crop:  # --crop= asks for the largest square
        return None
    first, *rest = (int(number) for number in values.crop)
    if not rest:
        return first
    top, width, height = rest
    return first, top, width, height


def in_folder(values: flags.FlagValues) -> str:
    """--in; a UsageError where that is no folder."""
    folder = values.flag_values_dict()["in"]  # a keyword of Python
    if not Path(folder).is_dir():
        raise UsageError(f"--in={folder} is {'not a folder' if Path(folder).exists() else 'not there'}")
    return folder


def _is_crop(crop) -> bool:
    if not crop:
        return True
    numbers = [int(number) if are_digits(number) else -1 for number in crop]
    return len(numbers) in (1, 4) and min(numbers) >= 0 and min(numbers[-2:]) > 0
