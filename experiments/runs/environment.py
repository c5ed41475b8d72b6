"""What a run ran on."""

import importlib.metadata
import platform
import time

from ... import __version__
from ..machine.looking import find_revision


def environment(seed: int, precision: str, devices: list[str]) -> dict:
    """What the run ran on."""
    packages = ("tensorflow", "keras", "numpy", "tensorflow-datasets")
    return {
        "facezoo": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
        "git_revision": find_revision(),
        "platform": platform.platform(),
        "devices": devices,
        "precision": precision,
        "seed": seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
