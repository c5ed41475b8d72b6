"""What wheel and source distribution hold, by setup.py's own data."""

import runpy
from pathlib import Path
from unittest import mock

import facezoo
import setuptools

ROOT = Path(facezoo.__file__).parent
KEPT_HOME = {ROOT / "setup.py"}  # Python files in a package's folder that are no part of it


def read_setup():
    """What setup.py gives to setuptools."""
    with mock.patch.object(setuptools, "setup") as setup:
        runpy.run_path(str(ROOT / "setup.py"))
    [call] = setup.mock_calls
    return call.kwargs


def list_shipped():
    """The files of the package by their paths in the wheel."""
    told = read_setup()
    shipped = set()
    for package in told["packages"]:
        folder = ROOT.joinpath(*package.split(".")[1:])
        modules = [path for path in folder.glob("*.py") if path not in KEPT_HOME]
        data = [path for pattern in told["package_data"].get(package, ()) for path in folder.glob(pattern)]
        shipped |= {f"facezoo/{path.relative_to(ROOT).as_posix()}" for path in (*modules, *data)}
    return shipped
