"""A variational autoencoder that tells a face's shape apart from its appearance."""

from typing import Any, ClassVar

import keras
import numpy as np

from ..losses.shape import ShapeError
from .batches import as_pictures
from .blocks import check_names, check_positive
from .growing import count_doublings
from .shape_frame import ShapeFrame
from .vae import VAE

READER_FILTERS = (32, 64, 128, 192)
READER_SIZE = 64  # to which pictures of twice as much, or more, are reduced for the reader


@keras.saving.register_keras_serializable("facezoo")
class AppearanceVAE(VAE):
    """A VAE of faces that are bent to one shape, and a network that reads their shape.

    After Cootes, Edwards and Taylor, "Active Appearance Models" (1998): a face is the shape that its landmarks have,
    a few principal components, and how it looks when it is bent to the mean shape. There eyes and mouths lie in one
    place, so that the code of a VAE need not say where they are, and a mean of two faces is no double exposure. The
    code is both: latent_dim numbers of appearance, then shape_dim numbers of shape in standard deviations.

    In training faces are bent by their landmarks, and the reader of shapes learns these; a batch without landmarks is
    bent as the reader says, as all pictures are later.

    A batch may hold `landmarks` [B, L, 2], (x, y) in sides.

    >>> model = AppearanceVAE(image_size=32, filters=(8, 8), latent_dim=4, landmark_names=("nose", "chin"), shape_dim=3)
    >>> model.shape_of_code()  # of appearance, then of shape
    (7,)

    Args:
      landmark_names: of the L landmarks.
      shape_dim: numbers of a shape.
      vae: all other arguments are `VAE`'s.

    Raises:
      ValueError: no landmarks, or another argument is out of its range.
    """

    default_factors: ClassVar = {**VAE.default_factors, "shape": 10.0}
    data_arguments: ClassVar = {"landmark_names": "landmark_names"}
    adapts_to: ClassVar = 4096
    adapts_by: ClassVar = ("landmarks",)

    def __init__(self, *, landmark_names: tuple[str, ...] = ("nose_tip",), shape_dim: int = 20, **vae: Any):
        check_positive(shape_dim=shape_dim)
        # Before the parent, whose constructor builds the networks with them.
        self.landmark_names, self.shape_dim = check_names(landmark_names), shape_dim
        super().__init__(**vae)

    @classmethod
    def enlarge_arguments(cls, arguments, image_size):
        own = arguments["image_size"]
        if own < READER_SIZE:
            raise ValueError(f"what reads shapes is made for {own} pixels, and grows from {READER_SIZE} on")
        return super().enlarge_arguments(arguments, image_size)

    def build(self, input_shape=None):
        if not self.built:
            self.frame = ShapeFrame(self.image_size, len(self.landmark_names), self.shape_dim)
            self.reader = self._build_reader()
        super().build(input_shape)

    def _build_reader(self) -> keras.Model:
        style = self._style(3)
        x = images = keras.Input((self.image_size, self.image_size, self.channels))
        coarseness = 2 ** count_doublings(self.image_size, READER_SIZE)
        if coarseness > 1 and self.image_size % coarseness == 0:
            x = keras.layers.AveragePooling2D(coarseness)(x)
        for filters in READER_FILTERS:
            if min(x.shape[1:3]) > 1:
                x = self._activate(style.conv(filters, strides=2)(x), f"reader_{filters}")
        x = keras.layers.Activation("silu")(style.dense(READER_FILTERS[-1])(keras.layers.Flatten()(x)))
        return keras.Model(images, style.dense(self.shape_dim, dtype="float32")(x), name="reader")

    def _grow_once(self, small):
        super()._grow_once(small)
        self.reader.set_weights(small.reader.get_weights())
        self.frame.grow_from(small.frame)

    def adapt(self, landmarks: np.ndarray) -> None:
        """Finds mean and spread of shapes in landmarks of the training split, [N, L, 2]."""
        self.frame.adapt(landmarks)

    def begin_from(self, other, load):
        """Begins with the codes of a `VAE`, of faces that are bent now, and with its decoder, if that is the same."""
        if not (self._take_networks(other) or self._take_encoder(other)):
            return False
        self.adapt(load(self.adapts_to)["landmarks"])
        return True

    def encode(self, images):
        """Appearance and shape: float32 [B, H, W, C] in [0, 1] -> [B, latent_dim + shape_dim]."""
        images = as_pictures(images)
        shapes = self.reader(images, training=False)
        appearances = super().encode(self.frame.straighten(images, shapes))
        return keras.ops.concatenate([keras.ops.cast(appearances, "float32"), shapes], axis=-1)

    def decode(self, codes):
        """Pictures of codes: [B, latent_dim + shape_dim] -> float32 [B, H, W, C] in [0, 1]."""
        appearances, shapes = self._split(keras.ops.convert_to_tensor(codes))
        return self.frame.bend(super().decode(appearances), shapes)

    def freeze_codes(self) -> None:
        super().freeze_codes()
        self.reader.trainable = False

    def check_decoder(self) -> None:
        """All kernels that draw are the decoder's; bending has none."""

    def code_network(self) -> keras.Model:
        raise ValueError("pictures are bent before they are encoded")

    def picture_network(self) -> keras.Model:
        raise ValueError("pictures are bent after they are decoded")

    def shape_of_code(self) -> tuple[int, ...]:
        return (self.latent_dim + self.shape_dim,)

    def call(self, batch, training=False):
        """As `VAE.call`, and `shape`, what the reader says, beside `true_shape`, that of the landmarks, [B, K]."""
        images = keras.ops.cast(batch["image"], "float32")
        shapes = self.reader(images, training=training)
        true = self.frame.read_off(batch["landmarks"]) if "landmarks" in batch else keras.ops.stop_gradient(shapes)
        used = true if training else shapes
        mean, log_var = self.encoder(self.frame.straighten(images, used), training=training)
        outputs = self._codes(mean, log_var, training)
        picture = self.frame.bend(self.decoder(outputs["z"], training=training), used)
        codes = keras.ops.concatenate([keras.ops.cast(outputs["z"], "float32"), keras.ops.stop_gradient(used)], axis=-1)
        return outputs | {"reconstruction": picture, "z": codes, "shape": shapes, "true_shape": true}

    def loss_terms(self):
        return super().loss_terms() | {"shape": ShapeError()}

    def _split(self, codes):
        return codes[..., : self.latent_dim], codes[..., self.latent_dim :]
