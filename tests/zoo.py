"""Every architecture once, small: what the conformance tests run over."""

import dataclasses
from collections.abc import Callable

import numpy as np
from facezoo.models import VAE, Autoencoder, ConvolutionalAutoencoder

SIZE = 16


@dataclasses.dataclass(frozen=True)
class Specimen:
    """A small model of the zoo.

    Attributes:
      key: in MODELS.
      make: a new tiny model.
      code_shape: of one picture's code.
    """

    key: str
    make: Callable[[], Autoencoder]
    code_shape: tuple[int, ...]
    form: str = "default"

    def __str__(self):
        return f"{self.key}-{self.form}"


def batch(count: int = 8, channels: int = 3, size: int = SIZE) -> dict[str, np.ndarray]:
    """Smooth pictures that differ."""
    y, x = np.mgrid[0:size, 0:size] / (size - 1.0)
    phases = np.random.default_rng(0).uniform(0, 4, (count, channels, 3))
    waves = np.sin(phases[..., 0, None, None] * x + phases[..., 1, None, None] * y + phases[..., 2, None, None])
    return {"image": (0.5 + 0.4 * waves).transpose(0, 2, 3, 1).astype(np.float32)}


ZOO = [
    Specimen("cae", lambda: ConvolutionalAutoencoder(image_size=SIZE, filters=(8, 8)), (4, 4, 8)),
    Specimen(
        "cae",
        lambda: ConvolutionalAutoencoder(
            image_size=SIZE, filters=(8, 8), latent_dim=6, upsampling="subpixel", skip=True, l2=1e-4
        ),
        (6,),
        "vector, subpixel, skip, L2",
    ),
    Specimen(
        "cae",
        lambda: ConvolutionalAutoencoder(image_size=SIZE, filters=(8,), upsampling="transposed"),
        (8, 8, 8),
        "transposed",
    ),
    Specimen("vae", lambda: VAE(image_size=SIZE, latent_dim=4, filters=(8, 8)), (4,)),
    Specimen(
        "vae",
        lambda: VAE(
            image_size=SIZE,
            latent_dim=4,
            filters=(8, 8),
            strides=(1, 2),
            upsampling="nearest",
            dropout=0.25,
            capacity=3.0,
            l2=1e-4,
        ),
        (4,),
        "nearest, dropout, capacity, L2",
    ),
    Specimen(
        "vae",
        lambda: VAE(
            image_size=SIZE, latent_dim=4, filters=(8, 8), upsampling="subpixel", batch_norm=False, free_bits=0.1
        ),
        (4,),
        "subpixel, free bits",
    ),
]
