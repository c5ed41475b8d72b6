"""Align photographs or the frames of a film: find faces, cut each out upright, eyes and mouth in one place."""

import os
from pathlib import Path

from absl import flags

from ...datasets import detection
from ...datasets.labels import read_landmarks
from ...datasets.manifest import MANIFEST_FILE, Cut
from ...datasets.photographs import MEGAPIXELS, MOST_MEGAPIXELS
from ...films import Film
from ...films.probing import ENDINGS as FILM_ENDINGS
from ..errors import UsageError
from ..faces.crops import find_known_rows, make_stamp, name_crops, new_files, report, show, with_new_rows
from ..films.aligning import align_to_film, align_to_folder
from ..films.choosing import choose
from ..films.frames import find_film
from ..films.making import ENDING, advise_name
from ..flags import groups, kinds
from ..terminal import announce

FACES = ("largest", "all")
OF_PHOTOGRAPHS = ("landmarks", "max_megapixels", "processes")  # flags that a film has no use for
WORDS = ("in", "out")  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    kinds.define_required(values, "in", "Folder of photographs, at any depth; or a film.")
    text = f"Folder for the crops and {MANIFEST_FILE}; a second run does what is new. Of a film also a new .mp4 file."
    kinds.define_required(values, "out", text)
    kinds.define_number(values, "size", 128, "Height and width of the crops in pixels.", 16, 1024)
    groups.define_template(values, "facezoo", 0.0)
    groups.define_film_person(values)
    groups.define_film_rate(values)
    flags.DEFINE_enum("faces", "largest", FACES, "The faces of a photograph: the largest, or all.", flag_values=values)
    text = "CelebA's list of landmarks, or a CSV of its columns: the five points of each file, instead of a detector's."
    kinds.define_path(values, "landmarks", text)
    text = f"Larger photographs are left out; {MEGAPIXELS} if absent."
    kinds.define_number(values, "max_megapixels", None, text, 1, MOST_MEGAPIXELS)
    kinds.define_number(values, "processes", None, "That work side by side; one for each core if absent.", 1, 1024)


def run(values: flags.FlagValues) -> None:
    from ..faces.aligning import Aligner, align_in_processes

    place = values.flag_values_dict()["in"]
    film = find_film(place, values.out, values.fps, ENDING)
    if film:
        _align_film(values, film)
        return
    if values.person is not None:
        raise UsageError(f"--person={values.person} chooses of a film's people; --in={place} is none")
    root, out = _folders(values)
    cut = Cut(values.template, values.margin, values.size, values.faces)
    stamp = make_stamp(out)
    known = find_known_rows(root, out, cut)
    points = read_landmarks(Path(values.landmarks)) if values.landmarks else None
    if points is None:
        detection.check_installed()
    photographs = new_files(root, known, points is not None)
    processes = min(values.processes or os.cpu_count() or 1, max(1, len(photographs)))
    max_pixels = (values.max_megapixels or MEGAPIXELS) * 10**6
    rows = known
    if photographs:
        announce(f"Aligning {len(photographs):,} files in {processes} processes ...")
        aligner = Aligner(root, out, cut, points, max_pixels, name_crops(known, photographs))
        rows = with_new_rows(
            known,
            stamp,
            out,
            {photograph.name for photograph in photographs},
            lambda: align_in_processes(aligner, photographs, processes),
            len(photographs),
        )
    report(out, rows, len(photographs))
    show(out, rows)


def _align_film(values: flags.FlagValues, film: Film) -> None:
    for name in OF_PHOTOGRAPHS:
        if values[name].present:
            raise UsageError(f"--{name} does nothing with a film")
    choice = choose(values.faces, values.person)
    cut, out = Cut(values.template, values.margin, values.size, values.faces), Path(values.out)
    if out.suffix.lower() == ENDING:
        align_to_film(film, values.out, cut, choice)
        return
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out={out} is a file: choose a folder, or a new {ENDING} file")
    if not out.is_dir() and out.suffix.lower() in FILM_ENDINGS:
        raise UsageError(f"--out={out}: {advise_name(out)}")
    align_to_folder(film, out, cut, choice)


def _folders(values: flags.FlagValues) -> tuple[Path, Path]:
    root, out = Path(os.path.realpath(groups.in_folder(values))), Path(values.out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out={out} is a file: choose a folder")
    if Path(os.path.realpath(out)).is_relative_to(root):  # not Path's resolve, which raises for a link to itself
        raise UsageError(f"--out={out} lies in --in={root}, whose pictures it would add to: choose a folder elsewhere")
    return root, out
