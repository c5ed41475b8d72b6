"""One notion of a model everywhere: a run, a model file, published weights or their card, a name."""

import json
import shutil

import facezoo
import numpy as np
import pytest
from command_line import VAE_FLAGS, assert_refused, assert_same, weights_of
from facezoo.experiments.errors import UsageError
from facezoo.experiments.flags.training import ModelSettings, TrainingSettings
from facezoo.experiments.runs.checkpoints import Checkpoints
from facezoo.experiments.runs.run import open_run
from facezoo.experiments.runs.settings import write_settings
from facezoo.models import load_pretrained

FEW = ("--batch_size=8", "--steps_per_epoch=1", "--validation_steps=1", "--epochs=1")


@pytest.fixture(scope="module")
def published(finished, tmp_path_factory):
    """The finished run's weights and card as mine.npz and mine.json, and its model file alone as bare.keras."""
    from facezoo.experiments import cli

    folder = tmp_path_factory.mktemp("published")
    assert cli.run(["publish", f"--run_dir={finished}", "--name=mine", f"--out={folder}"]) == 0
    shutil.copy(finished / "model.keras", folder / "bare.keras")
    whole = shutil.copytree(finished, tmp_path_factory.mktemp("runs") / "whole")
    assert cli.run(["evaluate", f"--run_dir={whole}", "--count=16"]) == 0
    shutil.copy(whole / "metrics.json", folder / "expected.json")
    return folder


@pytest.fixture
def here(published, empty_folder):
    """A working folder with what is published."""
    for path in published.iterdir():
        shutil.copy(path, empty_folder)
    return empty_folder


NAMES = ("mine.npz", "mine.json", "mine", "./mine", "bare.keras")


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_loaded_by_any_of_its_names(here, finished, name):
    assert_same(weights_of(name), weights_of(finished), 0.0 if name.endswith(".keras") else 1e-3)


def test_a_run_is_meant_by_its_files(finished):
    assert open_run(finished / "model.keras").folder == finished
    best = open_run(finished / "checkpoints" / "best" / "model.keras")
    assert best.folder == finished
    assert best.is_best
    assert facezoo.load(str(finished)).latent_dim == 4


def test_what_ships_is_loaded_by_its_name(empty_folder):
    assert facezoo.load("vae").get_config() == load_pretrained("vae").get_config()
    (empty_folder / "vae").mkdir()  # where what is made of it goes
    assert open_run("vae").folder.name == "vae"
    assert open_run("vae").settings.objective.ssim_factor == 500.0


def test_a_folder_may_be_a_string(published):
    assert load_pretrained("mine", folder=str(published)).latent_dim == 4


@pytest.mark.parametrize("name", ["mine.npz", "mine", "bare.keras"])
def test_commands_take_it_as_a_run(here, command, name):
    done = command("evaluate", f"--run_dir={name}", "--count=16")
    assert done.code == 0, done.err
    folder = here / name.partition(".")[0]
    measured, expected = (json.loads(path.read_text()) for path in (folder / "metrics.json", here / "expected.json"))
    assert measured.keys() == expected.keys()
    for figure in ("loss", "psnr"):
        assert measured[figure] == pytest.approx(expected[figure], rel=2e-3)
    assert command("morph", f"--run_dir={name}", "--start=test:0", "--end=test:1", "--steps=2").code == 0
    assert (folder / "morphs" / "row.png").exists()
    assert command("attributes", f"--run_dir={name}", "--count=200").code == 0
    edit = ("edit", f"--run_dir={name}", "--image=test:0", "--attribute=smiling", "--strength=1")
    assert command(*edit).code == 0


def test_what_is_not_there_is_said(here, command):
    assert "vae_perceptual" in command("evaluate", "--run_dir=nowhere").err
    assert "no such file" in command("evaluate", "--run_dir=nowhere.keras").err
    (here / "mine.json").unlink()
    assert "no card beside it" in command("evaluate", "--run_dir=mine.npz").err
    assert "only a run folder has several" in command("evaluate", "--run_dir=bare.keras", "--checkpoint=best").err


BAD_FLAGS = {
    "none": (None, "does not tell the flags"),
    "numbers": ([1], "does not tell the flags"),
    "unknown": (["--nope=1"], "nope"),
    "a file": (["--flagfile=/dev/zero"], "include no other file"),
    "very many": (["--set=x=1"] * 3000, "more than 2000"),
}


@pytest.mark.parametrize(("flags", "message"), BAD_FLAGS.values(), ids=BAD_FLAGS)
def test_the_flags_of_a_card_are_bounded(here, command, flags, message):
    card = json.loads((here / "mine.json").read_text())
    (here / "mine.json").write_text(json.dumps(card | {"flags": flags}))
    done = command("evaluate", "--run_dir=mine.npz")
    assert done.code == 2
    assert message in done.err
    assert "mine" in done.err


# What --init_from sets.


def test_init_from_alone_sets_the_network(here, train, finished):
    started = train("started", *FEW, "--init_from=mine", "--learning_rate=1e-9")
    expected, there = (facezoo.load(folder).get_config() for folder in (finished, started))
    assert {**there, "name": ""} == {**expected, "name": ""}
    trained = facezoo.load(started).trainable_variables
    assert_same([weight.numpy() for weight in trained], weights_of("mine.npz", only_trainable=True), 1e-4)
    # It goes on as it began, also where its beginning is not there any more.
    for path in here.glob("mine*"):
        path.unlink()
    longer = [flag.replace("epochs=1", "epochs=2") for flag in FEW]
    assert train("started", *longer, "--init_from=mine", "--learning_rate=1e-9") == started


def test_a_recipe_s_network_gives_way_and_a_given_one_does_not(here, command, monkeypatch, tmp_path):
    from facezoo.experiments.flags import parsing

    (tmp_path / "mine.flags").write_text("--latent_dim=100\n--image_size=64\n--learning_rate=1e-3\n")
    monkeypatch.setattr(parsing, "RECIPES", tmp_path)
    shown = command("train", "--dry_run", "--recipe=mine", "--init_from=mine", *FEW)
    assert shown.code == 0, shown.err
    for line in ("--latent_dim=4", "--image_size=32", "--set=filters=8,8", "--learning_rate=0.001"):
        assert line in shown.out.splitlines()
    done = command("train", "--recipe=mine", "--init_from=mine", *FEW, "--latent_dim=5", "--run_dir=new")
    assert done.code == 2
    assert "latent_dim is 4, not 5" in done.err


def test_settings_from_python_are_given_where_they_are_not_as_by_default(here):
    from facezoo.experiments.flags.training import ModelSettings, TrainingSettings
    from facezoo.experiments.training.starting import inherit_settings

    asked = TrainingSettings(model=ModelSettings(init_from="mine", set=("dropout=0.1",)))
    model = inherit_settings(asked, None).model
    assert (model.image_size, model.latent_dim) == (32, 4)
    assert "filters=8,8" in model.set
    assert "dropout=0.1" in model.set
    asked = TrainingSettings(model=ModelSettings(init_from="mine", latent_dim=8))
    assert inherit_settings(asked, None).model.latent_dim == 8
    assert inherit_settings(TrainingSettings(), None) == TrainingSettings()


def test_another_decoder_begins_with_the_encoder_alone(here, command):
    from facezoo.experiments.training.building import copy_weights
    from facezoo.models import VAE

    shown = command("train", "--dry_run", "--init_from=mine", "--set=decoder_width=8", *FEW)
    assert shown.code == 0, shown.err
    assert "--init_from=mine is made otherwise: what is the same in both is taken" in shown.err
    model = VAE(image_size=32, filters=(8, 8), latent_dim=4, decoder_width=8, seed=1)
    decoder = model.decoder.get_weights()
    copy_weights("mine", model)
    assert_same(model.encoder.get_weights(), facezoo.load("mine").encoder.get_weights())
    assert_same(model.decoder.get_weights(), decoder)
    other = ("--image_size=32", "--set=decoder_width=8", "--set=filters=8,9")
    refused = command("train", "--dry_run", "--init_from=mine", *other, *FEW)
    assert refused.code == 2 and "filters is (8, 8), not (8, 9)" in refused.err
    both = command("train", "--dry_run", "--init_from=mine", "--set=decoder_width=8", "--image_size=64", *FEW)
    assert both.code == 2
    assert "--init_from=mine grows to 64 pixels or gets --set=decoder_width=8, one training after the other" in both.err
    plain = command("train", "--dry_run", "--init_from=mine", "--set=upsampling=nearest", *FEW)
    assert plain.code == 2 and "upsampling is 'transposed', not 'nearest'" in plain.err


def test_a_start_grows_for_larger_pictures(here, command):
    few = [flag for flag in FEW if "image_size" not in flag]
    shown = command("train", "--dry_run", "--init_from=mine", "--image_size=64", *few)
    assert shown.code == 0, shown.err
    assert "--init_from=mine grows from 32 to 64 pixels" in shown.err
    for line in ("--image_size=64", "--set=filters=8,8,8", "--set=strides=2,2,2", "--set=decoder_filters=8,8,8"):
        assert line in shown.out.splitlines()
    refused = command("train", "--dry_run", "--init_from=mine", "--image_size=64", "--set=filters=8,8", *few)
    assert refused.code == 2
    assert "image_size is 32, not 64" in refused.err
    assert "it grows to --set=filters=8,8,8" in refused.err


def test_the_size_that_a_recipe_names_beside_its_start_is_grown_to(here, command, monkeypatch, tmp_path):
    from facezoo.experiments.flags import parsing

    (tmp_path / "larger.flags").write_text("--init_from=mine\n--image_size=64\n")
    monkeypatch.setattr(parsing, "RECIPES", tmp_path)
    few = [flag for flag in FEW if "image_size" not in flag]
    shown = command("train", "--dry_run", "--recipe=larger", *few)
    assert shown.code == 0, shown.err
    assert "grows from 32 to 64 pixels" in shown.err


def test_what_cannot_grow_is_refused_in_one_line(here, command):
    facezoo.DFCVAE(image_size=16, filters=(4, 4), latent_dim=3).save("small.keras")
    done = command("train", "--dry_run", "--init_from=./small.keras", "--image_size=32", "--perceptual_network=face")
    assert done.code == 2
    assert "small.keras is made for 16 pixels and cannot grow to 32" in done.err


def test_larger_pictures_are_told_their_widths(here, command):
    done = command(
        "train", "--dry_run", "--model=vae", "--image_size=128", "--batch_size=2", "--dataset=procedural_faces"
    )
    assert done.code == 0, done.err
    assert "--image_size=128: as --set=filters=16,32,64,128,256" in done.err


# Runs that have not finished.


@pytest.mark.parametrize("checkpoint", ["best", "last"])
def test_an_unfinished_run_is_read_where_it_is_asked_for(copied, command, checkpoint):
    expected = weights_of(copied)
    (copied / "model.keras").unlink()
    assert_refused(command("evaluate", f"--run_dir={copied}"), "has not finished", "--checkpoint=best")
    done = command("evaluate", f"--run_dir={copied}", "--count=8", f"--checkpoint={checkpoint}")
    assert done.code == 0, done.err
    (line,) = [line for line in done.err.splitlines() if "has not finished" in line]
    assert "after 8 of 8 steps" in line
    if checkpoint == "last":
        assert_same([weight.numpy() for weight in open_run(copied, "last").model().variables], expected)


def test_a_run_without_any_model_says_so(copied, command):
    (copied / "model.keras").unlink()
    shutil.rmtree(copied / "checkpoints")
    for checkpoint in ("best", "last"):
        done = command("evaluate", f"--run_dir={copied}", f"--checkpoint={checkpoint}")
        assert_refused(done, f"no {checkpoint} model yet")


def test_the_last_model_of_an_averaged_run_is_the_average(train):
    folder = train("averaged", *VAE_FLAGS, "--ema=0.9")
    expected = weights_of(folder, only_trainable=True)
    (folder / "model.keras").unlink()
    model = open_run(folder, "last").model()
    assert_same([weight.numpy() for weight in model.trainable_variables], expected, 1e-6)
    raw = facezoo.load(Checkpoints(folder / "checkpoints", 1).newest_place() / "model.keras").trainable_variables
    assert any(np.abs(one.numpy() - two).max() > 1e-6 for one, two in zip(raw, expected, strict=True))


def test_a_place_is_one_line(here):
    with pytest.raises(UsageError) as error:
        open_run("no\nwhere")
    assert len(error.value.args) == 1


def test_a_folder_of_a_name_that_ships_does_not_take_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = TrainingSettings(model=ModelSettings(init_from="vae"))
    (tmp_path / "vae" / "export").mkdir(parents=True)  # as `facezoo export --run_dir=vae` makes it
    assert "--init_from=vae\n" in write_settings(settings)
    (tmp_path / "vae" / "flags.txt").write_text("")  # a run
    assert f"--init_from={tmp_path / 'vae'}\n" in write_settings(settings)
