"""Every recipe is understood, named and open to changes."""

import pytest
from command_line import photographs_in
from facezoo.experiments.flags import parsing

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
    if "init_from" not in text:  # whose weights have a size
        small += ["--image_size=32"]
    if folder:
        small += ["--crop="]
    if "perceptual_network=vgg" in text:
        small += ["--perceptual_network=face", "--perceptual_layers="]  # what needs no download
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


def test_help_of_train_names_the_recipes(command):
    told = " ".join(command("train", "--help").out.split())
    assert "appearance_vae, appearance_vae_128, cae, cae_128, cae_folder, conditional_vae" in told
