"""The contract that every architecture keeps."""

from collections.abc import Mapping
from typing import ClassVar

import keras
import numpy as np

from ..losses import DSSIM, AbsoluteError, DetailError, SquaredError, TextureError
from ..losses.objective import Term
from .batches import as_pictures
from .blocks import check_name, check_pictures
from .trainable import TrainableModel


class Autoencoder(TrainableModel):
    """Pictures to codes and back.

    A batch is a dict with `image` float32 [B, H, W, C] in [0, 1]; outputs are a dict with `reconstruction` of the
    same shape and `z`, the code. A subclass sets `encoder` and `decoder` in `__init__`, both `keras.Model`s that are
    built there, and keeps every constructor argument as an attribute of the same name.

    >>> from facezoo.models import VAE  # one of those that keep it
    >>> model = VAE(image_size=32, filters=(8, 8), latent_dim=4)
    >>> isinstance(model, Autoencoder), model.has_prior
    (True, True)
    >>> tuple(model.decode(np.zeros((2, 4), np.float32)).shape)
    (2, 32, 32, 3)

    Args:
      image_size: height and width in pixels.
      channels: 1 (gray) or 3 (RGB).
      seed: of everything random in training: noise and dropout.
      name: Keras' name of the model.

    Raises:
      ValueError: an argument is out of its range.
    """

    default_factors: ClassVar[Mapping[str, float]] = {"reconstruction": 1.0}
    reconstructs: ClassVar[bool] = True
    has_prior: ClassVar[bool] = False  # whether codes [B, latent_dim] drawn from N(0, 1) decode to faces
    noise_shape: tuple[int, ...] | None = None  # of what a picture is made of besides its code
    encoder: keras.Model
    decoder: keras.Model

    def __init__(self, *, image_size: int, channels: int, seed: int = 0, name: str | None = None):
        check_name(name)
        super().__init__(name=name)
        check_pictures(image_size, channels)
        self.image_size, self.channels, self.seed = image_size, channels, seed

    def encode(self, images):
        """Deterministic codes of pictures: float32 [B, H, W, C] in [0, 1] -> codes [B, ...]."""
        return keras.ops.cast(self.encoder(as_pictures(images), training=False), "float32")

    def decode(self, codes):
        """Pictures of codes: [B, ...] -> float32 [B, H, W, C] in [0, 1]."""
        return keras.ops.clip(keras.ops.cast(self.decoder(codes, training=False), "float32"), 0.0, 1.0)

    def freeze_codes(self) -> None:
        """Keeps the codes of pictures as they are, whatever else is trained."""
        self.encoder.trainable = False

    def check_decoder(self) -> None:
        """Raises ValueError where kernels outside of `decoder` make pictures of codes, too."""
        self.picture_network()

    def code_network(self) -> keras.Model:
        """The network of `encode`, as Keras' functional one: pictures, and whatever else it is told, to codes."""
        return self.encoder

    def picture_network(self) -> keras.Model:
        """The network of `decode`, as Keras' functional one: codes, and whatever else it is told, to pictures."""
        return self.decoder

    def show_to_discriminator(self, outputs):
        """The pictures of a training step that a discriminator judges: [B, H, W, C], of what `call` gives."""
        return outputs["reconstruction"]

    def call(self, batch, training=False):
        codes = self.encoder(batch["image"], training=training)
        return {"reconstruction": self.decoder(codes, training=training), "z": codes}

    def loss_terms(self) -> dict[str, Term]:
        return {
            "reconstruction": SquaredError(),
            "absolute": AbsoluteError(),
            "dssim": DSSIM(),
            "detail": DetailError(),
            "texture": TextureError(),
        }

    def shape_of_code(self) -> tuple[int, ...]:
        """The shape of a picture's code as it is made; a mapping model may make several, one after the other."""
        pictures = np.zeros((1, self.image_size, self.image_size, self.channels), np.float32)
        return tuple(self.encode(pictures).shape[1:])

    @property
    def last_kernels(self) -> list:
        """The kernels of the layers that give the pictures, for balancing losses by their gradients there."""
        return [[weight for weight in self.decoder.trainable_variables if weight.name == "kernel"][-1]]
