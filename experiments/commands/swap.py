"""Swap faces: map every picture of a folder onto a person that the run was trained on."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags

from ... import files, pictures
from ...datasets import photographs
from ...datasets.source import DatasetError, Source
from ..backend import load_tensorflow
from ..codes.encoding import ask_person, batches, encode_batch, floats, list_people
from ..errors import UsageError
from ..faces.origins import find_picture_crop
from ..faces.reader import most_pixels, read_pictures
from ..flags import groups, kinds
from ..flags.kinds import read, read_given
from ..folders import new_folder
from ..runs.run import Run, open_run


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    kinds.define_required(values, "in", "Folder of pictures.")
    kinds.define_required(values, "to", "Name of the person whose face they get.")
    kinds.define_required(values, "out", "New folder for the pictures.")
    flags.DEFINE_bool("paste", False, "Put each face back into its photograph.", flag_values=values)
    groups.define_crop(values)
    groups.define_alignment(values)


def run(values: flags.FlagValues) -> None:
    opened = open_run(values.run_dir, values.checkpoint)
    in_folder = groups.in_folder(values)
    alignment, given = read(values, groups.AlignmentSettings), read_given(values, groups.DataSettings)
    out = new_folder(values.out, opened.folder)
    model = _mapping_model(opened)
    person = str(ask_person(model, values.to, "to"))
    source = read_pictures(in_folder, opened, alignment, given)
    crop = find_picture_crop(opened, given) if values.paste and not values.align else None
    max_pixels = most_pixels(given.get("max_megapixels"))

    description = f"face mapped onto {person} by {opened.folder.name}"
    with files.whole_folder(out) as partial:
        for mapped in _map(model, source, person):
            picture = _paste(Path(in_folder), mapped, crop, max_pixels) if values.paste else mapped.face
            pictures.save_named(partial, mapped.name, picture, description)
    print(f"{out}: {len(source)} faces mapped onto {person}")


def _mapping_model(opened: Run):
    """The run's mapping model, by itself or inside of a model that trains it adversarially."""
    load_tensorflow()
    from ...models import TrainableModel

    model = opened.model(TrainableModel).network()
    if not list_people(model):
        kind = opened.settings.model.model
        raise UsageError(
            f"--run_dir={opened.folder}: a {kind} cannot map faces; train with --model=face_mapping and name that run"
        )
    return model


class Mapped(NamedTuple):
    """A face mapped.

    Attributes:
      name: of its photograph.
      face: [S, S, C] in [0, 1].
      mask: [S, S, 1] if the model has one.
      matrix: from the face's pixels to the photograph's, [2, 3], if it was aligned.
    """

    name: str
    face: np.ndarray
    mask: np.ndarray | None
    matrix: np.ndarray | None


def _map(model, source: Source, person: str) -> Iterator[Mapped]:
    for rows, examples in batches(source, "mapping"):
        codes = encode_batch(model, floats(examples["image"]))
        nothing = [None] * len(codes)
        faces, masks = model.decode_with_mask(codes, person) if model.mask_head else (model.decode(codes, person), None)
        columns = nothing if masks is None else np.asarray(masks), examples.get("matrix", nothing)
        yield from map(Mapped, source.names[rows], np.asarray(faces), *columns)


def _paste(folder: Path, mapped: Mapped, crop: photographs.Crop | None, max_pixels: int) -> np.ndarray:
    """The photograph with the face where the crop cut it out, or the alignment: uint8 [H, W, 3]."""
    from ...pictures.pasting import crop_matrix, paste

    path, matrix = folder / mapped.name, mapped.matrix
    try:
        photograph = photographs.read(path, max_pixels)
    except DatasetError as error:
        raise DatasetError(f"{path} has changed since it was indexed: {error}") from error
    if matrix is None:
        left, top, right, bottom = photographs.crop_box(photograph.size, crop)
        matrix = crop_matrix((left, top, right - left, bottom - top), mapped.face.shape[0])
    return paste(np.asarray(photograph), mapped.face, matrix, mapped.mask)
