"""Pictures bent to the mean shape of faces, and back: the shape is a few numbers, of which the bending is linear."""

from typing import Any

import keras
import numpy as np

from ..warping.shapes import border
from ..warping.thin_plates import bend_plate

STIFFNESS = 1e-4  # of the plates: landmarks that are told a little wrongly do not fold them
LEAST = 1e-6  # standard deviation of a number of a shape, in sides
TURNS = 6  # of the search for where a pixel of a picture lies in the mean shape


@keras.saving.register_keras_serializable("facezoo")
class ShapeFrame(keras.layers.Layer):
    """The shape model of Cootes, Edwards and Taylor, "Active Appearance Models" (1998), section 2.

    A shape is the principal components of landmarks, in standard deviations. Thin plates through the mean landmarks
    are linear in how far these are moved, so that where a pixel of the mean shape lies in a picture is a sum of fixed
    fields, one for each number of the shape; the way back is found by going on from where the last guess leads.

    Until `adapt` has seen landmarks all shapes are 0, and nothing is bent.

    Args:
      image_size: of the pictures.
      num_landmarks: of a face.
      shape_dim: K, numbers of a shape.
    """

    def __init__(self, image_size: int, num_landmarks: int, shape_dim: int, **options: Any):
        super().__init__(**{**options, "dtype": "float32", "trainable": False})
        self.image_size, self.num_landmarks, self.shape_dim = image_size, num_landmarks, shape_dim
        shapes = {
            "mean_landmarks": (num_landmarks, 2),
            "components": (num_landmarks * 2, shape_dim),  # by which shapes are read off
            "fields": (image_size, image_size, 2, shape_dim),  # in pixels, of one standard deviation each
        }
        for name, shape in shapes.items():
            setattr(self, name, self.add_weight(shape=shape, initializer="zeros", autocast=False, name=name))
        self.built = True

    def adapt(self, landmarks: np.ndarray) -> None:
        """Finds the mean and the components of landmarks of training faces, [N, L, 2], (x, y) in sides."""
        mean = landmarks.mean(axis=0, dtype=np.float64)
        _, spread, directions = np.linalg.svd((landmarks - mean).reshape(len(landmarks), -1), full_matrices=False)
        deviations = np.zeros(self.shape_dim)
        found = min(self.shape_dim, len(spread))
        deviations[:found] = spread[:found] / np.sqrt(len(landmarks))
        components = np.zeros((self.num_landmarks * 2, self.shape_dim))
        components[:, :found] = directions[:found].T
        deviations[deviations < LEAST] = 0.0  # of faces that are fewer than the numbers of a shape
        components[:, deviations == 0.0] = 0.0
        largest = np.argmax(np.abs(components), axis=0)  # whose sign is made positive: components have none
        components *= np.where(components[largest, np.arange(self.shape_dim)] < 0.0, -1.0, 1.0)
        self._set_shapes(mean, components, deviations)

    def grow_from(self, small: "ShapeFrame") -> None:
        """Takes the mean and the components of a frame for pictures of another size."""
        mean, components, _ = small.get_weights()
        lengths = np.linalg.norm(components, axis=0)  # of components in standard deviations
        deviations = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
        self._set_shapes(mean, components * deviations, deviations)

    def _set_shapes(self, mean, components, deviations) -> None:
        """Takes mean landmarks [L, 2], components of length 1 [L * 2, K], and their deviations [K], in sides."""
        frame = border()
        points = np.concatenate([mean, frame])
        size = (self.image_size, self.image_size)
        for_one = (components * deviations).T.reshape(-1, self.num_landmarks, 2)
        plates = [bend_plate(points, np.concatenate([move, np.zeros_like(frame)]), size, STIFFNESS) for move in for_one]
        self.mean_landmarks.assign(mean)
        self.components.assign(components / np.maximum(deviations, LEAST))
        self.fields.assign(self.image_size * np.stack(plates, axis=-1))

    def read_off(self, landmarks):
        """The shapes of landmarks [B, L, 2]: float32 [B, K]."""
        apart = keras.ops.cast(landmarks, "float32") - self.mean_landmarks
        return keras.ops.matmul(keras.ops.reshape(apart, (-1, self.num_landmarks * 2)), self.components)

    def straighten(self, pictures, shapes):
        """Pictures [B, H, W, C] with faces of these shapes [B, K], as they look with the mean shape."""
        return look_up(pictures, self._grid() + self._moves(shapes))

    def bend(self, pictures, shapes):
        """Pictures [B, H, W, C] with faces of the mean shape, as they look with these shapes [B, K]."""
        moves, grid = self._moves(shapes), self._grid()
        places = grid - moves
        for _ in range(TURNS):  # where place + moves(place) is the pixel
            places = grid - look_up(moves, places)
        return look_up(pictures, keras.ops.stop_gradient(places))

    def _moves(self, shapes):
        """How far each pixel of the mean shape is moved, [B, H, W, 2] in pixels."""
        return keras.ops.einsum(
            "hwxk,bk->bhwx", self.fields, keras.ops.stop_gradient(keras.ops.cast(shapes, "float32"))
        )

    def _grid(self):
        """(x, y) of all pixels, [H, W, 2]."""
        steps = np.arange(self.image_size, dtype=np.float32)
        return keras.ops.convert_to_tensor(np.stack(np.meshgrid(steps, steps), axis=-1))

    def get_config(self):
        own = {"image_size": self.image_size, "num_landmarks": self.num_landmarks, "shape_dim": self.shape_dim}
        return {**super().get_config(), **own}


def look_up(pictures, places):
    """Pictures between their pixels, linearly; beyond their edge it repeats.

    Args:
      pictures: [B, H, W, C].
      places: [B, H', W', 2], (x, y) in pixels.

    Returns:
      [B, H', W', C], float32.
    """
    ops = keras.ops
    pictures = ops.cast(pictures, "float32")
    height, width = pictures.shape[1:3]
    x = ops.clip(places[..., 0], 0.0, width - 1.0)
    y = ops.clip(places[..., 1], 0.0, height - 1.0)
    left, top = ops.minimum(ops.floor(x), width - 2.0), ops.minimum(ops.floor(y), height - 2.0)
    across, down = (x - left)[..., None], (y - top)[..., None]
    first = ops.cast(top, "int32") * width + ops.cast(left, "int32")
    first = first + height * width * ops.reshape(ops.arange(ops.shape(pictures)[0], dtype="int32"), (-1, 1, 1))
    rows = ops.reshape(pictures, (-1, pictures.shape[-1]))  # [B * H * W, C]

    def pick(step: int):
        return ops.take(rows, first + step, axis=0)

    above = pick(0) + across * (pick(1) - pick(0))
    below = pick(width) + across * (pick(width + 1) - pick(width))
    return above + down * (below - above)
