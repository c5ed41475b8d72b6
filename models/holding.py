"""What all autoencoders share that hold another one."""

import keras

from .autoencoder import Autoencoder


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
