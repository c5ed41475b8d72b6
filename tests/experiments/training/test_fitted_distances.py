"""LPIPS and the recogniser as losses."""

import os

import numpy as np
import pytest
import tensorflow as tf
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.errors import UsageError
from facezoo.experiments.flags.parsing import parse_training
from facezoo.experiments.training.building import add_discriminator
from facezoo.experiments.training.objective import make_outside_terms
from facezoo.metrics import LPIPS
from facezoo.models import ConvolutionalAutoencoder

needs_real_weights = pytest.mark.skipif("FACEZOO_WEIGHTS" not in os.environ, reason="FACEZOO_WEIGHTS is not set")


def term(*flags):
    settings = parse_training(["--image_size=32", "--perceptual_factor=1", *flags])
    return make_outside_terms(["perceptual"], settings, procedural_faces("train", image_size=32))["perceptual"]


@pytest.fixture(scope="module")
def faces():
    return procedural_faces("test", image_size=32).load(np.arange(8))["image"].astype(np.float32) / 255


@needs_real_weights
@pytest.mark.parametrize("network", ["lpips_alex", "lpips_squeeze", "recogniser"])
def test_a_step_along_the_gradient_makes_them_smaller(faces, network):
    loss, batch = term(f"--perceptual_network={network}"), {"image": faces}
    made = tf.constant(faces[::-1])
    with tf.GradientTape() as tape:
        tape.watch(made)
        values = loss(batch, {"reconstruction": made})
    assert values.shape == (8,)
    gradient = tape.gradient(values, made)
    stepped = made - 0.5 * gradient / tf.norm(gradient)
    assert np.mean(loss(batch, {"reconstruction": stepped})) < np.mean(values)
    np.testing.assert_allclose(loss(batch, {"reconstruction": faces}), np.zeros(8), atol=1e-6)
    if network != "recogniser":
        expected = LPIPS(network.removeprefix("lpips_"), 32)(faces, faces[::-1])
        np.testing.assert_allclose(values, expected, rtol=1e-5)


@needs_real_weights
def test_a_projected_discriminator_tells_faces_from_blurred_ones(faces):
    settings = parse_training(["--adversarial_factor=1", "--discriminator=projected"])
    model = add_discriminator(ConvolutionalAutoencoder(image_size=32, filters=(4, 4)), settings)
    blurred = np.repeat(np.repeat(faces[:, ::2, ::2], 2, axis=1), 2, axis=2)
    assert np.abs(model.discriminator(faces)["logits"] - model.discriminator(blurred)["logits"]).mean() > 0.01


def test_a_projected_discriminator_without_its_weights_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("FACEZOO_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path))
    settings = parse_training(["--adversarial_factor=1", "--discriminator=projected"])
    with pytest.raises(UsageError, match=r"--discriminator=projected: lpips_squeeze\.npz is not there"):
        add_discriminator(ConvolutionalAutoencoder(image_size=32, filters=(4, 4)), settings)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--perceptual_layers=block1_conv1"], "--perceptual_layers does nothing with --perceptual_network=lpips_alex"),
        (["--perceptual_weights=nothing.npz"], "--perceptual_network=lpips_alex: there is no weights file nothing.npz"),
    ],
)
def test_what_cannot_be_is_refused(flags, message):
    with pytest.raises(UsageError, match=message):
        term("--perceptual_network=lpips_alex", *flags)
