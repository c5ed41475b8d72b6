"""facezoo: a Keras model zoo of face autoencoders. Public names load on first use, so `import facezoo` is instant."""

import contextlib
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


class _Joining:
    """Makes facezoo known to a library, now or when somebody imports it.

    Importing it for that sake would take seconds, so where nobody has yet, this stands among Python's finders of
    modules and waits until the library imports a certain module of its own.
    """

    awaited: str

    def offer(self) -> None:
        """Joins the module, now or when it is imported."""
        if self.awaited in sys.modules:
            self.join(importlib.import_module(self.awaited))
        else:
            sys.meta_path.insert(0, self)

    def join(self, module) -> None:
        """What is to be done with the module once it has run."""
        raise NotImplementedError

    def find_spec(self, name: str, path=None, target=None):
        """What Python asks a finder: leads to the module as Python itself would, and joins once it has run."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name == self.awaited else None
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_join(module) -> None:
            run(module)
            self.join(module)

        spec.loader.exec_module = run_and_join  # type: ignore[method-assign]
        return spec


class _Builders(_Joining):
    """Tells TensorFlow Datasets (TFDS), which asks a list of providers for a name, which data sets facezoo builds."""

    awaited = "tensorflow_datasets.core.registered"
    names = ("procedural_faces", "procedural_clips")

    def join(self, module) -> None:
        module.add_dataset_builder_provider(self, index=0)

    def has_dataset(self, name: str) -> bool:
        """What TFDS asks a provider."""
        return name in self.names

    def get_builder_cls(self, name: str) -> type:
        """What TFDS asks a provider for."""
        return importlib.import_module(".datasets.tfds_builders", __name__).BUILDERS[name]


class _Models(_Joining):
    """Has `keras.models.load_model` find facezoo's models, whose files name them, before they are imported."""

    awaited = "keras"
    names = (
        *("AppearanceVAE", "AutoencoderGAN", "CodePrior", "ConditionalVAE", "ConvolutionalAutoencoder", "DFCVAE"),
        "DistilledAutoencoder",
        *("DiffusionAutoencoder", "Discriminator", "FaceFeatures", "FaceMapping", "VAE", "VideoAutoencoder"),
    )

    def join(self, module) -> None:
        with contextlib.suppress(AttributeError):  # of a Keras that is made otherwise
            known = module.saving.get_custom_objects()
            for name in self.names:
                known.setdefault(f"facezoo>{name}", _LaterModel(name))


class _LaterModel:
    """Stands for a class of models among Keras' objects until its import puts itself there.

    Args:
      name: of the class.
    """

    def __init__(self, name: str):
        self.name = name

    def from_config(self, config):
        """A new model, as Keras asks it of the class."""
        return getattr(importlib.import_module(".models", __name__), self.name).from_config(config)


if __name__ == "facezoo":  # and not where a test runner imports this file by its folder's name as well
    _Builders().offer()
    _Models().offer()
