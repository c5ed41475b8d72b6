"""The warp between two faces that a page or a notebook shows at any place."""

from collections.abc import Sequence

import numpy as np

from ... import pictures
from ...warping.morph import WarpMorph
from ...warping.shapes import SCHEMES
from ..faces.framing import Framed
from ..faces.landmarks.readers import READERS

# Who has found so many landmarks; nobody where the data set knows them.
FOUND_BY = {
    None: "{} landmarks of drawn faces",
    "mediapipe": "{} landmarks, found by MediaPipe",
    "mtcnn": "{} landmarks, found by MTCNN, whose fit is weak",
    "face": "{} landmarks, found by the face network, which knows drawn faces",
}


class Warp:
    """From one face to another by their landmarks, which have been found; what takes time is done once for a size.

    Args:
      framed: the two faces.
      notes: what a person should know of them.

    Attributes:
      framed: them.
      note: in a line, who has found the landmarks, and the notes.
    """

    def __init__(self, framed: Framed, notes: Sequence[str] = ()):
        self.framed = framed
        self.note = "; ".join([_describe(framed), *notes])
        self._ways: dict[int, WarpMorph] = {}

    def frames(self, alphas: np.ndarray, most: int) -> np.ndarray:
        """Pictures on the way, of as many pixels a side as the faces have, and no more than `most`.

        Args:
          alphas: [N], 0 is the start and 1 the end.
          most: pixels.

        Returns:
          float32 [N, S, S, C] in [0, 1].
        """
        size = min(self.framed.pictures.shape[1], most)
        if size not in self._ways:
            start, end = self.ends(size).astype(np.float32) / 255.0
            start_points, end_points = self.framed.points
            self._ways[size] = WarpMorph(start, end, start_points, end_points, self.framed.scheme)
        return self._ways[size].frames(alphas)

    def ends(self, most: int) -> np.ndarray:
        """Both faces as the way shows them: uint8 [2, S, S, C]."""
        return pictures.thumbnails(pictures.to_uint8(self.framed.pictures), most)


def _describe(framed: Framed) -> str:
    """Says how many landmarks are followed, and who has found them."""
    followed = framed.scheme.num_points
    found = SCHEMES[READERS[framed.reader].scheme].num_points if framed.reader else followed
    return FOUND_BY[framed.reader].format(followed if followed == found else f"{followed} of {found}")
