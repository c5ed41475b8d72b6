"""Faces that a model has made, fitted to the photographs' faces that they are laid onto."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from PIL import Image

from ...datasets.alignment import NoFaceError
from ...warping.fitting import Fitted, fit_face
from ...warping.shapes import SCHEMES, Scheme
from ..errors import UsageError
from ..flags.groups import LandmarkSettings, PastingSettings
from .framing import Stop, keep_quiet, largest_face
from .landmarks.readers import READERS, LandmarkReader, check_landmark_model, list_readers


class FaceFitter:
    """Fits faces by the landmarks that are found in them, while it is entered.

    Args:
      landmarks: who finds them; "auto" is the best reader that is installed, if any.
      match_colour: faces get the colours of what they cover.

    Attributes:
      num_unfitted: photographs' faces without landmarks, or laid onto such; of films' frames those who write them tell.
    """

    def __init__(self, landmarks: LandmarkSettings, match_colour: bool):
        self.match_colour, self.num_unfitted = match_colour, 0
        self.reader = _open_reader(landmarks)

    def __enter__(self) -> "FaceFitter":
        return self

    def __exit__(self, error_type, *_):
        if self.reader is not None:
            self.reader.close()
        if self.num_unfitted and error_type is None:
            logging.warning("pasted by an oval, since no landmarks are found in them: %d faces", self.num_unfitted)

    def fit(self, name: str, face: np.ndarray, covered: np.ndarray) -> Fitted | None:
        """A face fitted to the one that it covers, both float32 [S, S, C] in [0, 1]; None without landmarks."""
        points = self.find(name, face, covered)
        if points is None:
            self.num_unfitted += self.reader is not None
            return None
        return fit_face(face, points[0], covered, points[1], self.scheme, self.match_colour)

    def find(self, name: str, face: np.ndarray, covered: np.ndarray) -> np.ndarray | None:
        """Landmarks of both, [2, L, 2] in sides; None where they are not found in both."""
        return self._find_all(name, face, covered)

    def find_one(self, name: str, face: np.ndarray) -> np.ndarray | None:
        """Landmarks of one face, [L, 2] in sides; None where they are not found."""
        found = self._find_all(name, face)
        return None if found is None else found[0]

    def _find_all(self, name: str, *faces: np.ndarray) -> np.ndarray | None:
        if self.reader is None:
            return None
        try:
            return np.stack([self._points(self.reader, name, face) for face in faces])
        except NoFaceError:
            return None

    @property
    def scheme(self) -> Scheme:
        """Of the landmarks."""
        assert self.reader
        return SCHEMES[self.reader.scheme]

    @staticmethod
    def _points(reader: LandmarkReader, name: str, picture: np.ndarray) -> np.ndarray:
        """Landmarks of the largest face, [L, 2] in sides."""
        image = Image.fromarray(np.rint(255.0 * picture).astype(np.uint8).squeeze()).convert("RGB")
        return largest_face(reader, Stop(name, image), tell=keep_quiet) / len(picture)


@contextlib.contextmanager
def open_fitter(pasting: PastingSettings, landmarks: LandmarkSettings) -> Iterator[FaceFitter | None]:
    """What puts faces back as it is asked for, while it is entered; None where they are not put back."""
    if not pasting.paste:
        yield None
        return
    with FaceFitter(landmarks, pasting.colour == "match") as fitter:
        yield fitter


def describe_fitter(fitter: FaceFitter | None) -> list[Any]:
    """All that what it does depends on, the file of its landmarks' model among it."""
    if fitter is None:
        return []
    path: Path | None = getattr(fitter.reader, "path", None)
    told = [type(fitter.reader).__name__, fitter.match_colour]
    if path is None:
        return [*told, None]
    status = path.stat()
    return [*told, [str(path.absolute()), status.st_size, status.st_mtime_ns]]


def _open_reader(landmarks: LandmarkSettings) -> LandmarkReader | None:
    if landmarks.landmarks != "auto":
        return READERS[landmarks.landmarks](landmarks.landmark_model)
    check_landmark_model(landmarks)
    try:
        return READERS[list_readers()[0]](landmarks.landmark_model)
    except UsageError as error:
        logging.warning("faces are pasted by an oval, not by their landmarks: %s", error)
        return None
