"""LPIPS and KID as a training goes on."""

import logging

import numpy as np
import pytest
from command_line import VAE_FLAGS, rows_of
from facezoo.experiments.training import perception
from facezoo.experiments.training.perception import Perception, is_due
from facezoo.losses.weights import MissingWeightsError, WeightsError
from facezoo.models import VAE

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.fixture
def networks(monkeypatch):
    """Stand-ins, for which no weights are needed: a squared difference, and features that are mean colours."""
    monkeypatch.setattr(perception, "trace", lambda function: lambda *given: np.asarray(function(*given), np.float32))
    monkeypatch.setattr(
        perception, "LPIPS", lambda name, size: lambda real, made: np.square(real - made).mean(axis=(1, 2, 3))
    )
    monkeypatch.setattr(perception, "find_weights", lambda name: name)
    monkeypatch.setattr(
        perception, "PooledFeatures", lambda size, weights: lambda images: np.repeat(images.mean(axis=(1, 2)), 512, 1)
    )


def test_they_are_measured_now_and_then_and_at_the_end(train, networks, monkeypatch):
    monkeypatch.setattr(perception, "STEPS_BETWEEN", 8)
    folder = train("run", *VAE_FLAGS, "--epochs=5", "--perception_count=33")
    for name in perception.MEASURES:
        told = [row[f"val_{name}"] != "" for row in rows_of(folder)]
        assert told == [False, True, False, True, True]


def test_a_short_training_loads_no_network(train, monkeypatch):
    monkeypatch.setattr("facezoo.experiments.training.run.Perception", None)  # which cannot be called
    assert "val_kid" not in rows_of(train("run", *VAE_FLAGS, "--epochs=1"))[0]


@pytest.mark.parametrize(
    ("steps", "step", "is_last", "due"),
    [((), 499, True, False), ((), 500, False, True), ((500,), 900, False, False), ((500,), 900, True, True)],
)
def test_a_training_is_measured_every_500_steps_at_most(steps, step, is_last, due):
    rows = [{"step": 100}, *({"step": step, "val_lpips": 0.1} for step in steps), {"step": step - 1}]
    assert is_due(rows, step, is_last) == due


def test_the_same_model_has_the_same_figures_and_a_kid_needs_some_pictures(networks):
    model = VAE(image_size=16, filters=(4,), latent_dim=2)
    images = np.random.default_rng(0).random((40, 16, 16, 3), np.float32)
    measured = Perception(model, {"image": images})
    assert measured.measure() == measured.measure()
    assert set(measured.measure()) == {"lpips", "kid", "kid_of_samples"}
    assert set(Perception(model, {"image": images[:8]}).measure()) == {"lpips"}


@pytest.mark.parametrize(("error", "is_told"), [(MissingWeightsError("not there"), False), (WeightsError("bad"), True)])
def test_what_cannot_be_had_is_left_out(networks, monkeypatch, caplog, error, is_told):
    def fail(*given):
        raise error

    monkeypatch.setattr(perception, "LPIPS", fail)
    model = VAE(image_size=16, filters=(4,), latent_dim=2)
    with caplog.at_level(logging.WARNING):
        measured = Perception(model, {"image": np.zeros((8, 16, 16, 3), np.float32)}).measure()
    assert measured == {}
    assert ("LPIPS is not measured: bad" in caplog.text) == is_told
