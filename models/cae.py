"""The convolutional autoencoder for face morphing."""

import keras

from .autoencoder import Autoencoder
from .blocks import (
    FINISH,
    UPSAMPLING,
    ConvolutionStyle,
    check_boolean,
    check_choice,
    check_count,
    check_not_negative,
    check_positive,
    check_stages,
    code_size,
    finish_picture,
    images_out,
    upsampling_block,
)
from .growing import enlarge_arguments, fit_stages, grow_decoder, grow_encoder

OWN_SIZE, OWN_FILTERS = 128, (32, 64)  # the article's


@keras.saving.register_keras_serializable("facezoo")
class ConvolutionalAutoencoder(Autoencoder):
    """Convolutions and max pooling down to a code, the mirror image of them up again.

    The defaults are the face morphing article's: 128x128x3 to a spatial code of 32x32x64.

    >>> ConvolutionalAutoencoder(image_size=32, filters=(8, 8)).shape_of_code()
    (8, 8, 8)

    Args:
      filters: channels of each encoder stage; every stage halves the picture. None are 32 and 64, and before them a
        stage more, half as wide, for each doubling beyond 128 pixels: 16, 32, 64 for 256.
      latent_dim: None keeps the spatial code [B, H / 2^stages, W / 2^stages, filters[-1]]; a number puts a dense layer
        to a vector code [B, latent_dim] in between (512 is the article's example).
      upsampling: "nearest", "bilinear" (the last stage repeats pixels, and its picture is smoothed instead of its
        maps), "transposed" or "subpixel" (against checkerboards).
      skip: ends the encoder with a residual block, `x + conv(relu(conv(x)))`, which keeps detail.
      finish: channels of convolutions at full size that change the picture (`finish_picture`); 0 are none.
      kernel_initializer: as Keras names them: "glorot_uniform" (Xavier), "he_normal", "truncated_normal", ...
      l2: factor of the L2 penalty on every kernel.

    Raises:
      ValueError: `image_size` is not a multiple of 2^stages, or another argument is out of its range.
    """

    def __init__(
        self,
        *,
        image_size: int = 128,
        channels: int = 3,
        filters: tuple[int, ...] | None = None,
        latent_dim: int | None = None,
        upsampling: str = "nearest",
        skip: bool = False,
        finish: int = 0,
        kernel_initializer: str = "glorot_uniform",
        l2: float = 0.0,
        seed: int = 0,
        name: str | None = None,
    ):
        super().__init__(image_size=image_size, channels=channels, seed=seed, name=name)
        check_positive(latent_dim=1 if latent_dim is None else latent_dim)
        check_stages(filters=filters)
        check_boolean(skip=skip)
        check_count(finish=finish)
        check_not_negative(l2=l2)
        usual = fit_stages(OWN_FILTERS, image_size, OWN_SIZE)
        self.filters, self.latent_dim = usual if filters is None else tuple(filters), latent_dim
        self.skip, self.finish = skip, finish
        self.upsampling = check_choice("upsampling", upsampling, UPSAMPLING)
        self.kernel_initializer, self.l2 = kernel_initializer, l2
        self.style = ConvolutionStyle(3, kernel_initializer, l2)
        size = code_size(image_size, 2 ** len(self.filters))
        self.code_shape = (size, size, self.filters[-1])
        self.encoder = self._build_encoder()
        self.decoder = self._build_decoder()
        self.build()

    @classmethod
    def enlarge_arguments(cls, arguments, image_size):
        return enlarge_arguments(arguments, image_size, has_stages=arguments.get("latent_dim") is not None)

    def _grow_once(self, small):
        if self.latent_dim is None:  # convolutions know no size
            self.set_weights(small.get_weights())
            return
        grow_encoder(small.encoder, self.encoder, self.channels)
        grow_decoder(small.decoder, self.decoder, slope=0.0, finish=FINISH if self.finish else 0)

    def _build_encoder(self) -> keras.Model:
        images = keras.Input((self.image_size, self.image_size, self.channels))
        x = images
        for filters in self.filters:
            x = keras.layers.MaxPooling2D()(keras.layers.ReLU()(self.style.conv(filters)(x)))
        if self.skip:
            residual = self.style.conv(self.filters[-1])(keras.layers.ReLU()(self.style.conv(self.filters[-1])(x)))
            x = keras.layers.Add()([x, residual])
        if self.latent_dim is not None:
            x = self.style.dense(self.latent_dim)(keras.layers.Flatten()(x))
        return keras.Model(images, x, name="encoder")

    def _build_decoder(self) -> keras.Model:
        x = codes = keras.Input(self.code_shape if self.latent_dim is None else (self.latent_dim,))
        if self.latent_dim is not None:
            units = self.code_shape[0] * self.code_shape[1] * self.code_shape[2]
            x = keras.layers.Reshape(self.code_shape)(self.style.dense(units, activation="relu")(x))
        is_smoothed = self.upsampling == "bilinear"
        for stage, filters in enumerate(reversed(self.filters), 1):
            method = "nearest" if is_smoothed and stage == len(self.filters) else self.upsampling
            x = upsampling_block(x, self.style, filters, method, keras.layers.ReLU())
        picture = images_out(x, self.style, self.channels, is_smoothed=is_smoothed)
        if self.finish:
            picture = finish_picture(picture, self.finish, self.style)
        return keras.Model(codes, picture, name="decoder")


def build_autoencoder(input_shape: tuple[int, int, int] = (128, 128, 3)) -> ConvolutionalAutoencoder:
    """The article's autoencoder for pictures of `input_shape` (height, width, channels).

    >>> build_autoencoder((64, 64, 3)).shape_of_code()
    (16, 16, 64)

    Raises:
      ValueError: the pictures are not square, or their size is not a multiple of 4.
    """
    height, width, channels = input_shape
    if height != width:
        raise ValueError(f"input_shape={input_shape} must be square")
    return ConvolutionalAutoencoder(image_size=height, channels=channels)
