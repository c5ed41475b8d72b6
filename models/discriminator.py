"""Tells pictures from reconstructions."""

import inspect

import keras

from .blocks import (
    ConvolutionStyle,
    check_choice,
    check_name,
    check_not_negative,
    check_pictures,
    check_positive,
    check_stages,
)

KINDS = ("global", "patch")
NEGATIVE_SLOPE = 0.2


class Judge(keras.Model):
    """What all discriminators share: `network`, pictures [B, H, W, C] -> `logits` and `features`."""

    network: keras.Model
    image_size: int
    channels: int

    def build(self, input_shape=None):
        """Nothing is left to build."""
        self.built = True

    def export(self, filepath, *arguments, **options):
        """As Keras' `export`: pictures -> logits."""
        return keras.Model(self.network.input, self.network.output["logits"]).export(filepath, *arguments, **options)

    def call(self, images, training=False):
        return self.network(images, training=training)

    def get_config(self):
        """The constructor's keyword arguments."""
        return {
            name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters if name != "self"
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


@keras.saving.register_keras_serializable("facezoo")
class Discriminator(Judge):
    """Judges whether pictures are real: [B, H, W, C] -> logits, positive for real.

    The convolutions are those of Radford et al., "Unsupervised Representation Learning with Deep Convolutional
    Generative Adversarial Networks" (2016): 4x4 of stride 2, leaky ReLU 0.2. There is no batch normalisation: real and
    fake pictures do not mix, and a gradient penalty belongs to one picture (Gulrajani et al., "Improved Training of
    Wasserstein GANs" (2017), section 4).

    Outputs: `logits`, float32, one for a picture or one for each patch; `features`, a list of what follows each leaky
    ReLU.

    >>> judge = Discriminator(kind="patch", image_size=32, filters=(8, 8))
    >>> judge.kind
    'patch'

    Args:
      kind: "global" puts dense layers on the last stage and gives logits [B, 1]; "patch" puts one 1x1 convolution there
        and gives a map of logits [B, h, w, 1] (Isola et al., "Image-to-Image Translation with Conditional Adversarial
        Networks" (2017), section 3.2.2), each of which sees `patch_size` pixels.
      image_size: height and width in pixels, at least 2^(halvings).
      channels: 1 or 3.
      filters: channels of each stage.
      halvings: how many of the stages, from the first, halve the picture; the others are 3x3 convolutions of stride 1.
        None is all of them for "global" and 2 for "patch".
      dense_units: of the hidden dense layer of "global".
      kernel_initializer: as Keras names them: "glorot_uniform" (Xavier), "he_normal", "truncated_normal", ...
      l2: factor of the L2 penalty on every kernel.

    Raises:
      ValueError: more halvings than stages or than `image_size` allows, or another argument is out of its range.
    """

    def __init__(
        self,
        *,
        kind: str = "global",
        image_size: int = 64,
        channels: int = 3,
        filters: tuple[int, ...] = (32, 64, 128, 256),
        halvings: int | None = None,
        dense_units: int = 256,
        kernel_initializer: str = "glorot_uniform",
        l2: float = 0.0,
        name: str | None = None,
    ):
        check_name(name)
        super().__init__(name=name)
        check_pictures(image_size, channels)
        check_stages(filters=filters)
        check_positive(dense_units=dense_units, halvings=1 if halvings is None else halvings)
        check_not_negative(l2=l2)
        self.kind = check_choice("kind", kind, KINDS)
        self.image_size, self.channels, self.filters = image_size, channels, tuple(filters)
        self.halvings, self.dense_units = self._check_halvings(halvings), dense_units
        self.kernel_initializer, self.l2 = kernel_initializer, l2
        self.network = self._build_network()
        self.build()

    def _check_halvings(self, halvings: int | None) -> int:
        stages = len(self.filters)
        if halvings is None:
            halvings = min(stages, 2) if self.kind == "patch" else stages
        if halvings > stages:
            raise ValueError(f"halvings={halvings} must be at most one for each of filters={self.filters}")
        if self.image_size < 2**halvings:
            raise ValueError(f"image_size={self.image_size} is too small to be halved {halvings} times: fewer filters")
        return halvings

    def _build_network(self) -> keras.Model:
        x = images = keras.Input((self.image_size, self.image_size, self.channels))
        features = []
        for stage, filters in enumerate(self.filters):
            x = keras.layers.LeakyReLU(NEGATIVE_SLOPE)(self._convolution(stage, filters)(x))
            features.append(x)
        if self.kind == "patch":
            logits = self._style(1).conv(1, dtype="float32")(x)  # [B, h, w, 1]
        else:
            x = self._style(1).dense(self.dense_units)(keras.layers.Flatten()(x))
            features.append(keras.layers.LeakyReLU(NEGATIVE_SLOPE)(x))
            logits = self._style(1).dense(1, dtype="float32")(features[-1])  # [B, 1]
        return keras.Model(images, {"logits": logits, "features": features}, name="network")

    def _convolution(self, stage: int, filters: int) -> keras.layers.Layer:
        if stage < self.halvings:
            return self._style(4).conv(filters, strides=2)
        return self._style(3).conv(filters)

    def _style(self, kernel_size: int) -> ConvolutionStyle:
        return ConvolutionStyle(kernel_size, self.kernel_initializer, self.l2)

    @property
    def patch_size(self) -> int:
        """Height and width in pixels of what one cell of the last stage sees."""
        halved = 3 * 2**self.halvings - 2
        return halved + 2 * 2**self.halvings * (len(self.filters) - self.halvings)
