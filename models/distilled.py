"""An autoencoder with a smaller decoder, which learns from the one that it takes the place of."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from ..compressing import count_grids, draw_on_grids, inherit_channels, narrow_channels
from ..losses import CodeError, PerceptualLoss, TaughtError
from ..losses.distillation import TAUGHT
from .autoencoder import Autoencoder
from .batches import as_pictures
from .blocks import (
    ConvolutionStyle,
    DepthToSpace,
    Dropout,
    Smoothing,
    check_count,
    check_fraction,
    check_positive,
    finish_picture,
)
from .holding import HoldingAutoencoder, choose_held

CHANNELWISE, FOLDING = (Dropout, Smoothing), (DepthToSpace,)  # of our layers


@keras.saving.register_keras_serializable("facezoo")
class DistilledAutoencoder(HoldingAutoencoder):
    """Holds a trained autoencoder, whose codes a decoder of its own learns to decode with less.

    The encoder stays as it is: codes, and all that was found out about them, such as attribute vectors, are those of
    the held autoencoder. The decoder is a new small one (`compressing.build_small_decoder`), or what is left of the
    held one without a share of its channels. By default it learns from pictures and from what the held one makes of
    their codes; the terms "features" and "code" compare what the encoder sees in both.

    >>> from facezoo.models import VAE
    >>> teacher = VAE(image_size=32, filters=(8, 8), latent_dim=4)
    >>> model = DistilledAutoencoder(autoencoder=teacher, width=12, depth=1)
    >>> model.decoder.count_params() < teacher.decoder.count_params()
    True

    Args:
      autoencoder: a trained one, which is kept as it is; None is an untrained `VAE`, of use to try things only.
      image_size: of the pictures where no autoencoder is given.
      channels: as image_size.
      width: channels of the new decoder on its first grid.
      depth: residual blocks on each grid.
      grid: height and width of the first grid, for codes that are vectors.
      stages: how many grids, each twice as high and wide as the one before; if absent 1 of codes that are maps, and of
        vectors as many as leave patches of 4 pixels or more.
      finish: channels of convolutions at full size that change the picture; 0 are none.
      prune: None, or the share of channels that go of each hidden layer of the held decoder, in [0, 1); what is left
        is the decoder then, from `adapt` on with the weights that it had, and the arguments above count for nothing.

    Raises:
      ValueError: the autoencoder is told attributes or people, its decoder has layers that cannot be made narrower or
        is not all that decodes, or another argument is out of its range.
    """

    default_factors: ClassVar = {"reconstruction": 1.0, TAUGHT: 1.0}
    model_arguments: ClassVar = ("autoencoder",)
    adapts_to: ClassVar = 1
    free_arguments: ClassVar = Autoencoder.free_arguments

    def __init__(
        self,
        *,
        autoencoder: Autoencoder | None = None,
        image_size: int = 64,
        channels: int = 3,
        width: int = 54,
        depth: int = 2,
        grid: int = 4,
        stages: int | None = None,
        finish: int = 0,
        prune: float | None = None,
        seed: int = 0,
        name: str | None = None,
    ):
        autoencoder = choose_held(autoencoder, image_size, channels, seed)
        super().__init__(image_size=autoencoder.image_size, channels=autoencoder.channels, seed=seed, name=name)
        check_positive(width=width, depth=depth, grid=grid)
        if stages is not None:
            check_positive(stages=stages)
            if stages > self.image_size.bit_length():
                raise ValueError(f"stages={stages}: so many grids do not go into {self.image_size} pixels")
        check_count(finish=finish)
        check_fraction(prune=0.0 if prune is None else prune)
        autoencoder.trainable = False
        self.autoencoder, self.width, self.depth, self.grid, self.prune = autoencoder, width, depth, grid, prune
        self._code_shape = autoencoder.shape_of_code()
        self.finish = finish
        of_vectors = len(self._code_shape) == 1
        self.stages = stages or (count_grids(self.image_size, grid) if of_vectors else 1)
        self.small_decoder = self._build_decoder()
        self.build()

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return super().from_config({"stages": 1, **config}, custom_objects)  # of files from when there was one grid

    def _build_decoder(self) -> keras.Model:
        if self.prune is not None:
            return narrow_channels(self.autoencoder.picture_network(), self.prune, CHANNELWISE, FOLDING)
        shape = (self.image_size, self.image_size, self.channels)
        codes = keras.Input(self._code_shape)
        picture = draw_on_grids(codes, shape, self.width, self.depth, self.grid, self.stages)
        if self.finish:
            picture = finish_picture(picture, self.finish, ConvolutionStyle(3))
        return keras.Model(codes, picture, name="decoder")

    @property
    def decoder(self) -> keras.Model:  # type: ignore[override]
        """The small one."""
        return self.small_decoder

    def shape_of_code(self) -> tuple[int, ...]:
        return self._code_shape

    def encode(self, images):
        return self.autoencoder.encode(images)

    def adapt(self, images: np.ndarray) -> None:
        """Gives a decoder without a share of channels the weights of those that stay."""
        if self.prune is not None:
            inherit_channels(self.small_decoder, self.autoencoder.picture_network(), self.prune, CHANNELWISE, FOLDING)

    def columns_to_keep(self, images) -> dict[str, tf.Tensor]:
        """What of pictures [B, H, W, C] in [0, 1] need not be found again at each step."""
        codes = self.encode(as_pictures(images))
        return {"code": codes, TAUGHT: self.autoencoder.decode(codes)}

    def call(self, batch, training=False):
        codes = batch["code"] if "code" in batch else self.encode(batch["image"])
        return {"reconstruction": self.decoder(codes, training=training), "z": keras.ops.cast(codes, "float32")}

    def loss_terms(self):
        taught = {TAUGHT: TaughtError(self.autoencoder.decode), "code": CodeError(self.autoencoder.encode)}
        return {**super().loss_terms(), **taught, "features": PerceptualLoss(self._feature_network())}

    def _feature_network(self) -> keras.Model:
        """The encoder's feature maps, one for each size."""
        encoder = self.autoencoder.encoder
        network = encoder if hasattr(encoder, "operations") else encoder.features
        maps = {layer.output.shape[1]: layer.output for layer in network.layers[1:] if len(layer.output.shape) == 4}
        return keras.Model(network.input, list(maps.values()), name="feature_maps")
