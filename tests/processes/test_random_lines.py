"""The long test of random command lines reaches into commands by name: a few lines of it show that it still runs."""

import subprocess
import sys
from pathlib import Path


def test_some_random_lines_end_as_they_may():
    script = Path(__file__).parents[1] / "long" / "command_lines.py"
    done = subprocess.run([sys.executable, script, "50", "1", "120"], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
