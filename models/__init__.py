"""Architectures, each a subclassed `keras.Model`.

Axis letters: B batch, H height, W width, C channels, D dimensions of the code, T time.
"""

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(f"facezoo runs on Keras' TensorFlow backend, not {keras.backend.backend()}: unset KERAS_BACKEND")

from .autoencoder import Autoencoder
from .blocks import leaky_relu, sampling
from .cae import ConvolutionalAutoencoder, build_autoencoder
from .learning_rate import Schedule
from .vae import VAE, VariationalEncoder

MODELS: dict[str, type[Autoencoder]] = {
    "cae": ConvolutionalAutoencoder,
    "vae": VAE,
}

__all__ = [
    "MODELS",
    "VAE",
    "Autoencoder",
    "ConvolutionalAutoencoder",
    "Schedule",
    "VariationalEncoder",
    "build_autoencoder",
    "leaky_relu",
    "sampling",
]
