"""What a training starts from, and how far it may differ."""

import numpy as np
import pytest
from command_line import CAE_FLAGS
from facezoo.experiments.errors import UsageError
from facezoo.experiments.flags.parsing import parse_training
from facezoo.experiments.machine.description import Build, Card
from facezoo.experiments.runs.settings import write_settings
from facezoo.experiments.training import devices
from facezoo.experiments.training.building import copy_weights
from facezoo.experiments.training.starting import inherit_settings
from facezoo.models import VAE, ConvolutionalAutoencoder, VideoAutoencoder


def test_convolutions_alone_start_pictures_of_another_size(tmp_path):
    start = ConvolutionalAutoencoder(image_size=16, filters=(4,))
    start.save(tmp_path / "start.keras")
    model = ConvolutionalAutoencoder(image_size=32, filters=(4,), seed=1)
    copy_weights(str(tmp_path / "start.keras"), model)
    for weight, copied in zip(start.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, copied)


def test_a_dense_layer_knows_one_size(tmp_path):
    VAE(image_size=16, filters=(4,), latent_dim=2).save(tmp_path / "start.keras")
    with pytest.raises(UsageError, match="image_size is 16, not 32"):
        copy_weights(str(tmp_path / "start.keras"), VAE(image_size=32, filters=(4,), latent_dim=2))


def test_what_hinders_a_model_to_begin_from_another_is_named(tmp_path):
    VAE(image_size=16, filters=(4,), latent_dim=3).save(tmp_path / "start.keras")
    clips = VideoAutoencoder(image_size=16, filters=(4,), latent_dim=2)
    with pytest.raises(UsageError, match=r"holds a VAE, not a VideoAutoencoder, and latent_dim is 3, not 2\Z"):
        copy_weights(str(tmp_path / "start.keras"), clips)
    with pytest.raises(UsageError, match=r"holds a VAE, not a ConvolutionalAutoencoder\Z"):
        copy_weights(str(tmp_path / "start.keras"), ConvolutionalAutoencoder(image_size=16, filters=(4,)))


@pytest.mark.parametrize(
    ("model", "inherits"), [("video_autoencoder", True), ("appearance_vae", True), ("dfc_vae", False), ("cae", False)]
)
def test_a_model_that_begins_from_one_of_its_kind_has_its_arguments(model, inherits):
    asked = parse_training([f"--model={model}", "--init_from=vae"])
    made = inherit_settings(asked, None, {"model"}).model
    assert made.model == model
    assert ("decoder_filters=256,128,64,32" in made.set) is inherits
    assert (made.latent_dim == 64) is inherits


def test_of_a_recipe_that_starts_elsewhere_counts_what_weights_leave_free(tmp_path):
    flags = ["--model=diffusion_autoencoder", "--set=doubt=0.05", "--set=width=16", "--set=divergence_steps=1"]
    made = inherit_settings(parse_training([*flags, "--init_from=diffusion_autoencoder"]), None, set()).model
    assert set(made.set) == {"doubt=0.05", "divergence_steps=1", "width=160", "weak_width=48"}
    asked = parse_training([*flags, "--init_from=diffusion_autoencoder", "--set=doubt=0.5"])
    assert "doubt=0.5" in inherit_settings(asked, None, set()).model.set

    before = parse_training(["--model=diffusion_autoencoder", "--set=width=160", "--init_from=diffusion_autoencoder"])
    (tmp_path / "flags.txt").write_text(write_settings(before))
    assert inherit_settings(asked, tmp_path, set()).model.set == ("width=160",)


def test_a_card_that_this_tensorflow_fails_on_is_told_of_once_before_training(command, monkeypatch):
    monkeypatch.setattr(devices, "find_cards", lambda tf: [Card("NVIDIA GeForce RTX 5090", (12, 0))] * 2)
    kernels = ("sm_60", "sm_70", "sm_80", "sm_89", "compute_90")
    monkeypatch.setattr(devices, "describe_build", lambda tf: Build("2.21.0", (12, 5), kernels))
    done = command("train", *CAE_FLAGS, "--dry_run")
    assert done.code == 0, done.err
    [line] = [line for line in done.err.splitlines() if line.startswith("WARNING: ")]
    assert "RTX 5090 (compute capability 12.0) fails with TensorFlow 2.21.0" in line
    assert "CUDA_VISIBLE_DEVICES=-1" in line
