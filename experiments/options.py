"""The flags that several commands share."""

from typing import Any

from absl import flags

MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 16, 1024
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def define_data_flags(values: flags.FlagValues, dataset: str | None) -> None:
    """Which pictures. Without a default data set, everything not given is as it was in training."""
    where: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_string("dataset", dataset, "Data set; `facezoo datasets` lists them.", **where)
    flags.DEFINE_string("data_dir", None, "Folder of pictures, or of prepared TensorFlow Datasets.", **where)
    define_crop(values)
    flags.DEFINE_enum(
        "subfolders", None, ["identity", "attribute"], "What the sub-folders of --data_dir say of a picture.", **where
    )
    flags.DEFINE_string("labels", None, "CSV of attributes by file name, or CelebA's list_attr_celeba.txt.", **where)
    flags.DEFINE_float("cache_gb", 4.0, "Gigabytes of decoded pictures kept in memory.", lower_bound=0, **where)


def define_crop(values: flags.FlagValues) -> None:
    where: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_list("crop", None, "left,top,width,height in source pixels; the centre square if absent.", **where)
    flags.register_validator(
        "crop", _is_crop, "must be left,top,width,height: four whole numbers, width and height above 0", **where
    )


def define_image_size(values: flags.FlagValues, default: int) -> None:
    help_text = "Height and width in pixels."
    flags.DEFINE_integer("image_size", default, help_text, MIN_IMAGE_SIZE, MAX_IMAGE_SIZE, flag_values=values)


def define_run_dir(values: flags.FlagValues) -> None:
    flags.DEFINE_string("run_dir", None, "The run folder that `facezoo train` made.", required=True, flag_values=values)


def crop_of(values: flags.FlagValues) -> tuple[int, int, int, int] | None:
    """--crop as (left, top, width, height)."""
    if not values.crop:  # --crop= asks for the centre square
        return None
    left, top, width, height = (int(number) for number in values.crop)
    return left, top, width, height


def _is_crop(crop) -> bool:
    if not crop:
        return True
    numbers = [int(number) if number.strip().lstrip("-").isdecimal() else -1 for number in crop]
    return len(numbers) == 4 and min(numbers) >= 0 and min(numbers[2:]) > 0
