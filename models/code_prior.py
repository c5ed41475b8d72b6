"""What codes of faces look like: new ones are drawn, with attributes if asked for."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from ..losses import VelocityError
from . import randomness
from .autoencoder import Autoencoder
from .batches import as_pictures, check_trains
from .blocks import check_fraction, check_names, check_positive, sign_attributes
from .denoiser import WAVES, build_denoiser, make_waves
from .holding import add_code_spread, choose_held, measure_code_spread
from .trainable import TrainableModel


@keras.saving.register_keras_serializable("facezoo")
class CodePrior(TrainableModel):
    """Learns to draw codes of a trained autoencoder: a flow from noise to codes.

    Lipman et al., "Flow Matching for Generative Modeling" (2023), with straight ways: at time t in [0, 1] a code on its
    way is (1 - t) noise + t code, and the network learns its velocity, code - noise. Told attributes are dropped to
    unknown now and then in training, so that what they change can be exaggerated (classifier-free guidance, Ho and
    Salimans 2022). Of vector codes it is a residual network of dense layers, of spatial ones a U-Net.

    >>> from facezoo.models import VAE
    >>> prior = CodePrior(autoencoder=VAE(image_size=32, filters=(8, 8), latent_dim=4), width=16, depth=1)
    >>> tuple(prior.draw(np.zeros((2, 4), np.float32)).shape)
    (2, 4)

    Args:
      autoencoder: a trained one, which is kept as it is; None is an untrained `VAE`, of use to try things only.
      image_size: of the pictures where no autoencoder is given.
      channels: as image_size.
      attributes: names of what it is told of faces; none where the data tell nothing.
      attribute_dropout: share of the training examples whose attributes are dropped, in [0, 1).
      width: units, or channels, of the network.
      depth: half of its residual blocks; of a U-Net those on each way.
      steer_width: units by which time and attributes steer each block; None is a quarter of the width of dense layers,
        which would else have two thirds of their weights for that, and the width of a U-Net.
      sampling_steps: of drawing a code.

    Raises:
      ValueError: an argument is out of its range, or the autoencoder is told attributes or people itself.
    """

    default_factors: ClassVar = {"velocity": 1.0}
    free_arguments: ClassVar = (*TrainableModel.free_arguments, "attribute_dropout", "sampling_steps")
    model_arguments: ClassVar = ("autoencoder",)
    measures_held: ClassVar = True
    data_arguments: ClassVar = {"attributes": "attribute_names"}
    spared_arguments: ClassVar = ("attributes",)
    adapts_to: ClassVar = 4096
    draws_codes: ClassVar = True

    def __init__(
        self,
        *,
        autoencoder: Autoencoder | None = None,
        image_size: int = 64,
        channels: int = 3,
        attributes: tuple[str, ...] = (),
        attribute_dropout: float = 0.2,
        width: int = 512,
        depth: int = 4,
        steer_width: int | None = None,
        sampling_steps: int = 20,
        seed: int = 0,
        name: str | None = None,
    ):
        check_trains("drawing")
        super().__init__(name=name)
        autoencoder = choose_held(autoencoder, image_size, channels, seed)
        check_positive(width=width, depth=depth, sampling_steps=sampling_steps)
        if steer_width is not None:
            check_positive(steer_width=steer_width)
        check_fraction(attribute_dropout=attribute_dropout)
        autoencoder.trainable = False
        self.autoencoder, self.image_size, self.channels = autoencoder, autoencoder.image_size, autoencoder.channels
        self.attributes = check_names(attributes) if attributes else ()
        self.attribute_dropout, self.width, self.depth = attribute_dropout, width, depth
        self.sampling_steps, self.seed = sampling_steps, seed
        self.code_shape = autoencoder.shape_of_code()
        self.code_means, self.code_deviations = add_code_spread(self, self.code_shape)
        is_vector = len(self.code_shape) == 1
        self.steer_width = steer_width or (max(1, width // 4) if is_vector else width)
        told = 2 * WAVES + 2 * len(self.attributes)
        self.denoiser = build_denoiser(self.code_shape, told, width, depth, steer_width=self.steer_width)
        self.build()

    def adapt(self, images: np.ndarray) -> None:
        """Finds the codes' spread in pictures of the training split, [N, H, W, C]."""
        means, deviations = measure_code_spread(self.autoencoder, images)
        self.code_means.assign(means)
        self.code_deviations.assign(deviations)

    def columns_to_keep(self, images) -> dict[str, tf.Tensor]:
        """What of pictures [B, H, W, C] in [0, 1] need not be found again at each step."""
        return {"code": self._encode(images)}

    def _encode(self, images):
        return self.autoencoder.encode(as_pictures(images))

    def call(self, batch, training=False):
        """Outputs `z`, the code, and `velocity` and `true_velocity` [B, *code_shape] at a time.

        The time is drawn. In training some attributes are dropped.
        """
        codes = tf.cast(batch["code"] if "code" in batch else self._encode(batch["image"]), tf.float32)
        count = tf.shape(codes)[0]
        times = self._draw(count, "times")
        told = self._tell(batch.get("attributes"), count)
        if training and self.attributes:
            told = tf.where(self._draw(count, "attributes") >= self.attribute_dropout, told, 0.0)
        noise = randomness.normal(count, self.code_shape, seed=self.seed, stream="noise")
        wanted = (codes - self.code_means) / self.code_deviations
        shares = tf.reshape(times, (-1,) + (1,) * len(self.code_shape))
        velocity = self._find_velocity((1.0 - shares) * noise + shares * wanted, told, times)
        return {"z": codes, "velocity": velocity, "true_velocity": wanted - noise}

    def loss_terms(self):
        return {"velocity": VelocityError()}

    def draw(self, noise, attributes=None, guidance: float = 1.0):
        """New codes.

        Args:
          noise: of a standard normal distribution, [B, *code_shape].
          attributes: that the faces are to have, [B, A] in {0, 1}; 0.5 is unknown, None all unknown.
          guidance: 1 draws as the data are; more exaggerates what the attributes change.

        Returns:
          float32 [B, *code_shape], which the autoencoder decodes.
        """
        noise = tf.convert_to_tensor(noise, tf.float32)
        return self.code_means + self.code_deviations * self._follow(noise, attributes, guidance, 0.0, 1.0)

    def find_noise(self, codes, attributes=None):
        """The noise that `draw` makes these codes of at a guidance of 1: the flow is followed backwards.

        Args:
          codes: of the autoencoder, [B, *code_shape].
          attributes: of the faces, as `draw` takes them.

        Returns:
          float32 [B, *code_shape].
        """
        wanted = (tf.convert_to_tensor(codes, tf.float32) - self.code_means) / self.code_deviations
        return self._follow(wanted, attributes, 1.0, 1.0, 0.0)

    def _follow(self, codes, attributes, guidance, start, end):
        """Follows the flow from one time to another."""
        told = self._tell(attributes, tf.shape(codes)[0])
        is_guided = attributes is not None and bool(self.attributes)
        numbers = (tf.cast(number, tf.float32) for number in (guidance, start, end))
        return self._integrate(codes, told, *numbers, is_guided)

    @tf.function(reduce_retracing=True)
    def _integrate(self, codes, told, guidance, start, end, is_guided: bool):
        """In `sampling_steps` steps of Heun's method; with no attributes told there is nothing to exaggerate."""
        step = (end - start) / self.sampling_steps

        def find_velocity(codes, time):
            times = tf.fill(tf.shape(codes)[:1], time)[:, None]
            velocity = self._find_velocity(codes, told, times)
            if not is_guided:
                return velocity
            plain = self._find_velocity(codes, tf.zeros_like(told), times)
            return plain + guidance * (velocity - plain)

        def take_step(number, codes):
            time = start + step * tf.cast(number, tf.float32)
            first = find_velocity(codes, time)
            second = find_velocity(codes + step * first, time + step)
            return number + 1, codes + step * (first + second) / 2.0

        return tf.while_loop(lambda number, _: number < self.sampling_steps, take_step, (0, codes))[1]

    def _find_velocity(self, codes, told, times):
        """float32 [B, *code_shape], of times [B, 1] in [0, 1]."""
        return self.denoiser([codes, tf.concat([make_waves(times), told], axis=-1)])

    def _tell(self, attributes, count):
        """Attributes as the network is told them, for each how much it is there and how much not: [B, 2 A]."""
        if attributes is None or not self.attributes:
            return tf.zeros((count, 2 * len(self.attributes)))
        signed = sign_attributes(attributes, self.attributes)
        return tf.concat([tf.nn.relu(signed), tf.nn.relu(-signed)], axis=-1)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """As Keras has it; where `steer_width` is not told, as of older models, it is the width."""
        return super().from_config({"steer_width": config.get("width", 512), **config}, custom_objects)

    def _draw(self, count, stream: str):
        return randomness.uniform(count, (1,), seed=self.seed, stream=stream)
