"""Runs, model files and morphs from Python."""

import facezoo
import keras
import numpy as np
import pytest
from command_line import assert_same, drawn, picture
from facezoo.models import VAE

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_a_notebook_morphs_and_shows(finished, model, monkeypatch, tmp_path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf()))
    picture().save(tmp_path / "a.png")
    faces = [facezoo.read_face(tmp_path / "a.png", model), drawn([3])[0]]
    frames = facezoo.visualize_interpolation(model, *faces, steps=6)
    assert frames.shape == (6, 32, 32, 3)
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames[[0, -1]], model.decode(model.encode(np.stack(faces))), atol=1e-5)
    (figure,) = shown
    assert figure.axes[0].images[0].get_array().shape == (32, 6 * 32, 3)
    plt.close(figure)
    facezoo.visualize_interpolation(model, *faces, steps=2, show=False)
    assert len(shown) == 1


def test_a_run_and_a_model_file_load_alike(finished):
    from_run, from_file = facezoo.load(finished), facezoo.load(finished / "model.keras")
    assert isinstance(from_run, VAE)
    assert_same([weight.numpy() for weight in from_run.variables], [weight.numpy() for weight in from_file.variables])


def test_what_is_no_autoencoder_is_loaded_too():
    assert facezoo.load("face_features").image_size == 64
    for prior, autoencoder in (("code_prior", "appearance_vae"), ("code_prior_128", "appearance_vae_128")):
        held = facezoo.load(autoencoder)
        assert facezoo.load(prior).code_shape == held.shape_of_code()
        assert_same(facezoo.load(prior).autoencoder.get_weights(), held.get_weights())


def test_a_file_of_another_model_is_refused(tmp_path):
    layers = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    layers.save(tmp_path / "other.keras")
    with pytest.raises(Exception, match="holds a Sequential, not one of facezoo's models"):
        facezoo.load(tmp_path / "other.keras")
