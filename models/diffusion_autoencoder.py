"""An autoencoder whose pictures a denoiser refines: its code says what, a second one says every detail."""

import math
from collections.abc import Mapping
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from ..compressing import build_grid_network
from ..losses import DetailDivergence, OfOutput, PerceptualLoss, VelocityError
from ..losses.objective import Term
from . import randomness
from .autoencoder import Autoencoder
from .batches import as_pictures, check_trains
from .blocks import (
    SMALL,
    ConvolutionStyle,
    check_count,
    check_not_negative,
    check_positive,
    code_size,
    finish_picture,
    sampling,
)
from .denoiser import WAVES, build_denoiser, make_waves
from .growing import check_room_for_quarters, enlarge_arguments, grow_grids, see_patches_reduced
from .holding import HoldingAutoencoder, add_code_spread, choose_held, measure_code_spread

RIGHT_ANGLE = math.pi / 2.0
LEAST_GRIDS = 2  # on which details are drawn, the second twice as high and wide as theirs
LARGEST_DRAWN = 4  # height and width of what a place of the last one draws, where it can be halved to that
LARGEST_SEEN = 8  # of patches of reconstructions: they are soft, and larger ones are reduced
DOUBT_BETWEEN = 0.5  # of the code in the middle between two faces
FIRST_LOG_VAR = -4.0  # of details: where they begin as noise, their decoder learns to do without them


@keras.saving.register_keras_serializable("facezoo")
class DiffusionAutoencoder(HoldingAutoencoder):
    """Holds a trained autoencoder, and learns to draw what its reconstructions leave out.

    After Preechakul et al., "Diffusion Autoencoders: Toward a Meaningful and Decodable Representation" (2022): a
    picture is a code of what it shows, here the held autoencoder's, and a noise that holds all the rest, found by
    following a denoiser's flow backwards. Unlike theirs, the code is not learned with the denoiser, and what is noisy
    is no picture but a second, small code, of its details: a few numbers of each patch (Rombach et al., "High-
    Resolution Image Synthesis with Latent Diffusion Models" (2022)). A variational encoder finds the details of a
    picture whose reconstruction it sees, and a decoder draws them into the reconstruction. The divergence keeps the
    details that are found near normal ones, and the denoiser learns at the same time what they are still apart
    (Vahdat, Kreis and Kautz, "Score-based Generative Modeling in Latent Space" (2021)). That makes trainings on a CPU
    possible.

    The decoder learns to give the picture back from its own details. What says how pictures look, the error of texture
    and a distance of features such as LPIPS, is by turns of a picture of its own details and of normal ones, so that
    what is drawn without a picture looks like one. A discriminator judges the same and, as often, pictures that have no
    original: those between two faces, of codes along the line and details along the great circle
    (Berthelot et al., "Understanding and Improving Interpolation in Autoencoders via an Adversarial Regularizer"
    (2019)).

    For pictures twice as large it grows: patches become twice as large and have as many details, so that the denoiser
    stays what it is; the decoder of details gets a grid more, and draws at first what it drew, enlarged.

    A number x of the details at an angle a in [0, pi / 2] is cos(a) x + sin(a) noise; the denoiser learns its velocity
    cos(a) noise - sin(a) x (Salimans and Ho, "Progressive Distillation" (2022), appendix D), which is 0 on average
    where x is normal. Reconstruction and code are told to the networks with a part of noise, the doubt, and how much
    that is (conditioning augmentation, Ho et al., "Cascaded Diffusion Models" (2022), section 4.2): codes between two
    faces are pictures that no face has, and with a doubt they need not be believed in all they show.

    Where no noise was found in a picture, details are drawn by guidance: a second denoiser, with fewer channels, learns
    the same and makes the same mistakes, but larger ones, and the flow is led away from what it says (Karras et al.,
    "Guiding a Diffusion Model with a Bad Version of Itself" (2024), equation 3). The flow stays as fast as it was (Lin
    et al., "Common Diffusion Noise Schedules and Sample Steps Are Flawed" (2024), equation 15): else details grow too
    large, above all those of codes that no face has.

    >>> from facezoo.models import VAE
    >>> autoencoder = VAE(image_size=32, filters=(8, 8), latent_dim=4)
    >>> model = DiffusionAutoencoder(autoencoder=autoencoder, width=16, depth=1)
    >>> model.shape_of_code(), model.noise_shape
    ((4,), (4, 4, 16))

    Args:
      autoencoder: a trained one, which is kept as it is; None is an untrained `VAE`, of use to try things only.
      image_size: of the pictures where no autoencoder is given.
      channels: as image_size.
      patch: height and width of the patches in pixels, even; of larger ones than 8 reconstructions are seen reduced.
      components: numbers of the details of a patch.
      width: channels of the decoder of details on its first grid; the encoder has half as many.
      depth: residual blocks of both on each grid.
      denoiser_width: channels of the denoiser.
      denoiser_depth: of its residual blocks on each way of each level.
      levels: of the denoiser, each half as large as the one above.
      weak_width: channels of the weaker denoiser, fewer than `denoiser_width`; 0 is none, and no guidance.
      finish: channels of convolutions at full size that change the picture (`finish_picture`); 0 are none.
      divergence_steps: training steps over which the divergence of details comes to count in full.
      doubt: highest one that is learned; at 1 as much noise as code.
      sampling_steps: of drawing a picture, and of finding the noise of one.
      temperature: what noise is multiplied by that is drawn for pictures, and not found in one: below 1 details are
        more usual and cleaner, at 1 as various as those of the data (Kingma and Dhariwal, "Glow" (2018), section 6).
      guidance: how far such details are led away from what the weaker denoiser says, in differences between the two;
        at 0 they are not.

    Raises:
      ValueError: `image_size` is not a multiple of patch * 2^(levels - 1); the autoencoder is told attributes or
        people; or another argument is out of its range.
    """

    free_arguments: ClassVar = (
        *Autoencoder.free_arguments,
        "divergence_steps",
        "doubt",
        "sampling_steps",
        "temperature",
        "guidance",
    )
    model_arguments: ClassVar = ("autoencoder",)
    measures_held: ClassVar = True
    adapts_to: ClassVar = 2048
    noise_shape: tuple[int, int, int]

    def __init__(
        self,
        *,
        autoencoder: Autoencoder | None = None,
        image_size: int = 64,
        channels: int = 3,
        patch: int = 8,
        components: int = 16,
        width: int = 128,
        depth: int = 2,
        denoiser_width: int = 96,
        denoiser_depth: int = 1,
        levels: int = 1,
        weak_width: int = 0,
        finish: int = 8,
        divergence_steps: int = 1000,
        doubt: float = 1.0,
        sampling_steps: int = 10,
        temperature: float = 0.7,
        guidance: float = 3.0,
        seed: int = 0,
        name: str | None = None,
    ):
        check_trains("drawing")
        autoencoder = choose_held(autoencoder, image_size, channels, seed)
        super().__init__(image_size=autoencoder.image_size, channels=autoencoder.channels, seed=seed, name=name)
        check_positive(patch=patch, components=components, width=width, depth=depth)
        check_positive(denoiser_width=denoiser_width, denoiser_depth=denoiser_depth, levels=levels)
        if patch % 2:
            raise ValueError(f"patch={patch} must be even: half as large ones are drawn")
        check_positive(divergence_steps=divergence_steps, sampling_steps=sampling_steps)
        check_count(finish=finish, weak_width=weak_width)
        check_not_negative(doubt=doubt, temperature=temperature, guidance=guidance)
        if weak_width >= denoiser_width:
            raise ValueError(f"weak_width={weak_width} must be less than denoiser_width={denoiser_width}")
        autoencoder.trainable = False
        self.autoencoder, self.patch, self.components = autoencoder, patch, components
        self.width, self.depth, self.finish = width, depth, finish
        self.denoiser_width, self.denoiser_depth, self.levels = denoiser_width, denoiser_depth, levels
        self.weak_width, self.guidance = weak_width, guidance
        self.divergence_steps, self.doubt = divergence_steps, doubt
        self.sampling_steps, self.temperature = sampling_steps, temperature
        grid = 2 ** (levels - 1) * code_size(self.image_size, patch * 2 ** (levels - 1))
        self.noise_shape = (grid, grid, components)
        self._code_shape = autoencoder.shape_of_code()
        self.code_means, self.code_deviations = add_code_spread(self, self._code_shape)
        self._coarseness = 2 ** count_halvings(patch, LARGEST_SEEN)
        guiding, told = (patch // self._coarseness) ** 2 * self.channels, 2 * WAVES + self._code_shape[-1]
        seen = patch * patch * self.channels + guiding
        self.detail_encoder = build_grid_network(
            (grid, grid, seen), told, max(1, width // 2), depth, 1, 2 * components, name="detail_encoder"
        )
        grids = count_detail_grids(patch)
        self._drawn_patch = patch // 2 ** (grids - 1)
        drawn = self._drawn_patch**2 * self.channels
        self.detail_decoder = build_grid_network(
            (grid, grid, guiding + components), told, width, depth, grids, drawn, SMALL, "detail_decoder"
        )
        steered = 2 * WAVES + told
        self.denoiser = build_denoiser(self.noise_shape, steered, denoiser_width, denoiser_depth, levels, guiding)
        self.weak_denoiser = None
        if weak_width:
            self.weak_denoiser = build_denoiser(
                self.noise_shape, steered, weak_width, denoiser_depth, levels, guiding, name="weak_denoiser"
            )
        self.finisher = self._build_finisher()
        self.build()

    def _build_finisher(self) -> keras.Model:
        """What changes pictures at full size: float32 [B, H, W, C] -> the same shape."""
        pictures = keras.Input((self.image_size, self.image_size, self.channels))
        finished = finish_picture(pictures, self.finish, ConvolutionStyle(3, "he_normal")) if self.finish else pictures
        return keras.Model(pictures, finished, name="finisher")

    @property
    def last_kernels(self) -> list:
        last = self.finisher if self.finish else self.detail_decoder
        return [[weight for weight in last.trainable_variables if weight.name == "kernel"][-1]]

    @property
    def default_factors(self) -> Mapping[str, float]:  # type: ignore[override]
        factors = {"reconstruction": 100.0, "texture": 1.0, "kl": 1e-4, "velocity": 1.0}
        return {**factors, "weak_velocity": 1.0} if self.weak_width else factors

    def picture_network(self) -> keras.Model:
        raise ValueError("pictures are drawn in steps, which is no one network")

    def shape_of_code(self) -> tuple[int, ...]:
        return self._code_shape

    @classmethod
    def enlarge_arguments(cls, arguments, image_size):
        larger = enlarge_arguments(arguments, image_size, has_stages=False)
        times = image_size // arguments["image_size"]
        if times == 1:
            return larger
        if times > 2:
            raise ValueError("it grows to pictures twice as large, one training after the other")
        patch, width, channels = (arguments[name] for name in ("patch", "width", "channels"))
        grids = count_detail_grids(patch)
        if patch != LARGEST_DRAWN * 2 ** (grids - 1):
            raise ValueError(f"patch={patch} leaves no room for a grid more: 8, 16, 32 do, and so on")
        check_room_for_quarters("width", width, grids, LARGEST_DRAWN, channels)
        return {**larger, "patch": 2 * patch}

    def _grow_once(self, small):
        if small.shape_of_code() != self.shape_of_code():
            there, here = small.shape_of_code(), self.shape_of_code()
            raise ValueError(f"the autoencoder that it holds has codes {there}, not {here}")
        self.code_means.assign(small.code_means)
        self.code_deviations.assign(small.code_deviations)
        see_patches_reduced(small.detail_encoder, self.detail_encoder, small.patch, self.channels)
        grow_grids(small.detail_decoder, self.detail_decoder, self.channels, last="last")
        for network in ("denoiser", "weak_denoiser", "finisher"):
            if own := getattr(self, network):
                own.set_weights(getattr(small, network).get_weights())

    def begin_from(self, other, load):
        """Begins as one without a weaker denoiser, and with a new one."""
        config = {**self.get_config(), "weak_width": 0}
        is_like_it = isinstance(other, DiffusionAutoencoder) and not other.weak_width and self.weak_width
        if not is_like_it or self.shape_of_code() != other.shape_of_code():
            return False
        if any(
            config[name] != value
            for name, value in other.get_config().items()
            if name not in (*self.free_arguments, *self.model_arguments)
        ):
            return False
        news = {id(weight) for weight in self.weak_denoiser.weights}
        there = [own for own in self.own_weights() if id(own) not in news]
        for own, weight in zip(there, other.own_weights(), strict=True):
            own.assign(weight)
        return True

    def adapt(self, images: np.ndarray) -> None:
        """Finds the codes' spread in pictures of the training split, [N, H, W, C]."""
        means, deviations = measure_code_spread(self.autoencoder, images)
        self.code_means.assign(means)
        self.code_deviations.assign(deviations)

    def encode(self, images, noise: bool = False):
        """The codes of pictures and, if asked for, the noise that with them gives the pictures back, but for little.

        A detail is told up to a deviation, within which it is drawn: of the model's seed and of the picture, so that
        the noise of a picture is always the same.

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
        pictures = self.autoencoder.decode(codes)
        guide = self._cut_guide(pictures)
        told = self._tell(codes, tf.zeros((tf.shape(codes)[0], 1)))
        drawn = randomness.normal_of(images, self.noise_shape, seed=self.seed, stream="details")
        details = sampling(*self._find_details(images, pictures, guide, told), drawn)
        return codes, self._follow(details, guide, told, 0.0, RIGHT_ANGLE)

    def decode(self, codes, noise=None, doubt=0.0, drawn=None):
        """The pictures of codes.

        Args:
          codes: [B, ...].
          noise: [B, *noise_shape]; None is the same for all codes, drawn from the model's seed.
          doubt: how little the codes are to be believed, 0 for those of a picture and up to the model's `doubt`: a
            number, or [B].
          drawn: how far the noise was drawn, and not found in a picture: a number from 0, which gives the picture back,
            to 1, which multiplies by the `temperature` and leads by the `guidance`; or [B]. If absent 0 for a noise
            that is given.

        Returns:
          float32 [B, H, W, C] in [0, 1].
        """
        codes = tf.convert_to_tensor(codes)
        count = tf.shape(codes)[0]
        if drawn is None:
            drawn = 1.0 if noise is None else 0.0
        if noise is None:
            noise = tf.repeat(self._draw_shared("noise"), count, axis=0)
        drawn = tf.cast(drawn, tf.float32) * tf.ones(count)
        warmth = 1.0 - (1.0 - self.temperature) * drawn
        noise = tf.cast(noise, tf.float32) * warmth[:, None, None, None]
        doubts = (tf.cast(doubt, tf.float32) * tf.ones(count))[:, None]
        pictures, told = self.autoencoder.decode(codes), self._tell(codes, self._share_of(doubts))
        guide = self._cut_guide(pictures)
        details = self._follow(noise, guide, told, RIGHT_ANGLE, 0.0, self.guidance * drawn)
        return tf.clip_by_value(self._draw(pictures, details, guide, told), 0.0, 1.0)

    def draw_noise(self, count: int, stream: str = "noise"):
        """Noise for `count` pictures, a function of the model's seed and the stream's name: [count, *noise_shape]."""
        return randomness.normal(count, self.noise_shape, seed=self.seed, stream=stream)

    def call(self, batch, training=False):
        """Outputs `reconstruction` and `z`, and what the losses read besides.

        These are `detail_mean` and `detail_log_var` of the details of each picture, and `velocity`, `weak_velocity` (of
        the weaker denoiser) and `true_velocity` at an angle that is drawn, each [B, *noise_shape]. In training half of
        the codes are doubtful, the reconstruction is of the picture's own details, `shown` by chance this one or one of
        normal details, and `detail_share` says how much the divergence counts; `details`, `believed` and `shares` are
        the details, the code that they were found for, and its doubt. Otherwise no code is doubtful, the reconstruction
        is `decode(z)`, and `own` is the one of the picture's own details.
        """
        images = tf.cast(as_pictures(batch["image"]), tf.float32)
        count = tf.shape(images)[0]
        codes, shares = self.autoencoder.encode(images), tf.zeros((count, 1))
        if training:
            shares = tf.nn.relu(2.0 * randomness.uniform(count, (1,), seed=self.seed, stream="doubts") - 1.0)
        believed = self._make_doubtful(codes, shares)
        pictures, told = self.autoencoder.decode(believed), self._tell(believed, shares)
        guide = self._cut_guide(pictures)
        mean, log_var = self._find_details(images, pictures, guide, told)
        details = sampling(mean, log_var, self.draw_noise(count, "details"))
        outputs = {"z": codes, "detail_mean": mean, "detail_log_var": log_var}
        outputs |= self._find_velocities(tf.stop_gradient(details), guide, told)
        if not training:
            own = self._draw(pictures, details, guide, told)
            return {"reconstruction": self.decode(codes), "own": own, **outputs}
        progress = tf.cast(randomness.current_step(), tf.float32) / self.divergence_steps
        outputs["detail_share"] = tf.minimum(progress, 1.0)
        outputs |= {"details": details, "believed": believed, "shares": shares}
        details = tf.concat([details, self.draw_noise(count, "drawn")], axis=0)
        pictures, guide, told = (tf.concat([part, part], axis=0) for part in (pictures, guide, told))
        own, drawn = tf.split(self._draw(pictures, details, guide, told), 2)
        return {"reconstruction": own, "shown": self._choose(own, drawn, "shown"), **outputs}

    def show_to_discriminator(self, outputs):
        """By chance the picture that is `shown`, or one somewhere between this picture and its neighbour's."""
        details = tf.stop_gradient(outputs["details"])
        between = self._draw(*self._mix(outputs["believed"], details, outputs["shares"]))
        return self._choose(outputs["shown"], between, "judged")

    def loss_terms(self):
        terms = super().loss_terms()
        texture = OfOutput("shown", terms["texture"])
        terms |= {"texture": texture, "kl": DetailDivergence(), "velocity": VelocityError()}
        return {**terms, "weak_velocity": VelocityError("weak_velocity")} if self.weak_width else terms

    def inside(self, term: Term) -> Term:
        return OfOutput("shown", term) if isinstance(term, PerceptualLoss) else term

    def as_in_training(self, outputs):
        return {**outputs, "reconstruction": outputs["own"], "shown": outputs["own"]}

    def _choose(self, first, second, stream: str):
        """By chance one picture or the other: two [B, H, W, C] -> the same shape."""
        is_first = randomness.uniform(tf.shape(first)[0], (1, 1, 1), seed=self.seed, stream=stream) < 0.5
        return tf.where(is_first, first, second)

    def _mix(self, codes, details, doubts):
        """What `_draw` takes, of pictures somewhere between two neighbours of a batch, as in a morph.

        Two and two are neighbours, so that replicas of even shares of a batch have the same ones; a last one that is
        left over is its own.

        Args:
          codes: [B, ...].
          details: [B, *noise_shape].
          doubts: of the codes, as shares of the largest one, [B, 1].
        """
        count = tf.shape(codes)[0]
        neighbours = tf.minimum(tf.bitwise.bitwise_xor(tf.range(count), 1), count - 1)
        places = randomness.uniform(count, (1,), seed=self.seed, stream="between")
        along = tf.reshape(places, (-1,) + (1,) * len(self._code_shape))
        codes = codes + along * (tf.gather(codes, neighbours) - codes)
        doubts = doubts + places * (tf.gather(doubts, neighbours) - doubts)
        doubts = tf.maximum(doubts, self._share_of(DOUBT_BETWEEN * tf.sin(math.pi * places)))
        details = _slerp(details, tf.gather(details, neighbours), places[:, None, None, :])
        pictures = self.autoencoder.decode(codes)
        return pictures, details, self._cut_guide(pictures), self._tell(codes, doubts)

    def _share_of(self, doubts):
        """Doubts as shares of the largest one."""
        return tf.clip_by_value(tf.math.divide_no_nan(doubts, self.doubt), 0.0, 1.0)

    def _draw_shared(self, stream: str):
        """Noise that is the same for all pictures, wherever they are: [1, *noise_shape]."""
        return randomness.normal_for_all(self.noise_shape, seed=self.seed, stream=stream)

    def _make_doubtful(self, codes, doubts):
        """Codes with noise, together as large as before: [B, ...], of doubts [B, 1] as shares of the largest."""
        parts = tf.reshape(self.doubt * doubts, (-1,) + (1,) * len(self._code_shape))
        noise = randomness.normal(tf.shape(codes)[0], self._code_shape, seed=self.seed, stream="codes")
        changed = (codes - self.code_means + parts * self.code_deviations * noise) / tf.sqrt(1.0 + parts**2)
        return self.code_means + changed

    def _tell(self, codes, shares):
        """What the networks are told: how doubtful codes are, and these, of maps the mean over all places.

        Args:
          codes: [B, ...].
          shares: of the largest doubt, [B, 1].

        Returns:
          float32 [B, D].
        """
        codes = tf.cast((codes - self.code_means) / self.code_deviations, tf.float32)
        if codes.shape.rank > 2:
            codes = tf.reduce_mean(codes, axis=tuple(range(1, codes.shape.rank - 1)))
        return tf.concat([make_waves(shares), codes], axis=-1)

    def _cut_guide(self, pictures):
        """What the networks see of reconstructions: all numbers of their patches, about as large as noise."""
        pictures = tf.cast(pictures, tf.float32)
        if self._coarseness > 1:
            pictures = tf.nn.avg_pool2d(pictures, self._coarseness, self._coarseness, "VALID")
        return 4.0 * (tf.nn.space_to_depth(pictures, self.patch // self._coarseness) - 0.5)

    def _find_details(self, images, pictures, guide, told):
        """Means and logarithms of variances of the details of pictures, two float32 [B, *noise_shape].

        Args:
          images: [B, H, W, C].
          pictures: their reconstructions, as large.
          guide: the patches of these, as `_cut_guide` gives them.
          told: of their codes, as `_tell` says it.
        """
        left_out = tf.cast(images, tf.float32) - tf.cast(pictures, tf.float32)
        seen = tf.concat([4.0 * tf.nn.space_to_depth(left_out, self.patch), guide], axis=-1)
        mean, log_var = tf.split(self.detail_encoder([seen, told]), 2, axis=-1)
        return mean, log_var + FIRST_LOG_VAR

    def _draw(self, pictures, details, guide, told):
        """Reconstructions with details: float32 [B, H, W, C], not clipped."""
        patches = self.detail_decoder([tf.concat([details, guide], axis=-1), told])
        changes = tf.nn.depth_to_space(patches, self._drawn_patch) if self._drawn_patch > 1 else patches
        return self.finisher(tf.cast(pictures, tf.float32) + changes)

    def _find_velocity(self, noisy, guide, told, angles, is_weak=False):
        """float32 [B, *noise_shape], of angles [B, 1]; the rest as in `_find_details`."""
        denoiser = self.weak_denoiser if is_weak else self.denoiser
        return denoiser([noisy, guide, tf.concat([make_waves(angles / RIGHT_ANGLE), told], axis=-1)])

    def _find_velocities(self, details, guide, told) -> dict:
        """What the denoiser says at angles that are drawn, and what is true."""
        count = tf.shape(details)[0]
        angles = RIGHT_ANGLE * randomness.uniform(count, (1,), seed=self.seed, stream="angles")
        cosines, sines = (part[:, None, None, :] for part in (tf.cos(angles), tf.sin(angles)))
        noise = self.draw_noise(count)
        noisy = cosines * details + sines * noise
        found = {"true_velocity": cosines * noise - sines * details}
        if self.weak_width:
            found["weak_velocity"] = self._find_velocity(noisy, guide, told, angles, is_weak=True)
        return {"velocity": self._find_velocity(noisy, guide, told, angles), **found}

    @tf.function(reduce_retracing=True)
    def _follow(self, start, guide, told, begin: float, end: float, guidance=None):
        """Follows the flow from one angle to another, in `sampling_steps` steps of second order, led by guidance [B].

        Heun's method makes the first step, and that of Adams and Bashforth with two steps all others, by one evaluation
        each. Where details are normal nothing moves, and no step makes an error.
        """
        step = (end - begin) / self.sampling_steps

        def find_velocity(noisy, angle):
            angles = tf.fill((tf.shape(noisy)[0], 1), angle)
            velocity = self._find_velocity(noisy, guide, told, angles)
            if guidance is None or not self.weak_width:
                return velocity

            def lead():
                weak = self._find_velocity(noisy, guide, told, angles, is_weak=True)
                led = velocity + guidance[:, None, None, None] * (velocity - weak)
                return led * tf.math.divide_no_nan(_measure_size(velocity), _measure_size(led))

            return tf.cond(tf.reduce_any(guidance > 0.0), lead, lambda: velocity)

        def take_step(number, noisy, before):
            velocity = find_velocity(noisy, begin + step * tf.cast(number, tf.float32))
            return number + 1, noisy + step * (1.5 * velocity - 0.5 * before), velocity

        first = find_velocity(start, begin)
        second = find_velocity(start + step * first, begin + step)
        arguments = 1, start + step * (first + second) / 2.0, first
        return tf.while_loop(lambda number, *_: number < self.sampling_steps, take_step, arguments)[1]

    @classmethod
    def from_config(cls, config, custom_objects=None):
        if "finish" not in config:
            raise ValueError("diffusion autoencoders of before details had a code of their own are to be trained anew")
        return super().from_config(config, custom_objects)


def count_detail_grids(patch: int) -> int:
    """On how many grids the details of a patch are drawn, each twice as high and wide as the one before.

    >>> [count_detail_grids(patch) for patch in (4, 8, 16, 32)]
    [2, 2, 3, 4]
    """
    return max(LEAST_GRIDS, 1 + count_halvings(patch, LARGEST_DRAWN))


def count_halvings(size: int, largest: int) -> int:
    """How many times a size is halved to be at most so large, as far as halves have no rest.

    >>> [count_halvings(size, 8) for size in (8, 16, 24, 22)]
    [0, 1, 2, 1]
    """
    count = 0
    while size > largest and size % 2 == 0:
        size, count = size // 2, count + 1
    return count


def _measure_size(maps):
    """The root of the mean square of each of [B, H, W, C]: [B, 1, 1, 1]."""
    return tf.sqrt(tf.reduce_mean(tf.square(maps), axis=(1, 2, 3), keepdims=True))


def _slerp(start, end, shares):
    """So far along the great circle between two of [B, H, W, C], for shares [B, 1, 1, 1]; lengths go along a line."""
    axes = (1, 2, 3)
    lengths = [tf.sqrt(tf.reduce_sum(tf.square(one), axes, keepdims=True)) for one in (start, end)]
    first, second = (tf.math.l2_normalize(one, axes) for one in (start, end))
    cosines = tf.reduce_sum(first * second, axes, keepdims=True)
    angles = tf.acos(tf.clip_by_value(cosines, -1.0 + 1e-6, 1.0 - 1e-6))  # parallel ones have no circle
    directions = tf.sin((1.0 - shares) * angles) * first + tf.sin(shares * angles) * second
    return (lengths[0] + shares * (lengths[1] - lengths[0])) * tf.math.l2_normalize(directions, axes)
