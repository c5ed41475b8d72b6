"""Encode a folder of pictures, or the frames of a film: codes and names as one .npz."""

import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from absl import flags

from ... import files, pictures
from ...films import is_film, probe
from ..codes.encoding import as_person, ask_person, decode_batches, encode_source, list_people, tell_person
from ..errors import UsageError
from ..faces.origins import find_cut
from ..faces.reader import read_pictures
from ..films.choosing import choose_for, is_of_film
from ..films.encoding import Encoded, encode_film
from ..films.following import Choice
from ..films.making import list_numbers, make_task
from ..flags import groups, kinds
from ..flags.kinds import read, read_given
from ..folders import new_folder, saved_elsewhere
from ..runs.run import open_run

WORDS = ("in", "out")  # flags that words without dashes are meant as
USES_MODELS = True  # which other backends of Keras than TensorFlow do as well


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    groups.define_sampling_steps(values)
    kinds.define_required(values, "in", "Folder of pictures, or a film.")
    kinds.define_path(values, "out", "File for the codes.", default="codes.npz")
    kinds.define_path(values, "reconstructions", "Folder for the decoded codes.")
    groups.define_person(values)
    groups.define_crop(values)
    groups.define_alignment(values)


def run(values: flags.FlagValues) -> None:
    place = Path(values.flag_values_dict()["in"])
    film = probe(place) if is_film(place) else None
    in_folder = "" if film else groups.in_folder(values)
    opened = open_run(values.run_dir, values.checkpoint, values.sampling_steps)
    out, reconstructions = Path(values.out), values.reconstructions
    if out.is_dir() or files.is_taken(out):
        raise UsageError(f"--out={out} exists: choose another file")
    reconstructions_folder = None if reconstructions is None else new_folder(reconstructions, out, "--reconstructions")
    if reconstructions_folder and reconstructions_folder.absolute().is_relative_to(out.absolute()):
        raise UsageError(f"--reconstructions={reconstructions} is where --out={out} puts the codes: choose a folder")
    alignment, given = read(values, groups.AlignmentSettings), read_given(values, groups.DataSettings)
    cut = find_cut(alignment, given, opened.settings, opened.origin) if film else None
    model = opened.model()
    is_in_film = film is not None and is_of_film(values.person, list_people(model))
    if values.person is not None and reconstructions is None and not is_in_film:
        raise UsageError(f"--person={values.person} does nothing without --reconstructions")
    choice, person = (
        choose_for(model, values.person, values.align) if film else (Choice(), ask_person(model, values.person))
    )
    source = None if film else read_pictures(in_folder, opened, alignment, given)
    made_by = f"by {opened.folder.name}{as_person(person)}"
    with contextlib.ExitStack() as stack:
        if film:
            task = make_task(film, out, opened, cut, given, choice, ["encode", values.sampling_steps])
            places = stack.enter_context(task.find_places())  # whose parts go when the results have their names
        result = stack.enter_context(saved_elsewhere(out))
        if reconstructions_folder:
            partial, folder = stack.enter_context(files.whole_file_and_folder(out, reconstructions_folder))
        else:
            partial, folder = stack.enter_context(files.whole_file(out, is_new=True)), None
        if source is None:
            encoded = encode_film(task, places, model)
        else:
            encoded = Encoded(source.names, encode_source(model, source)["codes"])
        names = files.name_results(encoded.names)
        result.save(partial, functools.partial(_save_codes, encoded=encoded))
        if folder:
            for rows, decoded in decode_batches(model, encoded.codes, tell_person(model, person)):
                _save_pictures(folder, {name: names[name] for name in encoded.names[rows]}, decoded, made_by)
    if reconstructions_folder:
        print(f"{reconstructions_folder}: {len(encoded.names)} reconstructions")
    print(f"{out}: {len(encoded.names)} codes of shape {encoded.codes.shape[1:]}")
    if encoded.without:
        print(f"{len(encoded.without)} frames are left out: {list_numbers(encoded.without)}")


def _save_codes(path: Path, encoded: Encoded) -> None:
    """Arrays `codes` [N, ...] float32 and `names` [N], and more of a film, readable without pickle."""
    with path.open("wb") as file:
        arrays = {"codes": encoded.codes, "names": np.array(list(encoded.names)), **encoded.columns}
        np.savez(file, allow_pickle=False, **arrays)


def _save_pictures(target: Path, names: Mapping[str, str], reconstructions, made_by: str) -> None:
    """One PNG for each picture, under the name of its result."""
    for (name, own), picture in zip(names.items(), reconstructions, strict=True):
        pictures.save_named(target, own, picture, f"reconstruction of {name} {made_by}")
