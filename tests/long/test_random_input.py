"""Random command lines and damaged files end with 0 or 2, without a traceback, in bounded seconds and megabytes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
LINES = int(os.environ.get("FACEZOO_FUZZ_LINES", "100000"))
SEED = os.environ.get("FACEZOO_FUZZ_SEED", "1")


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments",
    [("command_lines.py", str(LINES), SEED, "86400"), ("hostile_files.py", "300", SEED)],
    ids=["command lines", "files"],
)
def test_nothing_ends_in_a_traceback(arguments):
    script, *rest = arguments
    done = subprocess.run([sys.executable, FOLDER / script, *rest], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
