"""The variational autoencoder (Kingma and Welling 2014), in the face articles' convolutional form."""

import math
from typing import ClassVar

import keras
import tensorflow as tf

from ..compressing import FIRST_GRID, count_grids, draw_on_grids
from ..losses import KLDivergence
from . import randomness
from .autoencoder import Autoencoder
from .batches import as_pictures, input_signature
from .blocks import (
    FINISH,
    UPSAMPLING,
    ConvolutionStyle,
    Dropout,
    check_boolean,
    check_choice,
    check_count,
    check_fraction,
    check_not_negative,
    check_positive,
    check_stages,
    code_size,
    finish_picture,
    images_out,
    output_skip,
    residual_block,
    sampling,
    upsampling_block,
)
from .growing import check_room_on_grids, enlarge_arguments, fit_stages, grow_decoder, grow_encoder, grow_grids
from .normalization import BatchNormalization

OWN_SIZE, OWN_FILTERS = 64, (32, 64, 128, 256)
STAGE_ARGUMENTS = ("decoder_filters", "decoder_kernel_size", "upsampling", "decoder_blocks", "output_skips")
DECODER_ARGUMENTS = (*STAGE_ARGUMENTS, "finish", "decoder_width", "decoder_depth")


class VariationalEncoder(keras.Model):
    """Pictures to the mean and log variance of their codes: [B, H, W, C] -> two float32 [B, D].

    It is saved as a part of its VAE, not alone.

    >>> encoder = VAE(image_size=32, filters=(8, 8), latent_dim=4).encoder
    >>> mean, log_var = encoder(tf.zeros((2, 32, 32, 3)))
    >>> tuple(mean.shape), tuple(log_var.shape)
    ((2, 4), (2, 4))

    Args:
      features: a built network, [B, H, W, C] -> [B, N].
      latent_dim: D.
      style: of the two dense heads `mu` and `log_var`.
    """

    def __init__(self, features: keras.Model, latent_dim: int, style: ConvolutionStyle, name: str = "encoder"):
        super().__init__(name=name)
        self.features = features
        self.mu = style.dense(latent_dim, name="mu", dtype="float32")
        self.log_var = style.dense(latent_dim, name="log_var", dtype="float32")
        for head in (self.mu, self.log_var):
            head.build(features.output_shape)
        self.build()

    def build(self, input_shape=None):
        """Nothing is left to build."""
        self.built = True

    def export(self, filepath, format: str = "tf_saved_model", *arguments, **options):
        """As Keras' `export`, which by itself knows the inputs of networks that it has seen called."""
        options.setdefault("input_signature", input_signature(self.features))
        return super().export(filepath, format, *arguments, **options)

    def call(self, images, training=False):
        features = self.features(images, training=training)
        return self.mu(features), self.log_var(features)


@keras.saving.register_keras_serializable("facezoo")
def _sample(mean_log_var_epsilon):
    return sampling(*mean_log_var_epsilon)


@keras.saving.register_keras_serializable("facezoo")
class VAE(Autoencoder):
    """Variational autoencoder; a KL factor above 1 makes it a beta-VAE, a capacity the form of Burgess et al.

    Every convolution is followed by batch normalisation (optional), leaky ReLU and dropout. By default it is
    64x64x3 with four stages. The face article's: `image_size=128, latent_dim=200, filters=(32, 64, 64, 64),
    dropout=0.25`; the digit article's: `image_size=28, channels=1, latent_dim=2, filters=(32, 64, 64, 64),
    strides=(1, 2, 2, 1), batch_norm=False`; facenet's plain one: `latent_dim=100, filters=(32, 64, 128, 256),
    kernel_size=4, decoder_filters=(128, 64, 32, 3), decoder_kernel_size=3, upsampling="nearest",
    negative_slope=0.1`.

    >>> model = VAE(image_size=32, filters=(8, 8), latent_dim=4)
    >>> tuple(model.encode(tf.zeros((2, 32, 32, 3))).shape)
    (2, 4)

    Args:
      latent_dim: dimensions of the code.
      filters: channels of each encoder stage. None are 32, 64, 128, 256, and before them a stage more, half as wide but
        of 8 at least, for each doubling beyond 64 pixels (16, 32, 64, 128, 256 for 128), unless strides or
        decoder_filters are given.
      strides: 1 or 2 for each encoder stage; the decoder mirrors them. None means 2 everywhere.
      kernel_size: of the encoder's convolutions.
      decoder_filters: channels of each decoder stage; None mirrors the encoder and drops its last.
      decoder_kernel_size: None is the encoder's.
      upsampling: "nearest", "bilinear" (no lattice; the last stage repeats pixels, and its picture is smoothed instead
        of its maps, which are many), "transposed" or "subpixel".
      decoder_blocks: residual blocks after each decoder stage, DeepFaceLab's (`residual_block`).
      output_skips: each decoder stage sees a picture, and the last one is their sum (`output_skip`).
      finish: channels of convolutions at full size that change the picture (`finish_picture`); 0 are none.
      decoder_width: None, or the channels on the first grid of a decoder that works on coarse grids, of 4, 8 and 16 for
        pictures of 64 (`compressing.build_small_decoder`), with far less work. It takes no
        other argument of the decoder's stages, and neither kernel_initializer nor l2; finish goes with it.
      decoder_depth: its residual blocks on each grid.
      batch_norm: batch normalisation after every convolution but those of residual blocks and pictures.
      dropout: rate after every convolution, in [0, 1).
      negative_slope: of leaky ReLU.
      capacity: None, or the KL target C in nats that rises linearly from 0 to `capacity` over `capacity_steps`; the
        KL term is then |KL - C|.
      capacity_steps: training steps of that rise.
      free_bits: nats that each dimension keeps for free.
      kernel_initializer: as Keras names them: "glorot_uniform" (Xavier), "he_normal", "truncated_normal", ...
      l2: factor of the L2 penalty on every kernel.

    Raises:
      ValueError: `image_size` is not a multiple of the strides' product, or another argument is out of its range.
    """

    default_factors: ClassVar = {"reconstruction": 1000.0, "kl": 1.0}
    free_arguments: ClassVar = (*Autoencoder.free_arguments, "capacity", "capacity_steps", "free_bits")
    has_prior: ClassVar = True
    replaced_arguments: ClassVar = {"decoder_width": STAGE_ARGUMENTS}

    def __init__(
        self,
        *,
        image_size: int = 64,
        channels: int = 3,
        latent_dim: int = 64,
        filters: tuple[int, ...] | None = None,
        strides: tuple[int, ...] | None = None,
        kernel_size: int = 3,
        decoder_filters: tuple[int, ...] | None = None,
        decoder_kernel_size: int | None = None,
        upsampling: str = "transposed",
        decoder_blocks: int = 0,
        output_skips: bool = False,
        finish: int = 0,
        decoder_width: int | None = None,
        decoder_depth: int = 2,
        batch_norm: bool = True,
        dropout: float = 0.0,
        negative_slope: float = 0.3,
        capacity: float | None = None,
        capacity_steps: int = 10_000,
        free_bits: float = 0.0,
        kernel_initializer: str | dict = "glorot_uniform",
        l2: float = 0.0,
        seed: int = 0,
        name: str | None = None,
    ):
        super().__init__(image_size=image_size, channels=channels, seed=seed, name=name)
        check_positive(latent_dim=latent_dim, kernel_size=kernel_size, capacity_steps=capacity_steps)
        check_positive(decoder_kernel_size=kernel_size if decoder_kernel_size is None else decoder_kernel_size)
        check_boolean(batch_norm=batch_norm, output_skips=output_skips)
        check_positive(decoder_depth=decoder_depth)
        if decoder_width is not None:
            check_positive(decoder_width=decoder_width)
        check_count(decoder_blocks=decoder_blocks, finish=finish)
        check_stages(filters=filters, strides=strides, decoder_filters=decoder_filters)
        check_fraction(dropout=dropout)
        check_not_negative(capacity=capacity, free_bits=free_bits, l2=l2, negative_slope=negative_slope)
        if filters is None:
            is_free = strides is None and decoder_filters is None
            filters = fit_stages(OWN_FILTERS, image_size, OWN_SIZE) if is_free else OWN_FILTERS
        self.latent_dim, self.filters, self.kernel_size = latent_dim, tuple(filters), kernel_size
        self.strides = tuple(strides) if strides else (2,) * len(self.filters)
        self.decoder_filters = tuple(decoder_filters) if decoder_filters else self._mirrored_filters()
        self._check_stages()
        self.decoder_kernel_size = decoder_kernel_size or kernel_size
        self.upsampling = check_choice("upsampling", upsampling, UPSAMPLING)
        self.decoder_blocks, self.output_skips, self.finish = decoder_blocks, output_skips, finish
        self.decoder_width, self.decoder_depth = decoder_width, decoder_depth
        self._check_grids()
        self.batch_norm, self.dropout, self.negative_slope = batch_norm, dropout, negative_slope
        self.capacity, self.capacity_steps, self.free_bits = capacity, capacity_steps, free_bits
        self.kernel_initializer, self.l2 = kernel_initializer, l2
        size = code_size(image_size, math.prod(self.strides))
        self.encoder = self._build_encoder()
        self.decoder = self._build_decoder((size, size, self.filters[-1]))
        self.sample = keras.layers.Lambda(_sample, dtype="float32", name="sampling")
        self.build()

    @classmethod
    def enlarge_arguments(cls, arguments, image_size):
        larger = enlarge_arguments(arguments, image_size)
        if arguments.get("decoder_width"):
            check_room_on_grids(arguments, image_size)
            larger["decoder_filters"] = _mirror(larger["filters"])
        return larger

    def _grow_once(self, small):
        for head in ("mu", "log_var"):
            getattr(self.encoder, head).set_weights(getattr(small.encoder, head).get_weights())
        grow_encoder(small.encoder.features, self.encoder.features, self.channels)
        if self.decoder_width:
            grow_grids(small.decoder, self.decoder, self.channels)
            return
        grow_decoder(
            small.decoder,
            self.decoder,
            slope=self.negative_slope,
            blocks=self.decoder_blocks,
            has_skips=self.output_skips,
            finish=FINISH if self.finish else 0,
        )

    def begin_from(self, other, load):
        """Begins with the encoder of a `VAE`, where it has a decoder on grids that the other has not."""
        is_new = type(self) is VAE and self.decoder_width is not None and getattr(other, "decoder_width", None) is None
        return is_new and self._take_encoder(other)

    def _take_networks(self, other) -> bool:
        """Takes encoder and decoder of a plain `VAE` of the same arguments; whether it is one."""
        if type(other) is not VAE or not self._has_arguments_of(other) or not self._take_encoder(other):
            return False
        self.decoder.set_weights(other.decoder.get_weights())
        return True

    def _take_encoder(self, other) -> bool:
        """Takes the encoder of a plain `VAE` that differs in its decoder at most; whether it is one."""
        if type(other) is not VAE or not self._has_arguments_of(other, DECODER_ARGUMENTS):
            return False
        self.encoder.set_weights(other.encoder.get_weights())
        return True

    def _has_arguments_of(self, other, but: tuple[str, ...] = ()) -> bool:
        there, here = other.get_config(), self.get_config()
        return all(here[name] == value for name, value in there.items() if name not in {*other.free_arguments, *but})

    def _mirrored_filters(self) -> tuple[int, ...]:
        return _mirror(self.filters)

    def _check_stages(self):
        if len(self.strides) != len(self.filters) or set(self.strides) - {1, 2}:
            raise ValueError(f"strides={self.strides} must be a 1 or a 2 for each of filters={self.filters}")
        if len(self.decoder_filters) != len(self.filters):
            raise ValueError(f"decoder_filters={self.decoder_filters} must be as many as filters={self.filters}")

    def _check_grids(self):
        """A ValueError where a decoder on grids is told of stages, which it has not."""
        told = {
            "decoder_filters": self.decoder_filters != self._mirrored_filters() and self.decoder_filters,
            "decoder_kernel_size": self.decoder_kernel_size != self.kernel_size and self.decoder_kernel_size,
            "upsampling": self.upsampling != "transposed" and self.upsampling,
            "decoder_blocks": self.decoder_blocks,
            "output_skips": self.output_skips,
        }
        if self.decoder_width and any(told.values()):
            name, value = next((name, value) for name, value in told.items() if value)
            raise ValueError(f"{name}={value} does not go with decoder_width={self.decoder_width}, which has no stages")

    def _style(self, kernel_size: int) -> ConvolutionStyle:
        return ConvolutionStyle(kernel_size, self.kernel_initializer, self.l2, use_bias=not self.batch_norm)

    def _activate(self, x, stream: str):
        return self._rectify(self._normalization()(x) if self.batch_norm else x, stream)

    def _rectify(self, x, stream: str):
        x = keras.layers.LeakyReLU(self.negative_slope)(x)
        return Dropout(self.dropout, self.seed, stream)(x) if self.dropout else x

    def _normalization(self) -> keras.layers.Layer:
        return BatchNormalization()

    def _build_encoder(self) -> VariationalEncoder:
        style = self._style(self.kernel_size)
        images = x = keras.Input((self.image_size, self.image_size, self.channels))
        for stage, (filters, strides) in enumerate(zip(self.filters, self.strides, strict=True)):
            x = self._encoder_stage(x, style, filters, strides, f"encoder_{stage}")
        return VariationalEncoder(self._features(images, keras.layers.Flatten()(x)), self.latent_dim, style)

    def _encoder_stage(self, x, style, filters, strides, stream):
        return self._activate(style.conv(filters, strides=strides)(x), stream)

    def _features(self, images, x) -> keras.Model:
        """What the heads of mean and log variance read, as a network."""
        return keras.Model(images, x, name="features")

    def _build_decoder(self, code_maps: tuple[int, int, int]) -> keras.Model:
        inputs, codes = self._decoder_inputs()
        picture = self._draw_on_grids(codes) if self.decoder_width else self._draw_by_stages(codes, code_maps)
        if self.finish:
            picture = finish_picture(picture, self.finish, self._plain_style(3))
        return keras.Model(inputs, picture, name="decoder")

    def _draw_on_grids(self, codes):
        shape = (self.image_size, self.image_size, self.channels)
        grids = count_grids(self.image_size, FIRST_GRID)
        return draw_on_grids(codes, shape, self.decoder_width or 0, self.decoder_depth, FIRST_GRID, grids)

    def _draw_by_stages(self, codes, code_maps: tuple[int, int, int]):
        style = self._style(self.decoder_kernel_size)
        x = keras.layers.Reshape(code_maps)(style.dense(math.prod(code_maps))(codes))
        picture = None
        for stage, (filters, strides) in enumerate(zip(self.decoder_filters, reversed(self.strides), strict=True)):
            x = self._decoder_stage(x, style, filters, strides, f"decoder_{stage}")
            if self.output_skips:
                is_smoothed = self._is_smoothed and stage == len(self.strides) - 1
                picture = output_skip(picture, x, self._plain_style(1), self.channels, is_smoothed)
        return self._images_out(x, picture)

    def _decoder_inputs(self):
        """The decoder's inputs, and the codes [B, *] that its dense layer reads."""
        codes = keras.Input((self.latent_dim,))
        return codes, codes

    def _decoder_stage(self, x, style, filters, strides, stream):
        x = self._upsample(x, style, filters, strides, stream)
        for _ in range(self.decoder_blocks):
            x = residual_block(x, self._plain_style(3))
        return x

    def _upsample(self, x, style, filters, strides, stream):
        if strides == 1:
            return self._activate(style.conv(filters)(x), stream)
        is_last = 2 * x.shape[1] == self.image_size
        method = "nearest" if self._is_smoothed and is_last else self.upsampling
        return upsampling_block(x, style, filters, method, lambda maps: self._activate(maps, stream))

    def _images_out(self, x, picture):
        """The pictures, of the last stage's feature maps or of the output skips' sum."""
        if picture is None:
            return images_out(x, self._plain_style(3), self.channels, is_smoothed=self._is_smoothed)
        return keras.layers.Activation("sigmoid", dtype="float32")(picture)

    @property
    def _is_smoothed(self) -> bool:
        """The last stage repeats pixels, and the picture is smoothed."""
        return self.upsampling == "bilinear" and self.strides[0] == 2

    def _plain_style(self, kernel_size: int) -> ConvolutionStyle:
        """Of convolutions that no batch normalisation follows."""
        return ConvolutionStyle(kernel_size, self.kernel_initializer, self.l2)

    @property
    def encoder_mu_log_var(self) -> VariationalEncoder:
        """The encoder under the article's name: pictures -> (mu, log_var)."""
        return self.encoder

    def encode(self, images):
        """The means of the codes: float32 [B, H, W, C] in [0, 1] -> [B, D]."""
        return self.encoder(as_pictures(images), training=False)[0]

    def code_network(self) -> keras.Model:
        features = self.encoder.features
        return keras.Model(features.input, self.encoder.mu(features.output), name="encoder")

    def call(self, batch, training=False):
        """Outputs `reconstruction`, `z`, `mean`, `log_var`; `z` is a sample in training and the mean otherwise."""
        mean, log_var = self.encoder(batch["image"], training=training)
        outputs = self._codes(mean, log_var, training)
        return outputs | {"reconstruction": self.decoder(outputs["z"], training=training)}

    def _codes(self, mean, log_var, training) -> dict:
        """All outputs but the pictures."""
        z = self.sample([mean, log_var, self._epsilon(mean)]) if training else mean
        return {"z": z, "mean": mean, "log_var": log_var, **self._kl_settings(training)}

    def _epsilon(self, mean):
        return randomness.normal(tf.shape(mean)[0], (self.latent_dim,), seed=self.seed, stream="epsilon")

    def _kl_settings(self, training) -> dict:
        """What the KL term needs to know besides the distribution, see `KLDivergence`."""
        settings = {}
        if self.capacity is not None:
            settings["capacity"] = self.capacity * self._capacity_share(training)
        if self.free_bits and training:
            settings["free_bits"] = self.free_bits
        return settings

    def _capacity_share(self, training):
        """How much of the capacity this training step allows, in [0, 1]; all of it in evaluation."""
        if not training:
            return 1.0
        return tf.minimum(tf.cast(randomness.current_step(), tf.float32) / self.capacity_steps, 1.0)

    def loss_terms(self):
        return super().loss_terms() | {"kl": KLDivergence()}


def _mirror(filters: tuple[int, ...]) -> tuple[int, ...]:
    """The channels of a decoder's stages that mirror an encoder's."""
    return (*reversed(filters[:-1]), filters[0])
