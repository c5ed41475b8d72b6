"""What a run ran on."""

import importlib.metadata
import platform
import subprocess
import time
from pathlib import Path

from ... import __version__


def environment(seed: int, precision: str, devices: list[str]) -> dict:
    """What the run ran on."""
    packages = ("tensorflow", "keras", "numpy", "tensorflow-datasets")
    return {
        "facezoo": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
        "git_revision": _git_revision(),
        "platform": platform.platform(),
        "devices": devices,
        "precision": precision,
        "seed": seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _git_revision() -> str | None:
    """Returns the commit of the checkout that facezoo runs from, or None where it is installed without one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
