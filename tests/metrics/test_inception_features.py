"""InceptionV3's features, with stand-ins for its weights, which do not ship."""

import h5py
import keras
import numpy as np
import pytest
from command_line import assert_refused
from facezoo.losses.weights import WeightsError
from facezoo.metrics import InceptionFeatures


def small_network(weights=None, include_top=True):
    assert (weights, include_top) == (None, False)
    images = keras.Input((None, None, 3))
    return keras.Model(images, keras.layers.Conv2D(5, 3, 2, activation="relu")(images))


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """A file of weights of a small network in the place of InceptionV3, and the network."""
    monkeypatch.setattr(keras.applications, "InceptionV3", small_network)
    network = small_network(include_top=False)
    network.save_weights(tmp_path / "stand_in.weights.h5")
    return tmp_path / "stand_in.weights.h5", network


def test_they_are_those_of_keras_applications(monkeypatch, pictures):
    """The network itself, with weights that it was not trained to, of pictures that need no enlargement."""
    whole = keras.applications.InceptionV3(weights=None, include_top=False)
    monkeypatch.setattr(keras.applications, "InceptionV3", lambda **options: whole)
    images = keras.ops.image.resize(pictures[:2], (299, 299))
    pixels = keras.applications.inception_v3.preprocess_input(np.asarray(images) * 255.0)
    expected = np.asarray(whole(pixels, training=False)).mean(axis=(1, 2))
    found = InceptionFeatures("imagenet")(images)
    assert found.shape == (2, 2048)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_a_file_is_read_and_gray_counts_as_colour(stand_in, pictures):
    path, network = stand_in
    features = InceptionFeatures(str(path))
    images = keras.ops.image.resize(pictures, (299, 299), antialias=True)
    expected = np.asarray(network(2.0 * images - 1.0)).mean(axis=(1, 2))
    np.testing.assert_allclose(features(pictures), expected, rtol=1e-4, atol=1e-5)
    gray = pictures[..., :1]
    np.testing.assert_allclose(features(gray), features(np.repeat(gray, 3, axis=-1)), rtol=1e-6)


def test_it_is_float32_whatever_the_policy(stand_in, pictures):
    keras.config.set_dtype_policy("mixed_float16")
    assert InceptionFeatures(str(stand_in[0])).network.compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "mixed_float16"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.unlink(), "there is no weights file"),
        (lambda path: path.write_bytes(b"no HDF5"), "is not an HDF5 file of InceptionV3's weights, or damaged"),
        (lambda path: h5py.File(path, "a").create_dataset("more", (7,)), "147 numbers, InceptionV3 .* has 140"),
    ],
)
def test_other_files_are_refused(stand_in, harm, said):
    path, _ = stand_in
    harm(path)
    with pytest.raises(WeightsError, match=said):
        InceptionFeatures(str(path))


def test_sets_are_compared_by_it(stand_in, command, copied):
    arguments = (f"--run_dir={copied}", "--count=16", "--metrics=kid,frechet", "--kid_network=inception_v3")
    done = command("evaluate", *arguments, f"--kid_weights={stand_in[0]}")
    assert done.code == 0, done.err
    assert "kid_network" in (copied / "metrics.json").read_text()


def test_what_cannot_be_had_or_does_nothing_is_refused(command, copied, monkeypatch):
    def fail(**options):
        raise Exception("URL fetch failure on https://...: None -- [Errno -2] Name or service not known\nmore")

    monkeypatch.setattr(keras.applications, "InceptionV3", fail)
    evaluate = ("evaluate", f"--run_dir={copied}", "--kid_network=inception_v3")
    assert_refused(command(*evaluate, "--metrics=kid"), "--metrics=kid: ", "of inceptionv3 cannot be downloaded")
    assert_refused(command(*evaluate, "--metrics=psnr"), "--kid_network=inception_v3 does nothing without")
    assert_refused(command(*evaluate[:2], "--metrics=kid", "--kid_weights=a.h5"), "--kid_weights does nothing without")
