"""Edit a face: add attributes to it and take them away, in steps, as a sheet and pictures, or in a film."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from ... import files, pictures
from ...latents.attributes import METHODS, move, orthogonalise
from ..codes.encoding import as_person, ask_person, decode_codes, encode_exactly, tell_person
from ..codes.vectors import ATTRIBUTES_FILE, check_shape, read_vectors
from ..errors import UsageError
from ..faces.fitting import describe_fitter, open_fitter
from ..faces.origins import find_cut
from ..faces.places import check_there
from ..films.changing import add_to_codes, make_amount
from ..films.choosing import choose_for
from ..films.frames import open_film
from ..films.making import make_task, new_film, parse_ramp
from ..flags import groups, kinds
from ..flags.kinds import read
from ..folders import new_folder
from ..runs.run import Run, open_run

MOST_STRENGTHS = 101
SHEET = "sweep.png"
WORDS = ("image",)  # flags that words without dashes are meant as
USES_MODELS = True  # which other backends of Keras than TensorFlow do as well


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    groups.define_sampling_steps(values)
    kinds.define_path(values, "image", f"The face: {groups.FACE}")
    kinds.define_path(values, "in", "Instead of a face a film, in each of whose frames it is changed.")
    flags.DEFINE_list(
        "attribute", None, "Attributes to change, with commas between, each in a row of its own.", flag_values=values
    )
    flags.register_validator(
        "attribute", bool, "is required: names of attributes, with commas between", flag_values=values
    )
    text = (
        "From, to and number of strengths; 1 leads from the mean face without to the mean face with. Of a film one, or "
        "those of its first and of its last frame (0:1); 1 if absent."
    )
    flags.DEFINE_string("strength", "-2:2:9", text, flag_values=values)
    flags.register_validator(
        "strength", _are_strengths, "must be a number, or from:to:count, or from:to of a film", flag_values=values
    )
    flags.DEFINE_list("keep", [], "Attributes that are not to change along, with commas between.", flag_values=values)
    text = "The difference of mean faces, or the normal of a linear classifier."
    flags.DEFINE_enum("method", "mean", METHODS, text, flag_values=values)
    kinds.define_path(values, "vectors", f"What `facezoo attributes` has found (RUN/{ATTRIBUTES_FILE}).")
    groups.define_person(values)
    kinds.define_path(values, "out", "New folder for the pictures (RUN/edits); of a film a new .mp4 file.")
    groups.define_alignment(values)
    kinds.define(values, groups.PastingSettings)
    groups.define_film_rate(values)
    kinds.define(values, groups.LandmarkSettings)
    groups.define_data_flags(values, groups.NOT_DATA)


def run(values: flags.FlagValues) -> None:
    from ..faces.reader import FaceReader

    if values.flag_values_dict()["in"] is not None:
        _edit_film(values)
        return
    if not values.image:
        raise UsageError(f"flag --image is required: {values['image'].help} Or a film by --in.")
    for name in ("paste", "fps"):
        if values[name].present:
            raise UsageError(f"--{name} is of a film, which --in names")
    groups.check_pasting(values)
    check_there(values.image)
    opened = open_run(values.run_dir, values.checkpoint, values.sampling_steps)
    out, strengths = new_folder(values.out, opened.folder / "edits"), parse_strengths(values.strength)
    vectors = _vectors(values, opened)
    reader = FaceReader(opened, read(values, groups.AlignmentSettings), groups.read_given_data(values, groups.NOT_DATA))
    face = reader.read(values.image)
    model = opened.model()
    person = ask_person(model, values.person)
    codes, details = encode_exactly(model, face[None])
    told = {**tell_person(model, person), **details}
    check_shape(vectors.values(), codes.shape[1:])
    described = f"{values['image'].value} by {opened.folder.name}{as_person(person)}"
    with files.whole_folder(out) as partial:
        rows, labels = [], []
        for name, vector in vectors.items():
            frames = decode_codes(model, move(codes, vector, strengths)[0], told)
            _save_frames(partial / name, frames, [f"{name} {strength:+g} of {described}" for strength in strengths])
            rows += [face[None], frames]
            labels += [Path(values.image).name, *(f"{name}\n{strength:+.2f}" for strength in strengths)]
        sheet = pictures.draw_labelled_sheet(np.concatenate(rows), labels, 1 + len(strengths), label_lines=2)
        pictures.save_png(partial / SHEET, sheet, f"{', '.join(vectors)} at strengths {values.strength} of {described}")
    print(out / SHEET)


def _edit_film(values: flags.FlagValues) -> None:
    if values.image:
        raise UsageError(f"--image={values.image} and --in={values['in'].value}: either a face or a film")
    film = open_film(str(values["in"].value), values.fps)
    strengths = parse_ramp("strength", values.strength if values["strength"].present else "1")
    out = new_film(values.out)
    groups.check_pasting(values)
    opened = open_run(values.run_dir, values.checkpoint, values.sampling_steps)
    vectors = _vectors(values, opened)
    alignment, given = read(values, groups.AlignmentSettings), groups.read_given_data(values, groups.NOT_DATA)
    cut = find_cut(alignment, given, opened.settings, opened.origin)
    model = opened.model()
    check_shape(vectors.values(), model.network().shape_of_code())
    choice, person = choose_for(model, values.person, values.align)
    vector = np.sum(list(vectors.values()), axis=0)
    named = f"{', '.join(vectors)} at {values.strength if values['strength'].present else '1'}"
    described = f"{named} of {film.path.name} by {opened.folder.name}{as_person(person)}"
    with open_fitter(read(values, groups.PastingSettings), read(values, groups.LandmarkSettings)) as fitter:
        settings = ["edit", vector.tolist(), strengths, person, values.sampling_steps, describe_fitter(fitter)]
        task = make_task(film, out, opened, cut, given, choice, settings)
        with task.find_places() as places:
            amount = make_amount(*strengths, film)
            map_faces = add_to_codes(model, vector, amount, tell_person(model, person))
            task.write(places, fitter, map_faces, described, f"with {named}")


def parse_strengths(text: str) -> np.ndarray:
    """ "-2:2:9" as nine numbers from -2 to 2, "1.5" as one."""
    parts = text.split(":")
    if len(parts) == 2:
        raise UsageError(f"--strength={text}: must be a number, or from:to:count; from:to is of a film")
    if len(parts) == 1:
        return np.array([float(text)])
    low, high, count = parts
    return np.linspace(float(low), float(high), int(float(count)))


def _are_strengths(text: str) -> bool:
    try:
        numbers = [float(part) for part in text.split(":")]
    except ValueError:
        return False
    is_list = len(numbers) == 3 and numbers[2] in range(1, MOST_STRENGTHS + 1)
    return all(map(math.isfinite, numbers)) and (len(numbers) < 3 or is_list)


def _vectors(values: flags.FlagValues, opened: Run) -> dict[str, np.ndarray]:
    found = read_vectors(opened, values.vectors)
    with _blame("keep", values.keep):
        for name in values.keep:
            found.position(name)
    with _blame("attribute", values.attribute):
        return {name: orthogonalise(found, name, values.keep, values.method) for name in values.attribute}


@contextlib.contextmanager
def _blame(flag: str, names: list[str]) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UsageError(f"--{flag}={','.join(names)}: {error}") from error


def _save_frames(folder: Path, frames: np.ndarray, descriptions: list[str]) -> None:
    folder.mkdir()
    for number, (frame, description) in enumerate(zip(frames, descriptions, strict=True)):
        pictures.save_png(folder / f"{number:03d}.png", frame, description)
