"""What a training starts from, and how far it may differ."""

import contextlib

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
from facezoo.models import VAE, ConvolutionalAutoencoder, DiffusionAutoencoder, VideoAutoencoder


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


def test_a_model_keeps_what_it_holds_and_measures_its_codes(tmp_path):
    held, other = (VAE(image_size=16, filters=(4,), latent_dim=2, seed=seed) for seed in (0, 1))
    other.set_weights([weight + 0.1 for weight in other.get_weights()])
    kind = {"patch": 8, "width": 8, "depth": 1, "components": 2}
    pictures = {"image": np.random.default_rng(0).random((8, 16, 16, 3), np.float32)}
    there = DiffusionAutoencoder(autoencoder=held, **kind)
    there.adapt(pictures["image"])
    there.save(tmp_path / "start.keras")

    def begin(autoencoder, load, **others):
        made = DiffusionAutoencoder(autoencoder=autoencoder, **kind, **others)
        kept = autoencoder.get_weights()
        copy_weights(str(tmp_path / "start.keras"), made, load)
        assert all(map(np.array_equal, made.autoencoder.get_weights(), kept))
        assert all(map(np.array_equal, made.denoiser.get_weights(), there.denoiser.get_weights()))
        return made

    same = VAE(image_size=16, filters=(4,), latent_dim=2)
    same.set_weights(held.get_weights())
    np.testing.assert_array_equal(begin(same, None).code_means, there.code_means)
    measured = np.mean(other.encode(pictures["image"]), 0)
    for weak_width in (0, 4):
        begun = begin(other, lambda count: pictures, weak_width=weak_width)
        np.testing.assert_allclose(begun.code_means, measured, atol=1e-5)

    codes = VAE(image_size=16, filters=(4,), latent_dim=3)
    with pytest.raises(UsageError, match="belongs to another autoencoder, whose codes have another shape"):
        begin(codes, None)


def test_a_model_grows_to_another_that_it_is_to_hold(tmp_path):
    held = VAE(image_size=16, filters=(4,), latent_dim=2)
    small = DiffusionAutoencoder(autoencoder=held, patch=8, width=32, depth=1)
    small.save(tmp_path / "start.keras")
    asked = ["--model=diffusion_autoencoder", "--image_size=32", f"--init_from={tmp_path / 'start.keras'}"]
    made = inherit_settings(parse_training([*asked, "--autoencoder=vae"]), None, {"autoencoder", "image_size"}).model
    assert {"patch=16", "width=32", "depth=1"} <= set(made.set) and made.autoencoder == "vae"
    same = inherit_settings(parse_training([*asked, "--image_size=16"]), None, {"image_size"}).model
    assert not any(text.startswith("patch=") for text in same.set)
    pictures = {"image": np.random.default_rng(0).random((8, 32, 32, 3), np.float32)}
    for codes, words in ((2, None), (3, r"cannot grow to 32: the autoencoder that it holds has codes \(2,\), not")):
        large = VAE(image_size=32, filters=(4, 4), latent_dim=codes)
        grown = DiffusionAutoencoder(autoencoder=large, patch=16, width=32, depth=1)
        with pytest.raises(UsageError, match=words) if words else contextlib.nullcontext():
            copy_weights(str(tmp_path / "start.keras"), grown, lambda count: pictures)
            np.testing.assert_allclose(grown.code_means, np.mean(large.encode(pictures["image"]), 0), atol=1e-5)
    other = DiffusionAutoencoder(autoencoder=VAE(image_size=32, filters=(4, 4), latent_dim=2), width=32, depth=1)
    with pytest.raises(UsageError, match=r"image_size is 16, not 32; what .* for 32 pixels it grows to --set=patch=16"):
        copy_weights(str(tmp_path / "start.keras"), other)


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
