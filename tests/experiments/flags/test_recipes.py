"""Every recipe is understood, named and open to changes."""

import dataclasses
import re
import tomllib

import pytest
from command_line import photographs_in
from facezoo.experiments.flags import parsing
from facezoo.experiments.flags.kinds import read, read_given
from facezoo.experiments.flags.training import ModelSettings, TrainingSettings
from facezoo.experiments.training.starting import inherit_settings
from facezoo.models import pretrained_names

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize("recipe", sorted(path.stem for path in parsing.RECIPES.glob("*.flags")))
def test_every_recipe_is_understood(command, recipe, tmp_path):
    text = (parsing.RECIPES / f"{recipe}.flags").read_text()
    photographs = tmp_path / "photographs"
    folder = [f"--data_dir={photographs}"] if "=folder" in text else []
    if folder:
        for person in ("ann", "bob") if "=identity" in text else ("",):
            photographs_in(photographs / person, 200)
    small = ["--batch_size=8"]
    if "init_from" not in text and "--autoencoder" not in text:  # whose weights have a size
        small += ["--image_size=32"]
    if folder:
        small += ["--crop="]
    if "=procedural_clips" in text:
        small += ["--frames=4"]
    if re.search("perceptual_network=(vgg|lpips)", text):
        small += ["--perceptual_network=face", "--perceptual_layers="]  # what needs no download
    if "--discriminator=projected" in text:
        small += ["--discriminator=patch"]
    done = command(
        "train", f"--recipe={recipe}", *folder, *small, "--warmup_steps=0", "--steps_per_epoch=2", "--dry_run"
    )
    assert done.code == 0, done.err
    assert "trainable parameters" in done.out


@pytest.mark.parametrize("recipe", sorted(path.stem for path in parsing.RECIPES.glob("*.flags")))
def test_a_recipe_computes_in_what_the_machine_is_fast_in(recipe):
    lines = (parsing.RECIPES / f"{recipe}.flags").read_text().splitlines()
    assert [line for line in lines if line.startswith("--precision")] == ["--precision=auto"]


def test_a_recipe_s_flags_can_be_overridden_after_it(command):
    done = command("train", "--recipe=vae", "--latent_dim=7", "--image_size=32", "--batch_size=8", "--dry_run")
    assert done.code == 0, done.err
    assert "latent_dim=7" in done.out


def resolve(*arguments):
    """The network's settings of a training, with what it begins from."""
    values = parsing.parse(parsing.define_train_flags, arguments, has_recipes=True)
    settings = inherit_settings(read(values, TrainingSettings), None, read_given(values, ModelSettings).keys())
    of_held = {"autoencoder": None, "channels": None} if settings.model.autoencoder else {}  # what the start holds
    return dataclasses.replace(settings.model, init_from=None, **of_held)


STARTS = [
    (run["flags"][0], flag.rpartition("/")[2])
    for run in tomllib.loads((parsing.RECIPES / "zoo.toml").read_text())["runs"]
    for flag in run["flags"]
    if flag.startswith("--init_from=${ZOO}/")
]
BEGUN = [(recipe, start) for recipe, start in STARTS if start in pretrained_names()]  # others are to be trained first


@pytest.mark.parametrize(("recipe", "start"), BEGUN)
def test_a_run_of_the_zoo_that_begins_from_another_run_is_its_recipe_s(recipe, start):
    assert resolve(recipe, f"--init_from={start}") == resolve(recipe)


def test_help_of_train_names_the_recipes(command):
    told = " ".join(command("train", "--help").out.split())
    assert "appearance_vae, appearance_vae_128, cae, cae_128, cae_folder, code_prior, conditional_vae" in told
