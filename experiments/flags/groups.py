"""The flags that several commands share."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from ...datasets.alignment import MOST_MARGIN, TEMPLATES
from ...datasets.clips import FRAMES
from ...datasets.photographs import MEGAPIXELS, MOST_MEGAPIXELS, Crop
from ...datasets.splitting import SPLIT_BY
from ..errors import UsageError
from .kinds import (
    Settings,
    are_digits,
    define,
    define_number,
    define_path,
    define_required,
    list_names,
    number,
    one_of,
    path,
    read_given,
    switch,
    word,
    words,
)

MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 16, 1024
CHECKPOINTS = ("last", "best")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
# How far training pictures are moved at random: flags, and what `datasets.augmentation` calls them.
MOVES = {"rotation": "degrees", "scale": "scale", "shift": "shift"}
AUGMENTATIONS = ("flip", *MOVES, "colour", "blur", "warp", "window", "pace", "affine")
MOST_SCALE = 100
MOST_SAMPLING_STEPS = 10_000
# What can be made of a split, and measured.
MADE = ("reconstructions", "samples", "morphs", "edits", "inversions", "clips")
# What a face may be. Its attributes stay untold: photographs have none, and attribute vectors are found without.
FACE = (
    "a picture file, or `test:17` for a face of a split (train, validation, test) of the run's data; a model is not "
    "told its attributes."
)


def _is_crop(crop: list[str]) -> bool:
    if not crop:
        return True
    numbers = [int(number) if are_digits(number) else -1 for number in crop]
    return len(numbers) in (1, 4) and min(numbers) >= 0 and min(numbers[-2:]) > 0


@dataclasses.dataclass(frozen=True)
class DataSettings(Settings):
    """Which pictures."""

    dataset: str = word("procedural_faces", "Data set; `facezoo datasets` lists them.")
    data_dir: str | None = path(
        None, "Folder of pictures, a pack, or of prepared TensorFlow Datasets.", is_changeable=True
    )
    crop: tuple[int, ...] | None = words(
        None,
        "Side of a square in the centre, or left,top,width,height, in source pixels; the largest square if absent.",
        _is_crop,
        "must be one side or left,top,width,height: whole numbers, side, width and height above 0",
        int,
    )
    subfolders: str | None = one_of(("identity", "attribute"), None, "What sub-folders say of a picture.")
    labels: str | None = path(
        None, "CSV of attributes by file name, or CelebA's list_attr_celeba.txt.", is_changeable=True
    )
    landmarks: str | None = path(
        None, "CSV of five points by file name, or CelebA's list; a folder's manifest if absent.", is_changeable=True
    )
    split_by: str | None = one_of(
        SPLIT_BY, None, "What falls into one split together: files whose names differ in a number are a clip."
    )
    partition: str | None = path(
        None, "File that says which split a picture is in, as CelebA's list_eval_partition.txt.", is_changeable=True
    )
    max_megapixels: int | None = number(
        None, f"Larger photographs are left out; {MEGAPIXELS} if absent.", 1, MOST_MEGAPIXELS
    )
    frames: int | None = number(None, "Frames of a clip; 16 if absent.", *FRAMES)

    def square(self) -> Crop | None:
        """`crop` as the side of a square in the centre, or (left, top, width, height); None is the largest square."""
        return parse_square(self.crop)


def parse_square(crop: Sequence[int] | None) -> Crop | None:
    """--crop as a side or (left, top, width, height); None where it is absent, or asks for the largest square."""
    if not crop:
        return None
    first, *rest = crop
    if not rest:
        return first
    top, width, height = rest
    return first, top, width, height


NOT_DATA = ("landmarks", "frames")  # of commands about faces, in which they find landmarks
MORPHS = Path("morphs")  # of morphs without a run
FOLDER_FLAGS = ("crop", "subfolders", "labels", "landmarks", "max_megapixels", "split_by", "partition")


def define_data_flags(values: flags.FlagValues, without: Sequence[str] = ()) -> None:
    """Which pictures; everything not given is as it was in training."""
    names = [field.name for field in dataclasses.fields(DataSettings) if field.name not in without]
    define(values, DataSettings, names, dataset=None)


def read_given_data(values: flags.FlagValues, without: Sequence[str] = ()) -> dict[str, Any]:
    """The data settings given explicitly; `without` those whose flags a command calls something else by."""
    given = read_given(values, DataSettings)
    return {name: value for name, value in given.items() if name not in without}


def define_folder_flags(values: flags.FlagValues) -> None:
    """What to make of a folder of pictures."""
    define(values, DataSettings, FOLDER_FLAGS)


def define_crop(values: flags.FlagValues) -> None:
    define(values, DataSettings, ("crop", "max_megapixels"))


@dataclasses.dataclass(frozen=True)
class AlignmentSettings(Settings):
    """How photographs become crops for a trained model; what is absent is as in the run's pictures."""

    align: bool = switch(
        False, "Photographs as they come: find the face in each and cut it out aligned, instead of a crop."
    )
    template: str | None = one_of(
        tuple(TEMPLATES), None, "Where eyes and mouth lie; that of the run's pictures if absent."
    )
    margin: float | None = number(
        None,
        "How much more of the photograph a crop shows on each side, in sides; that of the run's pictures if absent.",
        0,
        MOST_MARGIN,
        kind=float,
    )


@dataclasses.dataclass(frozen=True)
class PastingSettings(Settings):
    """Whether faces are put back where they were."""

    paste: bool = switch(
        False,
        "Put each face back where it was: of a film into its frame, by swap also into its photograph; one without a "
        "face stays as it is.",
    )
    colour: str = one_of(
        ("match", "none"), "match", "Colours of pasted faces: those of the skin that they cover, or as they are made."
    )


def check_pasting(values: flags.FlagValues) -> None:
    """Raises UsageError for flags of pasting without it."""
    for name in ("colour", *list_names(LandmarkSettings)):
        if values[name].present and not values.paste:
            raise UsageError(f"--{name}={values[name].value} does nothing without --paste")


LANDMARK_READERS = ("auto", "mediapipe", "mtcnn", "face")


@dataclasses.dataclass(frozen=True)
class LandmarkSettings(Settings):
    """Who finds the landmarks that a warp follows."""

    landmarks: str = one_of(
        LANDMARK_READERS,
        "auto",
        "Who finds the landmarks of faces: MediaPipe's 478, MTCNN's five, or the face network's 70 of drawn faces; "
        "auto takes what a data set knows, or else the best that is installed and finds them.",
    )
    landmark_model: str | None = path(
        None,
        "Model file of MediaPipe's face landmarker; downloaded once if absent, and not in FACEZOO_FACE_LANDMARKER.",
    )


@dataclasses.dataclass(frozen=True)
class AugmentationSettings(Settings):
    """The random changes of training pictures."""

    flip: bool = switch(False, "Mirror half of the training pictures.")
    rotation: float | None = number(
        None,
        "Turn the training pictures by up to so many degrees, either way; face mapping does so by 10 if absent.",
        0,
        180,
        kind=float,
    )
    scale: float | None = number(
        None,
        "Enlarge or shrink the training pictures by up to this factor; face mapping does so by 1.15 if absent.",
        1,
        MOST_SCALE,
        kind=float,
    )
    shift: float | None = number(
        None,
        "Shift the training pictures along both axes by up to this share of a side; face mapping by 0.05 if absent.",
        0,
        1,
        kind=float,
    )
    colour: float = number(
        0.0,
        "Change brightness, contrast and saturation of the training pictures, each by up to this share.",
        0,
        1,
        kind=float,
    )
    blur: bool = switch(False, "Soften half of the training pictures, each to its own degree.")
    warp: float | None = number(
        None,
        "Largest move of a grid's point, in cells, of the random warps that face mapping undoes (0.24).",
        0,
        1,
        kind=float,
    )
    window: int | None = number(
        None, "Show so many frames of each training clip, a random stretch at a random pace; all if absent.", 2
    )
    pace: int | None = number(
        None, "Largest pace of --window: 1 shows successive frames only; as far as a clip is long if absent.", 1
    )
    affine: bool = switch(
        True, "Face mapping also turns, scales, shifts and mirrors the pictures; --noaffine leaves them where they are."
    )

    def __post_init__(self):
        super().__post_init__()
        moved = [name for name in MOVES if getattr(self, name) is not None]
        if moved and not self.affine:
            value = getattr(self, moved[0])
            raise UsageError(f"--{moved[0]}={value:g}: --noaffine leaves the pictures where they are")
        if self.pace and not self.window:
            raise UsageError(f"--pace={self.pace} does nothing without --window")


def define_template(values: flags.FlagValues, template: str | None, margin: float | None) -> None:
    """Where the face lies in a crop; with None as the defaults, as in the pictures that the model knows."""
    absent = "" if template else "; that of the run's pictures if absent"
    flags.DEFINE_enum("template", template, list(TEMPLATES), f"Where eyes and mouth lie{absent}.", flag_values=values)
    text = f"How much more of the photograph a crop shows on each side, in sides{absent}."
    define_number(values, "margin", margin, text, 0, MOST_MARGIN, kind=float)


def define_alignment(values: flags.FlagValues, align: bool = False) -> None:
    """For commands that take photographs: find the face, and cut it out as the model knows faces."""
    define(values, AlignmentSettings, align=align)


def define_image_size(values: flags.FlagValues, default: int) -> None:
    define_number(values, "image_size", default, "Height and width in pixels.", MIN_IMAGE_SIZE, MAX_IMAGE_SIZE)


def define_run_dir(values: flags.FlagValues, is_required: bool = True) -> None:
    text = (
        "The run folder that `facezoo train` made; or a .keras file, published weights (.npz, or their card), a name."
    )
    if is_required:
        define_required(values, "run_dir", text)
    else:
        define_path(values, "run_dir", text)
    help_text = (
        "The run's last model, or the best in validation; of an unfinished run what there is, if it is asked for."
    )
    flags.DEFINE_enum("checkpoint", None, CHECKPOINTS, help_text, flag_values=values)


def define_sampling_steps(values: flags.FlagValues) -> None:
    text = "Steps in which a diffusion autoencoder draws a picture, and finds its noise; as it was trained if absent."
    define_number(values, "sampling_steps", None, text, 1, MOST_SAMPLING_STEPS)


def define_person(values: flags.FlagValues) -> None:
    text = (
        "Whose face a mapping model makes of the codes, a name; that of the last person it knows if absent. Or, of a "
        f"film, {FILM_PERSON}"
    )
    flags.DEFINE_string("person", None, text, flag_values=values)


def define_film_person(values: flags.FlagValues) -> None:
    """Who of a film's people, for commands whose --person is nobody else."""
    flags.DEFINE_string("person", None, f"Of a film: {FILM_PERSON}", flag_values=values)


def define_film_rate(values: flags.FlagValues) -> None:
    """How fast the frames of a folder follow each other."""
    text = "Of a folder of frames that a film is made of, how many a second; 25 if absent."
    define_number(values, "fps", None, text, 0.01, 240, kind=float)


FILM_PERSON = (
    "who of its people; a number counts them from the left, a picture or a folder of pictures shows who is meant. The "
    "one with the largest face if absent."
)


def in_folder(values: flags.FlagValues) -> str:
    """--in; a UsageError where that is no folder."""
    return check_folder(values.flag_values_dict()["in"])  # a keyword of Python


def check_folder(folder: str) -> str:
    """What --in names; a UsageError where that is no folder."""
    if not Path(folder).is_dir():
        raise UsageError(f"--in={folder} is {'not a folder' if Path(folder).exists() else 'not there'}")
    return folder
