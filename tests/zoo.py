"""Every architecture once, small: what the conformance tests run over."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
from facezoo.losses import PerceptualLoss
from facezoo.losses.lpips import list_arrays
from facezoo.losses.objective import Term
from facezoo.models import (
    DFCVAE,
    VAE,
    AppearanceVAE,
    Autoencoder,
    AutoencoderGAN,
    ConditionalVAE,
    ConvolutionalAutoencoder,
    DiffusionAutoencoder,
    Discriminator,
    DistilledAutoencoder,
    FaceMapping,
    VideoAutoencoder,
)

SIZE = 16
LANDMARKS = 5


@dataclasses.dataclass(frozen=True)
class Specimen:
    """A small model of the zoo.

    Attributes:
      key: in MODELS, or "adversarial" for one of them that holds a discriminator.
      make: a new tiny model.
      code_shape: of one picture's code.
      form: which one of this key.
      terms: new loss terms that the model needs from outside.
      factors: of the loss terms; None is the model's own.
      reports: what a training step reports besides the loss terms.
      epochs: of 30 steps, that it takes to learn eight pictures.
    """

    key: str
    make: Callable[[], Autoencoder]
    code_shape: tuple[int, ...]
    form: str = "default"
    terms: Callable[[], Mapping[str, Term]] = dict
    factors: Mapping[str, float] | None = None
    reports: tuple[str, ...] = ()
    epochs: int = 2

    def __str__(self):
        return f"{self.key}-{self.form}"


def batch(count: int = 8, channels: int = 3, size: int = SIZE) -> dict[str, np.ndarray]:
    """Smooth pictures that differ, and whatever any model reads besides them."""
    numbers = np.random.default_rng(0)
    images = _waves(numbers.uniform(0, 4, (count, channels, 3)), size)
    return {
        "image": images,
        "clip": np.stack([np.roll(images, move, axis=2) for move in (-1, 0, 1)], axis=1),
        "warped": np.roll(images, 1, axis=2),
        "mask": np.round(_waves(numbers.uniform(0, 4, (count, 1, 3)), size)),
        "attributes": numbers.integers(0, 2, (count, 2)).astype(np.float32),
        "landmarks": numbers.uniform(0.1, 0.9, (count, LANDMARKS, 2)).astype(np.float32),
        "identity": np.arange(count, dtype=np.int32) % 2,
    }


def _waves(phases, size: int) -> np.ndarray:
    """One wave for each row of (along x, along y, offset): [B, C, 3] -> float32 [B, H, W, C] in [0.1, 0.9]."""
    y, x = np.mgrid[0:size, 0:size] / (size - 1.0)
    waves = np.sin(phases[..., 0, None, None] * x + phases[..., 1, None, None] * y + phases[..., 2, None, None])
    return (0.5 + 0.4 * waves).transpose(0, 2, 3, 1).astype(np.float32)


def perceptual() -> dict[str, Term]:
    """What a model needs that is judged by a frozen network: one that is small and always the same."""
    images = keras.Input((SIZE, SIZE, 3))
    first = _frozen_convolution(8, images)
    network = keras.Model(images, [first, _frozen_convolution(16, first)])
    return {"perceptual": PerceptualLoss(network, [1.0, 0.5])}


def _frozen_convolution(filters: int, x):
    start = keras.initializers.GlorotUniform(seed=filters)
    layer = keras.layers.Conv2D(filters, 3, activation="leaky_relu", kernel_initializer=start, dtype="float32")
    layer.trainable = False
    return layer(x)


def save_squeezenet(file: Path) -> None:
    """A file of random weights for what sees as `lpips_squeeze.npz`'s network does."""
    numbers = np.random.default_rng(0)
    arrays = {
        place: numbers.standard_normal(shape).astype(np.float32) * np.sqrt(2.0 / max(1, np.prod(shape[:-1])))
        for place, shape in list_arrays("squeeze").items()
    }
    np.savez(file, **arrays)


def adversarial(autoencoder: Autoencoder, kind: str, **rules) -> AutoencoderGAN:
    """An autoencoder that holds a small discriminator."""
    judge = Discriminator(kind=kind, image_size=SIZE, filters=(8, 8), dense_units=8, l2=1e-4)
    return AutoencoderGAN(autoencoder=autoencoder, discriminator=judge, **rules)


def adapted(model: Autoencoder) -> Autoencoder:
    """A model that has measured `batch`."""
    model.adapt(*(batch()[column] for column in model.adapts_by))
    return model


TEACHING = {"reconstruction": 1.0, "taught": 0.1}  # by a teacher that has learned nothing
GAME = ("discriminator", "discriminator_accuracy", "adversarial_weight")


def diffusion(autoencoder: Autoencoder, **arguments) -> Autoencoder:
    """A small diffusion autoencoder that has measured `batch`."""
    small = {"components": 6, "width": 32, "depth": 1, "denoiser_width": 32, "sampling_steps": 2}
    return adapted(DiffusionAutoencoder(autoencoder=autoencoder, **small, **arguments))


DIFFUSION = {"reconstruction": 1.0, "texture": 0.1, "kl": 1e-5, "velocity": 1.0}

ZOO = [
    Specimen(
        "appearance_vae",
        lambda: adapted(
            AppearanceVAE(
                image_size=SIZE,
                filters=(8, 8),
                latent_dim=4,
                shape_dim=3,
                landmark_names=tuple("abcde"),
                batch_norm=False,
            )
        ),
        (7,),
    ),
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
        lambda: ConvolutionalAutoencoder(image_size=SIZE, filters=(8,), upsampling="transposed", finish=4),
        (8, 8, 8),
        "transposed, a finish",
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
    Specimen(
        "vae",
        lambda: VAE(image_size=SIZE, latent_dim=4, filters=(8, 8), strides=(1, 2), decoder_blocks=1, output_skips=True),
        (4,),
        "residual blocks, output skips",
    ),
    Specimen(
        "vae",
        lambda: VAE(image_size=SIZE, latent_dim=4, filters=(8, 8), decoder_width=12, decoder_depth=1, finish=4),
        (4,),
        "decoder on grids",
        factors={"reconstruction": 1.0, "kl": 1e-3},
        epochs=4,
    ),
    Specimen(
        "dfc_vae",
        lambda: DFCVAE(image_size=SIZE, latent_dim=4, filters=(8, 8), blocks=1),
        (4,),
        "residual",
        terms=perceptual,
        factors={"perceptual": 20.0, "kl": 0.1},
    ),
    Specimen(
        "dfc_vae",
        lambda: DFCVAE(form="plain", image_size=SIZE, latent_dim=4, filters=(8, 8), l2=1e-4),
        (4,),
        "plain, L2",
        terms=perceptual,
        factors={"perceptual": 20.0, "kl": 0.1},
    ),
    Specimen("conditional_vae", lambda: ConditionalVAE(image_size=SIZE, latent_dim=4, filters=(8, 8)), (4,)),
    Specimen("video_autoencoder", lambda: VideoAutoencoder(image_size=SIZE, latent_dim=4, filters=(8, 8)), (4,)),
    Specimen(
        "video_autoencoder",
        lambda: VideoAutoencoder(
            image_size=SIZE,
            latent_dim=5,
            slow_dim=2,
            temporal_filters=6,
            temporal_kernel_size=5,
            filters=(8, 8),
            upsampling="nearest",
            batch_norm=False,
            dropout=0.1,
            free_bits=0.1,
            l2=1e-4,
        ),
        (5,),
        "five frames, dropout, free bits, L2",
    ),
    Specimen("face_mapping", lambda: FaceMapping(image_size=SIZE, filters=(8, 8), inter_dim=6), (6,), "df"),
    Specimen(
        "face_mapping",
        lambda: FaceMapping(
            structure="liae", image_size=SIZE, filters=(8, 8), inter_dim=6, mask_head=True, l2=1e-4, seed=1
        ),
        (12,),
        "liae, mask head, L2",
    ),
    Specimen(
        "diffusion_autoencoder",
        lambda: diffusion(VAE(image_size=SIZE, latent_dim=4, filters=(8, 8)), patch=4, doubt=0.2, weak_width=16),
        (4,),
        "of a VAE, led",
        factors={**DIFFUSION, "weak_velocity": 1.0},
        epochs=12,  # since each step sees one angle of many
    ),
    Specimen(
        "diffusion_autoencoder",
        lambda: diffusion(
            ConvolutionalAutoencoder(image_size=SIZE, filters=(8, 8)), patch=2, levels=2, finish=0, doubt=0.0
        ),
        (4, 4, 8),
        "of a CAE",
        epochs=8,
    ),
    Specimen(
        "distilled_autoencoder",
        lambda: DistilledAutoencoder(
            autoencoder=VAE(image_size=SIZE, latent_dim=4, filters=(8, 8)),
            width=12,
            depth=1,
            grid=4,
            stages=2,
            finish=4,
        ),
        (4,),
        "new decoder of a VAE",
        factors=TEACHING,
        epochs=4,
    ),
    Specimen(
        "distilled_autoencoder",
        lambda: DistilledAutoencoder(autoencoder=ConvolutionalAutoencoder(image_size=SIZE, filters=(8, 8)), prune=0.25),
        (4, 4, 8),
        "narrow decoder of a CAE",
        factors={**TEACHING, "code": 0.1, "features": 0.1},
    ),
    Specimen(
        "adversarial",
        lambda: adversarial(VAE(image_size=SIZE, latent_dim=4, filters=(8, 8), dropout=0.1, l2=1e-4), "global"),
        (4,),
        "VAE, hinge, adaptive",
        reports=GAME,
    ),
    Specimen(
        "adversarial",
        lambda: adversarial(
            ConvolutionalAutoencoder(image_size=SIZE, filters=(8, 8)),
            "patch",
            loss="bce",
            balance="skip",
            r1_factor=0.1,
        ),
        (4, 4, 8),
        "CAE, patch, cross-entropy, skip, R1",
        factors={"reconstruction": 1.0, "adversarial": 0.01, "feature_matching": 0.01},
        reports=GAME,
    ),
    Specimen(
        "adversarial",
        lambda: adversarial(
            diffusion(VAE(image_size=SIZE, latent_dim=4, filters=(8, 8)), patch=4, doubt=0.2),
            "patch",
            loss="bce",
            balance="none",
        ),
        (4,),
        "diffusion autoencoder, patch, cross-entropy",
        factors=DIFFUSION | {"adversarial": 0.001},
        reports=GAME,
        epochs=12,
    ),
]
