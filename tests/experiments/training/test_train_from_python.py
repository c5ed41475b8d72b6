"""`facezoo.train`: the door from Python to what `facezoo train` does."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time

import facezoo
import pytest
from command_line import VAE_FLAGS, assert_same, contents, rows_of, weights_of
from facezoo import TrainingSettings
from facezoo.experiments.errors import UsageError
from facezoo.experiments.flags.groups import AugmentationSettings, DataSettings
from facezoo.experiments.flags.kinds import every_kind, make_flags
from facezoo.experiments.flags.parsing import parse_training
from facezoo.experiments.flags.training import ModelSettings, ObjectiveSettings, RunSettings, ScheduleSettings
from facezoo.experiments.runs.settings import write_settings
from facezoo.experiments.training import start

pytestmark = pytest.mark.usefixtures("empty_folder")
# What VAE_FLAGS say.
SETTINGS = TrainingSettings(
    model=ModelSettings(model="vae", image_size=32, set=("filters=8,8",), latent_dim=4),
    schedule=ScheduleSettings(batch_size=8, steps_per_epoch=4, epochs=2),
    run=RunSettings(validation_steps=2),
)
SCRIPT = f"""
import dataclasses, facezoo
from facezoo.experiments.flags.parsing import parse_training
facezoo.train(parse_training([*{VAE_FLAGS!r}, "--save_every=1"]), "run")
"""


def same_records(first, second):
    for one, other in zip(rows_of(first), rows_of(second), strict=True):
        assert one | {"images_per_second": 0} == other | {"images_per_second": 0}


def test_it_ends_as_the_command_does_bit_for_bit(finished, tmp_path):
    run = facezoo.train(SETTINGS, tmp_path / "run")
    assert (run.folder, run.settings) == (tmp_path / "run", SETTINGS)
    assert_same(weights_of(finished), weights_of(run.folder))
    assert (run.folder / "flags.txt").read_text() == (finished / "flags.txt").read_text()
    same_records(finished, run.folder)


@pytest.mark.traced
def test_killed_and_called_again_it_ends_as_if_nothing_had_been(trained, empty_folder):
    whole = trained(*VAE_FLAGS)
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as begun:
        deadline = time.monotonic() + 120
        while not list(empty_folder.glob("run/checkpoints/00000000[1-7]")):
            assert begun.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(begun.pid, signal.SIGKILL)
    assert not (empty_folder / "run" / "model.keras").exists()
    run = facezoo.train(parse_training([*VAE_FLAGS, "--save_every=1"]), "run")
    assert_same(weights_of(whole), weights_of(run.folder))
    same_records(whole, run.folder)


def test_a_finished_run_is_returned_as_it_is(copied):
    before = contents(copied)
    assert facezoo.train(SETTINGS, copied).folder == copied
    assert contents(copied) == before


def test_a_run_of_other_settings_is_refused(copied):
    with pytest.raises(UsageError, match=r"is a run with other flags: now --batch_size=64; was --batch_size=8"):
        facezoo.train(TrainingSettings(SETTINGS.data, SETTINGS.model, run=SETTINGS.run), copied)


@pytest.mark.parametrize(
    ("group", "setting", "message"),
    [
        (ScheduleSettings, {"epochs": 0}, "--epochs=0: must be a whole number of at least 1"),
        (ScheduleSettings, {"epochs": "many"}, "--epochs=many: must be a whole number"),
        (ScheduleSettings, {"schedule": "sine"}, "--schedule=sine: value should be one of <constant|cosine"),
        (ModelSettings, {"channels": 2}, "--channels=2: value should be one of <1|3>"),
        (ModelSettings, {"image_size": 32.5}, "--image_size=32.5: must be a whole number"),
        (DataSettings, {"crop": (1, 2)}, "must be one side or left,top,width,height"),
        (ObjectiveSettings, {"kl_factor": float("nan")}, "--kl_factor=nan: must be a number"),
        (ObjectiveSettings, {"landmark_parts": ()}, "must be words"),
        (AugmentationSettings, {"rotation": 5, "affine": False}, "--rotation=5: --noaffine"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_where_it_is_made(group, setting, message):
    with pytest.raises(UsageError) as error:
        group(**setting)
    assert message in str(error.value)


def test_settings_are_what_their_flags_say_and_back():
    words = ["--crop=1,2,30,30", "--channels=1", "--discriminator_filters=8,16", "--noaffine", "--set=a=1", "--set=b=2"]
    settings = parse_training([*VAE_FLAGS, *words, "--data_dir=~/x", "--kl_factor=0"])
    assert settings.data.crop == (1, 2, 30, 30)
    assert settings.model.channels == 1
    assert settings.adversarial.discriminator_filters == (8, 16)
    assert settings.model.set == ("filters=8,8", "a=1", "b=2")
    assert settings.data.data_dir == os.path.expanduser("~/x")  # noqa: PTH111
    assert parse_training(write_settings(settings).split("\n")[:-1]) == settings
    assert set(make_flags(settings)) == set(every_kind(TrainingSettings))


def test_every_setting_says_what_it_is():
    values = make_flags(TrainingSettings())
    for name in every_kind(TrainingSettings):
        assert values[name].help.partition(";\n")[0].endswith((".", ")")), name


def test_workers_meet_before_data_are_opened(monkeypatch, tmp_path):
    """Which may start TensorFlow: too late for them."""
    happened = []

    @contextlib.contextmanager
    def workers(settings, is_named):
        happened.append("workers")
        yield None

    def opened(settings):
        happened.append("data")
        raise UsageError("enough")

    monkeypatch.setattr(start, "_gather_workers", workers)
    monkeypatch.setattr(start, "open_sources", opened)
    settings = dataclasses.replace(SETTINGS, schedule=ScheduleSettings(min_steps=5))
    for begin in (lambda: start.train_into(tmp_path / "run", settings), lambda: start.summarise(settings)):
        happened.clear()
        with pytest.raises(UsageError, match="enough"):
            begin()
        assert happened == ["workers", "data"]
