"""Photographs and places in a split as a trained model takes them."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from PIL import Image

from ...datasets import alignment, detection, photographs
from ...datasets.folder import ALL, folder
from ...datasets.manifest import Cut
from ...datasets.progress import progress_bar
from ...datasets.source import DatasetError, Source
from ..backend import load_tensorflow
from ..errors import UsageError
from ..flags.groups import AlignmentSettings
from ..flags.sources import open_source
from ..runs.run import NOTHING_GIVEN, Run
from ..runs.settings import with_data
from ..terminal import announce
from .origins import find_cut, find_data_crop, find_picture_crop
from .places import check_there, example_at, find_known_points, is_place, parse_place

NAMED = 5
LARGEST, EVERY = "largest", "all"  # of the faces in a photograph


def read_face(
    path: str | Path,
    model,
    crop: photographs.Crop | None = None,
    template: str | None = None,
    margin: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """A photograph in the shape that a model takes: float32 [H, W, C] in [0, 1].

    Args:
      path: a picture file of any of `picture_kinds.KINDS`.
      model: an `Autoencoder`.
      crop: the side of a square in the centre, or (left, top, width, height), in its pixels; default the largest in
        the centre.
      template: instead of a crop, finds the largest face and aligns it: "facezoo" as drawn faces lie, or "celeba".
      margin: how much more than the template's own crop is shown on each side, in sides.
      shift: how far right and down of the template's own middle that of the picture lies, in sides.

    Raises:
      DatasetError: the file is damaged, the crop does not fit, or there is no face to align.
    """
    if template is None:
        return _as_floats(photographs.fit(photographs.read(path), model.image_size, crop, model.channels))
    cut = Cut(template, margin, model.image_size, shift=shift)
    return _as_floats(align_photograph(photographs.read(path), cut, model.channels)[0])


def align_photograph(photograph, cut: Cut, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest face of a photograph: its crop, uint8 [S, S, C], and the matrix from its pixels to the photograph's.

    Raises:
      NoFaceError: there is none.
    """
    return align_faces(photograph, cut, channels)[0]


def align_faces(photograph, cut: Cut, channels: int, faces: str = LARGEST) -> list[tuple[np.ndarray, np.ndarray]]:
    """Faces of a photograph, each as `align_photograph` gives it; at least one.

    Args:
      photograph: RGB.
      cut: how it is cut.
      channels: 3 or 1.
      faces: the "largest", "all", or which from the left, from 1.

    Raises:
      NoFaceError: there is none, or not so many.
    """
    load_tensorflow()  # else the detector does, with all that it says
    if not detection.is_loaded():
        announce("Loading the detector of faces ...")
    found = []
    for face in _chosen_faces(photograph, faces):
        matrix = cut.matrix(face.points)
        crop = alignment.cut(photograph, matrix, cut.size, channels)
        found.append((crop, matrix @ np.diag([1.0 / cut.size, 1.0 / cut.size, 1.0])))
    return found


def _chosen_faces(photograph, faces: str) -> list[detection.Face]:
    if faces == LARGEST:
        return [detection.largest_face(photograph)]
    found = detection.find_faces(photograph)
    if not found:
        raise alignment.NoFaceError(detection.NONE_FOUND)
    if faces == EVERY:
        return found
    if int(faces) > len(found):
        raise alignment.NoFaceError(f"it shows {len(found)} faces")
    return [sorted(found, key=lambda face: face.box[0] + face.box[2] / 2.0)[int(faces) - 1]]


def most_pixels(max_megapixels: int | None) -> int:
    """How many pixels a photograph may have, by --max_megapixels."""
    return (max_megapixels or photographs.MEGAPIXELS) * 10**6


def read_pictures(
    data_dir: str, run: Run, alignment: AlignmentSettings, given: Mapping[str, Any], faces: str = LARGEST
) -> Source:
    """The pictures below a folder as a run's model takes them: cropped as its data were or as is given, or aligned.

    Args:
      data_dir: the folder.
      run: of the model.
      alignment: whether and how faces are found.
      given: data settings that win over the run's.
      faces: that are found in each, as `align_faces` takes them.
    """
    image_size, _, channels = run.image_shape
    cut = find_cut(alignment, given, run.settings, run.origin)
    if cut:
        return align_folder(data_dir, cut, channels, given.get("max_megapixels"), faces)
    crop, most = find_picture_crop(run, given), given.get("max_megapixels")
    told: dict[str, Any] = {"image_size": image_size, "channels": channels, "subfolders": None, "max_megapixels": most}
    return folder(ALL, data_dir=data_dir, crop=crop, **told)


def list_photographs(data_dir: str, run: Run, given: Mapping[str, Any]) -> Sequence[str]:
    """The paths of all photographs below a folder, also of those in which no face is found."""
    size, _, channels = run.image_shape
    told: dict[str, Any] = {"image_size": size, "channels": channels, "max_megapixels": given.get("max_megapixels")}
    return folder(ALL, data_dir=data_dir, subfolders=None, **told).names


def align_folder(
    data_dir: str, cut: Cut, channels: int, max_megapixels: int | None = None, faces: str = LARGEST
) -> Source:
    """The faces of each photograph below a folder, held in memory; those without one are left out and named.

    Args:
      data_dir: the folder.
      cut: how faces are cut out.
      channels: of them.
      max_megapixels: that a photograph may have.
      faces: of each photograph, as `align_faces` takes them.

    Returns:
      Pictures, each called by its photograph, with a further column `matrix` float64 [n, 2, 3], from their pixels to
      their photographs'.

    Raises:
      DatasetError: no photographs, or no face in any of them.
    """
    told: dict[str, Any] = {"image_size": cut.size, "channels": channels, "max_megapixels": max_megapixels}
    whole = folder(ALL, data_dir=data_dir, subfolders=None, **told)
    max_pixels = most_pixels(max_megapixels)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    names, without = [], []
    for name in progress_bar("finding faces", whole.names):
        try:
            these = align_faces(photographs.read(Path(data_dir) / name, max_pixels), cut, channels, faces)
            found += these
            names += [name] * len(these)
        except alignment.NoFaceError as error:
            without.append(f"{name} ({error})")
    if without:
        _tell_of(data_dir, without, len(whole))
    crops, matrices = (np.stack(column) for column in zip(*found, strict=True))
    if turned := detection.describe_turns(_tilts(matrices)):
        logging.warning("of the photographs in %s %s", data_dir, turned)

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        return {"image": crops[positions], "matrix": matrices[positions]}

    return Source(whole.name, names, load, whole.image_shape)


def _tilts(matrices: np.ndarray) -> np.ndarray:
    """How many degrees the crops are turned clockwise in their photographs: [n, 2, 3] -> [n]."""
    return np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))


def _tell_of(data_dir: str, without: Sequence[str], count: int) -> None:
    more = f" and {len(without) - NAMED} more" if len(without) > NAMED else ""
    named = ", ".join(without[:NAMED]) + more
    if len(without) == count:
        raise DatasetError(f"none of the {count} pictures in {data_dir} shows a face: {named}")
    logging.warning("leaving out %d of %d pictures in %s: %s", len(without), count, data_dir, named)


def _as_floats(picture: np.ndarray) -> np.ndarray:
    return picture.astype(np.float32) / 255.0


class FaceReader:
    """Reads faces in the shape that a run's model wants.

    Args:
      run: the finished run.
      alignment: whether and how faces are found in photographs.
      given: data settings that win over the run's.
    """

    def __init__(self, run: Run, alignment: AlignmentSettings, given: Mapping[str, Any] = NOTHING_GIVEN):
        self.settings = with_data(run.settings, given)
        self.image_size, self.channels = run.image_shape[0], run.image_shape[2]
        self.cut = find_cut(alignment, given, run.settings, run.origin)
        self._origin = None if {"dataset", "data_dir"} & given.keys() else run.origin
        self.max_pixels = most_pixels(self.settings.data.max_megapixels)

    @functools.cached_property
    def crop(self) -> photographs.Crop | None:
        """What is taken of photographs that are not aligned."""
        return find_data_crop(self.settings.data, self._origin)

    def read(self, face: str) -> np.ndarray:
        """A file, or `test:17`: float32 [H, W, C] in [0, 1].

        Raises:
          UsageError: no such file, a damaged one, or a place that the split does not have.
        """
        if is_place(face):
            return _as_floats(example_at(self._source(face), face)["image"])
        check_there(face)
        return self.read_file(Path(face))

    def read_file(self, path: Path) -> np.ndarray:
        """One picture file, cropped or aligned, and resized: float32 [H, W, C] in [0, 1].

        Raises:
          UsageError: no such file, a damaged one, one that the crop does not fit, or without a face to align.
        """
        try:
            photograph = photographs.read(path, self.max_pixels)
            if not self.cut:
                return self.from_photograph(photograph)
            crop, matrix = align_photograph(photograph, self.cut, self.channels)
            if turned := detection.describe_turns(_tilts(matrix[None])):
                logging.warning("%s: %s", path, turned)
            return _as_floats(crop)
        except DatasetError as error:
            hint = "; give another --crop, or --crop= for the centre square" if "crop" in str(error) else ""
            raise UsageError(f"{path}: {error}{hint}") from error

    def from_photograph(self, photograph: Image.Image, align: bool = True) -> np.ndarray:
        """A face of an upright RGB photograph: float32 [H, W, C] in [0, 1].

        Args:
          photograph: as `photographs.read` gives it.
          align: False takes the crop also where faces are to be found.

        Raises:
          DatasetError: the crop does not fit, or there is no face to align.
        """
        if self.cut and align:
            return _as_floats(align_photograph(photograph, self.cut, self.channels)[0])
        return _as_floats(photographs.fit(photograph, self.image_size, self.crop, self.channels))

    def find_known_points(self, face: str) -> np.ndarray | None:
        """The landmarks of a place in a split of drawn faces, [70, 2] in pixels; None of others."""
        if not is_place(face):
            return None
        source = self._source(face)
        return find_known_points(source, example_at(source, face))

    def _source(self, face: str) -> Source:
        return open_source(self.settings.data, parse_place(face), self.image_size, self.channels)
