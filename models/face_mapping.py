"""The face mapping autoencoder: one encoder for all people, and what makes each person's face of a code."""

from collections.abc import Mapping
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from ..losses import ExpressionCode, Masked, SquaredMaskError
from ..losses.objective import Term
from .autoencoder import Autoencoder
from .batches import is_tensorflow
from .blocks import (
    ConvolutionStyle,
    check_boolean,
    check_choice,
    check_not_negative,
    check_positive,
    check_stages,
    code_size,
    images_out,
    residual_block,
    upsampling_block,
)
from .growing import copy_layers, enlarge_arguments, fit_stages, grow_decoder, grow_encoder

STRUCTURES = ("df", "liae")
OWN_SIZE, OWN_FILTERS = 64, (16, 32, 64, 128)
SLOPE = 0.1  # of leaky ReLUs


@keras.saving.register_keras_serializable("facezoo")
class FaceMapping(Autoencoder):
    """One encoder for several people, and for each what makes their face of a code: DeepFaceLab's DF and LIAE.

    Perov et al., "DeepFaceLab: Integrated, flexible and extensible face-swapping framework" (2020), section 3.2. Every
    picture is decoded as its own person in training, best from a randomly warped copy; a face is mapped onto another
    person by decoding its code as that person.

    Encoder: 5x5 convolutions of stride 2 and one dense layer. Inter: dense, then the first doubling. Decoder: the other
    doublings, each with a residual block, then 1x1 and sigmoid. Doubling is sub-pixel.

    - "df": one inter for all, a decoder for each person.
    - "liae": one decoder; its features are those of two inters side by side: the one that all share ("AB") twice for
      the first person, a person's own and the shared one for everybody else.

    A batch may hold `identity` int [B], the number of each picture's person (where it is missing or no number of a
    person: the last one); `warped` [B, H, W, C], what the encoder gets in training instead of `image`; and `mask`
    [B, H, W, 1] in [0, 1], outside of which no error counts. The outputs have `mask`, the same shape, with a mask head.

    Its defaults suit a CPU. DeepFaceLab's DF is image_size=128, filters=(64, 128, 256, 512), mask_head=True.

    >>> model = FaceMapping(image_size=32, filters=(8, 8), inter_dim=4, people=("ann", "bob"))
    >>> tuple(model.map_faces(tf.zeros((2, 32, 32, 3)), "bob").shape)
    (2, 32, 32, 3)

    Args:
      structure: "df" or "liae".
      people: their names, at least two; faces are mapped onto the last one unless another is named.
      filters: channels of each encoder stage; every stage halves the picture. None are 16, 32, 64, 128, and before
        them a stage more, half as wide but of 8 at least, for each doubling beyond 64 pixels, unless decoder_filters
        are given.
      inter_dim: dimensions of an inter's code. A picture's code is that of "df"'s only inter, [B, inter_dim], or those
        of all of "liae"'s side by side, [B, people * inter_dim].
      decoder_filters: channels after each doubling, the inter's first. None mirrors the encoder as DeepFaceLab does:
        half of `filters`' last, then `filters` backwards without the first.
      mask_head: also decodes the face's mask, in a narrower stack of doublings.
      kernel_initializer: as Keras names them: "glorot_uniform" (Xavier), "he_normal", "truncated_normal", ...
      l2: factor of the L2 penalty on every kernel.

    Raises:
      ValueError: fewer than two people or a name that stands twice, `image_size` is not a multiple of 2^stages,
        `decoder_filters` are not as many as `filters`, or another argument is out of its range.
    """

    data_arguments: ClassVar = {"people": "identity_names"}
    conditions: ClassVar = {"people": "identity"}
    free_arguments: ClassVar = (*Autoencoder.free_arguments, "people")
    batch_columns: ClassVar = ("warped", "mask")

    def __init__(
        self,
        *,
        structure: str = "df",
        people: tuple[str, ...] = ("source", "target"),
        image_size: int = 64,
        channels: int = 3,
        filters: tuple[int, ...] | None = None,
        inter_dim: int = 256,
        decoder_filters: tuple[int, ...] | None = None,
        mask_head: bool = False,
        kernel_initializer: str = "glorot_uniform",
        l2: float = 0.0,
        seed: int = 0,
        name: str | None = None,
    ):
        super().__init__(image_size=image_size, channels=channels, seed=seed, name=name)
        check_stages(filters=filters, decoder_filters=decoder_filters)
        if filters is None:
            filters = fit_stages(OWN_FILTERS, image_size, OWN_SIZE) if decoder_filters is None else OWN_FILTERS
        check_positive(inter_dim=inter_dim)
        check_boolean(mask_head=mask_head)
        check_not_negative(l2=l2)
        self.structure, self.people = check_choice("structure", structure, STRUCTURES), _check_people(people)
        self.filters, self.decoder_filters = tuple(filters), _check_decoder(filters, decoder_filters)
        self.inter_dim, self.mask_head = inter_dim, mask_head
        self.kernel_initializer, self.l2 = kernel_initializer, l2
        self.style = ConvolutionStyle(3, kernel_initializer, l2)
        self.inter_count = 1 if structure == "df" else len(self.people)
        self.code_dim = self.inter_count * inter_dim
        self.code_size = code_size(image_size, 2 ** len(self.filters))
        self.encoder = self._build_encoder()
        self.decoder = self._build_decoder()
        self.build()

    @classmethod
    def enlarge_arguments(cls, arguments, image_size):
        return enlarge_arguments(arguments, image_size)

    def _grow_once(self, small):
        grow_encoder(small.encoder, self.encoder, self.channels)
        copy_layers(small.decoder, self.decoder)
        for there, here in zip(small.list_decoders(), self.list_decoders(), strict=True):
            for output, blocks in (("reconstruction", 1), ("mask", 0))[: len(there.output)]:
                parts = (keras.Model(network.input, network.output[output]) for network in (there, here))
                grow_decoder(*parts, slope=SLOPE, blocks=blocks)

    def _build_encoder(self) -> keras.Model:
        style = ConvolutionStyle(5, self.kernel_initializer, self.l2)
        x = images = keras.Input((self.image_size, self.image_size, self.channels))
        for filters in self.filters:
            x = keras.layers.LeakyReLU(SLOPE)(style.conv(filters, strides=2)(x))
        return keras.Model(images, self.style.dense(self.code_dim)(keras.layers.Flatten()(x)), name="encoder")

    def _build_decoder(self) -> keras.Model:
        """Codes [B, D] and each one's person, int [B] -> a dict of pictures and, with the head, masks."""
        codes, person = keras.Input((self.code_dim,)), keras.Input((), dtype="int32")
        features = [self._inter(code) for code in keras.ops.split(codes, self.inter_count, axis=-1)]
        if self.structure == "df":
            decoders = [self._heads(features[0].shape[1:], number) for number in range(len(self.people))]
            outputs = OwnNetwork(decoders, dtype="float32", name="decoders")([person, features[0]])
        else:
            shared = keras.layers.Concatenate()([ChosenPerson()([person, *features]), features[0]])
            outputs = self._heads(shared.shape[1:])(shared)
        return keras.Model([codes, person], outputs, name="decoder")

    def _inter(self, code):
        """From an inter's code to feature maps: [B, inter_dim] -> [B, 2 S, 2 S, decoder_filters[0]]."""
        shape = (self.code_size, self.code_size, self.decoder_filters[0])
        x = self.style.dense(shape[0] * shape[1] * shape[2])(code)
        return self._double(keras.layers.Reshape(shape)(x), self.decoder_filters[0])

    def _heads(self, shape: tuple[int, ...], number: int = 0) -> keras.Model:
        """A new decoder: feature maps -> a dict of pictures and, with the head, masks, each [B, H, W, *]."""
        features = keras.Input(shape)
        outputs = {"reconstruction": self._pictures(features)}
        if self.mask_head:
            outputs["mask"] = self._masks(features)
        return keras.Model(features, outputs, name=f"decoder_{number}")

    def _pictures(self, x):
        for filters in self.decoder_filters[1:]:
            x = residual_block(self._double(x, filters), self.style)
        return images_out(x, self._last_style, self.channels, name="pictures")

    def _masks(self, x):
        for filters in self.decoder_filters[1:]:
            x = self._double(x, max(1, 11 * filters // 32))  # DeepFaceLab's 22 channels to 64 of the picture
        return images_out(x, self._last_style, 1, name="masks")

    @property
    def _last_style(self) -> ConvolutionStyle:
        return ConvolutionStyle(1, self.kernel_initializer, self.l2)

    def _double(self, x, filters: int):
        return upsampling_block(x, self.style, filters, "subpixel", keras.layers.LeakyReLU(SLOPE))

    def shape_of_code(self) -> tuple[int, ...]:
        return (self.code_dim,)

    def decode(self, codes, person=None):
        """Pictures of codes as one of the people, or each as its own.

        Args:
          codes: [B, D], of anybody.
          person: a name or number from `people`, or a number for each code, int [B]; None is the last one.

        Returns:
          float32 [B, H, W, C] in [0, 1].

        Raises:
          ValueError: no such person.
        """
        return self._decode(codes, person)["reconstruction"]

    def decode_with_mask(self, codes, person=None):
        """As `decode`, with the faces' masks: float32 [B, H, W, C] and [B, H, W, 1], both in [0, 1].

        Raises:
          ValueError: no such person, or the model has no mask head.
        """
        if not self.mask_head:
            raise ValueError("the model has no mask head: construct and train it with mask_head=True")
        decoded = self._decode(codes, person)
        return decoded["reconstruction"], decoded["mask"]

    def map_faces(self, images, person=None):
        """Pictures with their faces mapped onto a person, given as to `decode`: [B, H, W, C] -> the same, in [0, 1]."""
        return self.decode(self.encode(images), person)

    def _decode(self, codes, person):
        codes, numbers = keras.ops.convert_to_tensor(codes), self._number(person)
        known = tf.get_static_value(numbers) if is_tensorflow() else None
        if known is not None and known.size == 1:
            numbers = tf.constant(known.reshape(1))  # which `OwnNetwork` knows while a graph is made
        else:
            numbers = keras.ops.broadcast_to(numbers, (keras.ops.shape(codes)[0],))
        return self.decoder([codes, numbers], training=False)

    def _number(self, person):
        """The number of a person, or the numbers of several: int32, scalar or [B]."""
        known = f"{', '.join(self.people)} (numbers 0 to {len(self.people) - 1})"
        if isinstance(person, str) and person not in self.people:
            raise ValueError(f"no person {person!r}: the model knows {known}")
        if person is None or isinstance(person, str):
            person = self.people.index(person or self.people[-1])
        numbers = keras.ops.cast(keras.ops.convert_to_tensor(person), "int32")
        values = _find_static(person, numbers)
        if values is not None and ((values < 0) | (values >= len(self.people))).any():
            raise ValueError(f"no person of number {person}: the model knows {known}")
        return numbers

    def call(self, batch, training=False):
        """Each picture's code, decoded as its own person; in training, the code of its warped copy if there is one."""
        images = batch["warped"] if training and "warped" in batch else batch["image"]
        last = keras.ops.full((keras.ops.shape(images)[0],), len(self.people) - 1, "int32")
        codes = self.encoder(images, training=training)
        return {"z": codes, **self.decoder([codes, batch.get("identity", last)], training=training)}

    def loss_terms(self) -> dict[str, Term]:
        terms: dict[str, Term] = {name: Masked(term) for name, term in super().loss_terms().items()}
        return terms | ({"mask": SquaredMaskError()} if self.mask_head else {})

    def inside(self, term: Term) -> Term:
        return term if isinstance(term, ExpressionCode) else Masked(term)  # which reads whole pictures only

    @property
    def default_factors(self) -> Mapping[str, float]:  # type: ignore[override]
        """DeepFaceLab's of error and dissimilarity, and 1 of the mask where there is a head for it."""
        return {"reconstruction": 10.0, "dssim": 10.0} | ({"mask": 1.0} if self.mask_head else {})

    @property
    def last_kernels(self) -> list:
        """The kernel of the last layer of every person's decoder."""
        return [network.get_layer("pictures").kernel for network in self.list_decoders()]

    def list_decoders(self) -> list[keras.Model]:
        """What makes pictures and masks of the inters' maps: a network for each person, or the one of all."""
        if self.structure == "df":
            return self.decoder.get_layer("decoders").networks
        return [self.decoder.get_layer("decoder_0")]


@keras.saving.register_keras_serializable("facezoo")
class ChosenPerson(keras.layers.Layer):
    """Each example as its own person: numbers int [B] and P times [B, H, W, C] -> [B, H, W, C].

    A number that none of them has gives the last.
    """

    def call(self, inputs):
        numbers, *people = inputs
        chosen = people[-1]
        for number, person in enumerate(people[:-1]):
            chosen = keras.ops.where(keras.ops.reshape(keras.ops.equal(numbers, number), (-1, 1, 1, 1)), person, chosen)
        return chosen

    def compute_output_shape(self, input_shape):
        return input_shape[-1]


class OwnNetwork(keras.layers.Layer):
    """Each example through its own person's network only: numbers int [B] and [B, ...] -> what the networks give.

    One number that is known when a graph is made is everybody's: then the graph holds that network alone. A number that
    none of them has gives the last.

    Args:
      networks: P of them, [B, ...] -> a dict of tensors [B, ...].
    """

    def __init__(self, networks: list[keras.Model], **options):
        super().__init__(**options)
        self.networks = networks

    def call(self, inputs, training=False):
        numbers, features = inputs
        if not is_tensorflow():
            return self._choose(numbers, [network(features, training=training) for network in self.networks])
        last = len(self.networks) - 1
        if numbers.shape[0] == 1 and (only := tf.get_static_value(numbers)) is not None:  # of all examples
            return self.networks[only[0] if 0 <= only[0] < last else last](features, training=training)
        numbers = tf.where((numbers >= 0) & (numbers < last), numbers, last)
        rows = tf.dynamic_partition(tf.range(tf.shape(numbers)[0]), numbers, last + 1)
        shares = [
            self._share(network, features, own, training) for network, own in zip(self.networks, rows, strict=True)
        ]
        return {name: tf.dynamic_stitch(rows, [share[name] for share in shares]) for name in shares[0]}

    @staticmethod
    def _choose(numbers, made: list[dict]) -> dict:
        """Each example's own of what all networks give for all: backends that know their shapes before do no less."""
        choose = ChosenPerson()
        return {name: choose([numbers, *(outputs[name] for outputs in made)]) for name in made[0]}

    @staticmethod
    def _share(network, features, rows, training) -> dict:
        """A network's outputs for some rows, and for one more that is dropped: convolutions do not take none."""
        given = tf.gather(features, tf.concat([rows, [0]], axis=0))
        return {name: values[:-1] for name, values in network(given, training=training).items()}

    def compute_output_spec(self, inputs, training=False):
        return self.networks[0].compute_output_spec(inputs[1])


def _find_static(given, numbers) -> np.ndarray | None:
    """Numbers that are known before a graph runs; None of others."""
    if not keras.ops.is_tensor(given):
        return np.asarray(given)
    return tf.get_static_value(numbers) if is_tensorflow() else None


def _check_people(names: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"people={names!r} must be names with commas between them")
    if len(names) < 2:
        raise ValueError(f"people={tuple(names)} must be at least two: faces are mapped from one person onto another")
    if len(set(names)) < len(names):
        raise ValueError(f"people={tuple(names)} must name each person once")
    return tuple(names)


def _check_decoder(filters: tuple[int, ...], decoder_filters: tuple[int, ...] | None) -> tuple[int, ...]:
    if decoder_filters is None:
        return (max(1, filters[-1] // 2), *reversed(filters[1:]))
    if len(decoder_filters) != len(filters):
        raise ValueError(f"decoder_filters={decoder_filters} must be as many as filters={filters}, one for each stage")
    return tuple(decoder_filters)
