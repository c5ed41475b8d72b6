"""What becomes of the faces of a film: an attribute, or who it is; their motion stays."""

import functools
from collections.abc import Callable

import numpy as np

from ...films import Film, count_frames
from ...warping.morph import morph_through, warp_to
from ..codes.encoding import NOTHING, Columns, decode_codes, encode_batch, encode_exactly
from ..errors import UsageError
from ..faces.fitting import FaceFitter
from .making import FilmTask, ramp
from .mapping import BendFace, MapFaces, Places

Amount = Callable[[int], float]


def make_amount(first: float, last: float, film: Film) -> Amount:
    """How much a film's frames are changed, by their number: evenly from its first to its last, which are counted."""
    if first == last:
        return lambda number: first
    count = functools.cache(lambda: count_frames(film))
    return lambda number: ramp(first, last, number, count())


def keep_faces(number: int, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Faces as they are."""
    return faces, None


def add_to_codes(model, vector: np.ndarray, amount: Amount, told: Columns = NOTHING) -> MapFaces:
    """Faces whose codes are moved.

    Args:
      model: an `Autoencoder`.
      vector: [*code shape], what the codes of a frame get more, times its amount.
      amount: of each frame.
      told: what the model is told when it decodes.
    """

    def map_faces(number: int, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        codes, details = encode_exactly(model, faces)
        return decode_codes(model, codes + np.float32(amount(number)) * vector, {**told, **details}), None

    return map_faces


def lead_codes(
    task: FilmTask, places: Places, model, target: np.ndarray, amount: Amount, told: Columns = NOTHING
) -> MapFaces:
    """Faces that become another one, each keeping by how much its code differs from the film's mean.

    Args:
      task: of the film.
      places: of its faces.
      model: an `Autoencoder`.
      target: the other face, float32 [S, S, C].
      amount: of each frame, 0 is the film's own person and 1 the other one.
      told: what the model is told when it decodes.
    """
    mean = task.average(places, lambda number, faces: encode_batch(model, faces))
    (code,) = encode_batch(model, target[None])
    return add_to_codes(model, (code - mean).astype(np.float32), amount, told)


def find_target_points(fitter: FaceFitter, name: str, target: np.ndarray) -> np.ndarray:
    """The landmarks of a face that a film is to be led to by a warp, [L, 2] in sides.

    Raises:
      UsageError: it shows none, or no reader of them is installed.
    """
    if fitter.reader is None:
        raise UsageError("--method=warp follows landmarks: pip install 'facezoo[landmarks]'")
    points = fitter.find_one(name, target)
    if points is None:
        raise UsageError(f"--to={name}: no landmarks are found in its face")
    return points


def lead_shapes(
    task: FilmTask, places: Places, fitter: FaceFitter, target: np.ndarray, points: np.ndarray, amount: Amount
) -> BendFace:
    """Faces that become another one by a warp, each keeping by how much its landmarks differ from the film's mean.

    Args:
      task: of the film.
      places: of its faces.
      fitter: finds landmarks.
      target: the other face, float32 [S, S, C].
      points: its landmarks, [L, 2] in sides.
      amount: of each frame, 0 is the film's own person and 1 the other one.
    """

    def measure(number: int, faces: np.ndarray) -> np.ndarray | None:
        found = [fitter.find_one(f"frame {number}", face) for face in faces]
        known = [each for each in found if each is not None]
        return np.stack(known) if known else None

    mean = task.average(places, measure)

    def bend_face(number: int, face: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        share = amount(number)
        moved = points + own - mean
        other = warp_to(target, points, moved, fitter.scheme)
        (made,) = morph_through(np.stack([face, other]), np.stack([own, moved]), fitter.scheme, np.array([share]))
        return made, own + share * (moved - own)

    return bend_face
