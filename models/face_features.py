"""A small network that reads drawn faces: whose face it is, what is true of it, where its parts are."""

import itertools
from collections.abc import Sequence
from typing import ClassVar

import keras
import tensorflow as tf

from .blocks import ConvolutionStyle, check_name, check_pictures, check_positive, check_stages, code_size
from .normalization import BatchNormalization
from .trainable import TrainableModel

STYLE = ConvolutionStyle(3, "he_normal", use_bias=False)
LANDMARK_SCALE = 0.25  # from the head's numbers to the picture's width


@keras.saving.register_keras_serializable("facezoo")
class FaceFeatures(TrainableModel):
    """Reads faces: whose it is, attributes, landmarks and factors.

    Trained on drawn faces, it is the zoo's perceptual network (facenet's manner: a face network instead of one for
    things), the landmark network of the landmark loss, and the judge of edits and mappings.

    Outputs: `embedding` [B, D] of unit length, near for pictures of one person; `identity_logits` [B, identities];
    `attribute_logits` [B, A]; `landmarks` [B, L, 2], (x, y) in [0, 1]; `factors` [B, F] in the data's units, a
    discrete one as its most likely choice; `factor_scores`, what the factors are read from.

    >>> network = FaceFeatures(image_size=32, filters=(4, 8), convolutions=(1, 1), identities=3)
    >>> outputs = network.read(tf.zeros((1, 32, 32, 3)))
    >>> {name: tuple(outputs[name].shape) for name in ("embedding", "landmarks", "identity_logits")}
    {'embedding': (1, 64), 'landmarks': (1, 1, 2), 'identity_logits': (1, 3)}

    Args:
      image_size: height and width in pixels, a multiple of 2^(stages - 1).
      channels: 1 or 3.
      filters: channels of each stage; every stage but the first halves the picture.
      convolutions: in each stage.
      position_filters: channels to which the last maps are narrowed before they are flattened.
      hidden_units: of the dense layer that all heads read.
      embedding_dim: D.
      identities: people of the training split, which the embedding learns to tell apart.
      attribute_names: what `attributes` of a batch are called.
      landmark_names: what `landmarks` of a batch are called, L of them.
      factor_names: what `factors` of a batch are called.
      factor_ranges: (low, high, number of choices) of each; 0 choices for a continuous one.
      margin: between people, in cosine (CosFace, Wang et al. 2018, eq. 4).
      scale: of the cosine before the softmax.

    Raises:
      ValueError: an argument is out of its range.
    """

    reads_faces: ClassVar[bool] = True
    free_arguments: ClassVar = (*TrainableModel.free_arguments, "margin", "scale")
    default_factors: ClassVar = {"identity": 0.2, "attributes": 5.0, "landmarks": 1.0, "factors": 20.0}
    data_arguments: ClassVar = {
        "attribute_names": "attribute_names",
        "landmark_names": "landmark_names",
        "factor_names": "factor_names",
        "factor_ranges": "factor_ranges",
    }

    def __init__(
        self,
        *,
        image_size: int = 64,
        channels: int = 3,
        filters: tuple[int, ...] = (24, 48, 96, 128, 128),
        convolutions: tuple[int, ...] = (1, 2, 3, 2, 1),
        position_filters: int = 64,
        hidden_units: int = 160,
        embedding_dim: int = 64,
        identities: int = 2000,
        attribute_names: tuple[str, ...] = ("smiling",),
        landmark_names: tuple[str, ...] = ("nose_tip",),
        factor_names: tuple[str, ...] = ("yaw",),
        factor_ranges: tuple[tuple[float, float, int], ...] = ((-45.0, 45.0, 0),),
        margin: float = 0.2,
        scale: float = 16.0,
        seed: int = 0,
        name: str | None = None,
    ):
        check_name(name)
        super().__init__(name=name)
        check_pictures(image_size, channels)
        check_positive(embedding_dim=embedding_dim, identities=identities)
        check_positive(position_filters=position_filters, hidden_units=hidden_units)
        check_stages(filters=filters, convolutions=convolutions)
        if len(convolutions) != len(filters):
            raise ValueError(f"convolutions={convolutions} must be as many as filters={filters}, one for each stage")
        if len(factor_names) != len(factor_ranges):
            raise ValueError(f"factor_names has {len(factor_names)} names, factor_ranges {len(factor_ranges)} rows")
        self.image_size, self.channels, self.filters, self.seed = image_size, channels, tuple(filters), seed
        self.convolutions, self.position_filters, self.hidden_units = (
            tuple(convolutions),
            position_filters,
            hidden_units,
        )
        self.embedding_dim, self.identities, self.margin, self.scale = embedding_dim, identities, margin, scale
        self.attribute_names, self.landmark_names = tuple(attribute_names), tuple(landmark_names)
        self.factor_names, self.factor_ranges = tuple(factor_names), tuple(tuple(row) for row in factor_ranges)
        code_size(image_size, 2 ** (len(self.filters) - 1))
        self.trunk = self._build_trunk()
        self.heads = {
            "embedding": self._head(embedding_dim),
            "attributes": self._head(len(self.attribute_names)),
            "landmarks": self._head(2 * len(self.landmark_names)),
            "factors": self._head(sum(self._score_counts)),
        }
        self.people = self.add_weight(
            shape=(embedding_dim, identities), initializer="glorot_uniform", autocast=False, name="people"
        )
        self.build()

    def _build_trunk(self) -> keras.Model:
        x = images = keras.Input((self.image_size, self.image_size, self.channels))
        for stage, (filters, convolutions) in enumerate(zip(self.filters, self.convolutions, strict=True), 1):
            for number in range(1, convolutions + 1):
                strides = 2 if stage > 1 and number == 1 else 1
                x = _activate(STYLE.conv(filters, strides=strides)(x), f"stage_{stage}_conv_{number}")
        x = _activate(keras.layers.Conv2D(self.position_filters, 1, use_bias=False)(x), "positions")
        x = keras.layers.Dense(self.hidden_units, use_bias=False)(keras.layers.Flatten()(x))
        return keras.Model(images, _activate(x, "hidden"), name="trunk")

    def _head(self, units: int) -> keras.layers.Dense:
        head = keras.layers.Dense(units, dtype="float32")
        head.build(self.trunk.output_shape)
        return head

    def call(self, batch, training=False):
        features = self.trunk(batch["image"], training=training)
        read = {name: head(features) for name, head in self.heads.items()}
        embedding = _to_unit_length(read["embedding"], axis=-1)
        return {
            "embedding": embedding,
            "identity_logits": self.scale * keras.ops.matmul(embedding, _to_unit_length(self.people, axis=0)),
            "attribute_logits": read["attributes"],
            "landmarks": keras.ops.reshape(0.5 + LANDMARK_SCALE * read["landmarks"], (-1, len(self.landmark_names), 2)),
            "factor_scores": read["factors"],
            "factors": self._read_factors(read["factors"]),
        }

    def read(self, images):
        """What the network sees in pictures: float32 [B, H, W, C] in [0, 1] -> its outputs."""
        return self({"image": images}, training=False)

    def feature_network(self, layers: Sequence[str], channels: int = 3) -> keras.Model:
        """The frozen trunk up to some layers: [B, H, W, channels] in [0, 1], of any size -> list of feature maps.

        Raises:
          ValueError: no such layer.
        """
        known = [layer.name for layer in self._map_layers() if isinstance(layer, keras.layers.ReLU)]
        for layer in layers:
            if layer not in known:
                raise ValueError(f"the face network has no layer {layer!r}; it has {', '.join(known)}")
        images = keras.Input((None, None, channels))
        x, maps = self._own_channels(images), {}
        for layer in self._map_layers():
            maps[layer.name] = x = layer(x)
        return _freeze(images, [maps[layer] for layer in layers])

    def landmark_network(self, channels: int = 3) -> keras.Model:
        """The frozen network from [B, H, W, channels] in [0, 1], of any size, to landmarks [B, L, 2]."""
        images, features = self._any_images(channels)
        points = self.heads["landmarks"](features)
        places = keras.layers.Rescaling(LANDMARK_SCALE, offset=0.5, dtype="float32")(points)
        return _freeze(images, keras.layers.Reshape((len(self.landmark_names), 2), dtype="float32")(places))

    def factor_network(self, names: Sequence[str], channels: int = 3) -> keras.Model:
        """The frozen network from [B, H, W, channels] in [0, 1], of any size, to continuous factors [B, len(names)].

        They are in half ranges: -1 is the lowest value that the data have, 1 the highest.

        Raises:
          ValueError: no such factor, or a discrete one.
        """
        starts = itertools.accumulate(self._score_counts, initial=0)
        rows = zip(self.factor_names, self.factor_ranges, starts, strict=False)  # there is one start more
        columns = {name: start for name, (_, _, choices), start in rows if not choices}
        for name in names:
            if name not in columns:
                raise ValueError(f"the face network reads no continuous factor {name!r}, only {', '.join(columns)}")
        images, features = self._any_images(channels)
        scores = self.heads["factors"](features)
        return _freeze(images, keras.ops.take(scores, [columns[name] for name in names], axis=-1))

    def _any_images(self, channels: int):
        """An input for pictures of any size [B, H, W, channels], and what the heads read of them [B, hidden_units]."""
        images = keras.Input((None, None, channels))
        resized = keras.layers.Resizing(self.image_size, self.image_size, dtype="float32")(self._own_channels(images))
        return images, self.trunk(resized)

    def _map_layers(self) -> list[keras.layers.Layer]:
        """The trunk's layers, which are a chain, up to the one that flattens."""
        layers = self.trunk.layers[1:]
        return list(itertools.takewhile(lambda layer: not isinstance(layer, keras.layers.Flatten), layers))

    def _own_channels(self, images):
        """Gray pictures with the channels that the network wants; a network for gray takes no colours."""
        copies, rest = divmod(self.channels, images.shape[-1])
        if rest or not copies:
            raise ValueError(f"the face network wants {self.channels} channels, not {images.shape[-1]}")
        return keras.layers.Concatenate(dtype="float32")([images] * copies) if copies > 1 else images

    def loss_terms(self):
        return {
            "identity": self._identity_error,
            "attributes": _attribute_error,
            "landmarks": _landmark_error,
            "factors": self._factor_error,
        }

    def _identity_error(self, batch, outputs):
        """Cross-entropy of the person, with the margin; 0 for people who are not in training: [B]."""
        person = tf.one_hot(batch["identity"], self.identities)  # a row of zeros for a stranger
        logits = outputs["identity_logits"] - self.scale * self.margin * person
        return -tf.reduce_sum(person * tf.nn.log_softmax(logits), axis=-1)

    def _factor_error(self, batch, outputs):
        """Mean over factors: squared error in half ranges, or cross-entropy where there are choices: [B]."""
        errors = []
        for column, (scores, (low, high, choices)) in enumerate(self._by_factor(outputs["factor_scores"])):
            values = batch["factors"][:, column]
            if choices:
                truth = tf.cast(tf.round(values), tf.int32)
                errors.append(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=truth, logits=scores))
            else:
                errors.append(tf.math.squared_difference(scores[:, 0], (2.0 * values - low - high) / (high - low)))
        return tf.reduce_mean(tf.stack(errors, axis=-1), axis=-1)

    def _by_factor(self, scores):
        """Pairs of a factor's own scores [B, choices or 1] and its range."""
        ends = itertools.accumulate(self._score_counts, initial=0)
        parts = [scores[:, start:end] for start, end in itertools.pairwise(ends)]
        return zip(parts, self.factor_ranges, strict=True)

    @property
    def _score_counts(self) -> list[int]:
        """How many scores each factor has: one for each choice, or one."""
        return [max(int(choices), 1) for _, _, choices in self.factor_ranges]

    def _read_factors(self, scores):
        values = [
            keras.ops.cast(keras.ops.argmax(own, axis=-1), "float32")
            if choices
            else (low + high + (high - low) * own[:, 0]) / 2.0
            for own, (low, high, choices) in self._by_factor(scores)
        ]
        return keras.ops.stack(values, axis=-1)


def _to_unit_length(vectors, axis: int):
    squares = keras.ops.sum(keras.ops.square(vectors), axis=axis, keepdims=True)
    return vectors * keras.ops.rsqrt(keras.ops.maximum(squares, 1e-12))


def _freeze(inputs, outputs) -> keras.Model:
    network = keras.Model(inputs, outputs)
    network.trainable = False
    return network


def _activate(x, name: str):
    x = BatchNormalization()(x)
    return keras.layers.ReLU(name=name)(x)


def _attribute_error(batch, outputs):
    """Mean binary cross-entropy over attributes: [B]."""
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=batch["attributes"], logits=outputs["attribute_logits"])
    return tf.reduce_mean(entropy, axis=-1)


def _landmark_error(batch, outputs):
    """Mean distance between landmarks and their truth in percent of the picture's width: [B]."""
    squared = tf.reduce_sum(tf.math.squared_difference(batch["landmarks"], outputs["landmarks"]), axis=-1)
    return 100.0 * tf.reduce_mean(tf.sqrt(squared + 1e-8), axis=-1)
