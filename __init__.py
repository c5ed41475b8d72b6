"""facezoo: a Keras model zoo of face autoencoders. Public names load on first use, so `import facezoo` is instant."""

import importlib
import importlib.machinery
import sys

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
    "explore_widgets": "experiments.explorer.widgets",
    "TrainingSettings": "experiments.flags.training",
    "load": "experiments.runs.run",
    "read_face": "experiments.faces.reader",
    "train": "experiments.training.start",
    "visualize_interpolation": "experiments.codes.morphing",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str):
    """Loads a public name from its home (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Builders:
    """Tells TensorFlow Datasets (TFDS) which data sets `tensorflow_datasets.load` builds with facezoo's help.

    TFDS asks a list of providers for a name. Importing TFDS for the sake of that list would take seconds, so where
    nobody has yet, this stands among Python's finders of modules and waits until TFDS imports the list.
    """

    providers = "tensorflow_datasets.core.registered"
    names = ("procedural_faces", "procedural_clips")

    def offer(self) -> None:
        """Joins the providers, now or when TFDS is imported."""
        if self.providers in sys.modules:
            self._join(importlib.import_module(self.providers))
        else:
            sys.meta_path.insert(0, self)

    def _join(self, providers) -> None:
        providers.add_dataset_builder_provider(self, index=0)

    def find_spec(self, name: str, path=None, target=None):
        """What Python asks a finder: leads to TFDS's module as Python itself would, and joins once it has run."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name == self.providers else None
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_join(module) -> None:
            run(module)
            self._join(module)

        spec.loader.exec_module = run_and_join  # type: ignore[method-assign]
        return spec

    def has_dataset(self, name: str) -> bool:
        """What TFDS asks a provider."""
        return name in self.names

    def get_builder_cls(self, name: str) -> type:
        """What TFDS asks a provider for."""
        return importlib.import_module(".datasets.tfds_builders", __name__).BUILDERS[name]


if __name__ == "facezoo":  # and not where a test runner imports this file by its folder's name as well
    _Builders().offer()
