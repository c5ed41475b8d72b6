"""Runs whose decoder is made small: pruned, rounded, narrowed, or taught anew."""

import shutil
from pathlib import Path

import facezoo
import keras
import numpy as np
import pytest
from command_line import assert_same, weights_of
from facezoo.compressing import find_grid, find_kernels, measure_sparsity
from facezoo.experiments.errors import UsageError
from facezoo.experiments.flags.training import CompressionSettings
from facezoo.experiments.runs.run import open_run
from facezoo.experiments.training import run as training_run
from facezoo.experiments.training.compressing import make_kernel_callbacks
from facezoo.experiments.training.loop import UnstableError
from facezoo.losses import Objective
from facezoo.models import VAE, AppearanceVAE, DiffusionAutoencoder, DistilledAutoencoder

pytestmark = pytest.mark.usefixtures("empty_folder")

DATA = "--dataset=procedural_faces"
SHORT = (DATA, "--steps=2", "--batch_size=8")
STEPS = (DATA, "--batch_size=8", "--steps_per_epoch=2", "--validation_steps=1", "--schedule_steps=4")


@pytest.fixture
def autoencoder():
    keras.utils.set_random_seed(0)
    model = VAE(image_size=32, filters=(4, 4), latent_dim=4)
    model.save("vae.keras")
    return model


def has_encoder_of(model, other) -> bool:
    pairs = zip(model.encoder.get_weights(), other.encoder.get_weights(), strict=True)
    return all(np.array_equal(one, two) for one, two in pairs)


@pytest.mark.parametrize("method", ["--prune=0.5", "--quantise=int4"])
def test_a_run_that_is_interrupted_ends_as_one_that_is_not(autoencoder, command, method):
    given = ("train", "--init_from=./vae.keras", method, *STEPS)
    assert command(*given, "--epochs=2", "--run_dir=whole").code == 0
    assert command(*given, "--epochs=1", "--run_dir=halves").code == 0
    assert command(*given, "--epochs=2", "--run_dir=halves").code == 0
    assert_same(weights_of("whole"), weights_of("halves"))
    model = facezoo.load("whole")
    assert has_encoder_of(model, autoencoder)  # whose codes stay what they were
    if method == "--prune=0.5":
        assert measure_sparsity(model.decoder) == pytest.approx(0.5, abs=0.01)
    else:
        assert_is_rounded(model)
        Path("halves/model.keras").unlink()
        assert_is_rounded(open_run("halves", "last").model())  # its checkpoint holds the exact kernels


def test_a_run_that_goes_back_saves_the_kernels_that_it_goes_back_to(autoencoder, command, monkeypatch):
    take_steps, copies = training_run.take_steps, []

    def keep_states():
        copies.append(shutil.copytree("run/checkpoints", f"states_{len(copies)}"))

    def fail_once(*arguments, **options):
        if copies:
            keep_states()
        for step in take_steps(*arguments, **options):
            yield step
            if step.number == 3 and not copies:
                keep_states()
                raise UnstableError(4, {})

    monkeypatch.setattr(training_run, "take_steps", fail_once)
    done = command("train", "--init_from=./vae.keras", "--quantise=int4", *STEPS, "--epochs=2", "--run_dir=run")
    assert done.code == 0, done.err
    assert "back to step 2" in done.err
    before, after = (next(Path(copy).rglob("000000002/model.keras")) for copy in copies)
    assert_same(weights_of(before), weights_of(after))


def assert_is_rounded(model):
    for kernel in find_kernels(model.decoder):
        grid = find_grid(kernel, 4)
        np.testing.assert_allclose(grid.scale * grid.integers, kernel.variable, rtol=1e-5)


def test_compress_and_distill_write_runs_that_other_commands_take(autoencoder, command):
    done = command("compress", "--run_dir=./vae.keras", "--prune_channels=0.5", *SHORT, "--out=narrow")
    assert done.code == 0
    assert "numbers before" in done.out
    narrow = facezoo.load("narrow")
    assert narrow.decoder.count_params() < autoencoder.decoder.count_params()
    assert has_encoder_of(narrow, autoencoder)

    done = command("distill", "--run_dir=./vae.keras", "--width=8", "--depth=1", "--grid=4", *SHORT, "--out=small")
    assert done.code == 0
    small = facezoo.load("small")
    assert small.decoder.get_layer("widen").filters == 8
    assert has_encoder_of(small, autoencoder)
    done = command("distill", "--run_dir=./vae.keras", "--width=8", "--depth=1", "--grid=4", *SHORT, "--out=small")
    assert "small is finished; nothing to do" in done.out
    assert command("evaluate", "--run_dir=small", "--count=8").code == 0
    assert command("morph", "--run_dir=small", "--start=test:0", "--end=test:1", "--steps=3", "--out=way").code == 0

    done = command("compress", "--run_dir=./small", "--quantise=int8", *SHORT, "--out=coarse")
    assert done.code == 0, done.err
    assert has_encoder_of(facezoo.load("coarse"), autoencoder)


def test_a_small_decoder_from_when_there_was_one_grid_is_read(autoencoder):
    model = DistilledAutoencoder(autoencoder=autoencoder, width=12, depth=1, grid=8, stages=1)
    config = {name: value for name, value in model.get_config().items() if name != "stages"}
    again = DistilledAutoencoder.from_config(config)
    assert again.stages == 1
    again.set_weights(model.get_weights())
    assert DistilledAutoencoder(autoencoder=autoencoder, width=12, depth=1).stages == 2
    assert DistilledAutoencoder(autoencoder=VAE(image_size=24, filters=(4, 4)), width=12, depth=1).stages == 1


def make_drawing():
    return DiffusionAutoencoder(autoencoder=VAE(image_size=32, filters=(4, 4)), patch=4, width=32, depth=1)


def make_bent():
    return AppearanceVAE(image_size=32, filters=(4, 4), latent_dim=4, shape_dim=3, landmark_names=tuple("abcde"))


def test_a_code_is_found_again_in_pictures_that_leave_their_range():
    model = DistilledAutoencoder(autoencoder=VAE(image_size=16, filters=(4, 4)), width=12, depth=1, finish=4)
    model.compile(objective=Objective(model.loss_terms(), {"reconstruction": 1.0, "code": 1.0}))
    for weight in model.decoder.trainable_variables:
        weight.assign(30.0 * weight)
    faces = np.random.default_rng(0).random((4, 16, 16, 3), np.float32)
    assert np.max(model({"image": faces})["reconstruction"]) > 1.0
    assert np.isfinite(float(model.test_step({"image": faces})["code"]))


@pytest.mark.parametrize("flags", [{"prune": 0.5}, {"quantise": "int4"}], ids=str)
def test_a_decoder_that_is_held_is_not_compressed(flags):
    with pytest.raises(UsageError, match="the decoder of a DiffusionAutoencoder is held"):
        make_kernel_callbacks(make_drawing(), CompressionSettings(**flags), 4)


def test_the_decoder_of_pictures_that_are_bent_is_compressed_and_codes_stay():
    model = make_bent()
    assert make_kernel_callbacks(model, CompressionSettings(quantise="int4"), 4)
    model.freeze_codes()
    learning = {variable.path for variable in model.trainable_variables}
    assert learning == {variable.path for variable in model.decoder.trainable_variables}


def test_a_decoder_that_is_not_all_is_not_made_narrow():
    with pytest.raises(ValueError, match="pictures are bent after they are decoded"):
        DistilledAutoencoder(autoencoder=make_bent(), prune=0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("compress --run_dir=vae", "give one of --prune, --prune_channels, --quantise, not none"),
        ("compress --run_dir=vae --prune=0.5 --quantise=int4", "not --prune and --quantise"),
        ("compress --run_dir=vae --prune=1", "--prune=1"),
        ("compress --run_dir=face_features --quantise=int4", "--quantise=int4: a FaceFeatures has no decoder"),
        (
            "compress --run_dir=face_features --prune_channels=0.5",
            "holds a FaceFeatures, not one of facezoo's auto",
        ),
        ("distill --run_dir=face_mapping", "--run_dir=face_mapping: a FaceMapping is told people"),
        ("distill --run_dir=face_features", "holds a FaceFeatures, not one of facezoo's auto"),
        ("distill --run_dir=vae --grid=7", "--grid=7 must go into the picture's 64 pixels"),
        ("distill --run_dir=vae --stages=6", "--stages=6, from a grid of 4 on, must go into the picture's 64 pixels"),
        ("distill --run_dir=cae --stages=4", "--stages=4, from a grid of 16 on, must go into the picture's 64 pixels"),
        ("distill --run_dir=cae --grid=4", "--grid=4: codes of cae are maps, of 16x16"),
        ("train --prune=0.5 --ema=0.9", "--ema=0.9 does not go with --prune"),
    ],
)
def test_what_cannot_be_made_small_is_refused_in_one_line(command, arguments, words):
    out = "--run_dir=run" if arguments.startswith("train") else "--out=run"
    done = command(*arguments.split(), out)
    assert done.code == 2
    assert words in done.err
    assert not Path("run").exists()
