"""How a run's pictures were cut, and photographs for it are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import logging

from ...datasets import detection, photographs
from ...datasets.manifest import Cut
from ...datasets.origins import face_square, find_celeba_cut, find_origin
from ...datasets.packed import Origin
from ...datasets.source import Source
from ..errors import UsageError
from ..flags.groups import AlignmentSettings, DataSettings, parse_square
from ..flags.training import TrainingSettings
from ..runs.run import Run


def find_picture_crop(run: Run, given: Mapping[str, Any]) -> photographs.Crop | None:
    """What of each picture is taken that is not aligned: as the run's data were cropped, or as is given."""
    return parse_square(given["crop"]) if "crop" in given else find_data_crop(run.settings.data, run.origin)


def find_cut(
    alignment: AlignmentSettings, given: Mapping[str, Any], settings: TrainingSettings, origin: Origin | None = None
) -> Cut | None:
    """How photographs are aligned, as the run's pictures were unless it is said otherwise; None where they are not.

    Args:
      alignment: what is asked for.
      given: the data settings that were given besides.
      settings: of the run.
      origin: what the model itself tells of its pictures.

    With --template or --margin the face is in the middle, even where a crop beside the middle has shifted the run's.

    Raises:
      UsageError: flags that do nothing as they are.
      DatasetError: the detector is not installed.
    """
    template, margin = alignment.template, alignment.margin
    if not alignment.align:
        for name in ("template", "margin"):
            if getattr(alignment, name) is not None:
                raise UsageError(f"--{name} does nothing without --align")
        return None
    refuse_crop(alignment, given)
    detection.check_installed()
    known = find_data_cut(settings.data, origin) if None in (template, margin) else Cut()
    return Cut(
        template=template or known.template,
        margin=known.margin if margin is None else margin,
        size=settings.model.image_size,
        shift=known.shift if template is None and margin is None else (0.0, 0.0),
    )


def refuse_crop(alignment: AlignmentSettings, given: Mapping[str, Any]) -> None:
    """Raises UsageError where a crop is given, and faces are found."""
    if alignment.align and "crop" in given:
        raise UsageError("--crop and --align: either a crop or the face that is found")


def refuse_useless_cut(alignment: AlignmentSettings, given: Mapping[str, Any]) -> None:
    """Raises UsageError where a crop is given, and besides how a crop is cut out around a face."""
    for name in ("template", "margin"):
        if "crop" in given and getattr(alignment, name) is not None:
            raise UsageError(f"--{name} does nothing with --crop, which leaves a photograph as it lies")


def find_data_cut(data: DataSettings, origin: Origin | None = None) -> Cut:
    """How the faces lie in the pictures that a run was trained on; where nothing tells, as in drawn ones.

    Args:
      data: the pictures.
      origin: what the model itself tells of them.
    """
    origin = origin or find_data_origin(data)
    if origin and origin.cut:
        return origin.cut
    text = "nothing tells where faces lie in the run's pictures (%s): taken to be as in drawn ones"
    logging.warning(text, data.data_dir or data.dataset)
    return Cut()


def find_data_crop(data: DataSettings, origin: Origin | None = None) -> photographs.Crop | None:
    """What is taken of a photograph: --crop, or as a run's pack was cut; the largest square where nothing tells.

    Args:
      data: the run's pictures.
      origin: what the model itself tells of them.
    """
    if data.crop is not None:
        return data.square()
    origin = origin or find_data_origin(data)
    if origin is None:
        text = "nothing tells how the photographs in %s were cropped: the largest square is taken, or what --crop says"
        logging.warning(text, data.data_dir)
    return origin.crop if origin else None


def recognise_square(data: DataSettings, source: Source) -> tuple[float, float, float] | None:
    """The square that the recogniser looks at in the pictures of a data set, in sides of them.

    It is None where nothing tells. A folder of single photographs tells where their size is that of CelebA's aligned
    pictures, or half of it.
    """
    origin = find_data_origin(data)
    cut = origin.cut if origin else None
    first = Path(data.data_dir or "") / source.names[0]
    if cut is None and data.data_dir and first.is_file():
        cut = find_celeba_cut(photographs.read(first).size, data.square())
    return face_square(cut) if cut else None


def find_data_origin(data: DataSettings) -> Origin | None:
    """How the pictures that a run was trained on were cut; None where a pack does not tell."""
    return find_origin(data.dataset, data.data_dir, data.square())
