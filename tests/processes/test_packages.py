"""The wheel and the source distribution as setuptools builds them, without a network."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from shipped import ROOT, list_shipped

BUILD = "import sys; from setuptools import build_meta as b; out = sys.argv[1]; b.build_sdist(out); b.build_wheel(out)"
MADE = {"runs", "build", "dist", "site", "facezoo.egg-info"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The names in the wheel, and those in the source distribution."""

    def others(folder, names):
        made = MADE if Path(folder) == ROOT else set()
        return [name for name in names if name.startswith(".") or name in made | {"__pycache__"}]

    folder = tmp_path_factory.mktemp("built")
    copied = shutil.copytree(ROOT, folder / "copy", ignore=others)
    subprocess.run([sys.executable, "-c", BUILD, folder], cwd=copied, check=True, timeout=300, capture_output=True)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive, tarfile.open(source) as sources:
        parts = [member.name.partition("/")[2] for member in sources.getmembers() if member.isfile()]
        return set(archive.namelist()), set(parts)


def test_the_wheel_holds_the_package_and_nothing_else(built):
    names = {name for name in built[0] if ".dist-info/" not in name}
    assert names == list_shipped()


def test_the_source_distribution_holds_what_builds_tests_and_tells_of_it(built):
    _, source = built
    assert {name.removeprefix("facezoo/") for name in list_shipped()} <= source
    texts = {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "SECURITY.md"}
    builds = {
        "setup.py",
        "pyproject.toml",
        "MANIFEST.in",
        "Makefile",
        "constraints.txt",
        "Dockerfile",
        "Dockerfile.gpu",
    }
    assert texts | builds <= source
    for folder in ("docs", "notebooks", "tests"):
        there = {path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        assert {path.relative_to(ROOT).as_posix() for path in there if ".ipynb_" not in str(path)} <= source
    assert not [
        name for name in source if name.startswith(("runs/", "build/", ".git", ".venv")) or "__pycache__" in name
    ]
