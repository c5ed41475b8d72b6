"""Tells pictures from reconstructions by what a frozen network sees in them."""

import keras
import tensorflow as tf

from ..losses.lpips import read_lpips, set_slices, slice_network
from .blocks import check_name, check_pictures, check_stages
from .discriminator import NEGATIVE_SLOPE, Judge

SLICES = (0, 1, 2, 6)  # of SqueezeNet's, of every size the last
MOST_SIDE = 4  # of a map that is judged
LARGEST = 3.0  # singular value of what learns
DOUBLINGS = 6  # of a power


@keras.saving.register_keras_serializable("facezoo")
class ProjectedDiscriminator(Judge):
    """Judges pictures by the features of SqueezeNet, the network of LPIPS, which stays as it is.

    After Sauer, Chitta, Müller and Geiger, "Projected GANs Converge Faster" (2021): features of four sizes go through
    convolutions that are random and never learn, from the coarsest to the finest, so that no head can rest on few of
    them; what learns is a small head on each. Far fewer pictures are needed than by a discriminator that begins with
    nothing. Unlike theirs, features are brought to mean 0 and variance 1 in each picture, heads have no batch
    normalisation, and each update brings their kernels back to a largest singular value of at most 3 (after Miyato et
    al., "Spectral Normalization for Generative Adversarial Networks" (2018)).

    Outputs: `logits`, float32 [B, cells, 1], those of all heads; `features`, a list of what follows each leaky ReLU.

    The frozen network is empty until `read_weights`, and is saved with the model.

    >>> judge = ProjectedDiscriminator(image_size=32, filters=(8, 8, 8, 8))
    >>> judge(tf.zeros((2, 32, 32, 3)))["logits"].shape
    TensorShape([2, 28, 1])

    Args:
      image_size: height and width in pixels, at least 17.
      channels: 1 or 3.
      filters: channels of what each head sees and of the head, four, from the finest features to the coarsest.
      seed: of the random convolutions.

    Raises:
      ValueError: not four numbers of channels, or another argument is out of its range.
    """

    def __init__(
        self,
        *,
        image_size: int = 64,
        channels: int = 3,
        filters: tuple[int, ...] = (32, 64, 128, 256),
        seed: int = 0,
        name: str | None = None,
    ):
        check_name(name)
        super().__init__(name=name)
        check_pictures(image_size, channels)
        check_stages(filters=filters)
        if len(filters or ()) != len(SLICES):
            raise ValueError(f"filters={filters} must be {len(SLICES)}: a head for features of each size")
        self.image_size, self.channels, self.filters, self.seed = image_size, channels, tuple(filters), seed
        self.slices = slice_network("squeeze", image_size, channels)
        self.network = self._build_network()
        self.build()

    def read_weights(self, weights: str | None = None) -> None:
        """Reads those of the frozen network, `lpips_squeeze.npz`, from a file or where `find_weights` looks for it.

        Raises:
          WeightsError: they cannot be had, or are damaged or another network's.
        """
        set_slices(self.slices, read_lpips("squeeze", weights))

    def _build_network(self) -> keras.Model:
        images = keras.Input((self.image_size, self.image_size, self.channels), dtype="float32")
        maps = self.slices(images)
        logits, features = [], []
        for number, seen in enumerate(self._build_mixtures([maps[place] for place in SLICES])):
            x, learned = _build_head(f"head_{number}", seen, self.filters[number])
            logits.append(keras.layers.Reshape((-1, 1), dtype="float32")(x))
            features += learned
        joined = keras.layers.Concatenate(axis=1, dtype="float32")(logits)
        return keras.Model(images, {"logits": joined, "features": features}, name="network")

    def _build_mixtures(self, maps: list) -> list:
        """Random mixtures over channels and sizes, each of mean 0 and variance 1 in each picture."""
        mixed, coarser = [], None
        for number, seen in reversed(list(enumerate(maps))):
            x = _make_random(self.filters[number], 1, self.seed + number, f"mix_{number}")(_standardise(seen))
            if coarser is not None:
                larger = keras.layers.Resizing(*seen.shape[1:3], dtype="float32")(coarser)
                spread = _make_random(self.filters[number], 3, self.seed + len(SLICES) + number, f"spread_{number}")
                x = keras.layers.Add(dtype="float32")([x, spread(larger)])
            coarser = _standardise(x)
            mixed.insert(0, coarser)
        return mixed


@keras.saving.register_keras_serializable("facezoo")
class LargestSingularValue(keras.constraints.Constraint):
    """Divides a kernel, [..., outputs] as a matrix, by its largest singular value where that is above a limit.

    >>> LargestSingularValue(1.0)(tf.eye(3) * [[4.0, 0.5, 1.0]]).numpy().diagonal().round(3).tolist()
    [1.0, 0.125, 0.25]

    Args:
      limit: of the largest singular value.
    """

    def __init__(self, limit: float = 1.0):
        self.limit = limit

    def __call__(self, w):
        matrix = tf.reshape(tf.cast(w, tf.float32), (-1, w.shape[-1]))
        square = tf.matmul(matrix, matrix, transpose_a=True)
        power = square  # a high one: what is left of the square points where it is largest
        for _ in range(DOUBLINGS):
            power = tf.math.divide_no_nan(power, tf.norm(power))
            power = tf.matmul(power, power)
        largest = tf.sqrt(tf.math.divide_no_nan(tf.norm(tf.matmul(square, power)), tf.norm(power)))
        return w * tf.cast(self.limit / tf.maximum(largest, self.limit), w.dtype)

    def get_config(self):
        return {"limit": self.limit}


def _build_head(name: str, x, filters: int) -> tuple:
    """Maps -> a map of logits, and what follows each leaky ReLU."""
    features = []
    while x.shape[1] > MOST_SIDE:
        x = keras.layers.LeakyReLU(NEGATIVE_SLOPE)(_make_limited(filters, 3, f"{name}_{len(features)}", 2)(x))
        features.append(x)
    x = keras.layers.LeakyReLU(NEGATIVE_SLOPE)(_make_limited(filters, 3, f"{name}_{len(features)}")(x))
    return _make_limited(1, 1, f"{name}_logits", dtype="float32")(x), [*features, x]


def _standardise(x):
    """To mean 0 and variance 1 over places and channels, in each picture."""
    return keras.layers.GroupNormalization(1, center=False, scale=False, dtype="float32")(x)


def _make_random(filters: int, kernel_size: int, seed: int, name: str) -> keras.layers.Layer:
    """A convolution that never learns."""
    start = keras.initializers.HeNormal(seed=seed)
    return keras.layers.Conv2D(
        filters, kernel_size, padding="same", use_bias=False, kernel_initializer=start, trainable=False, name=name
    )


def _make_limited(
    filters: int, kernel_size: int, name: str, strides: int = 1, dtype: str | None = None
) -> keras.layers.Layer:
    """A convolution that learns within the limit of its kernel."""
    padding = "same" if strides == 1 else "valid"
    return keras.layers.Conv2D(
        filters, kernel_size, strides, padding, kernel_constraint=LargestSingularValue(LARGEST), dtype=dtype, name=name
    )
