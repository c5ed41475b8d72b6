"""Models encode and decode by other backends of Keras as they do by TensorFlow, each in a process of its own."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import backends
import numpy as np
import pytest
from command_line import started

TESTS = Path(__file__).parents[1]
QUICK = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # which take longer than what they save here
TOLERANCE = 1e-4  # of codes, scores and pictures
# Of noise a shape is read that no face has. Where a bend folds, the search for a pixel's place makes rounding larger.
BENT, FOLDED_SHARE = "appearance_vae", 5e-3


@functools.cache
def expected() -> dict[str, np.ndarray]:
    return backends.compute()


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_models_are_used_by_another_backend(backend, tmp_path):
    pytest.importorskip(backend)
    paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "KERAS_BACKEND": backend, **QUICK, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    found = tmp_path / "found.npz"
    command = [sys.executable, str(TESTS / "backends.py"), str(found)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(found) as arrays:
        said = arrays["said"]
        assert {*arrays.files} - {"said"} == {*expected()}
        for name, values in expected().items():
            scale = max(1.0, np.abs(values).max())
            apart = np.abs(arrays[name] - values) / scale
            if BENT in name and values.ndim == 4:
                assert np.mean(apart > TOLERANCE) < FOLDED_SHARE and np.median(apart) < TOLERANCE / 100, name
            else:
                assert apart.max() < TOLERANCE, (name, apart.max())
    assert len(said) == 3
    for line in said:
        assert f"KERAS_BACKEND={backend}" in line
        assert "needs TensorFlow" in line


def test_faces_are_morphed_by_another_backend(tmp_path):
    pytest.importorskip("torch")
    flags = ("--run_dir=cae", "--start=test:0", "--end=test:1", "--steps=2")
    done = started("morph", *flags, f"--out={tmp_path / 'morph'}", KERAS_BACKEND="torch")
    assert done.returncode == 0, done.stderr
    assert len([*(tmp_path / "morph").glob("00*.png")]) == 2
