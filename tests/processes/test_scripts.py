"""Scripts that use facezoo from Python: those of the documents, and one that ends in the middle of its data."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import facezoo
import pytest

ROOT = Path(facezoo.__file__).parent
# By example: its arguments, and what it says; {tmp} is a folder of the test.
EXAMPLES = {
    "train": ("{tmp}/run 1", r"PSNR on 64 test faces: \d+\.\d\d dB"),
    "morph": ("{tmp}/morph.png", r"morph\.png"),
    "add_a_loss": ("", r"loss: (\d\.\d+) -> (\d\.\d+)\n.*\nedges: \d"),
    "add_a_model": ("{tmp}/linear.keras", r"saved and loaded alike: True"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(name, tmp_path):
    arguments, said = EXAMPLES[name]
    command = [sys.executable, ROOT / "docs" / "examples" / f"{name}.py", *arguments.format(tmp=tmp_path).split()]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(said, done.stdout), done.stdout
    if name == "add_a_loss":
        before, after = map(float, re.search(said, done.stdout).groups())
        assert after < before


def test_every_example_is_run_and_short():
    examples = {path.stem: path for path in (ROOT / "docs" / "examples").glob("*.py")}
    assert examples.keys() == EXAMPLES.keys()
    assert all(len(path.read_text("utf-8").splitlines()) <= 45 for path in examples.values())


def test_a_script_that_keeps_an_iterator_ends(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            import time
            import numpy as np
            from facezoo.datasets.pipeline import training_batches
            from facezoo.datasets.source import Source

            def load(positions):
                time.sleep(0.05)
                return {"image": np.zeros((len(positions), 4, 4, 3), np.uint8)}

            source = Source("slow/train", [str(number) for number in range(64)], load, (4, 4, 3))
            iterator = iter(training_batches(source, 4, seed=0, steps_per_epoch=16))
            print(next(iterator)["image"].shape)
        """)
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(4, 4, 4, 3)"
