"""facezoo: a Keras model zoo of face autoencoders. Public names load on first use, so `import facezoo` is instant."""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "MODELS": "models",
    "VAE": "models",
    "DFCVAE": "models",
    "AutoencoderGAN": "models",
    "Autoencoder": "models",
    "ConditionalVAE": "models",
    "ConvolutionalAutoencoder": "models",
    "Discriminator": "models",
    "FaceFeatures": "models",
    "FaceMapping": "models",
    "build_autoencoder": "models",
    "load_pretrained": "models",
    "perceptual_loss": "losses",
    "DATASETS": "datasets",
    "load": "experiments.runs",
    "read_face": "experiments.faces",
    "visualize_interpolation": "experiments.morph",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str):
    """Loads a public name from its home (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
