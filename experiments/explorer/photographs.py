"""What is explored without a run: two photographs, and the warp between them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from ... import pictures
from ...datasets.photographs import crop_box
from ..errors import UsageError
from ..faces.framing import DRAWN_SIZE, Framed, Stop, Tell, frame_stops
from ..faces.landmarks.readers import list_readers
from ..flags.groups import AlignmentSettings, LandmarkSettings, parse_square
from ..flags.sources import open_given
from ..runs.run import NOTHING_GIVEN
from .explored import BEST_READER, Explored
from .looks import LEAST_SHOWN, WARP, Face, Look
from .warps import Warp

MOST_HELD = 2048  # pixels of a photograph's longer side, which holds more than is shown
HINT = "What is uploaded is read and removed. A morph has no place in an identity document."
BEST, EXTRA = "mediapipe", "landmarks"  # of the readers, and what installs it
SIZE = 512  # of frames, at most, if nothing else is asked for


class WarpExplorer(Explored):
    """Photographs, and faces of a data set's test split, warped onto each other by their landmarks.

    Args:
      alignment: the frame's template and margin.
      landmarks: who finds them.
      given: which data set, drawn faces if none is; and how photographs are cropped.
      size: of the pictures; what photographs hold, up to 512 pixels, if absent.

    Raises:
      UsageError, DatasetError: the data set is not there, or shows no faces.
    """

    title = "two faces, warped onto each other by their landmarks"
    methods = (WARP,)
    sharpens = True

    def __init__(
        self,
        alignment: AlignmentSettings,
        landmarks: LandmarkSettings = BEST_READER,
        given: Mapping[str, Any] = NOTHING_GIVEN,
        size: int | None = None,
    ):
        super().__init__(open_given(given, "test", min(size or DRAWN_SIZE, DRAWN_SIZE), 3))
        self._alignment, self._landmarks, self._given, self._size = alignment, landmarks, given, size
        self.chances = {"From the test split" if "dataset" in given else "Drawn face": self.anybody}
        self.hint = HINT
        self.note = _suggest_reader()
        self.first_faces = self._first_two()
        self.first_warp = self.find_warp(*self.first_faces)

    def show_face(self, face: Face, is_end: bool, warp: Warp | None) -> np.ndarray:
        """A face as the warp between both has it in its frame: uint8 [S, S, C]."""
        return warp.ends(LEAST_SHOWN)[int(is_end)] if warp else face.picture

    def _make_face(self, name: str, picture: np.ndarray, points: np.ndarray | None) -> Face:
        return Face(name, pictures.to_uint8(picture), points)

    def _face_of(self, name: str, photograph: Image.Image, align: bool) -> Face:
        if "crop" in self._given:  # in pixels of the photograph, not of what is held of it
            photograph = photograph.crop(crop_box(photograph.size, parse_square(self._given["crop"])))
        photograph.thumbnail((MOST_HELD, MOST_HELD), Image.Resampling.BICUBIC, reducing_gap=3.0)
        return Face(name, np.asarray(photograph))

    def _frame(self, start: Face, end: Face, tell: Tell) -> Framed:
        given = {**self._given, "crop": ()} if "crop" in self._given else self._given  # uploads have been cut
        framing = self._landmarks, self._alignment, given, self._size
        return frame_stops([_stop(face) for face in (start, end)], *framing, most=SIZE, tell=tell)

    def _frames(self, look: Look, alphas: np.ndarray, most: int) -> np.ndarray:
        return (look.warp or self.find_warp(look.start, look.end)).frames(alphas, most)


def _suggest_reader() -> str:
    """What to install so that the landmarks of photographs are found, or found better; or ""."""
    try:
        best, *_ = list_readers()
    except UsageError as error:
        return f"Drawn faces only: {error}"
    return "" if best == BEST else f"MediaPipe, which is not installed, fits better: pip install 'facezoo[{EXTRA}]'"


def _stop(face: Face) -> Stop:
    is_framed = ":" in face.name  # of the test split: in the name of an upload there is none
    return Stop(face.name, Image.fromarray(face.picture), face.points, is_framed)
