"""The faces of a film's frames, aligned: as a film of one of them, or as a folder of crops with its manifest."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from ...datasets.detection import NONE_FOUND
from ...datasets.manifest import CROP_SUFFIX, Cut, Row
from ...datasets.picture_index import Picture
from ...films import Film, count_frames, read_frames
from ..errors import UsageError
from ..faces.aligning import Aligner, make_face
from ..faces.crops import find_known_rows, make_stamp, report, show, with_new_rows
from ..faces.reader import EVERY
from .changing import keep_faces
from .following import Choice, FilmFaces
from .making import FilmTask, new_film

BRIDGED = 0.5  # how sure it is that there is a face which was not seen between two places


def align_to_film(film: Film, out: str, cut: Cut, choice: Choice) -> None:
    """Makes a film of the crops of one face.

    Raises:
      NoFaceError: nobody is found.
      UsageError: it cannot be where it is asked for, or all faces are.
    """
    if choice.faces == EVERY:
        raise UsageError(f"--faces=all: a film of crops shows one face; for all --out is a folder, not {out}")
    task = FilmTask(film, new_film(out), (cut.size, cut.size, 3), cut, None, choice, ["align"])
    description = f"face of {film.path.name}, aligned to the template {cut.template}"
    with task.find_places() as places:
        task.write(places, None, keep_faces, description, f"aligned to {cut.size} pixels")


def align_to_folder(film: Film, out: Path, cut: Cut, choice: Choice) -> None:
    """Makes a folder of the crops of each frame, as `facezoo align` does of photographs; all faces by person.

    Raises:
      NoFaceError: nobody is found.
      UsageError: the folder holds something else.
    """
    film, cut = film.at(Path(os.path.realpath(film.path))), dataclasses.replace(cut, faces=choice.describe())
    stamp, known = make_stamp(out), find_known_rows(film.path, out, cut)
    task = FilmTask(film, out, (cut.size, cut.size, 3), cut, None, choice, ["align"])
    file = _as_file(film.path, 0)
    done = {row.source for row in known if (row.num_bytes, row.modified_ns) == file[1:3]}
    if done and len(done) == count_frames(film):
        report(out, known, 0)
        show(out, known)
        return
    with task.find_faces() as followed:
        renewed = {row.source for row in known} - done
        rows = with_new_rows(known, stamp, out, renewed, lambda: _cut_frames(task, followed, done), film.num_frames)
    report(out, rows, len(rows))
    show(out, rows)


def _cut_frames(task: FilmTask, followed: FilmFaces, done: set[str]) -> Iterator[list[Row]]:
    """The rows of each frame that is not done."""
    assert task.cut
    aligner = Aligner(task.film.path, task.out, task.cut)
    for number, pixels in enumerate(read_frames(task.film)):
        file = _as_file(task.film.path, number)
        if file.name in done:
            continue
        image, rows = Image.fromarray(pixels), []
        for track, points in followed.at(number).items():
            face = make_face(points, _measure_sureness(followed, track, number))
            rows.append(
                aligner.cut_out(aligner.row(file), image, face, _name_crop(task, followed.people[track], number))
            )
        yield rows or [aligner.row(file, NONE_FOUND)]


def _name_crop(task: FilmTask, person: int, number: int) -> str:
    """Frames of one film, whose names differ in a number, fall into one split; people have folders of their own."""
    name = f"{task.film.path.stem}-{number:06d}{CROP_SUFFIX}"
    return f"person_{person + 1}/{name}" if task.choice.faces == EVERY else name


def _measure_sureness(followed: FilmFaces, track: int, number: int) -> float:
    own = followed.tracks[track]
    return 1.0 if own.is_seen[number - own.first] else BRIDGED


def _as_file(path: Path, number: int) -> Picture:
    """A frame as a file of the index; it changes with its film."""
    told = path.stat()
    return Picture(f"{number:06d}", told.st_size, told.st_mtime_ns)
