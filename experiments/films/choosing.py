"""Whom of a film's people a command is about, by what a user calls them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...datasets import detection, photographs
from ...datasets.folder import ALL, folder
from ...datasets.naming import Names
from ...datasets.source import SPLITS, DatasetError, Source
from ..backend import load_tensorflow
from ..codes.encoding import ask_person, list_people
from ..errors import UsageError
from ..faces.origins import recognise_square
from ..faces.reader import EVERY, LARGEST
from ..flags.kinds import are_digits
from ..runs.run import Run
from .following import Choice
from .looks import IDENTITY_CUT, MOST_REFERENCES, WEIGHTS, Recogniser, find_recogniser

MOST_FACES = 1000


def is_choice(faces: str) -> bool:
    """Whether it says which of a picture's faces: largest, all, or which from the left."""
    return faces in (LARGEST, EVERY) or (are_digits(faces) and 1 <= int(faces) <= MOST_FACES)


def check_person(person: str | None, align: bool) -> None:
    """Raises UsageError where somebody in a film is asked for, and nobody looked for."""
    if is_of_film(person) and not align:
        raise UsageError(f"--person={person} does nothing without --align, which finds a film's people")


def choose_for(model, person: str | None, align: bool) -> tuple[Choice, str | None]:
    """Whom of a film's people --person means, and as whom a mapping model decodes: one of both it may say.

    Raises:
      UsageError: the model does not know the person, or it is not told who that is; or somebody in the film is meant,
        and nobody looked for.
    """
    if is_of_film(person, list_people(model)):
        check_person(person, align)
        return choose(LARGEST, person), ask_person(model, None)
    return Choice(), ask_person(model, person)


def is_of_film(person: str | None, people: Sequence[str] = ()) -> bool:
    """Whether it means somebody in a film: a number, or pictures, and none of the people whom a model knows by name."""
    if not person or (not set(person) & {"/", os.sep} and Names(people).find(person) is not None):
        return False
    return are_digits(person) or Path(person).exists()


def choose(faces: str, person: str | None, run: Run | None = None) -> Choice:
    """Whom --faces and --person mean.

    Args:
      faces: the "largest", "all", or which from the left.
      person: instead, which from the left; a picture of the person, or a folder of such; or a name in the run's data.
      run: whose data know people by name, if any.

    Raises:
      UsageError: both are given, or it is not told who that is.
    """
    if person == "":
        raise UsageError("--person= names nobody: a number counts people from the left, a picture shows who is meant")
    if person is None:
        return Choice(faces, name=f"--faces={faces}")
    if faces != LARGEST:
        raise UsageError(f"--faces={faces} and --person={person}: either")
    if are_digits(person):
        if not is_choice(person):
            raise UsageError(f"--person={person}: people are counted from 1, from the left")
        return Choice(person, name=f"--person={person}")
    load_tensorflow()
    recogniser = find_recogniser()
    if recogniser is None:
        raise UsageError(
            f"--person={person}: people are known by {WEIGHTS}, which is not in FACEZOO_WEIGHTS; a number "
            "counts them from the left"
        )
    path = Path(person)
    identity = _see_pictures(path, recogniser) if path.exists() else _find_in_data(person, run)
    return Choice(identity=identity, name=f"--person={person}")


def _see_pictures(path: Path, recogniser: Recogniser) -> np.ndarray:
    """The mean identity of the largest faces in a picture, or in those of a folder."""
    if path.is_dir():
        told: dict[str, Any] = {"image_size": IDENTITY_CUT.size, "channels": 3, "subfolders": None}
        paths = [path / name for name in folder(ALL, data_dir=str(path), **told).names[:MOST_REFERENCES]]
    else:
        paths = [path]
    identities = []
    for each in paths:
        try:
            picture = photographs.read(each)
            (identity,) = recogniser.see(picture, [_find_points(picture)])
            identities.append(identity)
        except DatasetError as error:
            if len(paths) == 1:
                raise UsageError(f"--person={path}: {error}") from error
    if not identities:
        raise UsageError(f"--person={path}: no face is found in its pictures")
    return np.mean(identities, axis=0)


def _find_points(picture: Image.Image) -> np.ndarray:
    return detection.largest_face(picture).points


def _find_in_data(name: str, run: Run | None) -> np.ndarray:
    """The mean identity of a person in the pictures that a run was trained on."""
    hint = "a number counts people from the left; a picture, or a folder of pictures, shows who is meant"
    if run is None:
        raise UsageError(f"--person={name}: no such file; {hint}")
    source = run.source("train")
    if name not in source.identity_names:
        known = f"the run's pictures know {', '.join(source.identity_names[:8])}" if source.identity_names else hint
        raise UsageError(f"--person={name}: no such file, and {known}")
    square = recognise_square(run.settings.data, source)
    if square is None:
        raise UsageError(f"--person={name}: nothing tells where faces lie in the run's pictures; {hint}")
    from ...metrics.identity import IdentityDistance

    own = source.identity_names.index(name)
    splits = (_find_pictures(run.source(split), own) for split in SPLITS)  # few may all have fallen into one
    pictures = next((found for found in splits if len(found)), None)
    if pictures is None:
        raise UsageError(f"--person={name}: none of the run's pictures shows them; {hint}")
    network = IdentityDistance(source.image_shape[0], square)
    return network.people(pictures.astype(np.float32) / 255.0).numpy().mean(axis=0)


def _find_pictures(source: Source, identity: int) -> np.ndarray:
    """Some pictures of a person, uint8 [n, H, W, C], as far as there are any."""
    found: list[np.ndarray] = []
    for start in range(0, len(source), 64):
        examples = source.load(np.arange(start, min(start + 64, len(source))))
        found += list(examples["image"][examples["identity"] == identity])
        if len(found) >= MOST_REFERENCES:
            break
    return np.array(found[:MOST_REFERENCES])
