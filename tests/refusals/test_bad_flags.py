"""What a wrong flag, command or backend gets: one message that names it."""

import pytest
from command_line import VAE_FLAGS, assert_refused, started
from facezoo.datasets import DATASETS
from facezoo.experiments import cli
from facezoo.models import MODELS

pytestmark = pytest.mark.usefixtures("empty_folder")


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


@pytest.mark.parametrize("name", ["evaluate", "edit", "encode"])
def test_a_run_is_required(command, name):
    assert_refused(command(name), "--run_dir")


@pytest.mark.parametrize("arguments", [["train"], ["models"], ["evaluate", "--run_dir=."]])
def test_another_backend_is_refused(command, monkeypatch, arguments):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert_refused(command(*arguments), "KERAS_BACKEND=jax", "TensorFlow")


def test_another_backend_is_refused_by_the_script_too():
    assert_refused(started("train", KERAS_BACKEND="jax"), "KERAS_BACKEND=jax")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--show=folder --data_dir=nowhere", "--data_dir=nowhere is not there"),
        ("--show=packed --data_dir=", "--data_dir is missing"),
    ],
)
def test_errors_of_data_sets_name_flags_and_not_arguments_of_python(command, flags, words):
    done = command("datasets", *flags.split())
    assert_refused(done, words)
    assert "----" not in done.err
