"""An autoencoder whose pictures a denoiser refines: its code says what, a second one says every detail."""

import math
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from ..losses import Surprise, VelocityError
from . import randomness
from .autoencoder import Autoencoder
from .batches import as_pictures, check_trains
from .blocks import check_fraction, check_not_negative, check_positive, code_size
from .denoiser import WAVES, build_denoiser, make_waves
from .holding import HoldingAutoencoder, choose_held
from .patch_code import PatchCode

RIGHT_ANGLE = math.pi / 2.0
MOST_LOGARITHM = math.log(30.0)  # a place deviates at most so many times as much as all do, and at least a thirtieth


@keras.saving.register_keras_serializable("facezoo")
class DiffusionAutoencoder(HoldingAutoencoder):
    """Holds a trained autoencoder, and learns to draw what its reconstructions leave out.

    After Preechakul et al., "Diffusion Autoencoders: Toward a Meaningful and Decodable Representation" (2022): a
    picture is a code of what it shows, here the held autoencoder's, and a noise that holds all the rest, found by
    following the denoiser's flow backwards. Unlike theirs, the code is not learned with the denoiser, and what is noisy
    is no picture but the code of the patches (`PatchCode`) of its difference from the reconstruction, of few and
    equally large numbers. A second, small network tells from the code the mean of each of these numbers, and its
    deviation: less in a background than in hair. The mean taken away, and divided by the deviation, what is left is
    nearly normal before the denoiser has learned anything. That makes trainings on a CPU possible.

    A number x of them at an angle a in [0, pi / 2] is cos(a) x + sin(a) noise; the network learns its velocity
    cos(a) noise - sin(a) x (Salimans and Ho, "Progressive Distillation" (2022), appendix D), which is 0 on average
    where x is normal. Each component has an angle of its own, as if noise were added to numbers of their true sizes:
    fine ones are lost in noise while coarse ones are still to be seen, and are drawn last. Errors count the same at
    every angle of a component. Reconstruction and code are told to the networks with a part of noise, the doubt, and
    how much that is (conditioning augmentation, Ho et al., "Cascaded Diffusion Models" (2022), section 4.2): codes
    between two faces are pictures that no face has, and with a doubt they need not be believed in all they show.

    >>> from facezoo.models import VAE
    >>> autoencoder = VAE(image_size=32, filters=(8, 8), latent_dim=4)
    >>> model = DiffusionAutoencoder(autoencoder=autoencoder, width=16, depth=1)
    >>> model.shape_of_code(), model.noise_shape
    ((4,), (4, 4, 80))

    Args:
      autoencoder: a trained one, which is kept as it is; None is an untrained `VAE`, of use to try things only.
      image_size: of the pictures where no autoencoder is given.
      channels: as image_size.
      patch: height and width of the patches in pixels.
      components: numbers that are kept of a patch; None are 5 of 12.
      width: channels of the denoiser.
      depth: of its residual blocks on each way of each level.
      levels: of the denoiser, each half as large as the one above.
      moments_width: channels of the network that tells means and deviations.
      least_noise: part of noise, in [0, 1), that a picture's own patches are given before its noise is found: drawn
        faces have places without details, from which no noise would come. Of drawn pictures it is taken away at once.
      doubt: highest one that is learned; at 1 as much noise as code.
      sampling_steps: of drawing a picture, and of finding the noise of one.

    Raises:
      ValueError: `image_size` is not a multiple of patch * 2^(levels - 1); the autoencoder is told attributes or
        people; or another argument is out of its range.
    """

    default_factors: ClassVar = {"velocity": 1.0, "surprise": 0.1}
    free_arguments: ClassVar = (*Autoencoder.free_arguments, "doubt", "least_noise", "sampling_steps")
    model_arguments: ClassVar = ("autoencoder",)
    adapts_to: ClassVar = 2048
    noise_shape: tuple[int, int, int]

    def __init__(
        self,
        *,
        autoencoder: Autoencoder | None = None,
        image_size: int = 64,
        channels: int = 3,
        patch: int = 8,
        components: int | None = None,
        width: int = 192,
        depth: int = 2,
        levels: int = 1,
        moments_width: int = 64,
        least_noise: float = 0.05,
        doubt: float = 1.0,
        sampling_steps: int = 10,
        seed: int = 0,
        name: str | None = None,
    ):
        check_trains("drawing")
        autoencoder = choose_held(autoencoder, image_size, channels, seed)
        super().__init__(image_size=autoencoder.image_size, channels=autoencoder.channels, seed=seed, name=name)
        check_positive(patch=patch, width=width, depth=depth, levels=levels, moments_width=moments_width)
        if patch == 1:
            raise ValueError("patch=1 must be at least 2")
        check_positive(sampling_steps=sampling_steps, components=1 if components is None else components)
        check_not_negative(doubt=doubt)
        check_fraction(least_noise=least_noise)
        autoencoder.trainable = False
        self.autoencoder, self.patch, self.components = autoencoder, patch, components
        self.width, self.depth, self.levels, self.moments_width = width, depth, levels, moments_width
        self.least_noise, self.doubt, self.sampling_steps = least_noise, doubt, sampling_steps
        self._least_angle = math.asin(least_noise)
        components = patch * patch * self.channels * 5 // 12 if components is None else components
        self.patch_code = PatchCode(patch, self.channels, components)
        grid = 2 ** (levels - 1) * code_size(self.image_size, patch * 2 ** (levels - 1))
        self.noise_shape = (grid, grid, components)
        self._code_shape = autoencoder.shape_of_code()
        self.code_means, self.code_deviations = (
            self.add_weight(shape=self._code_shape, initializer=start, trainable=False, autocast=False, name=title)
            for start, title in (("zeros", "code_means"), ("ones", "code_deviations"))
        )
        told, seen = 2 * WAVES + self._code_shape[-1], patch * patch * self.channels
        self.denoiser = build_denoiser(self.noise_shape, 2 * WAVES + told, width, depth, levels, seen)
        self.moments = build_denoiser(
            (grid, grid, seen), told, moments_width, 1, levels, outputs=2 * components, name="moments"
        )
        self.build()

    @property
    def last_kernels(self) -> list:
        return [[weight for weight in self.denoiser.trainable_variables if weight.name == "kernel"][-1]]

    def picture_network(self) -> keras.Model:
        raise ValueError("pictures are drawn in steps, which is no one network")

    def shape_of_code(self) -> tuple[int, ...]:
        return self._code_shape

    def adapt(self, images: np.ndarray) -> None:
        """Finds the patches' components and the codes' spread in pictures of the training split, [N, H, W, C]."""
        parts = np.array_split(images, -(-len(images) // 64))
        codes = np.concatenate([self.autoencoder.encode(part).numpy() for part in parts])
        self.code_means.assign(codes.mean(0))
        self.code_deviations.assign(codes.std(0) + 1e-6)
        pictures = np.concatenate([self.autoencoder.decode(part).numpy() for part in np.array_split(codes, len(parts))])
        self.patch_code.adapt(images - pictures)

    def encode(self, images, noise: bool = False):
        """The codes of pictures and, if asked for, the noise that with them gives the pictures back.

        Args:
          images: float32 [B, H, W, C] in [0, 1].
          noise: whether to find it: `sampling_steps` steps from the picture to the noise.

        Returns:
          codes [B, ...]; with `noise` a pair (codes, noise [B, *noise_shape]).
        """
        images = as_pictures(images)
        codes = self.autoencoder.encode(images)
        if not noise:
            return codes
        pictures, doubts = self.autoencoder.decode(codes), tf.zeros((tf.shape(codes)[0], 1))
        means, deviations = self._find_moments(pictures, codes, doubts)
        details = (self.patch_code(images - pictures) - means) / deviations
        cosines, sines = self._turn(self._least_angle)
        seen = cosines * details + sines * self._draw_shared("least noise")
        return codes, self._follow(seen, codes, pictures, doubts, self._least_angle, RIGHT_ANGLE)

    def decode(self, codes, noise=None, doubt=0.0):
        """The pictures of codes.

        Args:
          codes: [B, ...].
          noise: [B, *noise_shape]; None is the same for all codes, drawn from the model's seed.
          doubt: how little the codes are to be believed, 0 for those of a picture and up to the model's `doubt`: a
            number, or [B].

        Returns:
          float32 [B, H, W, C] in [0, 1].
        """
        codes = tf.convert_to_tensor(codes)
        count = tf.shape(codes)[0]
        if noise is None:
            noise = tf.repeat(self._draw_shared("noise"), count, axis=0)
        pictures, doubts = self.autoencoder.decode(codes), (tf.cast(doubt, tf.float32) * tf.ones(count))[:, None]
        means, deviations = self._find_moments(pictures, codes, doubts)
        details = self._follow(tf.cast(noise, tf.float32), codes, pictures, doubts, RIGHT_ANGLE, self._least_angle)
        return tf.clip_by_value(pictures + self.patch_code.decode(means + deviations * details), 0.0, 1.0)

    def draw_noise(self, count: int, stream: str = "noise"):
        """Noise for `count` pictures, a function of the model's seed and the stream's name: [count, *noise_shape]."""
        return randomness.normal(count, self.noise_shape, seed=self.seed, stream=stream)

    def call(self, batch, training=False):
        """Outputs `reconstruction`, `z`, and four of [B, *noise_shape] that the losses read.

        These are `velocity` and `true_velocity` at an angle that is drawn, each times the root of what the component
        counts there, and `errors` of the means in deviations that all places have together, and `log_deviations` in
        the same. In training half of the codes are doubtful, and the reconstruction is what the denoiser guesses in
        one step; otherwise no code is doubtful, and the reconstruction is `decode(z)`.
        """
        images = tf.cast(as_pictures(batch["image"]), tf.float32)
        count = tf.shape(images)[0]
        codes = self.autoencoder.encode(images)
        angles = randomness.uniform(count, (1,), seed=self.seed, stream="angles")
        angles = self._least_angle + (RIGHT_ANGLE - self._least_angle) * angles
        doubts = tf.zeros((count, 1))
        if training:
            doubts = tf.nn.relu(2.0 * randomness.uniform(count, (1,), seed=self.seed, stream="doubts") - 1.0)
        told = self._make_doubtful(codes, doubts)
        pictures = self.autoencoder.decode(told)
        means, logarithms = self._tell_moments(pictures, told, doubts)
        errors, noise = self.patch_code(images - pictures) / self.patch_code.spread - means, self.draw_noise(count)
        means, deviations = (tf.stop_gradient(part) for part in (means, tf.exp(logarithms)))
        details = tf.stop_gradient(errors) / deviations
        cosines, sines = self._turn(angles)
        noisy = cosines * details + sines * noise
        velocity = self._find_velocity(noisy, self._find_guide(pictures), self._normalize(told), angles, doubts)
        if training:
            guessed = means + deviations * (cosines * noisy - sines * velocity)
            pictures = pictures + self.patch_code.decode(self.patch_code.spread * guessed)
        else:
            pictures = self.decode(codes)
        roots = tf.sqrt(self._find_paces(angles))
        outputs = {"velocity": roots * velocity, "true_velocity": roots * (cosines * noise - sines * details)}
        outputs |= {"errors": errors, "log_deviations": logarithms}
        return {"reconstruction": pictures, "z": codes, **outputs}

    def loss_terms(self):
        return {**super().loss_terms(), "velocity": VelocityError(), "surprise": Surprise()}

    def _draw_shared(self, stream: str):
        """Noise that is the same for all pictures, wherever they are: [1, *noise_shape]."""
        return randomness.normal_for_all(self.noise_shape, seed=self.seed, stream=stream)

    def _make_doubtful(self, codes, doubts):
        """Codes with noise, together as large as before: [B, ...], of doubts [B, 1] as shares of the largest."""
        parts = tf.reshape(self.doubt * doubts, (-1,) + (1,) * len(self._code_shape))
        noise = randomness.normal(tf.shape(codes)[0], self._code_shape, seed=self.seed, stream="codes")
        changed = (codes - self.code_means + parts * self.code_deviations * noise) / tf.sqrt(1.0 + parts**2)
        return self.code_means + changed

    def _normalize(self, codes):
        """What the denoiser is told of codes, [B, D]; of maps the mean over all places."""
        codes = (codes - self.code_means) / self.code_deviations
        return codes if codes.shape.rank == 2 else tf.reduce_mean(codes, axis=tuple(range(1, codes.shape.rank - 1)))

    def _find_guide(self, pictures):
        """What the denoiser sees of pictures: all their patches, about as large as noise."""
        return 4.0 * (self.patch_code.cut(pictures) - 0.5)

    def _tell_moments(self, pictures, codes, doubts):
        """Of differences from pictures the means and the logarithms of deviations, in those that all places share.

        Args:
          pictures: of the codes, [B, H, W, C].
          codes: [B, ...].
          doubts: [B, 1] as shares of the largest.

        Returns:
          Two float32 [B, *noise_shape].
        """
        told = tf.concat([make_waves(doubts), tf.cast(self._normalize(codes), tf.float32)], axis=-1)
        means, logarithms = tf.split(self.moments([self._find_guide(pictures), told]), 2, axis=-1)
        return means, MOST_LOGARITHM * tf.tanh(logarithms / MOST_LOGARITHM)

    def _find_moments(self, pictures, codes, doubts):
        """Means and deviations of differences, two float32 [B, *noise_shape], of doubts [B, 1]."""
        means, logarithms = self._tell_moments(pictures, codes, self._find_shares(doubts))
        return self.patch_code.spread * means, self.patch_code.spread * tf.exp(logarithms)

    def _find_shares(self, doubts):
        """Doubts as shares of the largest."""
        return tf.clip_by_value(tf.math.divide_no_nan(doubts, self.doubt), 0.0, 1.0)

    def _find_sizes(self):
        """Of each component, beside those of the middle: [D]."""
        logarithms = tf.math.log(self.patch_code.spread)
        return tf.exp(logarithms - tf.reduce_mean(logarithms))

    def _find_angles(self, angle):
        """The angle of each component where a middling one is at an angle [] or [B, 1]: [..., 1, 1, D]."""
        angle = tf.reshape(angle, (-1, 1, 1, 1))
        return tf.atan2(tf.sin(angle), self._find_sizes() * tf.cos(angle))

    def _find_paces(self, angle):
        """How fast each component's angle changes with the middling one's: as `_find_angles`, 1 on average over all."""
        angle, sizes = tf.reshape(angle, (-1, 1, 1, 1)), self._find_sizes()
        return sizes / (tf.sin(angle) ** 2 + (sizes * tf.cos(angle)) ** 2)

    def _turn(self, angle):
        """Cosines and sines of all components' angles, as `_find_angles`."""
        angles = self._find_angles(angle)
        return tf.cos(angles), tf.sin(angles)

    def _find_velocity(self, noisy, guide, codes, angles, doubts):
        """float32 [B, *noise_shape], of angles and doubts [B, 1], the doubts as shares of the largest."""
        waves = make_waves(angles / RIGHT_ANGLE), make_waves(doubts)
        return self.denoiser([noisy, guide, tf.concat([*waves, tf.cast(codes, tf.float32)], axis=-1)])

    @tf.function(reduce_retracing=True)
    def _follow(self, start, codes, pictures, doubts, begin: float, end: float):
        """Follows the flow from one angle to another, in `sampling_steps` steps of Heun's method in angles.

        Where details are normal nothing moves, and no step makes an error. Down at the least angle the rest of the
        noise is taken away at once.
        """
        guide, told = self._find_guide(pictures), self._normalize(codes)
        shares = self._find_shares(doubts)
        step = (end - begin) / self.sampling_steps

        def find_velocity(noisy, angle):
            return self._find_velocity(noisy, guide, told, tf.fill(tf.shape(shares), angle), shares)

        def take_step(number, noisy):
            angle = begin + step * tf.cast(number, tf.float32)
            turns = self._find_angles(angle + step) - self._find_angles(angle)
            first = find_velocity(noisy, angle)
            second = find_velocity(noisy + turns * first, angle + step)
            return number + 1, noisy + turns * (first + second) / 2.0

        found = tf.while_loop(lambda number, _: number < self.sampling_steps, take_step, (0, start))[1]
        if not 0.0 < end < begin:
            return found
        cosines, sines = self._turn(end)
        return cosines * found - sines * find_velocity(found, end)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        if "moments_width" not in config:
            raise ValueError("diffusion autoencoders of before means and deviations were told are to be trained anew")
        return super().from_config(config, custom_objects)
