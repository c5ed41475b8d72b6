"""How a run's pictures were cut, and photographs for it are."""

from pathlib import Path

from absl import flags, logging

from ...datasets import detection, photographs
from ...datasets.folder import cut_of_crops
from ...datasets.manifest import Cut
from ...datasets.packed import Origin, origin_of
from ...datasets.tfds import CELEB_A_SIZE
from ..errors import UsageError
from ..flags.groups import crop_of
from ..runs.run import Run

CELEBA_TEMPLATE_SIDE = 148  # pixels of CelebA's aligned pictures that the template is for


def crop_of_pictures(run: Run, values: flags.FlagValues) -> photographs.Crop | None:
    """What of each picture is taken that is not aligned: as the run's data were cropped, or by --crop."""
    return crop_of(values) if values["crop"].present else crop_of_data(run.settings)


def cut_of(values: flags.FlagValues, settings: flags.FlagValues) -> Cut | None:
    """How --align cuts, as the run's pictures were unless flags say otherwise; None without --align.

    With --template or --margin the face is in the middle, even where a crop beside the middle has shifted the run's.

    Raises:
      UsageError: flags that do nothing as they are.
      DatasetError: the detector is not installed.
    """
    if not values.align:
        for name in ("template", "margin"):
            if values[name].value is not None:
                raise UsageError(f"--{name} does nothing without --align")
        return None
    if values["crop"].present:
        raise UsageError("--crop and --align: either a crop or the face that is found")
    detection.check_installed()
    known = cut_of_data(settings) if None in (values.template, values.margin) else Cut()
    return Cut(
        template=values.template or known.template,
        margin=known.margin if values.margin is None else values.margin,
        size=settings.image_size,
        shift=known.shift if values.template is None and values.margin is None else (0.0, 0.0),
    )


def cut_of_data(settings: flags.FlagValues) -> Cut:
    """How the faces lie in the pictures that a run was trained on; where nothing tells, as in drawn ones."""
    origin = origin_of_data(settings)
    if origin and origin.cut:
        return origin.cut
    text = "nothing tells where faces lie in the run's pictures (%s): taken to be as in drawn ones"
    logging.warning(text, settings.data_dir or settings.dataset)
    return Cut()


def crop_of_data(settings: flags.FlagValues) -> photographs.Crop | None:
    """What is taken of a photograph: --crop, or as a run's pack was cut; the largest square where nothing tells."""
    if settings.dataset != "packed" or settings.crop is not None:
        return crop_of(settings)
    origin = origin_of(settings.data_dir or "")
    if origin is None:
        text = "nothing tells how the photographs in %s were cropped: the largest square is taken, or what --crop says"
        logging.warning(text, settings.data_dir)
    return origin.crop if origin else None


def origin_of_data(settings: flags.FlagValues) -> Origin | None:
    """How the pictures that a run was trained on were cut; None where a pack does not tell.

    Raises:
      DatasetError: a manifest or a pack is damaged.
    """
    if settings.dataset == "packed":
        return origin_of(settings.data_dir or "")
    crop = crop_of(settings)
    if settings.dataset.startswith("procedural"):
        return Origin(crop, Cut())
    if settings.dataset == "celeb_a":
        return Origin(crop, _celeb_a_cut(photographs.crop_box(CELEB_A_SIZE, crop)))
    return Origin(crop, cut_of_crops(Path(settings.data_dir), crop) if settings.data_dir else None)


def _celeb_a_cut(box: tuple[int, int, int, int]) -> Cut:
    """How faces lie in a box of CelebA's aligned pictures: (left, top, right, bottom) in their pixels."""
    left, top, _, _ = photographs.crop_box(CELEB_A_SIZE, CELEBA_TEMPLATE_SIDE)
    return Cut("celeba", size=CELEBA_TEMPLATE_SIDE).part((box[0] - left, box[1] - top, box[2] - left, box[3] - top))
