"""What the faces of a film look like, and whose they are."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ...datasets import alignment
from ...datasets.alignment import NoFaceError
from ...datasets.manifest import Cut
from ...datasets.origins import face_square
from ..backend import load_tensorflow
from ..terminal import announce

LOOK_SIZE, LOOK_SCALE = 8, 3.0  # pixels of the picture that is a face's look, and what makes it about as long as 1
LOOK_CUT = Cut("celeba", -0.15, LOOK_SIZE)
IDENTITY_CUT = Cut("celeba", 0.25, 150)  # shows all that the recogniser looks at
WEIGHTS = "face_recognition.npz"  # the recogniser's
MOST_REFERENCES = 16  # pictures by which a person is known


def see_look(image: Image.Image, points: np.ndarray) -> np.ndarray:
    """The colours of a face in an RGB picture by its five points, coarsely: [K]."""
    crop = _cut(image, points, LOOK_CUT)
    return LOOK_SCALE * crop.reshape(-1) / np.sqrt(crop.size)


class Recogniser:
    """Tells who somebody is.

    Args:
      weights: their file.

    Raises:
      WeightsError: they are damaged.
    """

    def __init__(self, weights: str) -> None:
        import tensorflow as tf

        from ...metrics.identity import IdentityDistance

        network = IdentityDistance(IDENTITY_CUT.size, face_square(IDENTITY_CUT), weights)
        # As a graph: picture by picture, nearly all of the time is Keras', not the network's.
        shape = tf.TensorSpec((None, IDENTITY_CUT.size, IDENTITY_CUT.size, 3), tf.float32)
        self._people = tf.function(network.people, input_signature=[shape])

    def see(self, image: Image.Image, faces: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Whose faces are in an RGB picture, by the five points of each: [128] each."""
        if not faces:
            return []
        return list(self._people(np.stack([_cut(image, points, IDENTITY_CUT) for points in faces])).numpy())


def has_recogniser() -> bool:
    """Whether its weights are somewhere."""
    load_tensorflow()  # else the import does, with all that it says
    from ...losses.weights import WeightsError, find_weights

    try:
        return find_weights(WEIGHTS).is_file()
    except WeightsError:
        return False


_load = functools.lru_cache(maxsize=1)(Recogniser)  # who looks at a film has often looked at somebody's picture before


def find_recogniser() -> Recogniser | None:
    """None where its weights are nowhere."""
    from ...losses.weights import MissingWeightsError, find_weights

    try:
        return _load(str(find_weights(WEIGHTS)))
    except MissingWeightsError as error:
        announce(f"Who is who is told by place and colours, since {error} ...")
        return None


def _cut(image: Image.Image, points: np.ndarray, cut: Cut) -> np.ndarray:
    """float32 [S, S, 3] in [0, 1]; black of a face that is half out of the picture."""
    try:
        return alignment.cut(image, cut.matrix(points), cut.size).astype(np.float32) / 255.0
    except NoFaceError:
        return np.zeros((cut.size, cut.size, 3), np.float32)
