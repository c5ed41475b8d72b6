"""The site of documents is built without a warning."""

import os
import subprocess
import sys

import pytest
from facezoo.experiments import cli
from shipped import ROOT

pytest.importorskip("mkdocstrings_handlers.python")
pytest.importorskip("material")


def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--config-file", ROOT / "mkdocs.yml"]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [*command, "--site-dir", tmp_path], capture_output=True, text=True, timeout=600, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    for name in ("", "morphing", "api", "examples", "changelog", *(f"commands/{name}" for name in cli.COMMANDS)):
        assert (tmp_path / name / "index.html").is_file(), name
