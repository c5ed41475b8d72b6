"""A run whose pictures were moved, replaced or removed."""

import shutil

import numpy as np
import pytest
from command_line import CAE_FLAGS, assert_refused, picture
from facezoo.experiments.runs.data import DATA_FILE
from facezoo.experiments.runs.settings import read_settings


@pytest.fixture
def photographs(tmp_path):
    root = tmp_path / "photographs"
    root.mkdir()
    for number in range(60):
        picture((20, 20), number).save(root / f"{number:03d}.png")
    return root


def train(command, run, place, epochs, *more):
    flags = [*CAE_FLAGS, "--dataset=folder", f"--data_dir={place}", f"--run_dir={run}", f"--epochs={epochs}"]
    return command("train", *flags, *more)


def test_pictures_may_be_moved_but_not_be_others(command, tmp_path, photographs):
    run = tmp_path / "run"
    assert train(command, run, photographs, 1).code == 0
    moved, others = tmp_path / "moved", tmp_path / "others"
    shutil.copytree(photographs, others)
    picture((20, 20), 99).save(others / "003.png")
    photographs.rename(moved)

    done = train(command, run, others, 2)
    assert_refused(done, f"the pictures were in {photographs}, now {others}, and they are others: train has", "others")
    assert train(command, run, others, 1).code == 2  # also where nothing is left to do
    done = train(command, run, moved, 2)
    assert done.code == 0, done.err
    assert read_settings(run).data.data_dir == str(moved)
    (tmp_path / "link").symlink_to(moved)
    assert train(command, run, tmp_path / "link", 2).code == 0  # the same place


def test_pictures_that_were_replaced_are_told_and_old_runs_go_on(command, tmp_path, photographs, caplog):
    run = tmp_path / "run"
    assert train(command, run, photographs, 1).code == 0
    assert train(command, run, photographs, 2).code == 0
    assert "have changed" not in caplog.text
    for path in photographs.iterdir():
        picture((20, 20), 100 + int(path.stem)).save(path)
    assert train(command, run, photographs, 3).code == 0
    assert "the pictures have changed since the run began: train has" in caplog.text
    assert "pictures, but others" in caplog.text

    (run / DATA_FILE).unlink()  # as of facezoo 0.1
    elsewhere = shutil.copytree(photographs, tmp_path / "elsewhere")
    assert_refused(train(command, run, elsewhere, 4), "nothing tells whether they are the same")
    assert train(command, run, photographs, 4).code == 0
    assert (run / DATA_FILE).exists()
    assert np.isfinite(float((run / "metrics.csv").read_text().split()[-1].split(",")[-1]))
