"""Encode a folder of pictures: codes and file names as one .npz."""

import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from absl import flags

from ... import files, pictures
from ..codes.encoding import as_person, ask_person, decode_batches, encode_source, tell_person
from ..errors import UsageError
from ..faces.reader import read_pictures
from ..flags import groups, kinds
from ..flags.kinds import read, read_given
from ..folders import new_folder, saved_elsewhere
from ..runs.run import open_run

WORDS = ("in", "out")  # flags that words without dashes are meant as
USES_MODELS = True  # which other backends of Keras than TensorFlow do as well


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    groups.define_sampling_steps(values)
    kinds.define_required(values, "in", "Folder of pictures.")
    kinds.define_path(values, "out", "File for the codes.", default="codes.npz")
    kinds.define_path(values, "reconstructions", "Folder for the decoded codes.")
    groups.define_person(values)
    groups.define_crop(values)
    groups.define_alignment(values)


def run(values: flags.FlagValues) -> None:
    in_folder = groups.in_folder(values)
    opened = open_run(values.run_dir, values.checkpoint, values.sampling_steps)
    out, reconstructions = Path(values.out), values.reconstructions
    if out.is_dir() or files.is_taken(out):
        raise UsageError(f"--out={out} exists: choose another file")
    reconstructions_folder = None if reconstructions is None else new_folder(reconstructions, out, "--reconstructions")
    if reconstructions_folder and reconstructions_folder.absolute().is_relative_to(out.absolute()):
        raise UsageError(f"--reconstructions={reconstructions} is where --out={out} puts the codes: choose a folder")
    if values.person is not None and reconstructions is None:
        raise UsageError(f"--person={values.person} does nothing without --reconstructions")
    alignment, given = read(values, groups.AlignmentSettings), read_given(values, groups.DataSettings)
    source = read_pictures(in_folder, opened, alignment, given)
    model = opened.model()
    person = ask_person(model, values.person)
    made_by = f"by {opened.folder.name}{as_person(person)}"
    with contextlib.ExitStack() as stack:
        result = stack.enter_context(saved_elsewhere(out))
        if reconstructions_folder:
            partial, folder = stack.enter_context(files.whole_file_and_folder(out, reconstructions_folder))
        else:
            partial, folder = stack.enter_context(files.whole_file(out, is_new=True)), None
        codes = encode_source(model, source)["codes"]
        names = files.name_results(source.names)
        result.save(partial, functools.partial(_save_codes, codes=codes, names=source.names))
        if folder:
            for rows, decoded in decode_batches(model, codes, tell_person(model, person)):
                _save_pictures(folder, {name: names[name] for name in source.names[rows]}, decoded, made_by)
    if reconstructions_folder:
        print(f"{reconstructions_folder}: {len(source)} reconstructions")
    print(f"{out}: {len(source)} codes of shape {codes.shape[1:]}")


def _save_codes(path: Path, codes: np.ndarray, names) -> None:
    """Arrays `codes` [N, ...] float32 and `names` [N], readable without pickle."""
    with path.open("wb") as file:
        np.savez(file, codes=codes, names=np.array(list(names)))


def _save_pictures(target: Path, names: Mapping[str, str], reconstructions, made_by: str) -> None:
    """One PNG for each picture, under the name of its result."""
    for (name, own), picture in zip(names.items(), reconstructions, strict=True):
        pictures.save_named(target, own, picture, f"reconstruction of {name} {made_by}")
