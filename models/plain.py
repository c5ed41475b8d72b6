"""A network of the zoo of Keras' own layers alone, which Keras loads without facezoo. It is not to be trained."""

import keras

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
    plain.set_weights(network.get_weights())
    if REGISTERED in plain.to_json():
        raise ValueError("an activation in it is none of Keras'")
    return plain


def _clone(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, Dropout | DepthToSpace):
        return layer  # which are never called
    config = layer.get_config()
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
        return _rearrange(inputs[0])
    if getattr(layer, "enlarges", False):
        inputs = (keras.layers.UpSampling2D()(inputs[0]),)
    outputs = layer(*inputs, **options)
    scale = getattr(layer, "output_scale", 1.0)
    return outputs if scale == 1.0 else keras.layers.Rescaling(scale)(outputs)


def _rearrange(maps):
    """[B, H, W, 4 C] -> [B, 2 H, 2 W, C]."""
    _, height, width, channels = maps.shape
    split = keras.layers.Reshape((height, width, 2, 2, channels // 4))(maps)
    woven = keras.layers.Permute((1, 3, 2, 4, 5))(split)  # [B, H, 2, W, 2, C]
    return keras.layers.Reshape((2 * height, 2 * width, channels // 4))(woven)
