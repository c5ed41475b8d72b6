"""The conditional variational autoencoder: known attributes steer the picture, the code holds the rest."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from . import randomness
from .batches import as_pictures
from .blocks import check_fraction, check_names, sign_attributes
from .vae import VAE


@keras.saving.register_keras_serializable("facezoo")
class ConditionalVAE(VAE):
    """A VAE whose encoder and decoder are told attributes of the face.

    Sohn et al., "Learning Structured Output Representation using Deep Conditional Generative Models" (2015), equation
    4, with the prior N(0, 1) for every condition. Attributes are 1, 0 or unknown (0.5), signed inside of the networks:
    1, -1, 0. In training all attributes of an example are dropped to unknown now and then (the trick of Ho and
    Salimans, "Classifier-Free Diffusion Guidance" (2022), section 3.2), so that one network works with and without.

    A batch may hold `attributes` [B, A] in {0, 1}; without them all are unknown.

    >>> model = ConditionalVAE(image_size=32, filters=(8, 8), latent_dim=4, attributes=("smiling",))
    >>> tuple(model.decode([[0.0] * 4], [[1.0]]).shape)  # a face that is to smile
    (1, 32, 32, 3)

    Args:
      attributes: their names, A of them.
      attribute_dropout: share of the training examples whose attributes are dropped, in [0, 1).
      vae: all other arguments are `VAE`'s.

    Raises:
      ValueError: no attribute, a name that stands twice, or another argument is out of its range.
    """

    data_arguments: ClassVar = {"attributes": "attribute_names"}
    conditions: ClassVar = {"attributes": "attributes"}
    free_arguments: ClassVar = (*VAE.free_arguments, "attribute_dropout")

    def __init__(
        self,
        *,
        attributes: tuple[str, ...] = ("smiling", "eyeglasses"),
        attribute_dropout: float = 0.1,
        **vae: Any,
    ):
        check_fraction(attribute_dropout=attribute_dropout)
        # Before the parent, whose constructor builds the networks with them.
        self.attributes, self.attribute_dropout = check_names(attributes), attribute_dropout
        super().__init__(**vae)

    def _features(self, images, x) -> keras.Model:
        signed = self._attribute_input()
        return keras.Model([images, signed], keras.layers.Concatenate()([x, signed]), name="features")

    def _decoder_inputs(self):
        codes, signed = keras.Input((self.latent_dim,)), self._attribute_input()
        return [codes, signed], keras.layers.Concatenate()([codes, signed])

    def _attribute_input(self):
        return keras.Input((len(self.attributes),))

    def encode(self, images, attributes=None):
        """The means of the codes.

        Args:
          images: float32 [B, H, W, C] in [0, 1].
          attributes: of each picture, [B, A] in {0, 1}; 0.5 is unknown, None all unknown.

        Returns:
          float32 [B, D].

        Raises:
          ValueError: there are not A attributes.
        """
        images = as_pictures(images)
        return self.encoder([images, self._sign(attributes, keras.ops.shape(images)[0])], training=False)[0]

    def decode(self, codes, attributes=None):
        """Pictures of codes [B, D] that are to have these attributes, given as to `encode`: [B, H, W, C] in [0, 1]."""
        codes = keras.ops.convert_to_tensor(codes)
        return super().decode([codes, self._sign(attributes, keras.ops.shape(codes)[0])])

    def call(self, batch, training=False):
        """As `VAE.call`; encoder and decoder are told the batch's attributes."""
        images = batch["image"]
        signed = self._sign(batch.get("attributes"), keras.ops.shape(images)[0])
        if training:
            signed = self._drop(signed)
        mean, log_var = self.encoder([images, signed], training=training)
        outputs = self._codes(mean, log_var, training)
        return outputs | {"reconstruction": self.decoder([outputs["z"], signed], training=training)}

    def _sign(self, attributes, count):
        """Attributes in {0, 1} as -1 and 1, and 0 where unknown: float32 [B, A]."""
        if attributes is None:
            return keras.ops.zeros((count, len(self.attributes)))
        return sign_attributes(attributes, self.attributes)

    def _drop(self, signed):
        """Whole rows become unknown: [B, A] -> [B, A]."""
        draws = randomness.uniform(tf.shape(signed)[0], (1,), seed=self.seed, stream="attributes")
        return tf.where(draws >= self.attribute_dropout, signed, 0.0)
