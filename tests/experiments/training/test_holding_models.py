"""Training what holds a trained model."""

import json
from pathlib import Path

import facezoo
import keras
import numpy as np
import pytest
from command_line import assert_same, read_png, weights_of
from facezoo.experiments.runs.model_files import load_model
from facezoo.models import VAE, CodePrior, ConvolutionalAutoencoder, DiffusionAutoencoder
from zoo import save_squeezenet

pytestmark = pytest.mark.usefixtures("empty_folder")

SMALL = (
    "--model=diffusion_autoencoder",
    "--image_size=32",
    "--batch_size=8",
    "--steps_per_epoch=2",
    "--validation_steps=1",
    *("--set=width=16", "--set=depth=1", "--set=sampling_steps=2"),
)

DATA = ("--dataset=procedural_faces", "--count=8")


@pytest.fixture(autouse=True)
def few_are_measured(monkeypatch):
    for model in (CodePrior, DiffusionAutoencoder):
        monkeypatch.setattr(model, "adapts_to", 64)  # each is drawn for it


@pytest.fixture
def autoencoder(tmp_path):
    keras.utils.set_random_seed(0)
    model = VAE(image_size=32, filters=(4, 4), latent_dim=4)
    model.save(tmp_path / "vae.keras")
    return model


def test_a_game_about_drawn_details_goes_on_without_the_file_of_its_discriminator(
    autoencoder, tmp_path, command, monkeypatch
):
    save_squeezenet(tmp_path / "lpips_squeeze.npz")
    monkeypatch.setenv("FACEZOO_WEIGHTS", str(tmp_path))
    game = ("--adversarial_factor=0.5", "--discriminator=projected", "--discriminator_filters=4,4,4,4")
    given = (*SMALL, f"--autoencoder={tmp_path / 'vae.keras'}", *game, "--perception_count=0", "--steps_per_epoch=1")
    assert command("train", *given, "--run_dir=whole", "--epochs=2").code == 0
    assert command("train", *given, "--run_dir=halves", "--epochs=1").code == 0
    (tmp_path / "lpips_squeeze.npz").unlink()
    assert command("train", *given, "--run_dir=halves", "--epochs=2").code == 0
    assert_same(weights_of("whole"), weights_of("halves"))
    done = command("train", *given, "--run_dir=another")
    assert (done.code, "--discriminator=projected: lpips_squeeze.npz is not there" in done.err) == (2, True)
    finer = ("--what=inversions", "--metrics=noise_deviation", "--count=8", "--sampling_steps=3")
    assert command("evaluate", "--run_dir=halves", *finer).code == 0


def test_a_diffusion_autoencoder_holds_a_trained_one(autoencoder, tmp_path, command):
    given = (*SMALL, f"--autoencoder={tmp_path / 'vae.keras'}")
    assert command("train", *given, "--run_dir=run", "--epochs=2").code == 0
    model = facezoo.load("run")
    for held, own in zip(model.autoencoder.get_weights(), autoencoder.get_weights(), strict=True):
        np.testing.assert_array_equal(held, own)
    assert np.ptp(model.code_deviations) > 0  # measured on the training faces

    assert command("train", *given, "--run_dir=halves", "--epochs=1").code == 0
    assert command("train", *given, "--run_dir=halves", "--epochs=2").code == 0
    assert_same(weights_of("run"), weights_of("halves"))

    others = ("--dataset=procedural_people", *SMALL[1:5])
    assert command("train", "--init_from=./run", *others, "--run_dir=further", "--epochs=1").code == 0
    further = facezoo.load("further")
    np.testing.assert_array_equal(further.code_deviations, model.code_deviations)
    assert further.get_config()["width"] == 16

    assert command("morph", "--run_dir=run", "--start=test:0", "--end=test:1", "--steps=3", "--out=way").code == 0
    assert command("sample", "--run_dir=run", "--count=4", "--fit_count=64", "--out=new").code == 0

    metrics = "--metrics=psnr,noise_deviation,noise_kurtosis"
    done = command("evaluate", "--run_dir=run", "--what=inversions", metrics, "--count=8")
    assert done.code == 0
    assert "noise_kurtosis" in done.out
    finer = command("evaluate", "--run_dir=run", "--what=inversions", metrics, "--count=8", "--sampling_steps=5")
    kept = json.loads(Path(finer.out.splitlines()[-1]).read_text())
    assert (finer.code, kept["sampling_steps"]) == (0, 5)
    assert str(kept["noise_kurtosis"]) not in done.out
    done = command("evaluate", f"--run_dir={tmp_path / 'vae.keras'}", "--what=inversions", "--metrics=psnr", *DATA)
    assert done.code == 2
    assert "finds no noise" in done.err
    done = command("sample", f"--run_dir={tmp_path / 'vae.keras'}", "--sampling_steps=5", "--out=newer", *DATA)
    assert (done.code, "--sampling_steps does nothing here: a VAE draws in no steps" in done.err) == (2, True)


def test_what_cannot_be_held_is_refused(autoencoder, tmp_path, command):
    place = f"--autoencoder={tmp_path / 'vae.keras'}"
    done = command("train", *SMALL, place, "--image_size=64", "--run_dir=run")
    assert done.code == 2
    assert "--image_size=64: --autoencoder=" in done.err
    assert "has 32, and keeps it" in done.err
    done = command("train", "--model=vae", place, "--run_dir=run")
    assert done.code == 2
    assert "--autoencoder: --model=vae has no argument 'autoencoder'" in done.err
    done = command("train", *SMALL, "--autoencoder=face_features", "--image_size=64", "--run_dir=run")
    assert done.code == 2
    assert "holds a FaceFeatures, no autoencoder" in done.err
    done = command("train", *SMALL, "--autoencoder=nowhere", "--run_dir=run")
    assert done.code == 2
    assert "--autoencoder=nowhere" in done.err


def test_nothing_trained_to_hold_is_told(command, caplog):
    assert command("train", *SMALL, "--dry_run").code == 0
    assert "--autoencoder is not given: --model=diffusion_autoencoder holds an untrained one" in caplog.text


def test_a_spatial_code_is_refined_too(tmp_path, command):
    ConvolutionalAutoencoder(image_size=32, filters=(4,)).save(tmp_path / "cae.keras")
    flags = (*SMALL, f"--autoencoder={tmp_path / 'cae.keras'}", "--epochs=1", "--run_dir=run")
    assert command("train", *flags).code == 0
    assert facezoo.load("run").shape_of_code() == (16, 16, 4)


def test_a_code_prior_draws_faces_with_attributes(autoencoder, tmp_path, command):
    flags = ("--image_size=32", "--batch_size=64", "--steps_per_epoch=4", "--validation_steps=1", "--epochs=1")
    data = "--dataset=procedural_faces"
    place = f"--autoencoder={tmp_path / 'vae.keras'}"
    sizes = ("--set=width=16", "--set=depth=1", "--set=sampling_steps=2")
    assert command("train", "--model=code_prior", data, place, *flags, *sizes, "--run_dir=prior").code == 0
    prior = load_model(Path("prior/model.keras"), CodePrior)
    assert "smiling" in prior.attributes
    assert np.ptp(prior.code_means) > 0

    run = ("sample", f"--run_dir={tmp_path / 'vae.keras'}", data, "--count=4", "--sampler=flow")
    assert command(*run, "--prior=./prior", "--attributes=smiling,-beard", "--guidance=2", "--out=smiling").code == 0
    assert len(list(Path("smiling").glob("*.png"))) == 4

    way = ("morph", *run[1:3], "--start=test:1", "--end=test:2", "--steps=3")
    assert command(*way, "--path=flow", "--prior=./prior", "--out=flow").code == 0
    assert command(*way, "--out=line").code == 0
    ends, middles = ([read_png(Path(folder) / f"00{n}.png")[0] for folder in ("flow", "line")] for n in (0, 1))
    np.testing.assert_allclose(*ends, atol=2)
    assert np.abs(np.subtract(*middles, dtype=np.float32)).max() > 0
    assert "--path=flow takes it" in command(*way, "--prior=./prior", "--out=new").err
    assert "name it by --prior" in command(*way, "--path=flow", "--out=new").err

    done = command(*run, "--prior=./prior", "--attributes=wings", "--out=new")
    assert done.code == 2
    assert "--attributes=wings: the prior " in done.err
    done = command(*run, "--out=new")
    assert "name it by --prior" in done.err
    done = command(*run[:-1], "--prior=./prior", "--out=new")
    assert "--prior does nothing with --sampler=mixture" in done.err
    done = command(*run, "--prior=./prior", "--guidance=2", "--out=new")
    assert "--guidance does nothing without --attributes" in done.err
    done = command(*run, "--prior=./prior", "--attributes=-smiling,smiling", "--out=new")
    assert "--attributes=smiling,-smiling: faces cannot be" in done.err
    done = command(*run[:-1], "--guidance=2", "--out=new")
    assert "--guidance does nothing with --sampler=mixture" in done.err
    VAE(image_size=32, filters=(4, 4), latent_dim=4).save(tmp_path / "other.keras")
    done = command("sample", f"--run_dir={tmp_path / 'other.keras'}", *run[2:], "--prior=./prior", "--out=new")
    assert "knows the codes of another model" in done.err
