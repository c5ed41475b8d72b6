"""facezoo: the repository root is the package, so its folders stand at the top and install as `facezoo.*`."""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

NAME = "facezoo"
ROOT = Path(__file__).parent
FOLDERS = (
    "losses",
    "compressing",
    "models",
    "datasets",
    "datasets.drawing",
    "metrics",
    "latents",
    "pictures",
    "films",
    "warping",
    "experiments",
    "experiments.machine",
    "experiments.flags",
    "experiments.runs",
    "experiments.faces",
    "experiments.faces.landmarks",
    "experiments.codes",
    "experiments.training",
    "experiments.explorer",
    "experiments.films",
    "experiments.exporting",
    "experiments.shipping",
    "experiments.benchmarks",
    "experiments.benchmarks.peers",
    "experiments.commands",
    "experiments.recipes",
)
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "__init__.py").read_text())[1]

FINDING_FACES = ["mtcnn>=1,<2"]
READING_HEIC = ["pillow-heif>=1.1"]
LANDMARKS = ["mediapipe>=1.2,<2"]
SHARING = ["huggingface_hub>=2.4,<3"]
EXPORTING = [
    "ai-edge-litert>=2.3,<3",
    "litert-quantizer>=0.11,<0.12",  # four bits for LiteRT
    "onnx>=1.23",
    "onnxruntime>=1.32",
    "openvino>=2026.4",
    "tf2onnx>=1.17",
]
EXTRAS = {
    "align": FINDING_FACES,
    "export": EXPORTING,
    "explore": ["gradio>=6.31,<7", "ipywidgets>=8", *FINDING_FACES],
    "heif": READING_HEIC,
    "landmarks": LANDMARKS,
    "hub": SHARING,
    "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.7,<10", "mkdocstrings[python]>=1,<2"],  # the site of documents
    "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
    "peers": ["torch>=2.13,<2.14", "pythae>=0.1.2,<0.2"],  # what `facezoo benchmark` measures against
    "notebooks": ["ipykernel", "jupyterlab"],
}
DEVELOPMENT = [
    *EXTRAS["align"],
    *EXTRAS["explore"],
    *EXTRAS["export"],
    *EXTRAS["heif"],
    *EXTRAS["landmarks"],
    *EXTRAS["hub"],
    "hypothesis",
    "ipykernel",
    "mypy",
    "nbclient",
    "nbformat",
    "nbstripout",
    "playwright",
    "pre-commit",
    "pytest",
    "pytest-cov",
    "pytest-xdist",
    "ruff",
]


class BuildPackage(build_py):
    """Leaves this file out: it lies in the package's folder, but is no part of it."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        own = (NAME, Path(__file__).stem)
        return [found for found in super().find_package_modules(package, package_dir) if found[:2] != own]


setup(
    cmdclass={"build_py": BuildPackage},
    name=NAME,
    version=VERSION,
    description="A Keras model zoo of face autoencoders: train, morph, edit, map, measure and ship them.",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    keywords=["faces", "autoencoder", "VAE", "morphing", "Keras", "TensorFlow"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)),
        "Topic :: Multimedia :: Graphics",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11,<3.14",
    package_dir={"facezoo": "."},
    packages=["facezoo", *(f"facezoo.{folder}" for folder in FOLDERS)],
    package_data={
        "facezoo": ["py.typed"],
        "facezoo.experiments.recipes": ["*.flags"],
        "facezoo.experiments.shipping": ["page/*"],
        "facezoo.models": ["weights/*"],
    },
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "keras>=3.15,<4",
        "tensorflow-datasets>=4.9.10",
        "importlib_resources",  # TFDS' celeb_a and lfw import it without asking for it
        "matplotlib",
        "numpy",
        "packaging",
        "absl-py",
        "filelock",
        "imageio-ffmpeg",
        "pillow>=11",
        "platformdirs",
        "scikit-image",
        "scikit-learn",
        "scipy",
        "tensorboard",
        "threadpoolctl",
        "tqdm",
    ],
    extras_require={**EXTRAS, "dev": DEVELOPMENT},
    entry_points={"console_scripts": ["facezoo=facezoo.experiments.cli:main"]},
)
