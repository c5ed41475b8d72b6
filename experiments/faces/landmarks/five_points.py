"""MTCNN: five points of a face, where nothing better is installed."""

from typing import ClassVar

import numpy as np
from PIL import Image

from ....datasets import detection
from ...backend import check_installed, load_tensorflow


class FivePoints:
    """Eyes, nose and the mouth's corners, by the detector that aligns faces.

    Raises:
      UsageError: mtcnn is not installed.
    """

    scheme: ClassVar[str] = "five"
    takes_lying_for_upright: ClassVar[bool] = False

    def __init__(self, model: str | None = None):
        check_installed("mtcnn", "align")
        load_tensorflow()  # else the detector does, with all that it says

    def close(self) -> None:
        """There is nothing to end."""

    def faces(self, photograph: Image.Image, closely: bool = False) -> list[np.ndarray]:
        """The faces of an RGB photograph, the largest first: [5, 2] each, (x, y) in its pixels."""
        return [face.points for face in detection.find_faces(photograph)]
