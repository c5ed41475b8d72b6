"""The parts of an autoencoder as graphs: pictures to codes, codes to pictures, and both."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from ...models.batches import skip_checks
from ...models.plain import make_plain
from ..codes.encoding import NOTHING, Columns
from ..exporting.graphs import Graph

PICTURE, CODE = "picture", "code"


def make_graphs(model: Any, told: Columns = NOTHING) -> dict[str, Graph]:
    """An autoencoder's parts by name: deterministic, in float32, for one picture or code.

    Args:
      model: an `Autoencoder` in float32.
      told: what it is told when it decodes, one row.
    """
    network = model.network()
    pictures = (network.image_size, network.image_size, network.channels)
    conditions = [tf.constant(column) for column in told.values()]

    def encode(images: Any) -> Any:
        with skip_checks():
            return network.encode(images)

    def decode(codes: Any) -> Any:
        return network.decode(codes, *conditions)

    parts: Mapping[str, tuple[str, str, tuple[int, ...], Callable, Callable[[], Any]]] = {
        "encoder": (PICTURE, CODE, pictures, encode, lambda: _encoder(network)),
        "decoder": (CODE, PICTURE, network.shape_of_code(), decode, lambda: _decoder(network)),
        "autoencoder": (PICTURE, PICTURE, pictures, lambda images: decode(encode(images)), lambda: _both(network)),
    }
    return {
        name: Graph(name, takes, gives if gives != takes else "reconstruction", shape, call, network, _or_none(make))
        for name, (takes, gives, shape, call, make) in parts.items()
    }


def _or_none(make: Callable[[], Any]) -> Any:
    """A functional network of Keras' own layers; None where there is none of one input and one output."""
    try:
        found = make()
    except (ValueError, TypeError, AttributeError, NotImplementedError):
        return None
    return found if len(found.inputs) == len(found.outputs) == 1 else None


def _encoder(network: Any) -> keras.Model:
    return make_plain(network.code_network())


def _decoder(network: Any) -> keras.Model:
    plain = make_plain(network.picture_network())
    return keras.Model(plain.input, keras.layers.ReLU(max_value=1.0, dtype="float32")(plain.output), name="decoder")


def _both(network: Any) -> keras.Model:
    encoder, decoder = _encoder(network), _decoder(network)
    return keras.Model(encoder.input, decoder(encoder.output), name="autoencoder")
