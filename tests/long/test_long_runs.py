"""Trainings that go on for long: what they hold of the machine stays what it was."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")

FLAGS = (
    *("--model=vae", "--image_size=32", "--set=filters=8,8", "--latent_dim=4", "--batch_size=8"),
    *("--steps_per_epoch=20", "--validation_steps=2", "--save_every=10"),
)
MINUTES = float(os.environ.get("FACEZOO_LONG_MINUTES", "60"))
SECONDS_BETWEEN = 5.0


def held(process="self"):
    """Resident megabytes, open files and threads of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    files = sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())
    return int(status["VmRSS"].split()[0]) / 1024.0, files, int(status["Threads"])


def epochs_in(folder):
    path = folder / "metrics.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


@pytest.mark.long
def test_a_training_leaves_no_file_and_no_thread_behind(train):
    train("first", *FLAGS, "--epochs=1")
    _, files, threads = held()
    ours = threading.active_count()
    train("second", *FLAGS, "--epochs=3")
    _, files_after, threads_after = held()
    assert files_after <= files
    assert threading.active_count() == ours
    assert threads_after <= threads + 2  # TensorFlow's pools start theirs when they first need them


@pytest.mark.long
def test_memory_files_threads_and_disk_stay_flat(tmp_path):
    """For FACEZOO_LONG_MINUTES, an hour if absent; the first quarter is for caches and pools to fill."""
    folder, errors = tmp_path / "run", tmp_path / "errors.txt"
    command = [sys.executable, "-c", "from facezoo.experiments.cli import main; main()", "train", *FLAGS]
    with errors.open("wb") as file:  # no pipe: it would fill up with progress bars, and the training would wait
        process = subprocess.Popen(
            [*command, "--epochs=1000000", "--draw_every=100", f"--run_dir={folder}"],
            stdout=subprocess.DEVNULL,
            stderr=file,
            cwd="/",
        )
    samples, end = [], time.monotonic() + 60.0 * MINUTES
    try:
        while time.monotonic() < end:
            time.sleep(SECONDS_BETWEEN)
            assert process.poll() is None, errors.read_text()[-2000:]
            samples.append((*held(process.pid), epochs_in(folder)))
        checkpoints = sorted(path.name for path in (folder / "checkpoints").iterdir() if not path.name.startswith("."))
    finally:
        process.terminate()
        process.wait(timeout=120)
    assert process.returncode == 143
    assert len(checkpoints) <= 4  # the last two, the best, and one that is being replaced
    quarter = len(samples) // 4
    second, last = (np.median(part, axis=0) for part in (samples[quarter : 2 * quarter], samples[-quarter:]))
    print(f"megabytes, files, threads, epochs: {second} in the second quarter, {last} in the last")
    assert last[3] > second[3] > 10
    assert last[0] < 1.05 * second[0]
    assert last[1] <= second[1]
    assert last[2] <= second[2]
