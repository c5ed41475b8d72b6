"""Scripts that use facezoo from Python: those of the documents, and one that ends in the middle of its data."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import facezoo
import numpy as np
import pytest
from facezoo.datasets.procedural import procedural_faces
from PIL import Image, ImageOps

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


@pytest.mark.parametrize(("name", "package"), {"litert": "ai_edge_litert", "onnx": "onnxruntime"}.items())
def test_exported_files_morph_without_facezoo(name, package, finished, command, tmp_path):
    pytest.importorskip(package)
    pytest.importorskip("tf2onnx")
    done = command("export", f"--run_dir={finished}", f"--format={name}", "--count=2", f"--out={tmp_path / 'files'}")
    assert done.code == 0, done.err
    for number in (0, 1):
        noise = np.random.default_rng(number).integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    script = ROOT / "docs" / "examples" / f"morph_{name}.py"
    # Isolated: neither the folder of the tests nor PYTHONPATH; and whoever asks for what is not of the example fails.
    refusing = f"""
import runpy, sys
class Refusing:
    def find_spec(self, name, *arguments):
        if name.partition(".")[0] in ("facezoo", "tensorflow", "keras"):
            raise ImportError(f"{{name}} is asked for")
sys.meta_path.insert(0, Refusing())
sys.argv = [{str(script)!r}, "files", "0.png", "1.png", "out.png"]
runpy.run_path({str(script)!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-I", "-c", refusing], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "out.png"), done.stderr
    row = np.asarray(Image.open(tmp_path / "out.png"))
    assert row.shape == (32, 8 * 32, 3)
    model = facezoo.load(finished)
    square = ImageOps.fit(Image.open(tmp_path / "0.png"), (32, 32), Image.Resampling.LANCZOS)
    first = np.asarray(model.decode(model.encode(np.asarray(square, np.float32)[None] / 255.0)))[0]
    assert np.abs(row[:, :32] / 255.0 - first).max() < 0.01


def test_the_judge_of_priors_is_run(tmp_path):
    attributes = procedural_faces("train").attribute_names
    prior = facezoo.models.CodePrior(autoencoder=facezoo.load("vae"), attributes=attributes, width=16, depth=1)
    prior.save(tmp_path / "prior.keras")
    command = [sys.executable, ROOT / "docs" / "examples" / "judge_prior.py", tmp_path / "prior.keras", "40"]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["mixture", "flow", *attributes, "all"]
    assert re.fullmatch(r".+: with \d+%, without \d+%", lines[-1])


def test_every_example_is_run_and_short():
    examples = {path.stem: path for path in (ROOT / "docs" / "examples").glob("*.py")}
    assert examples.keys() == {*EXAMPLES, "convert_lpips", "judge_prior", "morph_litert", "morph_onnx"}
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
