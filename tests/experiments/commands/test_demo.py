"""`facezoo demo`: what it leaves, at tiny size."""

import pytest
from command_line import CAE_FLAGS
from facezoo.experiments.commands import demo
from facezoo.experiments.flags.parsing import parse_training
from PIL import Image


def test_it_leaves_a_warp_a_run_and_a_sheet_of_all(command, empty_folder, monkeypatch):
    tiny = (*CAE_FLAGS, "--dataset=procedural_faces", "--image_size=64")
    monkeypatch.setattr(demo, "parse_training", lambda *_, **__: parse_training(tiny))
    done = command("demo", "--run_dir=runs/try")
    assert done.code == 0, done.err
    assert "runs/try-warp/sheet.png: a morph without any model, after" in done.out
    for made in ("runs/try-warp/morph.mp4", "runs/try/model.keras", "runs/try/morphs/morph.gif"):
        assert (empty_folder / made).exists()
    with Image.open(empty_folder / "runs/try/morphs/sheet.png") as sheet:
        assert sheet.width == demo.COLUMNS * demo.SIDE
        assert "no place in an identity document" in sheet.text["Description"]


@pytest.mark.parametrize("face", ["me.jpg", "53"])
def test_it_is_about_drawn_faces(command, empty_folder, face):
    done = command("demo", f"--start={face}")
    assert (done.code, f"--start={face} is no drawn face" in done.err) == (2, True)
    assert not list(empty_folder.iterdir())
