"""How the pictures of a data set were cut, and where faces lie in them. Importing this module imports no TensorFlow."""

import os
from collections.abc import Callable
from pathlib import Path

from . import photographs
from .folder import cut_of_crops
from .manifest import Cut
from .packed import Origin, origin_of
from .photographs import Crop
from .tfds import CELEB_A_SIZE

CELEBA_TEMPLATE_SIDE = 148  # pixels of CelebA's aligned pictures that the template is for


def origin_of_data_set(name: str, data_dir: str | os.PathLike[str] | None, crop: Crop | None) -> Origin | None:
    """How the pictures of a data set were cut; None where a pack does not tell, or is not there.

    Args:
      name: of the data set, in DATASETS.
      data_dir: its folder, where it has one.
      crop: what is taken of its pictures.

    Raises:
      DatasetError: a manifest or a pack is damaged.
    """
    return ORIGINS.get(name, _of_photographs)(data_dir, crop)


def _of_photographs(data_dir: str | os.PathLike[str] | None, crop: Crop | None) -> Origin:
    return Origin(crop, cut_of_crops(Path(data_dir), crop) if data_dir else None)


def _drawn(data_dir: str | os.PathLike[str] | None, crop: Crop | None) -> Origin:
    return Origin(crop, Cut())


def _packed(data_dir: str | os.PathLike[str] | None, crop: Crop | None) -> Origin | None:
    return origin_of(data_dir or "")


def _celeb_a(data_dir: str | os.PathLike[str] | None, crop: Crop | None) -> Origin:
    left, top, right, bottom = photographs.crop_box(CELEB_A_SIZE, crop)
    first, above, _, _ = photographs.crop_box(CELEB_A_SIZE, CELEBA_TEMPLATE_SIDE)
    whole = Cut("celeba", size=CELEBA_TEMPLATE_SIDE)
    return Origin(crop, whole.part((left - first, top - above, right - first, bottom - above)))


ORIGINS: dict[str, Callable[[str | os.PathLike[str] | None, Crop | None], Origin | None]] = {
    "procedural_faces": _drawn,
    "procedural_people": _drawn,
    "procedural_clips": _drawn,
    "packed": _packed,
    "celeb_a": _celeb_a,
}
