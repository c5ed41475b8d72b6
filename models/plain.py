"""A network of the zoo of Keras' own layers alone, which Keras loads without facezoo. It is not to be trained."""

import keras
import numpy as np

from ..compressing import JoinedPatches, PlaceBias
from .blocks import DepthToSpace, Dropout, UpsampledConv2D
from .normalization import BatchNormalization

OF_KERAS = "keras."  # what its own modules begin with
REGISTERED = "facezoo>"  # what the names begin with that Keras knows ours by


def make_plain(network: keras.Model) -> keras.Model:
    """The same function, of layers that come with Keras.

    Args:
      network: a functional one, in float32.

    Raises:
      ValueError: a layer in it is none of Keras', and nothing of Keras' does the same.
    """
    plain = keras.models.clone_model(network, clone_function=_clone, call_function=_call)
    for layer in network.layers:
        weights = layer.get_weights()
        if isinstance(layer, PlaceBias):
            weights = [np.ones(weights[0].shape[-1:], weights[0].dtype), *weights]
        if weights:
            plain.get_layer(layer.name).set_weights(weights)
    if REGISTERED in plain.to_json():
        raise ValueError("an activation in it is none of Keras'")
    return plain


def _clone(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, Dropout | DepthToSpace | JoinedPatches):
        return layer  # which are never called
    config = layer.get_config()
    if isinstance(layer, PlaceBias):
        shape, kept = layer.bias.shape, {"name": layer.name, "dtype": layer.dtype_policy}
        return keras.layers.EinsumDense("bhwc,c->bhwc", shape, bias_axes="hwc", **kept)
    if isinstance(layer, BatchNormalization):
        scale = config.pop("output_scale")
        plain = keras.layers.BatchNormalization.from_config(config)
        plain.output_scale = scale
        return plain
    if isinstance(layer, UpsampledConv2D):
        plain = keras.layers.Conv2D.from_config(config)
        plain.enlarges = True
        return plain
    if not type(layer).__module__.startswith(OF_KERAS):
        raise ValueError(f"a {type(layer).__name__} is no layer of Keras'")
    return type(layer).from_config(config)


def _call(layer: keras.layers.Layer, *inputs, **options):
    if isinstance(layer, Dropout):
        return inputs[0]
    if isinstance(layer, DepthToSpace):
        return _rearrange(inputs[0], 2)
    if isinstance(layer, JoinedPatches):
        return _rearrange(inputs[0], layer.patch)
    if getattr(layer, "enlarges", False):
        inputs = (keras.layers.UpSampling2D()(inputs[0]),)
    outputs = layer(*inputs, **options)
    scale = getattr(layer, "output_scale", 1.0)
    return outputs if scale == 1.0 else keras.layers.Rescaling(scale)(outputs)


def _rearrange(maps, patch: int):
    """[B, H, W, patch * patch * C] -> [B, patch * H, patch * W, C]."""
    if patch == 1:
        return maps
    _, height, width, numbers = maps.shape
    channels = numbers // patch**2
    split = keras.layers.Reshape((height, width, patch, patch, channels))(maps)
    woven = keras.layers.Permute((1, 3, 2, 4, 5))(split)  # [B, H, patch, W, patch, C]
    return keras.layers.Reshape((patch * height, patch * width, channels))(woven)
