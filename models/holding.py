"""What all autoencoders share that hold another one."""

import keras
import numpy as np

from .autoencoder import Autoencoder
from .vae import VAE


def choose_held(autoencoder: Autoencoder | None, image_size: int, channels: int, seed: int) -> Autoencoder:
    """The autoencoder that a model holds; an untrained `VAE` where none is given.

    Args:
      autoencoder: a trained one, or None.
      image_size: of the `VAE`.
      channels: of the `VAE`.
      seed: of the `VAE`.

    Raises:
      ValueError: it is told attributes or people.
    """
    held = VAE(image_size=image_size, channels=channels, seed=seed) if autoencoder is None else autoencoder.network()
    if held.conditions:
        raise ValueError(f"autoencoder: a {type(held).__name__} is told {', '.join(held.conditions)}")
    return held


def add_code_spread(model: keras.Model, shape: tuple[int, ...]) -> tuple:
    """Weights for the means and deviations of codes, each of the code's shape: 0 and 1 until they are measured."""
    return tuple(
        model.add_weight(shape=shape, initializer=start, trainable=False, autocast=False, name=title)
        for start, title in (("zeros", "code_means"), ("ones", "code_deviations"))
    )


def measure_code_spread(autoencoder: Autoencoder, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations of the codes of pictures, [N, H, W, C]: two of the code's shape."""
    parts = np.array_split(images, -(-len(images) // 64))
    codes = np.concatenate([autoencoder.encode(part) for part in parts])
    return codes.mean(0), codes.std(0) + 1e-6


class HoldingAutoencoder(Autoencoder):
    """Encodes as the autoencoder that it holds in `autoencoder`, and has its code."""

    autoencoder: Autoencoder

    @property
    def encoder(self) -> keras.Model:  # type: ignore[override]
        """The held autoencoder's."""
        return self.autoencoder.encoder

    @property
    def decoder(self) -> keras.Model:  # type: ignore[override]
        """The held autoencoder's."""
        return self.autoencoder.decoder

    @property
    def latent_dim(self) -> int | None:
        """The held autoencoder's."""
        return self.autoencoder.latent_dim

    @property
    def has_prior(self) -> bool:  # type: ignore[override]
        """The held autoencoder's."""
        return self.autoencoder.has_prior

    def code_network(self) -> keras.Model:
        return self.autoencoder.code_network()
