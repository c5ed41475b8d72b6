"""The deep feature consistent variational autoencoder, in facenet's residual form."""

import dataclasses
from typing import ClassVar

import keras

from .blocks import check_choice, check_count, conv2d_block
from .growing import fit_stages
from .normalization import BatchNormalization
from .vae import VAE

# facenet's, whose numbers are cut off at two deviations.
KERNEL_INITIALIZER = {"class_name": "TruncatedNormal", "config": {"stddev": 0.1}}
BLOCK_SCALE = 0.1


@dataclasses.dataclass(frozen=True)
class Form:
    """What one form takes where an argument is not given."""

    image_size: int
    filters: tuple[int, ...]
    blocks: int


FORMS = {
    "residual": Form(64, (32, 64, 128, 256), 3),
    "plain": Form(64, (32, 64, 128, 256), 0),
    "large": Form(128, (32, 64, 128, 256, 512), 3),
}


@keras.saving.register_keras_serializable("facezoo")
class DFCVAE(VAE):
    """A VAE whose reconstruction is judged by the features of a frozen network instead of by pixels.

    Hou et al., "Deep Feature Consistent Variational Autoencoder" (2017), equation 4; the residual network is facenet's,
    the other forms are after it. Each encoder stage is a 4x4 convolution of stride 2, each decoder stage doubles the
    pixels and then convolves with 3x3; `conv2d_block`s of the same kernel size follow both. The last layer is linear:
    `decode` clips to [0, 1], the reconstruction in `call`'s outputs may leave it.

    The loss term `perceptual` is given from outside (`losses.perceptual.PerceptualLoss`). It is 1 for two different
    faces, so that its factor is what that costs in nats. facenet's factors, 1 for KL and 0.5 for features, are for
    features summed without a norm, and do not carry over. facenet's initial kernels are large: batch normalisation
    makes them learn the more slowly, and the KL starts at millions of nats. Short trainings want "glorot_uniform".

    >>> model = DFCVAE(image_size=32, filters=(8, 8), latent_dim=4, blocks=1)
    >>> model.shape_of_code(), model.decoder_filters
    ((4,), (8, 3))

    Args:
      form: "residual"; "plain", the same without blocks; or "large", residual for 128x128 with a fifth stage.
      image_size: None is the form's, 64 or 128. (The command line gives 64 unless --image_size says otherwise.)
      latent_dim: dimensions of the code.
      filters: channels of each encoder stage; None is the form's, and before them a stage more, half as wide, for each
        doubling beyond the form's pictures, unless decoder_filters are given.
      decoder_filters: channels of each decoder stage; None mirrors the encoder and ends in those of the pictures.
      blocks: after each stage of encoder and decoder; None is the form's, 3 or 0.
      kernel_initializer: as Keras names them: "glorot_uniform", "he_normal", ...; None is facenet's, a normal of
        deviation 0.1 cut off at two deviations.
      l2: factor of the L2 penalty on every kernel.

    Raises:
      ValueError: `image_size` is not a multiple of 2^stages, `blocks` is not of this form, or another argument is out
        of its range.
    """

    default_factors: ClassVar = {"perceptual": 500.0, "kl": 1.0}

    def __init__(
        self,
        *,
        form: str = "residual",
        image_size: int | None = None,
        channels: int = 3,
        latent_dim: int = 100,
        filters: tuple[int, ...] | None = None,
        decoder_filters: tuple[int, ...] | None = None,
        blocks: int | None = None,
        kernel_initializer: str | dict | None = None,
        l2: float = 0.0,
        seed: int = 0,
        name: str | None = None,
    ):
        usual = FORMS[check_choice("form", form, FORMS)]
        # Before the parent, whose constructor builds the networks with them.
        self.form, self.blocks = form, _check_blocks(form, usual.blocks if blocks is None else blocks)
        image_size = usual.image_size if image_size is None else image_size
        if filters is None:
            is_free = decoder_filters is None
            filters = fit_stages(usual.filters, image_size, usual.image_size) if is_free else usual.filters
        super().__init__(
            image_size=image_size,
            channels=channels,
            latent_dim=latent_dim,
            filters=filters,
            kernel_size=4,
            decoder_filters=decoder_filters,
            decoder_kernel_size=3,
            negative_slope=0.1,
            kernel_initializer=KERNEL_INITIALIZER if kernel_initializer is None else kernel_initializer,
            l2=l2,
            seed=seed,
            name=name,
        )

    @classmethod
    def enlarge_arguments(cls, arguments, image_size):
        raise ValueError("its last stage has the channels of pictures, which leaves no room for another one")

    def _mirrored_filters(self) -> tuple[int, ...]:
        return (*reversed(self.filters[:-1]), self.channels)

    def _normalization(self, output_scale: float = 1.0) -> keras.layers.Layer:
        return BatchNormalization(momentum=0.995, epsilon=0.001, scale=False, output_scale=output_scale)

    def _encoder_stage(self, x, style, filters, strides, stream):
        return self._with_blocks(super()._encoder_stage(x, style, filters, strides, stream), style, stream)

    def _decoder_stage(self, x, style, filters, strides, stream):
        return self._with_blocks(self._activate(style.make_upsampled_conv(filters)(x), stream), style, stream)

    def _with_blocks(self, x, style, stream):
        def activate(maps, scale):  # a leaky ReLU of what is scaled is its value scaled
            return self._rectify(self._normalization(scale)(maps), stream)

        for _ in range(self.blocks):
            x = conv2d_block(x, BLOCK_SCALE, style, activate)
        return x

    def _images_out(self, x, picture):
        return self._plain_style(3).conv(self.channels, dtype="float32")(x)


def _check_blocks(form: str, blocks: int) -> int:
    check_count(blocks=blocks)
    if (blocks == 0) != (form == "plain"):
        raise ValueError(f"blocks={blocks} does not go with form={form!r}: plain has none, the others at least one")
    return blocks
