"""What a page or a notebook of sliders asks of what it shows: faces, and pictures of what a person has set."""

import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from ... import pictures
from ...datasets.alignment import NoFaceError
from ...datasets.procedural import PAIR
from ...datasets.reader_process import ReaderProcess
from ...datasets.source import DatasetError, Source
from ...latents.interpolation import even_alphas
from ..codes.encoding import floats
from ..codes.morphing import NOTICE
from ..errors import UsageError
from ..faces.framing import Framed, Tell
from ..faces.places import example_at, find_known_points
from ..flags.groups import LandmarkSettings
from .looks import CODE, FIND_LABEL, LEAST_SHOWN, Face, Look, Slider, as_png, harmless
from .warps import Warp

MOST_PIXELS = 40_000_000  # of an upload, which is somebody's photograph, and held in memory beside others
READ_AT_ONCE = 3
STRIP_STEPS, STRIP_SIDE = 10, 128
FILM_STEPS, FILM_FPS = 24, 12.0
MOST_SHOWN = 1024
BEST_READER = LandmarkSettings()


class Explored:
    """It keeps nothing of those who use it; they may be several.

    Args:
      test: a data set's test split, of which there are faces at once.

    Attributes:
      title: what is explored, in one line.
      methods: of making one face of another, the first one at first.
      people: whom a model can decode faces as; () for most models.
      sliders: what there is to set besides.
      first_faces: two, to begin with.
      first_warp: between them, if the first method needs it.
      chances: by what they are called, functions that give a face by chance, of a seed.
      finds_faces: whether a person chooses between a photograph's face and its middle.
      sharpens: whether `sharp_picture` shows more than `picture`, which is quick.
      hint: how there comes to be more to set, or "".
      note: why there is less than there should be, or "".
    """

    title: str
    methods: tuple[str, ...]
    people: tuple[str, ...] = ()
    sliders: tuple[Slider, ...] = ()
    first_faces: tuple[Face, Face]
    first_warp: Warp | None = None
    chances: Mapping[str, Callable[[int], Face]]
    finds_faces = False
    sharpens = False
    hint = ""
    note = ""

    def __init__(self, test: Source):
        self._test = test
        self._reader_process = ReaderProcess()
        self._readers = threading.BoundedSemaphore(READ_AT_ONCE)  # photographs take much memory
        self._detecting = threading.Lock()  # detectors are not made for threads

    def close(self) -> None:
        """Ends the reading of photographs that somebody has sent."""
        self._reader_process.close()

    def first_look(self) -> Look:
        """What is seen before anything is moved: the middle between the first two faces."""
        return Look(
            *self.first_faces,
            alpha=0.5,
            strengths=[0.0] * len(self.sliders),
            person=self._first_person(),
            method=self.methods[0],
            warp=self.first_warp,
        )

    def list_hints(self) -> list[str]:
        """What a person should know before anything is done, a line each."""
        return [line for line in (self.note, self.hint) if line]

    # Faces.

    def at(self, place: int) -> Face:
        """A face of the test split."""
        name = f"test:{place}"
        example = example_at(self._test, name)
        return self._make_face(name, floats(example["image"]), find_known_points(self._test, example))

    def anybody(self, seed: int) -> Face:
        """A face of the test split by chance."""
        return self.at(int(np.random.default_rng(seed).integers(len(self._test))))

    def photograph(self, file: str | Path | IO[bytes], name: str, align: bool = True) -> Face:
        """The face of a picture file.

        Args:
          file: a path, or an open binary file.
          name: what the user calls it.
          align: finds the largest face where a person may choose that; False takes the middle.

        Raises:
          UsageError: one line on why the file gives no face.
        """
        name = harmless(name)
        try:
            with self._readers:
                photograph = self._reader_process.read(file, MOST_PIXELS)
                with self._detecting:
                    return self._face_of(name, photograph, align)
        except NoFaceError as error:
            raise UsageError(f'{name}: {error}; untick "{FIND_LABEL}" to take the middle of the picture') from error
        except DatasetError as error:
            raise UsageError(f"{name}: {error}") from error

    def find_warp(self, start: Face, end: Face) -> Warp:
        """The warp between two faces, whose landmarks are found in them.

        Raises:
          UsageError: one line on why there are none.
        """
        notes: list[str] = []
        with self._detecting:
            framed = self._frame(start, end, notes.append)
        return Warp(framed, notes)

    def show_face(self, face: Face, is_end: bool, warp: Warp | None) -> np.ndarray:
        """A face as it is shown alone: uint8 [H, W, C]."""
        return face.picture

    # Pictures.

    def picture(self, look: Look) -> bytes:
        """What is asked for, as a PNG, soon."""
        return self._shown(look, LEAST_SHOWN)

    def sharp_picture(self, look: Look) -> bytes:
        """The same, as large as it can be, which may take a while."""
        return self._shown(look, MOST_SHOWN)

    def strip(self, look: Look) -> bytes:
        """The way from start to end, the sliders' changes on all of it: a row of STRIP_STEPS pictures as a PNG."""
        frames = self._frames(look, even_alphas(STRIP_STEPS), STRIP_SIDE)
        return as_png(pictures.row(frames), self._describe(look))

    def film(self, look: Look) -> bytes:
        """The way from start to end and back, the sliders' changes on all of it, as a film in MP4."""
        frames = pictures.to_uint8(self._frames(look, even_alphas(FILM_STEPS), MOST_SHOWN))
        frames = pictures.resize(frames, max(LEAST_SHOWN, frames.shape[1]))
        with tempfile.TemporaryDirectory(prefix="facezoo-film-") as folder:
            path = Path(folder) / "morph.mp4"
            pictures.save_mp4(path, pictures.there_and_back(frames), self._describe(look), FILM_FPS)
            return path.read_bytes()

    def _shown(self, look: Look, most: int) -> bytes:
        [picture] = self._frames(look, np.array([look.alpha]), most)
        return as_png(picture, self._describe(look, f" at {look.alpha:.2f}"))

    def _describe(self, look: Look, place: str = "") -> str:
        """What pictures show of a look, and that they are no photographs."""
        way = f"{look.path} morph" if look.method == CODE else look.method
        return f"{way} from {look.start.name} to {look.end.name}{self._add_details(look)}{place}: {NOTICE}"

    # What a kind of them does.

    def _first_two(self) -> tuple[Face, Face]:
        count = len(self._test)
        start, end = PAIR if count > max(PAIR) else (0, min(1, count - 1))
        return self.at(start), self.at(end)

    def _first_person(self) -> str | None:
        return None

    def _make_face(self, name: str, picture: np.ndarray, points: np.ndarray | None) -> Face:
        """A face of the test split, [H, W, C] in [0, 1]."""
        raise NotImplementedError

    def _face_of(self, name: str, photograph: Image.Image, align: bool) -> Face:
        """A face of an upright RGB photograph; a DatasetError where there is none."""
        raise NotImplementedError

    def _frame(self, start: Face, end: Face, tell: Tell) -> Framed:
        """Both faces in one frame with their landmarks; a UsageError where there are none."""
        raise NotImplementedError

    def _frames(self, look: Look, alphas: np.ndarray, most: int) -> np.ndarray:
        """Pictures at places on the way, of at most so many pixels where that is a choice: [N, H, W, C] in [0, 1]."""
        raise NotImplementedError

    def _add_details(self, look: Look) -> str:
        """What a description says besides."""
        return ""
