"""`facezoo models` and `facezoo datasets`: what they list, and the sheet of examples."""

import inspect

import numpy as np
import pytest
from command_line import SOFTWARE, assert_refused, photographs_in, read_png
from facezoo.datasets import DATASETS
from facezoo.experiments.cli import COMMANDS
from facezoo.experiments.commands.datasets import GAP
from facezoo.experiments.commands.models import list_models
from facezoo.models import MODELS, NETWORKS

CHANGES = ("--flip", "--rotation=20.0", "--scale=1.2", "--shift=0.1", "--colour=0.3", "--blur", "--warp=0.2")
TEN = ("--count=10", "--image_size=32")

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_models_are_listed_with_their_arguments(command):
    done = command("models")
    assert done.code == 0
    for name, kind in MODELS.items():
        assert f"{name}: {kind.__doc__.splitlines()[0]}" in done.out
    assert "latent_dim=64" in done.out
    assert "upsampling='nearest'" in done.out


def test_what_is_listed_of_models_is_what_their_constructors_take():
    for name, (summary, arguments) in list_models().items():
        kind = NETWORKS[name]
        assert summary == kind.__doc__.splitlines()[0]
        taken = inspect.signature(kind).parameters.values()
        assert [f"{each.name}={each.default!r}" for each in taken] == arguments


def test_lists_fit_a_terminal(command):
    for arguments in (["models"], ["datasets"], ["--help"], *([name, "--help"] for name in COMMANDS)):
        assert max(map(len, command(*arguments).out.splitlines())) <= 120, arguments


def test_data_sets_are_listed(command):
    done = command("datasets")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == list(DATASETS)


@pytest.mark.parametrize(("name", "flags"), [("procedural_faces", []), ("digits", []), ("folder", ["--data_dir={}"])])
def test_a_data_set_is_shown_on_a_sheet(command, tmp_path, name, flags):
    folder = photographs_in(tmp_path / "photographs", 20)
    out = tmp_path / "new" / "sheet.png"
    flags = [flag.format(folder) for flag in flags]
    done = command("datasets", f"--show={name}", f"--out={out}", *TEN, "--nodots", *flags)
    assert done.code == 0, done.err
    assert done.out.strip() == str(out)
    sheet, text = read_png(out)
    assert text["Software"] == SOFTWARE
    assert f"10 examples of {name}/train" in text["Description"]
    assert sheet.shape[1:] == (8 * 32, 3)
    assert (sheet.shape[0] < 2 * (32 + 20)) == (name == "folder")  # no more lines of text than there are
    source = DATASETS[name]("train", image_size=32, **({"data_dir": folder} if flags else {}))
    np.testing.assert_array_equal(sheet[:32, :32], np.broadcast_to(source.load(np.array([0]))["image"][0], (32, 32, 3)))


def sheet_of(command, folder, *flags):
    """The pictures [8, 32, columns, 3] in a sheet's first row, and what its file says it shows."""
    out = folder / "sheet.png"
    done = command("datasets", "--show=procedural_faces", f"--out={out}", *TEN, *flags)
    assert done.code == 0, done.err
    sheet, text = read_png(out)
    out.unlink()
    return sheet[:32], text["Description"]


def test_landmarks_are_dots_on_the_sheet(command, tmp_path):
    (dotted, _), (plain, _) = sheet_of(command, tmp_path), sheet_of(command, tmp_path, "--nodots")
    is_changed = (dotted != plain).any(axis=-1)
    landmarks = DATASETS["procedural_faces"]("train", image_size=32).load(np.array([0]))["landmarks"][0]
    columns, rows = np.floor(landmarks * 32).astype(int).T
    expected = np.zeros((32, 32), bool)
    expected[rows, columns] = True
    np.testing.assert_array_equal(is_changed[:, :32], expected)


def test_a_sheet_shows_mirrored_pictures(command, tmp_path):
    plain, plain_text = sheet_of(command, tmp_path, "--nodots")
    flipped, text = sheet_of(command, tmp_path, "--nodots", "--flip")
    assert (plain_text + " --flip") == text
    pairs = list(zip(np.split(plain, 8, axis=1), np.split(flipped, 8, axis=1), strict=True))
    is_mirrored = [np.array_equal(after, before[:, ::-1]) for before, after in pairs]
    assert all(mirrored or np.array_equal(*pair) for mirrored, pair in zip(is_mirrored, pairs, strict=True))
    assert 0 < sum(is_mirrored) < 8


def test_a_sheet_shows_warped_pictures_beside_what_they_come_from(command, tmp_path):
    plain, _ = sheet_of(command, tmp_path, "--nodots")
    pairs, text = sheet_of(command, tmp_path, "--nodots", "--warp=0.2", "--noaffine")
    assert text.endswith(" --warp=0.2 --noaffine")
    pairs = pairs.reshape(32, 4, 64 + GAP, 3).swapaxes(0, 1)
    warped, target, gap = pairs[:, :, :32], pairs[:, :, 32:64], pairs[:, :, 64:]
    np.testing.assert_array_equal(target, plain.reshape(32, 8, 32, 3).swapaxes(0, 1)[:4])
    difference = np.abs(warped.astype(int) - target)
    assert 1 < difference.mean() < 40
    assert difference[:, [0, -1]].mean() < difference[:, 12:20].mean()  # the border stays
    assert gap.min() == 255


def test_a_sheet_of_gray_pictures_can_be_changed(command, tmp_path):
    out = tmp_path / "sheet.png"
    done = command("datasets", "--show=digits", f"--out={out}", "--count=11", "--image_size=16", *CHANGES)
    assert done.code == 0, done.err
    sheet, text = read_png(out)
    assert sheet.shape[1:] == (4 * (32 + GAP), 3)
    assert text["Description"].endswith(" ".join(CHANGES))


def test_a_sheet_overwrites_nothing_and_needs_a_known_data_set(command, tmp_path):
    (tmp_path / "sheet.png").write_bytes(b"precious")
    assert_refused(command("datasets", "--show=digits", f"--out={tmp_path / 'sheet.png'}"), "--out", "exists")
    assert (tmp_path / "sheet.png").read_bytes() == b"precious"
    assert_refused(command("datasets", "--show=nope"), "nope", *DATASETS)


def test_a_sheet_is_a_png(command, tmp_path):
    assert_refused(command("datasets", "--show=digits", f"--out={tmp_path / 'sheet.jpg'}"), "sheet.jpg", ".png")
