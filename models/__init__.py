"""Architectures, each a subclassed `keras.Model`.

They train by TensorFlow, and encode and decode by whatever Keras computes with: TensorFlow, torch or jax.

Axis letters: B batch, H height, W width, C channels, D dimensions of the code, T time.
"""

from .adversarial import AutoencoderGAN
from .appearance_vae import AppearanceVAE
from .autoencoder import Autoencoder
from .blocks import conv2d_block, leaky_relu, sampling
from .cae import ConvolutionalAutoencoder, build_autoencoder
from .code_prior import CodePrior
from .conditional_vae import ConditionalVAE
from .dfc_vae import DFCVAE
from .diffusion_autoencoder import DiffusionAutoencoder
from .discriminator import Discriminator
from .distilled import DistilledAutoencoder
from .face_features import FaceFeatures
from .face_mapping import FaceMapping
from .learning_rate import Schedule
from .pretrained import load_pretrained, pretrained_names
from .projected_discriminator import ProjectedDiscriminator
from .trainable import TrainableModel
from .vae import VAE, VariationalEncoder
from .video_autoencoder import VideoAutoencoder

MODELS: dict[str, type[Autoencoder]] = {
    "cae": ConvolutionalAutoencoder,
    "vae": VAE,
    "dfc_vae": DFCVAE,
    "conditional_vae": ConditionalVAE,
    "appearance_vae": AppearanceVAE,
    "video_autoencoder": VideoAutoencoder,
    "face_mapping": FaceMapping,
    "diffusion_autoencoder": DiffusionAutoencoder,
    "distilled_autoencoder": DistilledAutoencoder,
}
# Networks that read faces instead of making them.
FACE_NETWORKS: dict[str, type[TrainableModel]] = {
    "face_features": FaceFeatures,
}
# Networks that draw codes of an autoencoder.
PRIORS: dict[str, type[TrainableModel]] = {
    "code_prior": CodePrior,
}
NETWORKS: dict[str, type[TrainableModel]] = MODELS | FACE_NETWORKS | PRIORS  # all that `facezoo train` knows

__all__ = [
    "DFCVAE",
    "FACE_NETWORKS",
    "MODELS",
    "NETWORKS",
    "PRIORS",
    "VAE",
    "AppearanceVAE",
    "Autoencoder",
    "AutoencoderGAN",
    "CodePrior",
    "ConditionalVAE",
    "ConvolutionalAutoencoder",
    "DiffusionAutoencoder",
    "Discriminator",
    "DistilledAutoencoder",
    "FaceFeatures",
    "FaceMapping",
    "ProjectedDiscriminator",
    "Schedule",
    "TrainableModel",
    "VariationalEncoder",
    "VideoAutoencoder",
    "build_autoencoder",
    "conv2d_block",
    "leaky_relu",
    "load_pretrained",
    "pretrained_names",
    "sampling",
]
