"""Real photographs, where FACEZOO_EVAL_DATA names a folder that holds `celeba/` (89x109 pixels, aligned)."""

import os
from pathlib import Path

import numpy as np
import pytest
from facezoo.datasets import DATASETS
from facezoo.experiments import cli

EVAL_DATA = os.environ.get("FACEZOO_EVAL_DATA")
pytestmark = pytest.mark.skipif(not EVAL_DATA, reason="FACEZOO_EVAL_DATA is not set")
CROP = "8,18,74,74"


@pytest.fixture
def celeba(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Path(EVAL_DATA) / "celeba"


def test_every_photograph_is_in_one_split(celeba):
    sources = [
        DATASETS["folder"](split, data_dir=celeba, crop=(8, 18, 74, 74)) for split in ("train", "validation", "test")
    ]
    names = [name for source in sources for name in source.names]
    assert len(names) == len(set(names)) == len(list(celeba.iterdir()))
    # Aligned faces look alike: the mean face is brighter in its middle than on its border.
    mean_face = sources[2].load(np.arange(200))["image"].mean(axis=(0, 3))
    assert mean_face[24:40, 24:40].mean() > mean_face[:, :4].mean() + 20


def test_photographs_train_measure_and_morph(celeba, capsys):
    small = ["--image_size=32", "--steps_per_epoch=20", "--validation_steps=1", "--epochs=1", "--run_dir=run"]
    assert cli.run(["train", "--recipe=cae_folder", f"--data_dir={celeba}", f"--crop={CROP}", *small]) == 0
    assert cli.run(["evaluate", "--run_dir=run", "--count=64"]) == 0
    psnr = float(capsys.readouterr().out.split("psnr")[1].split()[0])
    assert psnr > 12  # a gray picture has about 11
    assert cli.run(["morph", "--run_dir=run", "--start=test:0", f"--end={celeba / '000001.jpg'}", "--steps=3"]) == 0
    assert sorted(path.name for path in Path("run/morphs").iterdir()) == [
        "000.png",
        "001.png",
        "002.png",
        "morph.gif",
        "morph.mp4",
        "row.png",
        "sheet.png",
    ]
