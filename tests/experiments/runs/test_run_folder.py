"""What a run folder holds, what a command does to one that is there, and when none is made or left."""

import json
import shutil

import facezoo
import keras
import numpy as np
import pytest
from command_line import (
    CAE_FLAGS,
    SOFTWARE,
    VAE_FLAGS,
    assert_refused,
    assert_same,
    contents,
    drawn,
    photographs_in,
    rows_of,
    truncate,
    weights_of,
)
from facezoo import files
from facezoo.experiments.errors import UsageError
from facezoo.experiments.runs import checkpoints
from facezoo.experiments.runs.folder import LOCK_FILE, lock
from facezoo.experiments.runs.run import open_run
from facezoo.experiments.training import run as training_run
from facezoo.pictures import resize
from PIL import Image

pytestmark = pytest.mark.usefixtures("empty_folder")
CHECKPOINT_FILES = ("model.keras", "state.json", "SHA256SUMS")


def test_a_run_folder_holds_what_the_design_says(finished):
    files = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    events = {name for name in files if name.startswith(f"tensorboard/{finished.name}/")}
    assert sorted(name.split("/")[2] for name in events) == ["train", "validation"]
    kinds = ("reconstructions", "samples", "morph", "kl_over_epochs")
    pictures = {f"images/{kind}-{n:04d}.png" for kind in kinds for n in (1, 2)}
    assert files - events == pictures | {
        "flags.txt",
        "environment.json",
        "kl_per_dimension.csv",
        "metrics.csv",
        "model.keras",
        "checkpoints/best/model.keras",
        ".lock",
        *(f"checkpoints/00000000{step}/{name}" for step in (4, 8) for name in CHECKPOINT_FILES),
    }


def test_the_environment_is_kept(finished):
    environment = json.loads((finished / "environment.json").read_text())
    assert environment["facezoo"] == facezoo.__version__
    assert environment["keras"] == keras.__version__
    assert environment["numpy"] == np.__version__
    assert (environment["seed"], environment["precision"]) == (0, "float32")
    assert environment["devices"]


def test_metrics_have_one_row_for_each_epoch_with_every_term(finished):
    rows = rows_of(finished)
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "4"), ("2", "8")]
    terms = {"loss", "reconstruction", "kl"}
    assert terms | {f"val_{name}" for name in terms | {"psnr", "ssim", "active_units"}} <= set(rows[0])
    for row in rows:
        values = {name: float(value) for name, value in row.items()}
        assert np.isfinite(list(values.values())).all()
        for prefix in ("", "val_"):
            expected = 1000 * values[f"{prefix}reconstruction"] + values[f"{prefix}kl"]
            np.testing.assert_allclose(values[f"{prefix}loss"], expected, rtol=1e-5)
        assert values["images_per_second"] > 0
        np.testing.assert_allclose(values["learning_rate"], 5e-4, rtol=1e-5)


def test_validation_measures_the_first_batches(finished):
    images = drawn(range(16), "validation")
    last = facezoo.load(finished)
    errors = ((images - last.decode(last.encode(images)).numpy()) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(float(rows_of(finished)[-1]["val_reconstruction"]), errors.mean(), rtol=1e-4)


def test_the_model_is_the_last_checkpoint_and_the_best_is_kept(finished):
    assert_same(weights_of(finished), weights_of(finished / "checkpoints" / "000000008" / "model.keras"))
    losses = [float(row["val_loss"]) for row in rows_of(finished)]
    best = facezoo.load(finished / "checkpoints" / "best" / "model.keras")
    images = drawn(range(16), "validation")
    errors = ((images - best.decode(best.encode(images)).numpy()) ** 2).mean()
    row = rows_of(finished)[int(np.argmin(losses))]
    np.testing.assert_allclose(errors, float(row["val_reconstruction"]), rtol=1e-4)


def test_pictures_of_training_say_what_made_them(finished):
    for path in (finished / "images").glob("*.png"):
        with Image.open(path) as image:
            assert image.text["Software"] == SOFTWARE
            assert "finished" in image.text["Description"]
    with Image.open(finished / "images" / "reconstructions-0001.png") as image:
        assert image.size == (8 * 64, 2 * (64 + 15))  # enlarged, each with its label below
        shown = np.asarray(image)[:64].reshape(64, 8, 64, 3).swapaxes(0, 1)
    far_apart = np.linspace(0, 1999, 8).astype(int)
    given = np.rint(drawn(far_apart, "validation") * 255).astype(np.uint8)
    np.testing.assert_array_equal(shown, resize(given, 64))


def test_the_flag_file_reproduces_the_run_bit_for_bit(finished, train, tmp_path):
    (tmp_path / "again").mkdir()  # an empty folder is as good as none
    again = train("again", f"--flagfile={finished / 'flags.txt'}")
    assert (again / "flags.txt").read_text() == (finished / "flags.txt").read_text()
    assert_same(weights_of(finished), weights_of(again))
    for first, second in zip(rows_of(finished), rows_of(again), strict=True):
        assert first | {"images_per_second": 0} == second | {"images_per_second": 0}


def test_another_seed_gives_other_weights(finished, train):
    other = train("other", *VAE_FLAGS, "--seed=1", "--epochs=1")
    assert any((one != two).any() for one, two in zip(weights_of(finished), weights_of(other), strict=True))


def test_a_finished_run_answers_and_changes_nothing(finished, command):
    before = contents(finished)
    done = command("train", *VAE_FLAGS, f"--run_dir={finished}")
    assert done.code == 0
    assert "is finished" in done.out
    assert contents(finished) == before


def test_what_does_not_change_the_run_does_not_count_as_another_flag(finished, command):
    done = command("train", *VAE_FLAGS, "--cache_gb=0.5", f"--run_dir={finished}")
    assert done.code == 0
    assert "is finished" in done.out


def test_other_flags_for_a_run_are_listed(finished, command):
    before = contents(finished)
    done = command("train", *VAE_FLAGS, "--learning_rate=0.01", "--latent_dim=8", "--flip", f"--run_dir={finished}")
    assert_refused(
        done,
        "was --latent_dim=4",
        "now --latent_dim=8",
        "was --learning_rate=0.0005",
        "now --learning_rate=0.01",
        "was --noflip",
        "now --flip",
    )
    assert "batch_size" not in done.err
    assert contents(finished) == before


def test_a_dry_run_of_a_finished_run_shows_its_settings(finished, command):
    done = command("train", *VAE_FLAGS, "--dry_run", f"--run_dir={finished}")
    assert done.code == 0
    assert "trainable parameters" in done.out


def test_the_best_model_can_be_asked_for(copied, command):
    best = copied / "checkpoints" / "best" / "model.keras"
    assert open_run(copied, "best").model_path == best
    best.unlink()
    assert command("evaluate", f"--run_dir={copied}", "--count=8").code == 0
    assert_refused(command("evaluate", f"--run_dir={copied}", "--count=8", "--checkpoint=best"), str(best))


def test_a_tilde_is_the_home_folder(copied, command, monkeypatch):
    monkeypatch.setenv("HOME", str(copied.parent))
    assert command("evaluate", f"--run_dir=~/{copied.name}", "--count=8").code == 0


def test_a_run_that_only_lacks_its_model_gets_it(copied, command):
    before = weights_of(copied)
    (copied / "model.keras").unlink()
    assert command("train", *VAE_FLAGS, f"--run_dir={copied}").code == 0
    assert_same(weights_of(copied), before)


@pytest.mark.parametrize("arguments", [["evaluate"], ["morph", "--start=test:0", "--end=test:1"], ["encode", "--in=."]])
def test_commands_on_an_unfinished_run_say_so(copied, command, arguments):
    (copied / "model.keras").unlink()
    assert_refused(command(*arguments, f"--run_dir={copied}"), "--run_dir", "has not finished")


@pytest.mark.parametrize("error", [OSError("the disk is full"), RuntimeError("broken")])
def test_a_training_that_fails_at_once_leaves_no_folder(command, empty_folder, monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(training_run, "take_steps", fail)
    assert command("train", *CAE_FLAGS, "--run_dir=runs/deeper/one").code == (2 if isinstance(error, OSError) else 1)
    assert list(empty_folder.iterdir()) == []
    (empty_folder / "runs" / "other").mkdir(parents=True)
    command("train", *CAE_FLAGS, "--run_dir=runs/deeper/one")
    assert [path.name for path in (empty_folder / "runs").iterdir()] == ["other"]


def failing_train(monkeypatch, meanwhile):
    """Trainings fail in their first epoch, after something else has happened in the folder."""

    def fail(*arguments, **options):
        meanwhile()
        raise OSError("No space left on device")

    monkeypatch.setattr(training_run, "take_steps", fail)


@pytest.mark.parametrize("place", ["empty", "link", "deeper"])
def test_what_others_put_into_a_run_that_fails_at_once_stays(command, tmp_path, monkeypatch, place):
    folder = tmp_path / ("deeper/folder" if place == "deeper" else "folder")
    if place != "deeper":
        folder.mkdir()
    run_dir = folder
    if place == "link":
        run_dir = tmp_path / "link"
        run_dir.symlink_to(folder)
    theirs = (
        *("letter.txt", "checkpoints/letter.txt", "checkpoints/000/letter.txt", "images/holiday.png", ".env/key"),
        *(
            "model.keras",
            "images/holiday-2024.png",
            "checkpoints/best/model.keras",
            "tensorboard/events.out.tfevents.1",
        ),
        *("checkpoints/000000007/model.keras", "checkpoints/000000007/state.json"),
    )

    def write():
        for name in theirs:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("dear")

    failing_train(monkeypatch, write)
    done = command("train", *CAE_FLAGS, f"--run_dir={run_dir}")
    assert (done.code, done.err.splitlines()[-1]) == (2, "facezoo: No space left on device")
    assert sorted(contents(folder)) == sorted(theirs)
    assert run_dir.is_symlink() == (place == "link")


@pytest.mark.parametrize("name", [".ssh/id", ".git/config", ".env", ".lock", "._x"])
def test_a_folder_with_hidden_things_of_others_is_no_place_for_a_run(command, tmp_path, name):
    theirs = tmp_path / "home" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("dear")
    before = contents(tmp_path / "home")
    assert_refused(
        command("train", *CAE_FLAGS, f"--run_dir={tmp_path / 'home'}"), "holds something", name.split("/")[0]
    )
    assert contents(tmp_path / "home") == before


def test_a_run_that_fails_at_once_leaves_the_working_folder_and_says_why(command, empty_folder, monkeypatch):
    failing_train(monkeypatch, lambda: None)
    done = command("train", *CAE_FLAGS, "--run_dir=.")
    assert (done.code, done.err) == (2, "facezoo: No space left on device\n")
    assert empty_folder.is_dir()
    assert list(empty_folder.iterdir()) == []


def test_a_picture_damaged_after_it_was_indexed_costs_nothing_but_the_run(command, tmp_path, monkeypatch):
    photographs_in(tmp_path / "photographs", 40)
    (tmp_path / "runs").mkdir()

    def damage():
        truncate(*(tmp_path / "photographs").iterdir())

    steps_of = training_run.take_steps

    def take_steps(*arguments, **options):
        damage()
        return steps_of(*arguments, **options)

    monkeypatch.setattr(training_run, "take_steps", take_steps)
    data = ("--dataset=folder", f"--data_dir={tmp_path / 'photographs'}", "--cache_gb=0")
    done = command("train", *CAE_FLAGS, *data, "--batch_size=4", f"--run_dir={tmp_path / 'runs' / 'one'}")
    assert done.code == 2
    assert "has changed since it was indexed" in done.err
    assert list((tmp_path / "runs").iterdir()) == []


def test_checkpoints_remove_nothing_but_their_own(tmp_path):
    theirs = [tmp_path / name for name in ("2024/a", "000000001/a", ".hidden/a", "000000002-mine/model.keras")]
    for path in theirs:
        path.parent.mkdir()
        path.write_text("dear")
    for name in ("000000001", "000000003", ".partial", ".before"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "model.keras").write_text("ours")
        files.note_made(tmp_path / name / "model.keras")
    (tmp_path / "000000009").mkdir()
    theirs.append(tmp_path / "000000009" / "model.keras")
    theirs[-1].write_text("dear")
    checkpoints.Checkpoints(tmp_path, keep=1).remove_made()
    assert sorted(contents(tmp_path)) == sorted(path.relative_to(tmp_path).as_posix() for path in theirs)
    assert not (tmp_path / "000000003").exists()


@pytest.mark.parametrize("name", ["checkpoints", "images"])
def test_a_run_whose_folders_lead_elsewhere_is_not_gone_on_with(copied, command, tmp_path, name):
    (copied / name).rename(tmp_path / "theirs")
    (copied / name).symlink_to(tmp_path / "theirs")
    before = contents(tmp_path / "theirs")
    assert_refused(command("train", *VAE_FLAGS, "--epochs=3", f"--run_dir={copied}"), f"{name} is a link")
    assert contents(tmp_path / "theirs") == before


def test_a_picture_that_is_a_link_is_replaced_and_not_written_through(copied, command, tmp_path):
    (tmp_path / "theirs.png").write_bytes(b"dear")
    (copied / "images" / "morph-0003.png").symlink_to(tmp_path / "theirs.png")
    assert command("train", *VAE_FLAGS, "--epochs=3", f"--run_dir={copied}").code == 0
    assert (tmp_path / "theirs.png").read_bytes() == b"dear"
    assert not (copied / "images" / "morph-0003.png").is_symlink()


def test_the_events_of_other_runs_behind_a_link_are_not_touched(copied, command, tmp_path):
    shared = tmp_path / "shared"
    (copied / "tensorboard").rename(shared)
    (copied / "tensorboard").symlink_to(shared)
    other = shared / "events.out.tfevents.1.other"
    other.write_bytes(b"another run's")
    (copied / "model.keras").unlink()
    shutil.rmtree(copied / "checkpoints" / "000000008")
    assert command("train", *VAE_FLAGS, f"--run_dir={copied}").code == 0
    assert other.read_bytes() == b"another run's"


@pytest.mark.parametrize("kind", ["folder", "link", "letter"])
def test_what_is_in_the_place_of_a_run_s_lock_is_told_of(tmp_path, kind):
    folder = tmp_path / "run"
    folder.mkdir()
    place = folder / LOCK_FILE
    if kind == "folder":
        place.mkdir()
    elif kind == "link":
        place.symlink_to(tmp_path / "theirs")
    else:
        place.write_text("dear")
    with pytest.raises(UsageError, match=r"--run_dir=.*[.]lock is no lock of facezoo's"), lock(folder):
        pass
    assert [path.name for path in folder.iterdir()] == [LOCK_FILE]


def test_a_folder_that_is_no_run_is_left_alone(command, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    before = contents(other)
    assert_refused(command("train", *CAE_FLAGS, f"--run_dir={other}"), "--run_dir", "not a run")
    assert_refused(command("train", *CAE_FLAGS, f"--run_dir={other / 'letter.txt'}"), "--run_dir", "is a file")
    assert_refused(command("evaluate", f"--run_dir={other}"), "--run_dir", "not a run")
    assert_refused(command("evaluate", f"--run_dir={tmp_path / 'nowhere'}"), "--run_dir", "no such folder")
    assert contents(other) == before


def test_without_run_dir_the_folder_is_named_after_the_run(command, empty_folder):
    done = command("train", *CAE_FLAGS, "--dataset=digits")
    assert done.code == 0
    (folder,) = (empty_folder / "runs").iterdir()
    assert folder.name.startswith("cae-digits-")
    assert f"runs/{folder.name}/model.keras" in done.out
    assert f"tensorboard --logdir runs/{folder.name}/tensorboard" in done.out


def test_a_damaged_model_is_the_file_s_fault(copied, command):
    truncate(copied / "model.keras")
    assert_refused(command("evaluate", f"--run_dir={copied}"), "model.keras", "cannot be read as a model")
