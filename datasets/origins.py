"""How the pictures of a data set were cut, and where faces lie in them. Importing this module imports no TensorFlow."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import photographs
from .alignment import TEMPLATES, crop_to_photograph, template_points
from .folder import find_cut
from .manifest import Cut
from .packed import Origin, read_origin
from .photographs import Crop
from .tfds import CELEB_A_SIZE

CELEBA_TEMPLATE_SIDE = 148  # pixels of CelebA's aligned pictures that the template is for
# What dlib cuts out of CelebA's aligned pictures: the square of side 108 around (89, 132), in sides of the template's
# crop, whose corner is (15, 35).
RECOGNISED_TEMPLATE = "celeba"
RECOGNISED = ((89 - 54 - 15) / 148, (132 - 54 - 35) / 148, 108 / 148)


def find_origin(name: str, data_dir: str | os.PathLike[str] | None, crop: Crop | None) -> Origin | None:
    """How the pictures of a data set were cut; None where a pack does not tell, or is not there.

    Args:
      name: of the data set, in DATASETS.
      data_dir: its folder, where it has one.
      crop: what is taken of its pictures.

    Raises:
      DatasetError: a manifest or a pack is damaged.
    """
    return ORIGINS.get(name, _find_photographs_origin)(data_dir, crop)


def is_drawn(name: str) -> bool:
    """Whether the people of a data set, by its name in DATASETS, are drawn: nobody's pictures."""
    return ORIGINS.get(name) is _find_drawn_origin


def find_celeba_cut(size: tuple[int, int], crop: Crop | None) -> Cut | None:
    """How a crop of CelebA's aligned pictures lies to the face, at their own size or half; None of other sizes."""
    for scale in (1, 2):
        if size == tuple(-(-side // scale) for side in CELEB_A_SIZE):
            left, top, right, bottom = (scale * edge for edge in photographs.crop_box(size, crop))
            return _find_celeba_origin(None, (left, top, right - left, bottom - top)).cut
    return None


def face_square(cut: Cut) -> tuple[float, float, float]:
    """The square that dlib's recogniser looks at in crops of a kind: left, top and side in sides of the crop."""
    to_crop = crop_to_photograph(
        template_points(cut.template, cut.margin, cut.shift), np.array(TEMPLATES[RECOGNISED_TEMPLATE])
    )
    left, top, side = RECOGNISED
    corner = to_crop @ (left, top, 1.0)
    return float(corner[0]), float(corner[1]), float(side * np.sqrt(np.linalg.det(to_crop[:, :2])))


def _find_photographs_origin(data_dir: str | os.PathLike[str] | None, crop: Crop | None) -> Origin:
    return Origin(crop, find_cut(Path(data_dir), crop) if data_dir else None)


def _find_drawn_origin(data_dir: str | os.PathLike[str] | None, crop: Crop | None) -> Origin:
    return Origin(crop, Cut())


def _find_pack_origin(data_dir: str | os.PathLike[str] | None, crop: Crop | None) -> Origin | None:
    return read_origin(data_dir or "")


def _find_celeba_origin(data_dir: str | os.PathLike[str] | None, crop: Crop | None) -> Origin:
    left, top, right, bottom = photographs.crop_box(CELEB_A_SIZE, crop)
    first, above, _, _ = photographs.crop_box(CELEB_A_SIZE, CELEBA_TEMPLATE_SIDE)
    whole = Cut("celeba", size=CELEBA_TEMPLATE_SIDE)
    return Origin(crop, whole.part((left - first, top - above, right - first, bottom - above)))


ORIGINS: dict[str, Callable[[str | os.PathLike[str] | None, Crop | None], Origin | None]] = {
    "procedural_faces": _find_drawn_origin,
    "procedural_people": _find_drawn_origin,
    "procedural_clips": _find_drawn_origin,
    "procedural_frames": _find_drawn_origin,
    "packed": _find_pack_origin,
    "celeb_a": _find_celeba_origin,
}
