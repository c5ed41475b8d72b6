"""`facezoo train`: what it prints, and that every flag does what it says."""

import json
import re
import shlex
from pathlib import Path

import facezoo
import keras
import numpy as np
import pytest
from command_line import (
    CAE_FLAGS,
    VAE_FLAGS,
    assert_refused,
    assert_same,
    contents,
    photographs_in,
    read_png,
    rows_of,
    started,
    weights_of,
)
from facezoo.datasets import DATASETS
from facezoo.experiments.training.stopping import EarlyStopping
from facezoo.experiments.training.telling import list_next_commands, say_duration
from facezoo.models import VAE, Schedule
from facezoo.pictures import resize

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_a_progress_bar_shows_every_term_and_the_speed(command, tmp_path):
    done = command("train", *VAE_FLAGS, "--epochs=1", f"--run_dir={tmp_path / 'run'}")
    assert done.code == 0
    last = [line for line in done.err.splitlines() if line.startswith("epoch 1/1")][-1]
    for word in ("4/4", "loss=", "reconstruction=", "kl=", "images/s="):
        assert word in last


def test_validation_the_time_left_and_what_comes_next_are_told(command, tmp_path):
    done = command("train", *VAE_FLAGS, f"--run_dir={tmp_path / 'a run'}")
    first, last = (line for line in done.err.splitlines() if line.startswith("after epoch"))
    assert re.fullmatch(
        r"after epoch 1/2: validation loss .*, psnr .*, active_units \d+; less than a minute left", first
    )
    assert "left" not in last
    for command_line in ("facezoo evaluate --run_dir=", "facezoo morph --run_dir="):
        [line] = [line for line in done.out.splitlines() if line.startswith(command_line)]
        assert command(*shlex.split(line)[1:], "--dataset=procedural_faces").code == 0, line


def test_a_model_that_makes_no_pictures_is_not_said_to_morph():
    assert list_next_commands(Path("run"), False, ()) == ["facezoo evaluate --run_dir=run"]
    swap = "facezoo swap --run_dir=run --in=PHOTOGRAPHS --to='ann lee' --out=swapped"
    assert swap in list_next_commands(Path("run"), True, ("bob", "ann lee"))


def test_how_long_it_takes_is_told_as_people_say_it():
    assert [say_duration(seconds) for seconds in (10, 70, 600, 3600, 7200)] == [
        "less than a minute",
        "about 1 minute",
        "about 10 minutes",
        "about 60 minutes",
        "about 2 hours",
    ]


def test_photographs_without_a_model_are_led_to_the_recipes(command, tmp_path):
    folder = photographs_in(tmp_path / "photographs", 20)
    flags = ("train", "--dataset=folder", f"--data_dir={folder}", "--image_size=32", "--set=filters=4,4", "--epochs=1")
    flags += ("--batch_size=4", "--steps_per_epoch=1", "--latent_dim=2", f"--run_dir={tmp_path / 'run'}")
    done = command(*flags)
    assert (done.code, "--recipe=photographs" in done.err) == (0, True)
    again = command(*flags[:-1], "--r_loss_factor=100000", f"--run_dir={tmp_path / 'another'}")
    assert (again.code, "--recipe=photographs" in again.err) == (0, False)


@pytest.mark.parametrize(("schedule_steps", "code"), [(10, 2), (1000, 0)])
def test_a_dry_run_takes_the_schedule_that_the_training_would(command, schedule_steps, code):
    flags = (*VAE_FLAGS, "--warmup_steps=50", f"--schedule_steps={schedule_steps}", "--dry_run")
    assert command("train", *flags).code == code


def test_few_pictures_are_seen_for_as_many_epochs_as_the_least_steps_take(train, command):
    folder = train("run", *CAE_FLAGS, "--min_steps=5")
    assert "--epochs=3\n" in (folder / "flags.txt").read_text()
    assert "--draw_every=3\n" in (folder / "flags.txt").read_text()  # as few pictures as of the epochs asked for
    assert [int(row["step"]) for row in rows_of(folder)] == [2, 4, 6]
    assert "nothing to do" in command("train", *CAE_FLAGS, "--min_steps=5", f"--run_dir={folder}").out
    assert "4 epochs of 2 steps" in command("train", *CAE_FLAGS, "--min_steps=5", "--epochs=4", "--dry_run").out


def test_epochs_of_few_pictures_are_measured_twenty_times(train):
    folder = train("run", *CAE_FLAGS, "--min_steps=61")
    assert "--measure_every=2\n" in (folder / "flags.txt").read_text()
    assert [int(row["epoch"]) for row in rows_of(folder)] == [*range(2, 31, 2), 31]


def test_epochs_that_are_not_measured_are_told_of_with_the_next_one(train):
    often, seldom = (
        train(f"run_{every}", *CAE_FLAGS, "--epochs=3", f"--measure_every={every}", f"--draw_every={4 - every}")
        for every in (1, 2)
    )
    first, second, third = rows_of(often)
    both, last = rows_of(seldom)
    assert (both["epoch"], both["val_loss"], last["val_psnr"]) == ("2", second["val_loss"], third["val_psnr"])
    assert float(both["loss"]) == pytest.approx((float(first["loss"]) + float(second["loss"])) / 2, rel=1e-5)
    assert last["loss"] == third["loss"]
    assert [path.name for path in sorted((seldom / "images").glob("rec*"))] == [
        "reconstructions-0002.png",
        "reconstructions-0003.png",
    ]


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
    assert pixels.shape == (2 * (64 + 15), len(source) * 64, 3)  # enlarged, each with its label below
    np.testing.assert_array_equal(pixels[:64, :64], resize(source.load(np.array([0]))["image"], 64)[0])


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


@pytest.mark.traced
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
