"""The readers of landmarks by name; a further one is a file and a line here."""

import importlib.util
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from PIL import Image

from ...errors import UsageError
from ...flags.groups import LandmarkSettings
from .drawn_points import DrawnPoints
from .face_mesh import FaceMesh
from .five_points import FivePoints


class LandmarkReader(Protocol):
    """What finds the landmarks of faces.

    Attributes:
      scheme: which they are, a key of `warping.shapes.SCHEMES`.
      takes_lying_for_upright: of a face that lies it may give landmarks as if it did not.
    """

    scheme: ClassVar[str]
    takes_lying_for_upright: ClassVar[bool]

    def __init__(self, model: str | None = None): ...

    def faces(self, photograph: Image.Image, closely: bool = False) -> list[np.ndarray]:
        """The faces of an RGB photograph, the largest first: [L, 2] each, (x, y) in its pixels.

        Args:
          photograph: upright or not.
          closely: it showed none at first sight: look again, for small ones.
        """
        ...

    def close(self) -> None:
        """Lets go of what it holds."""
        ...


READERS: dict[str, type[LandmarkReader]] = {
    "mediapipe": FaceMesh,
    "mtcnn": FivePoints,
    "face": DrawnPoints,
}
BY_THEMSELVES = ("mediapipe", "mtcnn")  # those that find faces in any photograph, the best first


def check_landmark_model(settings: LandmarkSettings) -> None:
    """Raises UsageError where a file is named that is not there, whoever would read it."""
    if settings.landmark_model and not Path(settings.landmark_model).is_file():
        raise UsageError(f"--landmark_model={settings.landmark_model}: there is no such file")


def list_readers() -> list[str]:
    """Those that find faces in photographs and are installed, the best first.

    Raises:
      UsageError: none is.
    """
    found = [name for name in BY_THEMSELVES if importlib.util.find_spec(name) is not None]
    if not found:
        raise UsageError(
            "landmarks are found by mediapipe or mtcnn, and neither is installed: pip install 'facezoo[landmarks]'"
        )
    return found
