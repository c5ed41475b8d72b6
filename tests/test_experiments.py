"""Every command as a user types it: what it prints, what it leaves, and what bad input gets."""

import csv
import http.client
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path

import facezoo
import keras
import numpy as np
import pytest
from facezoo.datasets import DATASETS, photographs
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments import cli, morph, runs, training_run
from facezoo.experiments.faces import FaceReader
from facezoo.experiments.training import EarlyStopping
from facezoo.latents.interpolation import PATHS
from facezoo.models import MODELS, VAE, Schedule
from PIL import Image
from skimage.metrics import structural_similarity

pytestmark = pytest.mark.usefixtures("empty_folder")

SCRIPT = Path(sys.executable).with_name("facezoo")
SOFTWARE = f"facezoo {facezoo.__version__}"
CHECKPOINT_FILES = ("model.keras", "state.json", "SHA256SUMS")
VAE_FLAGS = (
    "--dataset=procedural_faces",
    "--image_size=32",
    "--model=vae",
    "--set=filters=8,8",
    "--latent_dim=4",
    "--batch_size=8",
    "--steps_per_epoch=4",
    "--validation_steps=2",
    "--epochs=2",
)
# The smallest model there is, for what does not depend on the model.
CAE_FLAGS = (
    "--model=cae",
    "--image_size=32",
    "--set=filters=4,4",
    "--batch_size=8",
    "--steps_per_epoch=2",
    "--validation_steps=1",
    "--epochs=1",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny trained run that no test changes."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert cli.run(["train", *VAE_FLAGS, f"--run_dir={folder}"]) == 0
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of it, for what writes into the run folder."""
    return Path(shutil.copytree(finished, tmp_path / "copied"))


@pytest.fixture(scope="module")
def model(finished):
    return facezoo.load(finished)


def started(*arguments, timeout=120, **environment):
    """Runs the console script in a process of its own."""
    return subprocess.run(
        [SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=os.environ | environment,
    )


def assert_refused(done, *words):
    """Exit code 2, one message of at most 6 lines that holds the words, and nothing left behind."""
    code = done.returncode if isinstance(done, subprocess.CompletedProcess) else done.code
    message = done.stderr if isinstance(done, subprocess.CompletedProcess) else done.err
    assert code == 2, message
    assert message.startswith("facezoo: "), message
    assert message.count("facezoo: ") == 1, message
    assert len(message.strip().splitlines()) <= 6, message
    assert "Traceback" not in message
    for word in words:
        assert word in message
    assert not list(Path.cwd().iterdir())


def contents(folder):
    """Every file below a folder: its bytes and the time of its last change."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights_of(path, only_trainable=False):
    """The weights of a run or of a model file."""
    loaded = facezoo.load(path)
    return [weight.numpy() for weight in (loaded.trainable_variables if only_trainable else loaded.variables)]


def assert_same(first, second, tolerance=0.0):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def drawn(positions, split="test"):
    """Drawn faces as the finished run sees them: float32 [N, 32, 32, 3]."""
    images = procedural_faces(split, image_size=32).load(np.asarray(positions))["image"]
    return images.astype(np.float32) / 255


def picture(size=(48, 40), seed=0):
    """A smooth picture in colour."""
    numbers = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(numbers).resize(size, Image.Resampling.BICUBIC)


def photographs_in(folder, count, size=(20, 20)):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture(size, number).save(folder / f"{number:03d}.jpg")
    return folder


def truncate(*paths):
    for path in paths:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# Help.


def test_help_is_one_line_for_each_command(command):
    done = command("--help")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()[2:]]
    assert [words[0] for words in lines] == list(cli.COMMANDS)
    assert all(len(words) > 3 for words in lines)
    assert command().out == command("help").out == done.out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_a_command_lists_its_flags(command, name):
    done = command(name, "--help")
    assert done.code == 0
    assert done.out.startswith(f"facezoo {name}: ")
    expected = {"train": ["--model", "--set", "--seed"], "evaluate": ["--split"], "morph": ["--path", "--steps"]}
    assert all(f"  {flag}\n" in done.out for flag in [*expected.get(name, []), "--flagfile"])


def test_help_and_flag_errors_answer_without_tensorflow():
    code = """if True:
        import sys
        from facezoo.experiments import cli
        assert cli.run(["--help"]) == cli.run(["train", "--help"]) == cli.run(["datasets"]) == 0
        for wrong in ("--modle=vae", "--epochs=-1", "--learning_rate=banana", "--precision=float7", "--crop=1,2"):
            assert cli.run(["train", wrong]) == 2
        assert cli.run(["evaluate"]) == cli.run(["trian"]) == cli.run(["train", "--dataset=nope"]) == 2
        assert not {"tensorflow", "keras"} & set(sys.modules)
    """
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 20


def test_the_script_passes_the_exit_code_on():
    done = started("--version")
    assert (done.returncode, done.stdout.strip()) == (0, SOFTWARE)
    assert_refused(started("train", "--epochs=-1"), "--epochs")


def test_a_fault_of_ours_is_told_from_the_user_s(command, monkeypatch):
    def fail(values):
        raise RuntimeError("broken")

    monkeypatch.setattr(cli.COMMANDS["models"], "run", fail)
    done = command("models")
    assert done.code == 1
    assert "RuntimeError: broken" in done.err
    assert "fault of facezoo's" in done.err


def test_an_interruption_is_no_fault(command, monkeypatch):
    def interrupted(values):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.COMMANDS["models"], "run", interrupted)
    done = command("models")
    assert (done.code, done.err) == (130, "facezoo: interrupted\n")


# The run folder.


def test_a_run_folder_holds_what_the_design_says(finished):
    files = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    events = {name for name in files if name.startswith("tensorboard/events.out.tfevents.")}
    assert len(events) == 1
    pictures = {f"images/{kind}-{n:04d}.png" for kind in ("reconstructions", "samples", "morph") for n in (1, 2)}
    assert files - events == pictures | {
        "flags.txt",
        "environment.json",
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
        assert image.size == (8 * 32, 2 * 32)
        shown = np.asarray(image)[:32].reshape(32, 8, 32, 3).swapaxes(0, 1)
    far_apart = np.linspace(0, 1999, 8).astype(int)
    np.testing.assert_array_equal(shown, np.rint(drawn(far_apart, "validation") * 255).astype(np.uint8))


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
    assert runs.open_run(copied, "best").model_path == best
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

    monkeypatch.setattr(training_run, "train", fail)
    assert command("train", *CAE_FLAGS, "--run_dir=runs/deeper/one").code == (2 if isinstance(error, OSError) else 1)
    assert list(empty_folder.iterdir()) == []
    (empty_folder / "runs" / "other").mkdir(parents=True)
    command("train", *CAE_FLAGS, "--run_dir=runs/deeper/one")
    assert [path.name for path in (empty_folder / "runs").iterdir()] == ["other"]


def test_what_another_put_into_a_new_folder_stays(tmp_path):
    new = runs.make_folder(tmp_path / "a" / "b" / "c")
    assert new == [tmp_path / "a" / "b" / "c", tmp_path / "a" / "b", tmp_path / "a"]
    (tmp_path / "a" / "other").mkdir()
    (new[0] / "mine.txt").write_text("dear")
    runs.remove_folders(new)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["other"]


def test_a_folder_is_made_with_all_above_it_or_not_at_all(empty_folder):
    with pytest.raises(OSError, match="too long"):
        runs.make_folder(empty_folder / "a" / ("long" * 100))
    assert list(empty_folder.iterdir()) == []


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


# Training.


def test_a_progress_bar_shows_every_term_and_the_speed(command, tmp_path):
    done = command("train", *VAE_FLAGS, "--epochs=1", f"--run_dir={tmp_path / 'run'}")
    assert done.code == 0
    last = [line for line in done.err.splitlines() if line.startswith("epoch 1/1")][-1]
    for word in ("4/4", "loss=", "reconstruction=", "kl=", "images/s="):
        assert word in last


def test_a_dry_run_prints_and_writes_nothing(command, empty_folder, tmp_path, model):
    before = contents(tmp_path)
    done = command("train", *VAE_FLAGS, "--dry_run")
    assert done.code == 0
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
    for expected in (
        f"VAE, {parameters:,} trainable parameters",
        "--latent_dim=4",
        "filters=(8, 8)",
        "image: float32 [8, 32, 32, 3]",
        "landmarks: float32 [8, ",
        "2 epochs of 4 steps",
        "20000 train",
        "2000 validation",
    ):
        assert expected in done.out
    assert contents(tmp_path) == before
    assert not list(empty_folder.iterdir())


@pytest.mark.parametrize(
    ("optimizer", "schedule", "last_rate"),
    [("adam", "constant", 1e-3), ("adamw", "cosine", 1e-5), ("sgd", "exponential", 1e-5)],
)
def test_every_optimizer_and_schedule_trains(train, optimizer, schedule, last_rate):
    run = train(
        "run",
        *CAE_FLAGS,
        "--epochs=2",
        "--learning_rate=1e-3",
        f"--optimizer={optimizer}",
        f"--schedule={schedule}",
        "--warmup_steps=2",
    )
    rates = [float(row["learning_rate"]) for row in rows_of(run)]
    expected = [float(Schedule(1e-3, 4, schedule, warmup_steps=2)(step)) for step in (2, 4)]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
    np.testing.assert_allclose(rates[-1], last_rate, rtol=1e-5)
    made = facezoo.load(run).optimizer
    assert type(made).__name__.lower() == optimizer
    assert int(made.iterations.numpy()) == 4


def test_training_learns(train):
    run = train("run", *CAE_FLAGS, "--epochs=3", "--steps_per_epoch=30", "--learning_rate=5e-3")
    losses = [float(row["val_loss"]) for row in rows_of(run)]
    assert losses[-1] < 0.7 * losses[0]


def test_loss_factors_are_flags(train):
    run = train("run", *VAE_FLAGS, "--epochs=1", "--r_loss_factor=0", "--absolute_factor=7", "--ssim_factor=2")
    row = {name: float(value) for name, value in rows_of(run)[0].items()}
    assert "reconstruction" not in row
    np.testing.assert_allclose(row["loss"], 7 * row["absolute"] + 2 * row["dssim"] + row["kl"], rtol=1e-5)
    np.testing.assert_allclose(row["val_dssim"], (1 - row["val_ssim"]) / 2, rtol=1e-4)


def test_the_same_step_is_taken_with_and_without_cache(train):
    kept, loaded = (train(str(size), *CAE_FLAGS, "--flip", f"--cache_gb={size}") for size in (1, 0))
    assert_same(weights_of(kept), weights_of(loaded))


def test_checkpoints_come_as_often_as_asked_and_after_each_epoch(train):
    flags = ("--epochs=2", "--steps_per_epoch=5", "--save_every=3", "--keep_checkpoints=9")
    folder = train("run", *CAE_FLAGS, *flags)
    steps = [int(place.name) for place in sorted((folder / "checkpoints").glob("[0-9]*"))]
    assert steps == [0, 3, 5, 6, 9, 10]


def test_patience_stops_early(train):
    # At this rate nothing changes, so that no epoch after the first is a new best.
    still = ("--optimizer=sgd", "--learning_rate=1e-30", "--epochs=9", "--monitor=psnr")
    assert len(rows_of(train("one", *CAE_FLAGS, *still, "--patience=1"))) == 2
    assert len(rows_of(train("three", *CAE_FLAGS, *still, "--patience=3"))) == 4


def test_few_validation_pictures_are_enough(train, tmp_path):
    folder = photographs_in(tmp_path / "photographs", 16)
    flags = ("--dataset=folder", f"--data_dir={folder}", "--steps_per_epoch=1")
    source = DATASETS["folder"]("validation", data_dir=folder, image_size=32)
    assert len(source) < 3
    run = train("run", *CAE_FLAGS, *flags)
    pixels, _ = read_png(run / "images" / "reconstructions-0001.png")
    assert pixels.shape == (2 * 32, len(source) * 32, 3)
    np.testing.assert_array_equal(pixels[:32, :32], source.load(np.array([0]))["image"][0])


def test_early_stopping_by_hand():
    low = EarlyStopping("loss", patience=2)
    assert [low.is_new_best({"loss": loss}) for loss in (3, 2, 2, 1)] == [True, True, False, True]
    assert not low.should_stop
    assert [low.is_new_best({"loss": loss}) for loss in (5, 4)] == [False, False]
    assert low.should_stop
    high = EarlyStopping("psnr")
    assert [high.is_new_best({"psnr": psnr}) for psnr in (20, 21, 19)] == [True, True, False]
    assert not high.should_stop


def test_training_starts_from_another_run(finished, train, model):
    still = ("--optimizer=sgd", "--learning_rate=1e-30", "--epochs=1", "--steps_per_epoch=1")
    from_run = train("from_run", *VAE_FLAGS, *still, f"--init_from={finished}", "--seed=5")
    checkpoint = finished / "checkpoints" / "000000008" / "model.keras"
    from_file = train("from_file", *VAE_FLAGS, *still, f"--init_from={checkpoint}")
    for folder in (from_run, from_file):
        assert_same(weights_of(folder, only_trainable=True), weights_of(finished, only_trainable=True))


def test_training_starts_only_from_a_model_of_its_kind(finished, command, tmp_path):
    start = f"--init_from={finished}"
    assert_refused(command("train", *VAE_FLAGS, start, "--latent_dim=8"), "--init_from", "latent_dim is 4, not 8")
    assert_refused(command("train", *CAE_FLAGS, start), "--init_from", "VAE", "ConvolutionalAutoencoder")
    assert_refused(command("train", *VAE_FLAGS, f"--init_from={tmp_path / 'nowhere'}"), "nowhere")


def test_a_loss_that_is_no_number_ends_training_with_advice(command, tmp_path):
    wild = ("--optimizer=sgd", "--learning_rate=1e30", "--steps_per_epoch=20", "--set=kernel_initializer=he_normal")
    done = command("train", *CAE_FLAGS, *wild, f"--run_dir={tmp_path / 'run'}")
    assert done.code == 2
    assert "lower --learning_rate" in done.err
    assert "Traceback" not in done.err
    assert (tmp_path / "run" / "bad_batch.npz").exists()


def test_a_mixed_precision_run_is_measured_as_in_training(train, command):
    run = train("run", *VAE_FLAGS, "--epochs=1", "--precision=mixed_bfloat16", "--validation_steps=4")
    assert command("evaluate", f"--run_dir={run}", "--split=validation", "--count=32").code == 0
    measured = json.loads((run / "metrics.json").read_text())
    np.testing.assert_allclose(measured["psnr"], float(rows_of(run)[0]["val_psnr"]), rtol=1e-4)


def test_two_devices_give_the_weights_of_one(train, tmp_path):
    # The rate is low enough for the order of summation not to be amplified from step to step.
    plain = ("--optimizer=sgd", "--momentum=0", "--learning_rate=1e-4", "--set=dropout=0.25", "--flip")
    one = train("one", *VAE_FLAGS, *plain)
    arguments = (*VAE_FLAGS, *plain, "--strategy=mirrored", "--devices=2", f"--run_dir={tmp_path / 'two'}")
    done = started("train", *arguments)
    assert done.returncode == 0, done.stderr
    keras.utils.set_random_seed(0)
    start = VAE(image_size=32, filters=(8, 8), latent_dim=4, dropout=0.25).trainable_variables
    moved = [np.abs(old - new).max() for old, new in zip(start, weights_of(one, only_trainable=True), strict=True)]
    assert max(moved) > 1e-2  # a thousand times what the two may differ by
    assert len(json.loads((tmp_path / "two" / "environment.json").read_text())["devices"]) == 2
    assert_same(weights_of(one), weights_of(tmp_path / "two"), tolerance=1e-5)
    for first, second in zip(rows_of(one), rows_of(tmp_path / "two"), strict=True):
        for name in set(first) - {"images_per_second"}:
            np.testing.assert_allclose(float(first[name]), float(second[name]), rtol=1e-3, atol=1e-5, err_msg=name)


# Measuring.


@pytest.mark.parametrize("count", [37, 70])
def test_evaluate_counts_each_example_once(copied, command, model, count):
    done = command("evaluate", f"--run_dir={copied}", f"--count={count}")
    assert done.code == 0
    measured = json.loads((copied / "metrics.json").read_text())
    assert (measured["dataset"], measured["split"], measured["count"]) == ("procedural_faces", "test", count)

    images = drawn(range(count)).astype(np.float64)
    mean, log_var = (values.numpy().astype(np.float64) for values in model.encoder(np.float32(images)))
    decoded = model.decode(mean).numpy().astype(np.float64)
    errors = ((images - decoded) ** 2).mean(axis=(1, 2, 3))
    divergence = -0.5 * (1 + log_var - mean**2 - np.exp(log_var)).sum(axis=1)
    similarity = [
        structural_similarity(
            *pair, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1
        )
        for pair in zip(images, decoded, strict=True)
    ]
    np.testing.assert_allclose(measured["psnr"], (-10 * np.log10(errors)).mean(), rtol=1e-4)
    np.testing.assert_allclose(measured["ssim"], np.mean(similarity), atol=1e-4)
    np.testing.assert_allclose(measured["reconstruction"], errors.mean(), rtol=1e-4)
    np.testing.assert_allclose(measured["kl"], divergence.mean(), rtol=1e-3)
    np.testing.assert_allclose(measured["loss"], 1000 * errors.mean() + divergence.mean(), rtol=1e-4)
    assert measured["active_units"] == (mean.var(axis=0) > 0.01).sum()
    for name, value in measured.items():
        line = next(line for line in done.out.splitlines() if line.split()[0] == name)
        assert line.split()[1].startswith(str(value)[:3])


def test_evaluate_on_another_data_set_takes_its_whole_split(copied, command):
    done = command("evaluate", f"--run_dir={copied}", "--dataset=digits", "--split=validation")
    assert done.code == 0
    measured = json.loads((copied / "metrics.json").read_text())
    whole = len(DATASETS["digits"]("validation"))
    assert (measured["dataset"], measured["split"], measured["count"]) == ("digits", "validation", whole)


def test_a_spatial_code_has_no_active_units(train, command):
    run = train("run", *CAE_FLAGS)
    assert command("evaluate", f"--run_dir={run}", "--count=5").code == 0
    assert set(json.loads((run / "metrics.json").read_text())) == {
        "dataset",
        "split",
        "count",
        "loss",
        "reconstruction",
        "psnr",
        "ssim",
    }


# Morphing.


def read_png(path):
    with Image.open(path) as image:
        return np.asarray(image), dict(image.text)


def reconstructed(model, image):
    return np.rint(model.decode(model.encode(image[None]))[0].numpy() * 255).astype(np.uint8)


@pytest.mark.parametrize("path", PATHS)
def test_morph_leaves_frames_a_row_and_an_animation(copied, command, model, path):
    done = command("morph", f"--run_dir={copied}", "--start=test:1", "--end=test:2", "--steps=5", f"--path={path}")
    assert done.code == 0
    folder = copied / "morphs"
    assert done.out.split() == [str(folder / "row.png"), str(folder / "morph.gif")]
    names = [f"{number:03d}.png" for number in range(5)]
    assert {file.name for file in folder.iterdir()} == {*names, "row.png", "morph.gif"}

    frames = []
    for number, name in enumerate(names):
        frame, text = read_png(folder / name)
        assert text["Software"] == SOFTWARE
        assert all(word in text["Description"] for word in ("test:1", "test:2", f"frame {number + 1} of 5"))
        frames.append(frame)
    first, last = drawn([1, 2])
    np.testing.assert_allclose(frames[0].astype(int), reconstructed(model, first), atol=1)
    np.testing.assert_allclose(frames[-1].astype(int), reconstructed(model, last), atol=1)
    np.testing.assert_array_equal(read_png(folder / "row.png")[0], np.concatenate(frames, axis=1))
    assert read_png(folder / "row.png")[1]["Software"] == SOFTWARE
    with Image.open(folder / "morph.gif") as animation:
        assert animation.info["comment"].decode().startswith(f"{SOFTWARE}: morph from test:1 to test:2")
        assert animation.size == (32, 32)
        assert animation.is_animated


def test_a_second_morph_does_not_overwrite_the_first(copied, command):
    arguments = ("morph", f"--run_dir={copied}", "--start=test:1", "--steps=2")
    assert command(*arguments, "--end=test:2").code == 0
    before = contents(copied / "morphs")
    second = command(*arguments, "--end=test:3")
    assert second.code == 0
    assert str(copied / "morphs-2" / "row.png") in second.out
    assert contents(copied / "morphs") == before
    assert contents(copied / "morphs-2").keys() == before.keys()


def test_morph_writes_where_it_is_told_but_over_nothing(finished, command, tmp_path):
    arguments = ("morph", f"--run_dir={finished}", "--start=train:0", "--end=validation:0", "--steps=2")
    assert command(*arguments, f"--out={tmp_path / 'new' / 'folder'}").code == 0
    before = contents(tmp_path / "new")
    assert len(before) == 4
    assert_refused(command(*arguments, f"--out={tmp_path / 'new'}"), "--out")
    assert contents(tmp_path / "new") == before
    assert not (finished / "morphs").exists()


def photograph_files(folder):
    """One picture in many kinds of file: path -> what should be read, uint8 [H, W, 3], before crop and resizing."""
    folder.mkdir()
    colour = picture()
    gray = colour.convert("L")
    pixels, gray_pixels = np.asarray(colour), np.stack([np.asarray(gray)] * 3, axis=-1)
    alpha = Image.fromarray(np.tile(np.uint8([[255, 0]]), (40, 24)), "L")
    files = {}

    def save(name, image, expected, **options):
        image.save(folder / name, **options)
        files[folder / name] = expected

    save("plain.png", colour, pixels)
    save("gray.png", gray, gray_pixels)
    save("sixteen_bit.png", Image.fromarray(np.asarray(gray).astype(np.uint16) * 257), gray_pixels)
    save("transparent.png", colour.copy(), np.where(np.asarray(alpha)[..., None] == 255, pixels, 255))
    with_alpha = colour.copy()
    with_alpha.putalpha(alpha)
    with_alpha.save(folder / "transparent.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter; upright again when rotated clockwise
    save("rotated.png", colour.transpose(Image.Transpose.ROTATE_90), pixels, exif=exif)
    others = [Image.new("RGB", colour.size, shade) for shade in ("black", "white")]
    save("animated.webp", colour, pixels, save_all=True, append_images=others, lossless=True)
    save("one_pixel.png", Image.new("RGB", (1, 1), (10, 200, 90)), np.full((1, 1, 3), (10, 200, 90), np.uint8))
    save("large.jpg", colour.resize((480, 400)), np.asarray(colour.resize((480, 400))), quality=100, subsampling=0)
    cmyk = colour.convert("CMYK")
    save("cmyk.jpg", cmyk, np.asarray(cmyk.convert("RGB")), quality=100, subsampling=0)
    return files


def test_every_kind_of_picture_is_read_right(finished, tmp_path):
    reader = FaceReader(runs.open_run(finished), cli.parse(morph, ["--run_dir=.", "--start=a", "--end=b"]))
    for path, expected in photograph_files(tmp_path / "pictures").items():
        wanted = photographs.fit(Image.fromarray(expected.astype(np.uint8)), 32) / 255
        tolerance = 0.03 if path.suffix == ".jpg" else 1e-6
        np.testing.assert_allclose(reader.read(str(path)), wanted, atol=tolerance, err_msg=path.name)


@pytest.mark.parametrize("name", ["large.jpg", "gray.png", "transparent.png"])
def test_a_morph_starts_from_any_picture(finished, command, model, tmp_path, name):
    files = photograph_files(tmp_path / "pictures")
    start = tmp_path / "pictures" / name
    arguments = ("--end=test:0", "--steps=2", f"--out={tmp_path / 'morph'}")
    assert command("morph", f"--run_dir={finished}", f"--start={start}", *arguments).code == 0
    image = photographs.fit(Image.fromarray(files[start].astype(np.uint8)), 32).astype(np.float32) / 255
    frame, text = read_png(tmp_path / "morph" / "000.png")
    np.testing.assert_allclose(frame.astype(int), reconstructed(model, image), atol=1)
    assert str(start) in text["Description"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--start=nowhere.png", "--end=test:0"], ["nowhere.png"]),
        (["--start=test:2000", "--end=test:0"], ["test:2000", "test:0 to test:1999"]),
        (["--start=test:x", "--end=test:0"], ["test:x", "test:0 to test:1999"]),
        (["--start=test:-1", "--end=test:0"], ["test:-1", "test:0 to test:1999"]),
        (["--start=test:0", "--end={broken}"], ["broken.png"]),
        (["--start=test:0", "--end={letter}"], ["letter.jpg", "not a JPEG, PNG or WebP"]),
        (["--start={sound}", "--end={sound}", "--crop=30,0,40,40"], ["sound.png", "crop", "48x40"]),
        (["--start=test:0", "--end=test:1", "--steps=1"], ["--steps", "2"]),
        (["--start=test:0", "--end=test:1", "--path=bent"], ["--path", "linear", "slerp"]),
        (["--start=test:0"], ["--end"]),
        (["--end=test:0"], ["--start"]),
    ],
)
def test_a_face_that_cannot_be_had_is_named(finished, command, tmp_path, flags, words):
    files = {name: tmp_path / name for name in ("broken.png", "letter.jpg", "sound.png")}
    picture().save(files["sound.png"])
    picture().save(files["broken.png"])
    truncate(files["broken.png"])
    files["letter.jpg"].write_text("dear")
    flags = [flag.format(**{path.stem: path for path in files.values()}) for flag in flags]
    before = contents(finished)
    assert_refused(command("morph", f"--run_dir={finished}", *flags), *words)
    assert contents(finished) == before


def test_a_crop_of_the_run_holds_for_its_faces(train, command, tmp_path):
    folder = photographs_in(tmp_path / "photographs", 60, size=(40, 30))
    flags = ("--dataset=folder", f"--data_dir={folder}", "--crop=5,2,20,20")
    run = train("run", *CAE_FLAGS, *flags)
    file = next(iter(sorted(folder.iterdir())))
    done = command("morph", f"--run_dir={run}", f"--start={file}", "--end=test:0", "--steps=2")
    assert done.code == 0
    cut = Image.open(file).crop((5, 2, 25, 22)).resize((32, 32), Image.Resampling.LANCZOS)
    expected = reconstructed(facezoo.load(run), np.asarray(cut).astype(np.float32) / 255)
    np.testing.assert_allclose(read_png(run / "morphs" / "000.png")[0].astype(int), expected, atol=1)


def test_a_gray_run_morphs_and_draws_in_gray(train, command):
    run = train("run", *CAE_FLAGS, "--dataset=digits")
    assert facezoo.load(run).channels == 1
    assert command("morph", f"--run_dir={run}", "--start=test:0", "--end=test:1", "--steps=2").code == 0
    assert read_png(run / "morphs" / "row.png")[0].shape == (32, 64)
    assert read_png(run / "images" / "morph-0001.png")[0].ndim == 2


def test_a_notebook_morphs_and_shows(finished, model, monkeypatch, tmp_path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf()))
    picture().save(tmp_path / "a.png")
    faces = [facezoo.read_face(tmp_path / "a.png", model), drawn([3])[0]]
    frames = facezoo.visualize_interpolation(model, *faces, steps=6)
    assert frames.shape == (6, 32, 32, 3)
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames[[0, -1]], model.decode(model.encode(np.stack(faces))), atol=1e-5)
    (figure,) = shown
    assert figure.axes[0].images[0].get_array().shape == (32, 6 * 32, 3)
    plt.close(figure)
    facezoo.visualize_interpolation(model, *faces, steps=2, show=False)
    assert len(shown) == 1


# Encoding.


def test_encode_keeps_codes_names_and_reconstructions(finished, command, model, tmp_path):
    files = photograph_files(tmp_path / "pictures")
    (tmp_path / "pictures" / "deeper").mkdir()
    deeper = tmp_path / "pictures" / "deeper" / "plain.png"
    shutil.copy(tmp_path / "pictures" / "plain.png", deeper)
    files[deeper] = files[tmp_path / "pictures" / "plain.png"]
    out, decoded = tmp_path / "new" / "codes.npz", tmp_path / "decoded"
    done = command(
        "encode",
        f"--run_dir={finished}",
        f"--in={tmp_path / 'pictures'}",
        f"--out={out}",
        f"--reconstructions={decoded}",
    )
    assert done.code == 0, done.err
    assert f"{len(files)} codes" in done.out
    with np.load(out, allow_pickle=False) as archive:
        assert set(archive) == {"codes", "names"}
        codes = dict(zip(archive["names"].tolist(), archive["codes"], strict=True))
    names = sorted(path.relative_to(tmp_path / "pictures").as_posix() for path in files)
    assert list(codes) == names
    reader = FaceReader(runs.open_run(finished), cli.parse(morph, ["--run_dir=.", "--start=a", "--end=b"]))
    for name in names:
        image = reader.read_file(tmp_path / "pictures" / name)
        np.testing.assert_allclose(codes[name], model.encode(image[None])[0], atol=1e-4, err_msg=name)
        pixels, text = read_png(decoded / f"{name}.png")
        np.testing.assert_allclose(pixels.astype(int), reconstructed(model, image), atol=1)
        assert text["Software"] == SOFTWARE
        assert name in text["Description"]
    assert {path.relative_to(decoded).as_posix() for path in decoded.rglob("*.png")} == {f"{n}.png" for n in names}


def test_encode_overwrites_nothing(finished, command, tmp_path):
    folder = photographs_in(tmp_path / "pictures", 2)
    out, taken = tmp_path / "codes.npz", tmp_path / "taken"
    out.write_bytes(b"precious")
    taken.mkdir()
    (taken / "a.txt").write_text("mine")
    arguments = ("encode", f"--run_dir={finished}", f"--in={folder}")
    assert_refused(command(*arguments, f"--out={out}"), "--out", "exists")
    assert out.read_bytes() == b"precious"
    done = command(*arguments, f"--out={tmp_path / 'new.npz'}", f"--reconstructions={taken}")
    assert_refused(done, "--reconstructions")
    assert not (tmp_path / "new.npz").exists()
    assert [path.name for path in taken.iterdir()] == ["a.txt"]


def test_encode_of_nothing_is_refused(finished, command, tmp_path):
    (tmp_path / "empty").mkdir()
    assert_refused(command("encode", f"--run_dir={finished}"), "--in")
    assert_refused(command("encode", f"--run_dir={finished}", f"--in={tmp_path / 'empty'}"), "no pictures")
    assert_refused(command("encode", f"--run_dir={finished}", f"--in={tmp_path / 'nowhere'}"), "nowhere")


# Lists.


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


# TensorBoard.

SCALARS = {
    *(f"train/{name}" for name in ("loss", "reconstruction", "kl", "skipped_steps")),
    *(f"validation/{name}" for name in ("loss", "reconstruction", "kl", "psnr", "ssim", "active_units")),
    "speed/images_per_second",
    "speed/learning_rate",
}
SHEETS = {"reconstructions", "samples", "morph"}


def test_events_hold_each_term_pictures_codes_flags_and_hparams(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(finished / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    kinds = {}
    for tag in events.Tags()["tensors"]:
        kind = events.SummaryMetadata(tag).plugin_data.plugin_name
        kinds.setdefault(kind, set()).add(tag)
    assert kinds["scalars"] == SCALARS
    assert kinds["images"] == SHEETS
    assert kinds["histograms"] == {"codes"}
    assert kinds["text"] == {"flags"}
    assert "_hparams_/session_start_info" in kinds["hparams"]

    written = {
        event.step: float(tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors("train/loss")
    }
    np.testing.assert_allclose([written[4], written[8]], [float(row["loss"]) for row in rows_of(finished)], rtol=1e-5)
    text = tensor_util.make_ndarray(events.Tensors("flags")[0].tensor_proto).item().decode()
    assert "| latent_dim | 4 |" in text
    png = tensor_util.make_ndarray(events.Tensors("morph")[-1].tensor_proto)[2]
    with Image.open(io.BytesIO(png)) as image:
        assert np.array_equal(np.asarray(image), read_png(finished / "images" / "morph-0002.png")[0])


@pytest.fixture
def tensorboard(finished):
    """A TensorBoard on the finished run: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--logdir", finished / "tensorboard", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(timeout=30)


def test_a_running_tensorboard_serves_them(tensorboard):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def fetch(path, **query):
        with opener.open(f"{tensorboard}/data/plugin/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            return answer.read()

    def tags(plugin):
        return json.loads(fetch(f"{plugin}/tags")).get(".", [])

    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if set(tags("scalars")) == SCALARS and set(tags("images")) == SHEETS:
                break
        except (OSError, http.client.HTTPException):  # not up yet
            pass
        time.sleep(0.5)
    assert set(tags("scalars")) == SCALARS
    assert set(tags("images")) == SHEETS
    assert set(tags("histograms")) == {"codes"}
    assert "flags" in set(tags("text"))
    points = json.loads(fetch("scalars/scalars", run=".", tag="validation/psnr"))
    assert [step for _, step, _ in points] == [4, 8]
    sheets = json.loads(fetch("images/images", run=".", tag="reconstructions", sample=0))
    blob = dict(urllib.parse.parse_qsl(sheets[0]["query"]))
    with Image.open(io.BytesIO(fetch("images/individualImage", **blob))) as image:
        assert image.size == (8 * 32, 2 * 32)
    (text,) = json.loads(fetch("text/text", run=".", tag="flags"))
    assert "latent_dim" in text["text"]


# What bad input gets.


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--modle=vae", ["modle", "Did you mean: model"]),
        ("--model=nope", ["--model=nope", *MODELS]),
        ("--latent_dim=-3", ["--latent_dim", "1"]),
        ("--latent_dim=0", ["--latent_dim"]),
        ("--image_size=7", ["--image_size", "16", "1024"]),
        ("--image_size=5000", ["--image_size", "16", "1024"]),
        ("--image_size=36", ["image_size=36", "multiple of 16"]),
        ("--epochs=-1", ["--epochs", "1"]),
        ("--batch_size=0", ["--batch_size", "1"]),
        ("--batch_size=30000", ["--batch_size", "20000"]),
        ("--learning_rate=banana", ["--learning_rate", "number above 0"]),
        ("--learning_rate=0", ["--learning_rate", "number above 0"]),
        ("--learning_rate=nan", ["--learning_rate", "number above 0"]),
        ("--r_loss_factor=-1", ["--r_loss_factor"]),
        ("--kl_factor=inf", ["--kl_factor"]),
        ("--precision=float7", ["--precision", "float32", "mixed_float16", "mixed_bfloat16"]),
        ("--optimizer=lion", ["--optimizer", "adam", "adamw", "sgd"]),
        ("--schedule=steps", ["--schedule", "constant", "cosine", "exponential"]),
        ("--strategy=tpu", ["--strategy", "one_device", "mirrored"]),
        ("--channels=2", ["--channels", "1", "3"]),
        ("--dataset=nope", ["--dataset=nope", *DATASETS]),
        ("--dataset=folder", ["--data_dir"]),
        ("--data_dir=.", ["--data_dir", "procedural_faces"]),
        ("--crop=1,2,3", ["--crop", "left,top,width,height"]),
        ("--set=no_such=3", ["--set=no_such", "filters", "dropout", "kernel_initializer"]),
        ("--set=filters", ["--set=filters", "name=value"]),
        ("--set=latent_dim=3", ["--set=latent_dim", "--latent_dim"]),
        ("--set=dropout=2", ["dropout=2", "below 1"]),
        ("--set=dropout=much", ["dropout='much'"]),
        ("--set=strides=2", ["strides=2"]),
        ("--set=filters=many", ["filters='many'"]),
        ("--set=filters=8", ["filters=8", "commas"]),
        ("--set=upsampling=magic", ["upsampling='magic'", "nearest", "transposed", "subpixel"]),
        ("--set=kernel_initializer=nope", ["nope"]),
        ("--monitor=nope", ["--monitor", "reconstruction", "kl", "psnr", "ssim"]),
        ("--warmup_steps=1000000", ["--warmup_steps=1000000", "shorter"]),
        ("--steps_per_epoch=1000000", ["--steps_per_epoch=1000000", "312"]),
        ("--devices=2", ["--devices=2", "--strategy=mirrored"]),
        ("--flagfile=missing.flags", ["flagfile", "missing.flags"]),
        ("--recipe=nope", ["--recipe=nope", "vae"]),
        ("word", ["word", "--flag=value"]),
    ],
)
def test_a_bad_flag_is_named_with_what_it_may_be(command, flag, words):
    assert_refused(command("train", flag), *words)


@pytest.mark.parametrize("flag", ["--set=batch_norm=off", "--set=batch_norm=1", "--set=decoder_kernel_size=0"])
def test_what_only_looks_like_a_value_is_refused(command, flag):
    assert_refused(command("train", *VAE_FLAGS, flag), flag.split("=")[1])


def test_a_flag_file_that_is_no_text_is_refused(command, tmp_path):
    (tmp_path / "photograph.jpg").write_bytes(bytes(range(128, 256)))
    assert_refused(command("train", f"--flagfile={tmp_path / 'photograph.jpg'}"), "--flagfile")


def test_a_sheet_is_a_png(command, tmp_path):
    assert_refused(command("datasets", "--show=digits", f"--out={tmp_path / 'sheet.jpg'}"), "sheet.jpg", ".png")


def test_terms_that_a_model_does_not_have_are_refused(command):
    done = command("train", "--model=cae", "--kl_factor=1")
    assert_refused(done, "--kl_factor", "cae", "reconstruction", "dssim")
    done = command("train", "--model=cae", "--r_loss_factor=0")
    assert_refused(done, "every loss factor is 0")


def test_devices_that_are_not_there_are_refused(command):
    assert_refused(command("train", "--strategy=mirrored", "--devices=64"), "--devices=64", "2 CPUs")


def test_an_unknown_command_is_answered_with_the_known_ones(command):
    assert_refused(command("trian", "--model=vae"), "'trian'", "did you mean 'train'", *cli.COMMANDS)
    assert_refused(command("--model=vae"), *cli.COMMANDS)


@pytest.mark.parametrize("name", ["evaluate", "morph", "encode"])
def test_a_run_is_required(command, name):
    assert_refused(command(name), "--run_dir")


def test_a_data_folder_that_is_not_there_or_empty_is_named(command, tmp_path):
    (tmp_path / "empty").mkdir()
    flags = ("train", "--dataset=folder")
    assert_refused(command(*flags, f"--data_dir={tmp_path / 'nowhere'}"), "data_dir", "nowhere")
    assert_refused(command(*flags, f"--data_dir={tmp_path / 'empty'}"), "no pictures", "empty", ".jpg")


def test_text_files_called_jpg_are_no_pictures(command, tmp_path):
    for number in range(12):
        (tmp_path / f"letter_{number:02d}.jpg").write_text("dear")
    done = command("train", "--dataset=folder", f"--data_dir={tmp_path}")
    assert_refused(done, "12 of 12", "letter_00.jpg", "letter_04.jpg", "and 7 more", "not a JPEG")


def test_a_folder_whose_name_is_no_text_is_refused(command, tmp_path, empty_folder):
    folder = photographs_in(tmp_path / os.fsdecode(b"t\xeates"), 12, size=(32, 32))
    done = command("train", *CAE_FLAGS, "--dataset=folder", f"--data_dir={folder}", "--batch_size=4", "--run_dir=run")
    assert_refused(done, "--data_dir=", "not UTF-8")
    assert not (empty_folder / "run").exists()


def test_half_of_the_files_truncated_is_refused_with_the_count(command, tmp_path):
    folder = photographs_in(tmp_path / "photographs", 20)
    truncate(*sorted(folder.iterdir())[::2])
    done = command("train", "--dataset=folder", f"--data_dir={folder}")
    assert_refused(done, "10 of 20", "000.jpg", "008.jpg", "and 5 more")
    assert len(list(folder.iterdir())) == 20


def test_too_few_pictures_for_a_batch_are_refused(command, tmp_path):
    folder = photographs_in(tmp_path / "photographs", 40)
    assert_refused(command("train", "--dataset=folder", f"--data_dir={folder}"), "folder/train", "--batch_size")


def huge_png(width=20_000, height=6_000):
    """A PNG's beginning: its header alone says that it has more than 100 megapixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    first_chunk = struct.pack(">I", len(header)) + b"IHDR" + header + checksum
    return b"\x89PNG\r\n\x1a\n" + first_chunk + struct.pack(">I", 0) + b"IDAT"


def test_three_damaged_files_among_two_hundred_are_one_warning(tmp_path):
    folder = photographs_in(tmp_path / "photographs", 200)
    truncate(folder / "007.jpg")
    (folder / "050.jpg").write_text("dear")
    (folder / "123.jpg").write_bytes(huge_png())
    flags = (*CAE_FLAGS, "--dataset=folder", f"--data_dir={folder}", f"--run_dir={tmp_path / 'run'}")
    done = started("train", *flags)
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "leaving out" in line]
    assert len(warnings) == 1
    for word in ("3 of 200", "007.jpg", "050.jpg", "123.jpg", "megapixels"):
        assert word in warnings[0]
    assert (tmp_path / "run" / "model.keras").is_file()
    assert "WARNING" not in done.stderr.replace(warnings[0], "")


@pytest.mark.parametrize("arguments", [["train"], ["models"], ["evaluate", "--run_dir=."]])
def test_another_backend_is_refused(command, monkeypatch, arguments):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert_refused(command(*arguments), "KERAS_BACKEND=jax", "TensorFlow")


def test_another_backend_is_refused_by_the_script_too():
    assert_refused(started("train", KERAS_BACKEND="jax"), "KERAS_BACKEND=jax")


@pytest.mark.parametrize("name", ["celeb_a", "lfw", "mnist"])
def test_data_that_cannot_be_had_is_told_within_ten_seconds(tmp_path, name):
    with socket.socket() as closed:  # a proxy that refuses: no network, wherever this runs
        closed.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
        start = time.monotonic()
        done = started(
            "train",
            f"--dataset={name}",
            f"--data_dir={tmp_path / 'tfds'}",
            HTTPS_PROXY=proxy,
            HTTP_PROXY=proxy,
            https_proxy=proxy,
            http_proxy=proxy,
        )
        seconds = time.monotonic() - start
    assert_refused(done, name, "data_dir", "cannot be reached")
    assert seconds < 10
    assert not (tmp_path / "tfds").exists()


# Recipes.


@pytest.mark.parametrize("recipe", sorted(path.stem for path in cli.RECIPES.glob("*.flags")))
def test_every_recipe_is_understood(command, recipe, tmp_path):
    folder = ["--data_dir=" + str(photographs_in(tmp_path / "photographs", 200))] if recipe.endswith("_folder") else []
    small = ["--batch_size=8", "--image_size=32"]
    if folder:
        small += ["--crop="]
    if "perceptual_network=vgg" in (cli.RECIPES / f"{recipe}.flags").read_text():
        small += ["--perceptual_network=face", "--perceptual_layers="]  # what needs no download
    done = command(
        "train", f"--recipe={recipe}", *folder, *small, "--warmup_steps=0", "--steps_per_epoch=2", "--dry_run"
    )
    assert done.code == 0, done.err
    assert "trainable parameters" in done.out


def test_a_recipe_s_flags_can_be_overridden_after_it(command):
    done = command("train", "--recipe=vae", "--latent_dim=7", "--image_size=32", "--batch_size=8", "--dry_run")
    assert done.code == 0, done.err
    assert "latent_dim=7" in done.out


def test_help_of_train_names_the_recipes(command):
    assert "cae, cae_folder, conditional_vae" in command("train", "--help").out


# From Python.


def test_a_run_and_a_model_file_load_alike(finished):
    from_run, from_file = facezoo.load(finished), facezoo.load(finished / "model.keras")
    assert isinstance(from_run, VAE)
    assert_same([weight.numpy() for weight in from_run.variables], [weight.numpy() for weight in from_file.variables])


def test_a_file_of_another_model_is_refused(tmp_path):
    layers = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    layers.save(tmp_path / "other.keras")
    with pytest.raises(Exception, match="holds a Sequential, not one of facezoo's autoencoders"):
        facezoo.load(tmp_path / "other.keras")
