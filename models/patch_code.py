"""Square patches of pictures as few numbers each."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

LEAST_SIZE = 1e-4  # of a component beside the largest, where pictures have none of it


@keras.saving.register_keras_serializable("facezoo")
class PatchCode(keras.layers.Layer):
    """Pictures as the principal components of their patches: [B, H, W, C] -> float32 [B, H / patch, W / patch, D].

    Component i is scaled to a standard deviation of (s_i / s_0)^0.5, where s_i is its own: neither are the fine ones
    lost beside the coarse, nor does each count the same. Until `adapt` has seen pictures, the components are the
    lowest frequencies of a discrete cosine transform, unscaled. Nothing of it is learned by gradients.

    Args:
      patch: height and width of a patch in pixels.
      channels: of the pictures.
      components: D, at most patch * patch * channels.

    Raises:
      ValueError: there are more components than numbers in a patch.
    """

    def __init__(self, patch: int, channels: int, components: int, **options: Any):
        super().__init__(**{**options, "dtype": "float32", "trainable": False})
        self.patch, self.channels, self.components = patch, channels, components
        if components > patch * patch * channels:
            raise ValueError(
                f"components={components} must be at most {patch * patch * channels}, the numbers in a patch of "
                f"{patch}x{patch}x{channels}"
            )
        start = _cosines(patch, channels)[:, :components]
        self.basis = self.add_weight(
            shape=start.shape, initializer=lambda shape, dtype: tf.constant(start, dtype), autocast=False, name="basis"
        )
        self.deviations = self.add_weight(shape=(components,), initializer="ones", autocast=False, name="deviations")
        self.built = True

    def adapt(self, pictures: np.ndarray) -> None:
        """Finds the components of pictures whose mean is 0, such as differences of pictures, [N, H, W, C]."""
        patches = self.cut(pictures).numpy().reshape(-1, self.patch * self.patch * self.channels).astype(np.float64)
        variances, directions = np.linalg.eigh(patches.T @ patches / len(patches))
        deviations = np.sqrt(np.maximum(variances[::-1][: self.components], 1e-12))
        deviations = np.maximum(deviations, LEAST_SIZE * deviations[0])
        largest = np.argmax(np.abs(directions), axis=0)  # whose sign is made positive: eigenvectors have none
        directions = directions * np.sign(directions[largest, np.arange(len(largest))])
        self.basis.assign(directions[:, ::-1][:, : self.components])
        self.deviations.assign(np.sqrt(deviations * deviations[0]))

    def call(self, pictures):
        return tf.einsum("bhwp,pd->bhwd", self.cut(tf.cast(pictures, tf.float32)), self.basis) / self.deviations

    def decode(self, code):
        """The pictures of a code, [B, H, W, D] -> float32 [B, H * patch, W * patch, C]."""
        patches = tf.einsum("bhwd,pd->bhwp", tf.cast(code, tf.float32) * self.deviations, self.basis)
        return tf.nn.depth_to_space(patches, self.patch)

    @property
    def spread(self):
        """The standard deviation of each component: [D]."""
        return self.deviations / self.deviations[0]

    def cut(self, pictures):
        """All numbers of each patch: [B, H, W, C] -> [B, H / patch, W / patch, patch * patch * C]."""
        return tf.nn.space_to_depth(pictures, self.patch)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return batch, height // self.patch, width // self.patch, self.components

    def get_config(self):
        own = {"patch": self.patch, "channels": self.channels, "components": self.components}
        return {**super().get_config(), **own}


def _cosines(patch: int, channels: int) -> np.ndarray:
    """The discrete cosine transform of patches, the lowest frequencies first: [patch * patch * channels, as many]."""
    places, frequencies = np.arange(patch) + 0.5, np.arange(patch)
    waves = np.cos(np.pi / patch * frequencies[:, None] * places)
    waves /= np.linalg.norm(waves, axis=1, keepdims=True)
    planes = np.einsum("uy,vx->uvyx", waves, waves).reshape(patch * patch, patch * patch)
    order = np.argsort(np.add.outer(frequencies, frequencies).ravel(), kind="stable")
    return np.kron(planes[order].T, np.eye(channels)).astype(np.float32)
