"""facezoo: the repository root is the package, so its folders stand at the top and install as `facezoo.*`."""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
FOLDERS = (
    "losses",
    "models",
    "datasets",
    "datasets.drawing",
    "metrics",
    "latents",
    "pictures",
    "films",
    "warping",
    "experiments",
    "experiments.flags",
    "experiments.runs",
    "experiments.faces",
    "experiments.faces.landmarks",
    "experiments.codes",
    "experiments.training",
    "experiments.explorer",
    "experiments.films",
    "experiments.benchmarks",
    "experiments.benchmarks.peers",
    "experiments.commands",
    "experiments.recipes",
)
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "__init__.py").read_text())[1]

FINDING_FACES = ["mtcnn>=1,<2"]
READING_HEIC = ["pillow-heif>=1.1"]
LANDMARKS = ["mediapipe>=1.2,<2"]
EXTRAS = {
    "align": FINDING_FACES,
    "explore": ["gradio>=6.31,<7", "ipywidgets>=8", *FINDING_FACES],
    "heif": READING_HEIC,
    "landmarks": LANDMARKS,
    "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
    "peers": ["torch>=2.13,<2.14", "pythae>=0.1.2,<0.2"],  # what `facezoo benchmark` measures against
    "notebooks": ["ipykernel", "jupyterlab"],
}
DEVELOPMENT = [
    *EXTRAS["align"],
    *EXTRAS["explore"],
    *EXTRAS["heif"],
    *EXTRAS["landmarks"],
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
        return [found for found in super().find_package_modules(package, package_dir) if found[1] != "setup"]


setup(
    cmdclass={"build_py": BuildPackage},
    name="facezoo",
    version=VERSION,
    description="A Keras model zoo of face autoencoders: train, morph, edit, map, measure and ship them.",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    package_dir={"facezoo": "."},
    packages=["facezoo", *(f"facezoo.{folder}" for folder in FOLDERS)],
    package_data={"facezoo": ["py.typed"], "facezoo.experiments.recipes": ["*.flags"], "facezoo.models": ["weights/*"]},
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "keras>=3.15,<4",
        "tensorflow-datasets>=4.9.10",
        "importlib_resources",  # TFDS' celeb_a and lfw import it without asking for it
        "matplotlib",
        "numpy",
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
