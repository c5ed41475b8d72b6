"""`facezoo models` and `facezoo datasets`: what they list, and the sheet of examples."""

import numpy as np
import pytest
from command_line import SOFTWARE, assert_refused, photographs_in, read_png
from facezoo.datasets import DATASETS
from facezoo.models import MODELS

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_models_are_listed_with_their_arguments(command):
    done = command("models")
    assert done.code == 0
    for name, kind in MODELS.items():
        assert f"{name}: {kind.__doc__.splitlines()[0]}" in done.out
    assert "latent_dim=64" in done.out
    assert "upsampling='nearest'" in done.out


def test_data_sets_are_listed(command):
    done = command("datasets")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == list(DATASETS)


@pytest.mark.parametrize(("name", "flags"), [("procedural_faces", []), ("digits", []), ("folder", ["--data_dir={}"])])
def test_a_data_set_is_shown_on_a_sheet(command, tmp_path, name, flags):
    folder = photographs_in(tmp_path / "photographs", 20)
    out = tmp_path / "new" / "sheet.png"
    flags = [flag.format(folder) for flag in flags]
    done = command("datasets", f"--show={name}", f"--out={out}", "--count=10", "--image_size=32", *flags)
    assert done.code == 0, done.err
    assert done.out.strip() == str(out)
    sheet, text = read_png(out)
    assert text["Software"] == SOFTWARE
    assert f"10 examples of {name}/train" in text["Description"]
    assert sheet.shape[1:] == (8 * 32, 3)
    source = DATASETS[name]("train", image_size=32, **({"data_dir": folder} if flags else {}))
    np.testing.assert_array_equal(sheet[:32, :32], np.broadcast_to(source.load(np.array([0]))["image"][0], (32, 32, 3)))


def test_a_sheet_overwrites_nothing_and_needs_a_known_data_set(command, tmp_path):
    (tmp_path / "sheet.png").write_bytes(b"precious")
    assert_refused(command("datasets", "--show=digits", f"--out={tmp_path / 'sheet.png'}"), "--out", "exists")
    assert (tmp_path / "sheet.png").read_bytes() == b"precious"
    assert_refused(command("datasets", "--show=nope"), "nope", *DATASETS)


def test_a_sheet_is_a_png(command, tmp_path):
    assert_refused(command("datasets", "--show=digits", f"--out={tmp_path / 'sheet.jpg'}"), "sheet.jpg", ".png")
