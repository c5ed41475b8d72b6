"""What clips are compared by: every frame, and how successive frames differ."""

import tensorflow as tf

from .kl import KLDivergence, kl_per_dimension
from .objective import Term


class OfFrames:
    """A term of pictures over all frames of clips, the mean of a clip's frames, [B]; of a batch without clips itself.

    A batch with `clip` [B, T, H, W, C] has outputs with `clip_reconstruction`, of the same shape.

    >>> from facezoo.losses import SquaredError
    >>> black, gray = tf.zeros((1, 2, 4, 4, 3)), tf.fill((1, 2, 4, 4, 3), 0.5)
    >>> OfFrames(SquaredError())({"clip": black}, {"clip_reconstruction": gray}).numpy().tolist()
    [0.25]

    Args:
      term: reads `image` of a batch and `reconstruction` of the outputs.
    """

    def __init__(self, term: Term):
        self.term = term

    def __call__(self, batch, outputs):
        if "clip" not in batch:
            return self.term(batch, outputs)
        frames, made = (_flatten_frames(clips) for clips in (batch["clip"], outputs["clip_reconstruction"]))
        errors = tf.cast(self.term({"image": frames}, {"reconstruction": made}), tf.float32)  # [B * T]
        return tf.reduce_mean(tf.reshape(errors, tf.shape(batch["clip"])[:2]), axis=1)


class TemporalError:
    """Mean squared error of how successive frames differ, [B]; 0 of a batch without clips, or of clips of one frame.

    Where an error is the same in all frames it costs nothing, where it comes and goes it is seen as flicker. As the
    temporal losses of Lai et al., "Learning Blind Video Temporal Consistency" (2018), between frames as they are.

    >>> black, gray = tf.zeros((1, 2, 4, 4, 3)), tf.fill((1, 1, 4, 4, 3), 0.5)
    >>> still, flickering = tf.concat([gray, gray], 1), tf.concat([gray, -gray], 1)
    >>> [TemporalError()({"clip": black}, {"clip_reconstruction": made}).numpy().item() for made in (still, flickering)]
    [0.0, 1.0]
    """

    def __call__(self, batch, outputs):
        if "clip" not in batch or batch["clip"].shape[1] == 1:
            return tf.zeros(tf.shape(batch["image"])[:1])
        made = tf.cast(outputs["clip_reconstruction"], tf.float32)
        errors = made - tf.cast(batch["clip"], tf.float32)  # [B, T, H, W, C]
        return tf.reduce_mean(tf.square(errors[:, 1:] - errors[:, :-1]), axis=(1, 2, 3, 4))


class ClipKLDivergence(KLDivergence):
    """The KL term of a code whose first numbers are one for all frames of a clip, [B] nats a frame.

    As the bound of a whole clip is divided among its frames: what is one for T frames costs each a T-th.

    >>> codes = {"clip_mean": tf.ones((1, 4, 2)), "clip_log_var": tf.zeros((1, 4, 2))}  # half a nat for each number
    >>> ClipKLDivergence(slow_dim=1)({}, codes).numpy().tolist()
    [0.625]

    Args:
      slow_dim: how many numbers are one for all frames.
    """

    def __init__(self, slow_dim: int):
        self.slow_dim = slow_dim

    def find_divergence(self, outputs):
        if "clip_mean" not in outputs:
            return super().find_divergence(outputs)
        divergence = kl_per_dimension(outputs["clip_mean"], outputs["clip_log_var"])  # [B, T, D]
        slow, fast = divergence[:, 0, : self.slow_dim], divergence[..., self.slow_dim :]
        return tf.concat([slow / _count_frames(outputs), tf.reduce_mean(fast, axis=1)], axis=-1)

    def find_floor(self, outputs):
        """A slow dimension has its free bits once for the clip, a T-th of them for each frame."""
        floor = super().find_floor(outputs)
        if "clip_mean" not in outputs:
            return floor
        is_slow = tf.range(tf.shape(outputs["clip_mean"])[-1]) < self.slow_dim
        return tf.where(is_slow, floor / _count_frames(outputs), floor)  # [D]


def _count_frames(outputs):
    return tf.cast(tf.shape(outputs["clip_mean"])[1], tf.float32)


def _flatten_frames(clips):
    """Frames one after the other: [B, T, H, W, C] -> [B * T, H, W, C]."""
    return tf.reshape(clips, (-1, *clips.shape[2:]))
