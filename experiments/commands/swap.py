"""Swap faces: map every picture of a folder onto a person that the run was trained on."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags

from ... import files, pictures
from ...datasets import photographs
from ...datasets.source import DatasetError, Source
from ...films import Film
from ..backend import load_tensorflow
from ..codes.encoding import ask_person, batches, encode_batch, floats, list_people
from ..errors import UsageError
from ..faces.fitting import FaceFitter, describe_fitter, open_fitter
from ..faces.origins import find_cut, find_picture_crop
from ..faces.reader import EVERY, LARGEST, NAMED, list_photographs, most_pixels, read_pictures
from ..films.choosing import choose, is_choice
from ..films.frames import find_film
from ..films.making import ENDING, find_crop_matrix, make_task, new_film
from ..flags import groups, kinds
from ..flags.groups import LandmarkSettings
from ..flags.kinds import read, read_given
from ..folders import new_folder
from ..runs.run import Run, open_run

WORDS = ("in", "out")  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    kinds.define_required(values, "in", "Folder of pictures, or a film.")
    kinds.define_required(values, "to", "Name of the person whose face they get.")
    kinds.define_required(values, "out", "New folder for the pictures; of a film a new .mp4 file, with its sound.")
    kinds.define(values, groups.PastingSettings)
    groups.define_film_person(values)
    groups.define_film_rate(values)
    text = "Which of the faces that --align finds in a photograph: the largest, all, or which from the left, 1, 2, ..."
    flags.DEFINE_string("faces", LARGEST, text, flag_values=values)
    flags.register_validator("faces", is_choice, "must be largest, all, or a number from 1", flag_values=values)
    groups.define_crop(values)
    groups.define_alignment(values)
    kinds.define(values, LandmarkSettings)


def run(values: flags.FlagValues) -> None:
    film = find_film(values.flag_values_dict()["in"], values.out, values.fps, ENDING)
    in_folder = "" if film else groups.in_folder(values)
    opened = open_run(values.run_dir, values.checkpoint)
    alignment, given = read(values, groups.AlignmentSettings), read_given(values, groups.DataSettings)
    out = new_film(values.out) if film else new_folder(values.out, opened.folder)
    model = _mapping_model(opened)
    person = str(ask_person(model, values.to, "to"))
    for name in ("faces", "person"):
        if values[name].present and not values.align and values[name].value != LARGEST:
            raise UsageError(f"--{name}={values[name].value} does nothing without --align, which finds them")
    if values.person is not None and not film:
        raise UsageError(f"--person={values.person} chooses of a film's people; of a photograph's faces --faces does")
    groups.check_pasting(values)
    description = f"face mapped onto {person} by {opened.folder.name}"
    if film:
        _map_film(values, film, out, opened, model, person, description)
        return
    everything = list_photographs(in_folder, opened, given)
    crop = find_picture_crop(opened, given) if values.paste and not values.align else None
    max_pixels = most_pixels(given.get("max_megapixels"))

    with files.whole_folder(out) as partial, contextlib.ExitStack() as stack:
        fitter = stack.enter_context(open_fitter(read(values, groups.PastingSettings), read(values, LandmarkSettings)))
        source = read_pictures(in_folder, opened, alignment, given, values.faces)
        names = files.name_results(everything)
        for name, group in itertools.groupby(_map(model, source, person), key=lambda mapped: mapped.name):
            if fitter:
                picture = _photograph(Path(in_folder) / name, max_pixels)
                for mapped in group:
                    picture = _paste(picture, mapped, crop, fitter)
                pictures.save_named(partial, names[name], picture, description)
                continue
            for number, mapped in enumerate(group):
                own = f"{names[name]}.{number}" if values.faces == EVERY else names[name]
                pictures.save_named(partial, own, mapped.face, description)
        without = sorted(set(everything) - set(source.names)) if values.paste else []
        for name in without:
            as_it_is = _photograph(Path(in_folder) / name, max_pixels)
            pictures.save_named(partial, names[name], as_it_is, f"{name} as it is: no such face was found")
    print(f"{out}: {len(source)} faces mapped onto {person}")
    if without:
        print(f"{len(without)} photographs stay as they are: {_listed(without)}")


def _map_film(values: flags.FlagValues, film: Film, out: Path, opened: Run, model, person: str, description: str):
    if values.faces == EVERY and not values.paste:
        raise UsageError("--faces=all of a film wants --paste, which puts them back into its frames")

    def map_faces(number: int, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        made, masks = _decode(model, encode_batch(model, faces), person)
        return np.asarray(made), None if masks is None else np.asarray(masks)

    choice = choose(values.faces, values.person, opened)
    alignment, given = read(values, groups.AlignmentSettings), read_given(values, groups.DataSettings)
    cut = find_cut(alignment, given, opened.settings, opened.origin)
    with open_fitter(read(values, groups.PastingSettings), read(values, LandmarkSettings)) as fitter:
        task = make_task(film, out, opened, cut, given, choice, ["swap", person, describe_fitter(fitter)])
        with task.find_places() as places:
            task.write(places, fitter, map_faces, description, f"mapped onto {person}")


def _decode(model, codes: np.ndarray, person: str):
    """Faces of codes, and masks if the model has them."""
    return model.decode_with_mask(codes, person) if model.mask_head else (model.decode(codes, person), None)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


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
      covered: what it is laid onto, the picture that the model was given, as `face`.
      face: [S, S, C] in [0, 1].
      mask: [S, S, 1] if the model has one.
      matrix: from the face's pixels to the photograph's, [2, 3], if it was aligned.
    """

    name: str
    covered: np.ndarray
    face: np.ndarray
    mask: np.ndarray | None
    matrix: np.ndarray | None


def _map(model, source: Source, person: str) -> Iterator[Mapped]:
    for rows, examples in batches(source, "mapping"):
        images = floats(examples["image"])
        codes = encode_batch(model, images)
        nothing = [None] * len(codes)
        faces, masks = _decode(model, codes, person)
        columns = nothing if masks is None else np.asarray(masks), examples.get("matrix", nothing)
        yield from map(Mapped, source.names[rows], images, np.asarray(faces), *columns)


def _photograph(path: Path, max_pixels: int) -> np.ndarray:
    """uint8 [H, W, 3]."""
    try:
        return np.asarray(photographs.read(path, max_pixels))
    except DatasetError as error:
        raise DatasetError(f"{path} has changed since it was indexed: {error}") from error


def _paste(photograph: np.ndarray, mapped: Mapped, crop: photographs.Crop | None, fitter: FaceFitter) -> np.ndarray:
    """The photograph with the face where the crop cut it out, or the alignment: uint8 [H, W, 3]."""
    from ...pictures.pasting import paste

    matrix = find_crop_matrix(photograph, crop, mapped.face.shape[0]) if mapped.matrix is None else mapped.matrix
    fitted = fitter.fit(mapped.name, mapped.face, mapped.covered)
    if fitted is None:
        return paste(photograph, mapped.face, matrix, mapped.mask, fitter.match_colour)
    mask = fitted.mask if mapped.mask is None else fitted.mask * mapped.mask[..., 0]
    return paste(photograph, fitted.face, matrix, mask, match_colour=False)
