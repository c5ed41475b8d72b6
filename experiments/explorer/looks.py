"""What a person sets on a page or in a notebook of sliders, and pictures as they are shown there."""

import dataclasses
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ... import pictures
from ..codes.encoding import Columns
from .warps import Warp

PATHS = ("linear", "normalized", "slerp")
# What each way between two codes is.
PATH_NOTES = {
    "linear": "straight from one code to the other",
    "normalized": "straight, but no nearer to the mean face than both ends are",
    "slerp": "along a great circle, at an even pace",
}
# How one face becomes another.
CODE, WARP, BOTH = "code", "warp", "warp+code"
METHOD_NOTES = {
    CODE: "by the model's codes",
    WARP: "by landmarks, without the model",
    BOTH: "codes of faces warped to one shape",
}
FIND_LABEL = "find the face"
LEAST_SHOWN = 256  # pixels of a picture's side, as a page shows it


class Slider(NamedTuple):
    """A number that a person sets, 0 at first.

    Attributes:
      group: "attribute", a vector's strength; "told", what a conditional decoder hears, from no to yes, 0 is unknown;
        "latent", standard deviations of a dimension of the code.
      name: of it.
      limit: it goes from -limit to limit.
    """

    group: str
    name: str
    limit: float


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """A face to start from.

    Attributes:
      name: where it comes from, in a few harmless characters.
      picture: uint8 [H, W, C]: as the model was given it, or as it decodes a code that was drawn; without a model the
        photograph.
      points: the landmarks that its data set knows, [L, 2], (x, y) in pixels; or None.
      code: of it, where there is a model.
      details: what the model is told besides to give this very picture back, one row.
    """

    name: str
    picture: np.ndarray
    points: np.ndarray | None = None
    code: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0))
    details: Columns = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Look:
    """All that a person has set.

    Attributes:
      start, end: the two faces.
      alpha: how far from start to end, in [0, 1].
      path: one of PATHS, of ways through codes.
      strengths: one for each of `Explored.sliders`.
      person: whose face it is to be, one of `Explored.people`; None where there are none.
      method: one of METHOD_NOTES.
      warp: between the two faces, so that their landmarks are not found again for every picture; None by codes.
    """

    start: Face
    end: Face
    alpha: float = 0.0
    path: str = PATHS[0]
    strengths: Sequence[float] = ()
    person: str | None = None
    method: str = CODE
    warp: Warp | None = None


def as_png(picture: np.ndarray, description: str) -> bytes:
    """[H, W, C] in [0, 1] or uint8, with our metadata."""
    file = io.BytesIO()
    pictures.save_png(file, picture, description)
    return file.getvalue()


def enlarged(png: bytes, least: int = LEAST_SHOWN) -> bytes:
    """A picture or a row of pictures, a PNG, by a smooth filter no lower than so many pixels; what it says stays."""
    with Image.open(io.BytesIO(png)) as image:
        factor = -(-least // image.height)
        if factor == 1:
            return png
        large = image.resize((image.width * factor, image.height * factor), Image.Resampling.LANCZOS)
        return as_png(np.atleast_3d(np.asarray(large)), image.info.get("Description", ""))


def folded(png: bytes) -> bytes:
    """A row of an even number of pictures, a PNG, as two rows; what it says stays."""
    with Image.open(io.BytesIO(png)) as image:
        halves = np.split(np.atleast_3d(np.asarray(image)), 2, axis=1)
        return as_png(np.concatenate(halves), image.info.get("Description", ""))


def harmless(name: str) -> str:
    """A name that may come from anybody, as text that no page or template takes for anything else."""
    kept = "".join(character if character.isalnum() or character in " ._-" else "_" for character in name)
    return kept[-60:].strip() or "picture"
