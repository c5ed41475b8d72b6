"""A variational autoencoder of clips, whose code says once who it is and for each frame how they look just then."""

from typing import Any, ClassVar

import keras
import numpy as np

from ..losses import ClipKLDivergence, OfFrames, TemporalError
from .batches import as_clip_batch, as_pictures
from .blocks import check_boolean, check_count, check_positive
from .normalization import KeptNormalization
from .vae import VAE

SLOW_SHARE = 0.25  # of a code, where nothing else is said
NEARLY_NOTHING = {"class_name": "VarianceScaling", "config": {"scale": 1e-6}}
# Clips whose directions are found: those of 200 are theirs more than others', and cost 0.04 dB with 4 slow numbers.
FEWEST_CLIPS, MOST_CLIPS = 200, 800
MOST_PIXELS = 800 * 16 * 64 * 64  # of all of them
LEAST_SPREAD = 1e-6  # of the largest variance: what no picture changes is not blown up


@keras.saving.register_keras_serializable("facezoo")
class EdgePadding(keras.layers.Layer):
    """Repeats the first and the last frame, as if a clip stood still before and after: [B, T, D] -> [B, T + 2 N, D].

    Args:
      frames: N.
    """

    def __init__(self, frames: int, **options):
        super().__init__(**options)
        self.frames = frames

    def call(self, inputs):
        first, last = inputs[:, :1], inputs[:, -1:]
        return keras.ops.concatenate([*[first] * self.frames, inputs, *[last] * self.frames], axis=1)

    def compute_output_shape(self, input_shape):
        batch, count, size = input_shape
        return batch, None if count is None else count + 2 * self.frames, size

    def get_config(self):
        return super().get_config() | {"frames": self.frames}


@keras.saving.register_keras_serializable("facezoo")
class SmoothFrames(keras.layers.Layer):
    """Each frame with those beside it, by 1, 2, 1 of 4, the first and last as they are: [B, T, D].

    What a code of one frame says by chance, alternately above and below, is taken out; what moves evenly stays.
    """

    def call(self, inputs):
        second, last_but_one = inputs[:, :2][:, -1:], inputs[:, -2:][:, :1]  # themselves in a clip of one frame
        before = keras.ops.concatenate([2.0 * inputs[:, :1] - second, inputs[:, :-1]], axis=1)
        after = keras.ops.concatenate([inputs[:, 1:], 2.0 * inputs[:, -1:] - last_but_one], axis=1)
        return 0.5 * inputs + 0.25 * (before + after)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("facezoo")
class VideoAutoencoder(VAE):
    """A VAE of clips: one encoder and one decoder for all frames, and between them what time tells.

    The first numbers of a code are slow: the mean of what the encoder says of all frames, one for the clip, which is
    who it is and all that stays. The others are fast, one code for each frame: expression, pose and light, smoothed
    over the frames beside it, to which temporal convolutions add what else the frames before and after say. What does
    not move cannot flicker, and errors of what moves are held to change as little as they can (`TemporalError`). After
    Lai et al., "Video Autoencoder: self-supervised disentanglement of static 3D structure and motion" (2021), which has
    one code of what stays for all frames.

    A batch may hold `clip` [B, T, H, W, C], whose frame in the middle is `image`. A picture by itself is a clip of one
    frame, so that it has a code as of any VAE; terms that come from outside see the frame in the middle alone.

    >>> model = VideoAutoencoder(image_size=32, filters=(8, 8), latent_dim=4)
    >>> tuple(model.encode(np.zeros((2, 5, 32, 32, 3))).shape)
    (2, 5, 4)

    Args:
      slow_dim: numbers of `latent_dim` that are one for all frames; None is a quarter.
      temporal_filters: channels of the hidden temporal convolution.
      temporal_kernel_size: frames that each of the two temporal convolutions sees, an odd number.
      smoothing: how often fast codes are averaged with those of the frames beside them (`SmoothFrames`).
      keep_moments: batch normalisation goes on by the moments of the model that it begins from: a batch of clips shows
        too few people to measure new ones.
      vae: all other arguments are `VAE`'s.

    Raises:
      ValueError: `slow_dim` leaves nothing for the fast code, or another argument is out of its range.
    """

    default_factors: ClassVar = {**VAE.default_factors, "temporal": 1000.0}
    reads_clips: ClassVar = True
    slow_dim: int

    def __init__(
        self,
        *,
        slow_dim: int | None = None,
        temporal_filters: int = 64,
        temporal_kernel_size: int = 3,
        smoothing: int = 1,
        keep_moments: bool = False,
        **vae: Any,
    ):
        check_boolean(keep_moments=keep_moments)
        check_positive(temporal_filters=temporal_filters, temporal_kernel_size=temporal_kernel_size)
        check_count(smoothing=smoothing)
        if temporal_kernel_size % 2 == 0:
            raise ValueError(f"temporal_kernel_size={temporal_kernel_size} must be odd")
        # Before the parent, whose constructor builds the networks with them.
        self.slow_dim, self.temporal_filters = slow_dim, temporal_filters  # type: ignore[assignment]
        self.temporal_kernel_size, self.smoothing, self.keep_moments = temporal_kernel_size, smoothing, keep_moments
        super().__init__(**vae)

    def _normalization(self):
        return KeptNormalization() if self.keep_moments else super()._normalization()

    def build(self, input_shape=None):
        if not self.built:
            self.slow_dim = self._choose_slow_dim(self.slow_dim)
            self.temporal = self._build_temporal()
        super().build(input_shape)

    def _choose_slow_dim(self, asked: int | None) -> int:
        if self.latent_dim < 2:
            raise ValueError(f"latent_dim={self.latent_dim} must be at least 2, a slow number and a fast one")
        chosen = min(max(round(SLOW_SHARE * self.latent_dim), 1), self.latent_dim - 1)
        slow_dim = chosen if asked is None else asked
        check_positive(slow_dim=slow_dim)
        if slow_dim >= self.latent_dim:
            raise ValueError(f"slow_dim={slow_dim} must be below latent_dim={self.latent_dim}, so that some are fast")
        return slow_dim

    def _build_temporal(self) -> keras.Model:
        """What frames say of those beside them: [B, T, fast] -> [B, T, fast], at first their mean and hardly more."""
        fast_dim, size = self.latent_dim - self.slow_dim, self.temporal_kernel_size
        kernel = {"kernel_regularizer": keras.regularizers.L2(self.l2) if self.l2 else None}
        x = fast = keras.Input((None, fast_dim))
        x = keras.layers.Conv1D(self.temporal_filters, size, kernel_initializer=self.kernel_initializer, **kernel)(
            EdgePadding(size // 2)(x)
        )
        x = EdgePadding(size // 2)(keras.layers.LeakyReLU(self.negative_slope)(x))
        x = keras.layers.Conv1D(fast_dim, size, kernel_initializer=NEARLY_NOTHING, dtype="float32", **kernel)(x)
        smooth = fast
        for _ in range(self.smoothing):
            smooth = SmoothFrames(dtype="float32")(smooth)
        return keras.Model(fast, keras.layers.Add(dtype="float32")([smooth, x]), name="temporal")

    def _grow_once(self, small):
        super()._grow_once(small)
        self.temporal.set_weights(small.temporal.get_weights())

    def begin_from(self, other, load):
        """Begins as a `VAE` of frames: its pictures, of codes that are turned so that the first numbers are slow.

        Numbers of a code mean nothing by themselves. They are turned to those directions in which clips differ most
        from each other and their frames the least (Fisher's discriminants), of variance 1, and the decoder is turned
        back, so that every frame by itself is made as before. Turned noise would be correlated; the independent noise
        that is nearest to it (by KL divergence) has the inverse of its precisions.
        """
        if not self._take_networks(other):
            return False
        pixels = load(1)["clip"].shape[1] * self.image_size**2
        means, precisions = self._tell_frames(
            load(int(np.clip(MOST_PIXELS // pixels, FEWEST_CLIPS, MOST_CLIPS)))["clip"]
        )
        turn = find_slow_directions(means)  # [D, D]
        back = np.linalg.inv(turn)
        kernel, bias = self.encoder.mu.get_weights()
        self.encoder.mu.set_weights([kernel @ turn, bias @ turn])
        kernel, bias = self.encoder.log_var.get_weights()
        self.encoder.log_var.set_weights([np.zeros_like(kernel), -np.log(np.square(back) @ precisions)])
        for reader in self._list_readers():
            kernel, *bias = reader.get_weights()
            reader.set_weights([back @ kernel, *bias])
        return True

    def _list_readers(self) -> list[keras.layers.Dense]:
        """The decoder's layers that read the code."""
        dense = (layer for layer in self.decoder.layers if isinstance(layer, keras.layers.Dense))
        return [layer for layer in dense if layer.input is self.decoder.inputs[0]]

    def _tell_frames(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of frames each by itself the means of codes, [N, T, D], and the mean precision of each number, [D]."""
        told = [self.encoder(frames, training=False) for frames in clips]
        means, log_vars = (np.stack([np.asarray(clip[part], np.float64) for clip in told]) for part in range(2))
        return means, np.exp(-log_vars).mean(axis=(0, 1))

    def read_batch(self, data):
        return as_clip_batch(data)

    def freeze_codes(self):
        super().freeze_codes()
        self.temporal.trainable = False

    def encode(self, images):
        """The means of the codes, slow and fast numbers in a row.

        Args:
          images: pictures [B, H, W, C] in [0, 1], or clips [B, T, H, W, C].

        Returns:
          [B, D], or [B, T, D] of clips, with the slow numbers of a clip in all of its frames.
        """
        images = as_pictures(images)
        is_clip = len(images.shape) == 5
        mean, _ = self._find_codes(images if is_clip else images[:, None], training=False)
        return mean if is_clip else mean[:, 0]

    def decode(self, codes):
        """Pictures of codes [B, D], or clips of codes [B, T, D]: float32 [B, H, W, C] or [B, T, H, W, C] in [0, 1]."""
        codes = keras.ops.convert_to_tensor(codes)
        if len(codes.shape) < 3:
            return super().decode(codes)
        return keras.ops.clip(self._make_frames(codes, training=False), 0.0, 1.0)

    def split_codes(self, codes):
        """Codes of clips [B, T, D] as what is slow, one for the clip, and what is fast: [B, S], [B, T, D - S]."""
        return keras.ops.mean(codes[..., : self.slow_dim], axis=1), codes[..., self.slow_dim :]

    def join_codes(self, slow, fast):
        """The codes of clips [B, T, D] from what is slow [B, S] and what is fast [B, T, D - S]."""
        return keras.ops.concatenate([keras.ops.repeat(slow[:, None], keras.ops.shape(fast)[1], axis=1), fast], axis=-1)

    def code_network(self) -> keras.Model:
        features = self.encoder.features
        mean = self.encoder.mu(features.output)
        fast = keras.layers.Reshape((1, self.latent_dim - self.slow_dim))(mean[:, self.slow_dim :])
        fast = keras.layers.Reshape((self.latent_dim - self.slow_dim,))(self.temporal(fast))
        codes = keras.layers.Concatenate(dtype="float32")([mean[:, : self.slow_dim], fast])
        return keras.Model(features.input, codes, name="encoder")

    def call(self, batch, training=False):
        """As `VAE.call` of the frame in the middle, and of clips `clip_reconstruction`, `clip_mean`, `clip_log_var`."""
        clips = batch["clip"] if "clip" in batch else batch["image"][:, None]
        mean, log_var = self._find_codes(clips, training)
        codes = self.sample([mean, log_var, self._epsilon(mean)]) if training else mean
        made = self._make_frames(codes, training)
        middle = clips.shape[1] // 2
        outputs = {"reconstruction": made, "z": codes, "mean": mean, "log_var": log_var}
        outputs = {name: frames[:, middle] for name, frames in outputs.items()} | self._kl_settings(training)
        if "clip" in batch:
            outputs |= {"clip_reconstruction": made, "clip_mean": mean, "clip_log_var": log_var}
        return outputs

    def _find_codes(self, clips, training):
        """Mean and log variance of the codes of clips: [B, T, H, W, C] -> two float32 [B, T, D]."""
        count = clips.shape[1]
        told = self.encoder(keras.ops.reshape(clips, (-1, *clips.shape[2:])), training=training)
        mean, log_var = (keras.ops.reshape(one, (-1, count, self.latent_dim)) for one in told)
        slow, fast = self.split_codes(mean)
        slow_log_var, fast_log_var = self.split_codes(log_var)
        mean = self.join_codes(slow, self.temporal(fast, training=training))
        return mean, self.join_codes(slow_log_var, fast_log_var)

    def _make_frames(self, codes, training):
        """Pictures of the codes of clips: [B, T, D] -> float32 [B, T, H, W, C]."""
        frames = self.decoder(keras.ops.reshape(codes, (-1, self.latent_dim)), training=training)
        return keras.ops.cast(keras.ops.reshape(frames, (-1, codes.shape[1], *frames.shape[1:])), "float32")

    def _epsilon(self, mean):
        """Noise of codes [B, T, D], the same in all frames of a clip, so that what it changes is no flicker."""
        return keras.ops.repeat(super()._epsilon(mean)[:, None], mean.shape[1], axis=1)

    def loss_terms(self):
        terms = {name: OfFrames(term) for name, term in super().loss_terms().items()}
        return terms | {"kl": ClipKLDivergence(self.slow_dim), "temporal": TemporalError()}


def find_slow_directions(codes: np.ndarray) -> np.ndarray:
    """The directions in which clips differ, those first in which their frames differ the least (Fisher 1936).

    Args:
      codes: of the frames of clips, [N, T, D].

    Returns:
      float32 [D, D], a direction in each column: codes times it are uncorrelated and of variance 1 over all frames.
    """
    within = np.mean([np.cov(clip.T, bias=True) for clip in codes], axis=0)
    spread, axes = np.linalg.eigh(np.cov(codes.reshape(-1, codes.shape[-1]).T, bias=True))
    whiten = axes / np.sqrt(np.maximum(spread, LEAST_SPREAD * spread.max()))  # [D, D]
    _, turn = np.linalg.eigh(whiten.T @ within @ whiten)  # the smallest first
    return (whiten @ turn).astype(np.float32)
