"""The perceptual loss in closed form with small stand-ins; the VGG networks against keras.applications'."""

import os
import shutil
import socket
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.datasets.procedural import procedural_faces
from facezoo.losses import Objective, PerceptualLoss, WeightsError, feature_scales, perceptual_loss, vgg_features
from facezoo.losses.vgg import CaffePreprocessing
from facezoo.metrics import FeatureDistance
from facezoo.metrics.features import LAYERS, SCALES

REAL_WEIGHTS = os.environ.get("FACEZOO_WEIGHTS")
needs_real_weights = pytest.mark.skipif(not REAL_WEIGHTS, reason="FACEZOO_WEIGHTS is not set")
DEEPEST = {"vgg16": "block3_conv3", "vgg19": "block3_conv4"}  # of the stand-ins


def stand_in(*, dtype=None):
    """Two layers: three times the picture, and the means of its quarters."""
    images = keras.Input((None, None, 3))
    tripled = keras.layers.Rescaling(3.0, dtype=dtype)(images)
    return keras.Model(images, [tripled, keras.layers.AveragePooling2D(16, dtype=dtype)(images)])


def quarters(images):
    return images.reshape(len(images), 2, 16, 2, 16, 3).mean(axis=(2, 4))


def batch_of(target, reconstruction):
    return {"image": target}, {"reconstruction": reconstruction}


def first_convolutions(network, deepest):
    """The network of keras.applications up to a layer, with weights that keep the size of what passes through."""
    whole = getattr(keras.applications, network.upper())(weights=None, include_top=False, input_shape=(32, 32, 3))
    model = keras.Model(whole.input, whole.get_layer(deepest).output)
    numbers = np.random.default_rng(0)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = (weight.shape for weight in layer.weights)
            spread = np.float32(np.sqrt(2 / np.prod(kernel[:3])))
            layer.set_weights([spread * numbers.standard_normal(kernel, np.float32), numbers.uniform(-1, 1, bias)])
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """By name: a network and the file of its weights."""
    folder = tmp_path_factory.mktemp("weights")
    models = {name: first_convolutions(name, deepest) for name, deepest in DEEPEST.items()}
    for name, model in models.items():
        model.save_weights(folder / f"{name}.weights.h5")
    return {name: (model, str(folder / f"{name}.weights.h5")) for name, model in models.items()}


@pytest.fixture(params=["vgg16", "vgg19"])
def application(request, saved):
    """A network's name, the network, and the file of its weights."""
    return request.param, *saved[request.param]


@pytest.fixture(scope="module")
def shallow(tmp_path_factory):
    """A file of VGG16 and VGG19 up to block1_conv2."""
    path = tmp_path_factory.mktemp("weights") / "shallow.weights.h5"
    first_convolutions("vgg16", "block1_conv2").save_weights(path)
    return str(path)


@pytest.fixture
def copy(shallow, tmp_path):
    """A copy of it that a test may spoil."""
    return Path(shutil.copy(shallow, tmp_path / "copy.weights.h5"))


@pytest.fixture
def others(pictures):
    return pictures[::-1].copy()


# The loss.


def test_it_is_the_mean_over_layers_of_scaled_mean_squared_differences(pictures, others):
    expected_pixels = 9 * ((pictures - others) ** 2).mean(axis=(1, 2, 3))
    expected_quarters = ((quarters(pictures) - quarters(others)) ** 2).mean(axis=(1, 2, 3))
    values = perceptual_loss(pictures, others, stand_in(), scales=[2.0, 0.5])
    assert (values.dtype, values.shape) == (tf.float32, (8,))
    np.testing.assert_allclose(values, (expected_pixels / 2.0 + expected_quarters / 0.5) / 2, rtol=1e-5)
    unscaled = perceptual_loss(pictures, others, stand_in())
    np.testing.assert_allclose(unscaled, (expected_pixels + expected_quarters) / 2, rtol=1e-5)


def test_a_network_may_have_one_output_of_any_rank(pictures, others):
    images = keras.Input((None, None, 3))
    means = keras.Model(images, keras.layers.GlobalAveragePooling2D()(images))  # [B, 3]
    expected = ((pictures.mean(axis=(1, 2)) - others.mean(axis=(1, 2))) ** 2).mean(axis=1)
    np.testing.assert_allclose(perceptual_loss(pictures, others, means), expected, rtol=1e-4)


def test_the_term_is_the_function_and_does_not_clip(pictures):
    term = PerceptualLoss(stand_in(), [1.0, 1.0])
    np.testing.assert_allclose(term(*batch_of(pictures, pictures + 2.0)), np.full(8, (9 * 4 + 4) / 2), rtol=1e-5)


def test_target_features_that_a_batch_brings_along_change_nothing(pictures, others):
    term = PerceptualLoss(stand_in(), [2.0, 0.5])
    batch, outputs = batch_of(pictures, others)
    columns = term.target_columns(pictures)
    assert [columns[f"target_features_{layer}"].shape[-1] for layer in range(2)] == [3, 3]
    np.testing.assert_array_equal(term(batch | columns, outputs), term(batch, outputs))
    black = {name: tf.zeros_like(features) for name, features in columns.items()}
    np.testing.assert_allclose(term(batch | black, outputs), term(*batch_of(0 * pictures, others)), rtol=1e-6)


def test_equal_pictures_are_at_distance_zero(pictures):
    np.testing.assert_array_equal(PerceptualLoss(stand_in())(*batch_of(pictures, pictures)), np.zeros(8))


def test_half_precision_features_are_compared_in_float32(pictures):
    network = stand_in(dtype="float16")
    target, other = pictures[:1], pictures[:1] + np.float32(0.002)
    features = [[maps.numpy().astype(np.float32) for maps in network(images)] for images in (target, other)]
    expected = np.mean([((one - two) ** 2).mean() for one, two in zip(*features, strict=True)])
    values = perceptual_loss(target, tf.constant(other), network)
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, [expected], rtol=1e-5)  # in float16 squares this small lose their digits


def test_the_gradient_reaches_the_reconstruction_and_not_the_target(pictures, others):
    target, reconstruction = tf.constant(pictures), tf.constant(others)
    with tf.GradientTape() as tape:
        tape.watch([target, reconstruction])
        loss = tf.reduce_sum(perceptual_loss(target, reconstruction, stand_in()))
    to_target, to_reconstruction = tape.gradient(loss, [target, reconstruction])
    assert to_target is None
    spread = np.repeat(np.repeat(quarters(others) - quarters(pictures), 16, axis=1), 16, axis=2)
    # d/dy of (9 mean (x - y)^2 + mean (q(x) - q(y))^2) / 2, where a quarter is a mean of 256 pixels of 1024.
    expected = (9 * (others - pictures) + spread) / 3072
    np.testing.assert_allclose(to_reconstruction, expected, rtol=1e-3, atol=1e-8)


def test_there_must_be_a_scale_for_each_layer(pictures):
    with pytest.raises(ValueError, match="the network has 2 layers, but there are 1 scales"):
        perceptual_loss(pictures, pictures, stand_in(), scales=[1.0])


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_must_be_a_finite_number_above_zero(scale):
    with pytest.raises(ValueError, match=r"the scale of layer 1 is .*; it must be a finite number above 0"):
        PerceptualLoss(stand_in(), [1.0, scale])


def test_a_model_that_holds_the_objective_does_not_hold_the_network(shallow):
    class Holder(keras.Model):
        def __init__(self, objective):
            super().__init__()
            self.objective = objective

    network = vgg_features("vgg16", ["relu1_1"], shallow, 8)
    holder = Holder(Objective({"perceptual": PerceptualLoss(network)}, {"perceptual": 1.0}))
    assert len(network.weights) == 2
    assert (holder.weights, holder.layers) == ([], [])


# What a value of 1 means.


def test_scales_are_what_pairs_differ_by_on_average():
    first, second = np.random.default_rng(0).uniform(0, 1, (2, 100, 32, 32, 3)).astype(np.float32)
    scales = feature_scales(stand_in(), first, second)  # 100 is no multiple of the batch
    pixels, means = (first - second) ** 2, (quarters(first) - quarters(second)) ** 2
    assert all(type(scale) is float for scale in scales)
    np.testing.assert_allclose(scales, [9 * pixels.mean(), means.mean()], rtol=1e-5)


def test_with_its_scales_any_network_gives_one_to_the_pairs(application, pictures, others):
    name, _, path = application
    for network in (stand_in(), vgg_features(name, ["relu1_2", "relu3_1"], path, 32)):
        scales = feature_scales(network, pictures, others)
        values = perceptual_loss(pictures, others, network, scales)
        np.testing.assert_allclose(np.mean(values), 1.0, rtol=1e-5)
        assert np.ptp(values) > 0.1


@pytest.mark.parametrize(("factor", "shown"), [(0.0, "0"), (np.nan, "nan")])
def test_pairs_that_do_not_differ_give_no_scale(pictures, factor, shown):
    with pytest.raises(ValueError, match=f"the scale of layer 0 is {shown}; it must be a finite number above 0"):
        feature_scales(stand_in(), pictures, pictures * np.float32(factor) + pictures)


@pytest.mark.parametrize(("first", "second"), [(8, 7), (0, 0)])
def test_scales_need_pairs(pictures, first, second):
    with pytest.raises(ValueError, match="make no pairs: give as many of each"):
        feature_scales(stand_in(), pictures[:first], pictures[:second])


def test_two_replicas_see_what_one_sees(two_devices, shallow, pictures, others):
    alone = vgg_features("vgg16", ["relu1_1", "relu1_2"], shallow, 32)
    with two_devices.scope():
        term = PerceptualLoss(network := vgg_features("vgg16", ["relu1_1", "relu1_2"], shallow, 32), [1.0, 2.0])
        np.testing.assert_allclose(
            feature_scales(network, pictures, others), feature_scales(alone, pictures, others), rtol=1e-5
        )

    def half():
        start = 4 * tf.distribute.get_replica_context().replica_id_in_sync_group
        return term(*batch_of(targets[start : start + 4], reconstructions[start : start + 4]))

    targets, reconstructions = tf.constant(pictures), tf.constant(others)
    halves = two_devices.experimental_local_results(tf.function(lambda: two_devices.run(half))())
    np.testing.assert_allclose(tf.concat(halves, 0), perceptual_loss(pictures, others, alone, [1.0, 2.0]), rtol=1e-5)


# The VGG networks.


def test_preprocessing_is_that_of_keras_applications(pictures):
    for reference in (keras.applications.vgg16, keras.applications.vgg19):
        expected = reference.preprocess_input(pictures * 255.0)
        np.testing.assert_allclose(CaffePreprocessing()(pictures), expected, atol=1e-4)


def test_preprocessing_takes_one_or_three_channels():
    with pytest.raises(ValueError, match="pictures of 1 or 3 channels, not 4"):
        CaffePreprocessing()(np.zeros((1, 8, 8, 4), np.float32))


def test_features_are_those_of_keras_applications(application, pictures):
    name, model, path = application
    layers = [DEEPEST[name], "relu1_1", "block2_conv2", "relu3_1"]
    keras_names = [DEEPEST[name], "block1_conv1", "block2_conv2", "block3_conv1"]
    reference = keras.Model(model.input, [model.get_layer(layer).output for layer in keras_names])
    expected = reference(keras.applications.vgg16.preprocess_input(pictures * 255.0))
    features = vgg_features(name, layers, path, 32)(pictures)
    assert [tuple(maps.shape) for maps in features] == [
        (8, 8, 8, 256),
        (8, 32, 32, 64),
        (8, 16, 16, 128),
        (8, 8, 8, 256),
    ]
    for maps, reference_maps in zip(features, expected, strict=True):
        assert np.std(reference_maps) > 1
        np.testing.assert_allclose(maps, reference_maps, rtol=1e-4, atol=1e-2)


def test_one_layer_too_gives_a_list_and_nothing_deeper_is_built(application, pictures):
    name, _, path = application
    network = vgg_features(name, ["relu2_1"], path, 32)
    features = network(pictures)
    assert isinstance(features, list)
    assert [tuple(maps.shape) for maps in features] == [(8, 16, 16, 128)]
    convolutions = [layer.name for layer in network.layers if layer.weights]
    assert convolutions == ["block1_conv1", "block1_conv2", "block2_conv1"]
    compiled = tf.function(network)(pictures)
    np.testing.assert_allclose(compiled[0], features[0], rtol=1e-4, atol=1e-3)


def test_its_own_saved_weights_are_a_file_too(shallow, tmp_path, pictures):
    network = vgg_features("vgg19", ["relu1_1"], shallow, 32)
    network.save_weights(tmp_path / "own.weights.h5")
    again = vgg_features("vgg19", ["relu1_1"], str(tmp_path / "own.weights.h5"), 32)
    np.testing.assert_array_equal(again(pictures)[0], network(pictures)[0])


def test_gray_is_three_times_the_same_colour(shallow, pictures):
    network = vgg_features("vgg16", ["relu1_2"], shallow, 32)
    gray = pictures[..., :1]
    np.testing.assert_array_equal(network(gray)[0], network(np.repeat(gray, 3, axis=-1))[0])


def test_it_is_frozen_and_hands_the_gradient_on(shallow, pictures):
    network = vgg_features("vgg16", ["relu1_1", "relu1_2"], shallow, 32)
    assert (network.trainable_weights, len(network.non_trainable_weights)) == ([], 4)
    reconstruction = tf.constant(pictures[..., :1])
    with tf.GradientTape() as tape:
        tape.watch(reconstruction)
        loss = perceptual_loss(pictures[..., 1:2], reconstruction, network)
    assert np.abs(tape.gradient(loss, reconstruction)).max(axis=(1, 2, 3)).min() > 0


def test_it_follows_the_policy_unless_told_but_preprocesses_in_float32(shallow, pictures):
    exact = vgg_features("vgg16", ["relu1_2"], shallow, 32)(pictures)[0]
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = vgg_features("vgg16", ["relu1_2"], shallow, 32)
    rounded = network(pictures)[0]
    assert rounded.dtype == tf.bfloat16
    assert {weight.dtype for weight in network.weights} == {"float32"}
    assert np.abs(tf.cast(rounded, tf.float32) - exact).mean() < 0.01 * np.abs(exact).mean()
    preprocessing = network.layers[1]
    np.testing.assert_array_equal(preprocessing(pictures), CaffePreprocessing(dtype="float32")(pictures))
    told = vgg_features("vgg16", ["relu1_2"], shallow, 32, dtype="float32")(pictures)[0]
    assert told.dtype == tf.float32
    np.testing.assert_allclose(told, exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "layers", "image_size", "message"),
    [
        ("vgg11", ["relu1_1"], 32, "no network 'vgg11'; there are vgg16, vgg19"),
        ("vgg16", [], 32, "no layer of vgg16 asked for; it has block1_conv1, block1_conv2, "),
        ("vgg16", ["relu1_1", "block3_conv4"], 32, "vgg16 has no layer 'block3_conv4'; it has block1_conv1, "),
        ("vgg19", ["relu3_5"], 32, "vgg19 has no layer 'relu3_5'; it has .*, block5_conv4$"),
        ("vgg19", ["block1_pool"], 32, "vgg19 has no layer 'block1_pool'"),
        ("vgg16", ["block5_conv1"], 15, "block5_conv1 needs pictures of at least 16 pixels, not 15"),
    ],
)
def test_what_cannot_be_built_is_named(network, layers, image_size, message):
    with pytest.raises(ValueError, match=message) as raised:
        vgg_features(network, layers, "imagenet", image_size)
    assert not isinstance(raised.value, WeightsError)


# Weights.


def test_imagenet_comes_from_keras_applications_unless_its_file_is_found(pictures, monkeypatch, tmp_path):
    monkeypatch.setenv("FACEZOO_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path))
    whole = keras.applications.VGG16(weights=None, include_top=False)
    asked = []
    monkeypatch.setattr(keras.applications, "VGG16", lambda **options: asked.append(options) or whole)
    features = vgg_features("vgg16", ["relu1_1"], "imagenet", 32)(pictures)[0]
    expected = whole.get_layer("block1_conv1")(keras.applications.vgg16.preprocess_input(pictures * 255.0))
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-3)
    assert asked == [{"weights": "imagenet", "include_top": False}]
    whole.save_weights(tmp_path / "vgg16_notop.weights.h5")
    np.testing.assert_array_equal(vgg_features("vgg16", ["relu1_1"], "imagenet", 32)(pictures)[0], features)
    assert len(asked) == 1


def test_a_failed_download_says_what_to_do(monkeypatch):
    def fail(**options):
        assert socket.getdefaulttimeout() is not None
        raise Exception("URL fetch failure on https://...: None -- [Errno -2] Name or service not known\nmore")

    monkeypatch.setattr(keras.applications, "VGG19", fail)
    before = socket.getdefaulttimeout()
    with pytest.raises(WeightsError, match=r"of vgg19 cannot be downloaded: give a weights file \(URL fetch") as raised:
        vgg_features("vgg19", ["relu1_1"], "imagenet", 32)
    assert "\n" not in str(raised.value)
    assert socket.getdefaulttimeout() == before


def test_the_layout_of_keras_applications_files_is_read(shallow, tmp_path, pictures):
    path = tmp_path / "vgg16_notop.h5"
    expected = vgg_features("vgg16", ["relu1_2"], shallow, 32)
    with h5py.File(path, "w") as file:
        file.create_group("block1_pool").attrs["weight_names"] = np.array([], "S")
        for layer in expected.layers:
            names = [f"{layer.name}_{letter}_1:0".encode() for letter in "Wb"][: len(layer.weights)]
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = names
            for name, weight in zip(names, layer.get_weights(), strict=True):
                group[name.decode()] = weight
    network = vgg_features("vgg16", ["relu1_2"], str(path), 32)
    np.testing.assert_array_equal(network(pictures)[0], expected(pictures)[0])


def refused(path, network="vgg16", layer="relu1_2"):
    """The message, one line that names the file."""
    with pytest.raises(WeightsError) as raised:
        vgg_features(network, [layer], str(path), 32)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)
    return str(raised.value)


def group_of(file, name):
    return next(layer["vars"] for layer in file["layers"].values() if layer["vars"].attrs["name"] == name)


def test_a_missing_file_is_named(tmp_path):
    assert f"there is no weights file {tmp_path / 'none.h5'}" in refused(tmp_path / "none.h5")
    assert "there is no weights file" in refused(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no weights\n" * 100, b"PK\x03\x04" + bytes(1000)])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "x.weights.h5"
    path.write_bytes(content)
    assert "is not an HDF5 file of weights, or damaged" in refused(path)


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_a_file_that_was_cut_is_refused(copy, kept):
    copy.write_bytes(copy.read_bytes()[: int(kept * copy.stat().st_size)])
    assert "is not an HDF5 file of weights, or damaged" in refused(copy)


@pytest.mark.parametrize("layout", ["layers", "layers/conv2d", "something"])
def test_an_hdf5_file_of_something_else_is_refused(tmp_path, layout):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file[layout] = np.zeros(3)
    message = refused(path)
    assert "holds no layer of vgg16" in message or "is not an HDF5 file of weights" in message


def test_another_model_s_weights_are_refused(tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(tmp_path / "dense.weights.h5")
    assert "holds no layer of vgg16" in refused(tmp_path / "dense.weights.h5")


def test_a_file_too_shallow_says_how_deep_it_is(shallow):
    assert refused(shallow, layer="relu2_1").endswith(
        "holds layers up to block1_conv2; block2_conv1 asked for: give a deeper file"
    )


def test_vgg19_s_file_is_refused_by_vgg16(saved):
    assert "holds block3_conv4, which vgg16 does not have" in refused(saved["vgg19"][1], "vgg16", "relu1_1")


def test_vgg16_s_file_is_refused_by_vgg19_once_it_can_be_told(saved, tmp_path):
    path = Path(shutil.copy(saved["vgg16"][1], tmp_path / "deeper.weights.h5"))
    assert vgg_features("vgg19", ["relu1_1"], str(path), 32).name == "vgg19"  # so far both are the same
    with h5py.File(path, "r+") as file:  # VGG16 goes on with block4_conv1, without block3_conv4
        file.create_group("layers/conv2d_7/vars").attrs["name"] = "block4_conv1"
    assert "holds block4_conv1 but not block3_conv4, which vgg19 has" in refused(path, "vgg19", "relu1_1")
    assert vgg_features("vgg16", ["relu1_1"], str(path), 32).name == "vgg16"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(copy, value):
    with h5py.File(copy, "r+") as file:
        group_of(file, "block1_conv2")["0"][1, 1, 5, 5] = value
    assert "block1_conv2 holds numbers that are not finite" in refused(copy)


def test_arrays_of_another_shape_are_refused_unread(copy):
    with h5py.File(copy, "r+") as file:
        group = group_of(file, "block1_conv1")
        del group["0"]
        group.create_dataset("0", (10**6, 10**6), np.float32, chunks=(1000, 1000))  # 4 TB, were it read
    message = refused(copy)
    assert "the shapes of block1_conv1 are ((1000000, 1000000), (64,)), not ((3, 3, 3, 64), (64,))" in message


def test_a_layer_without_its_bias_is_refused(copy):
    with h5py.File(copy, "r+") as file:
        del group_of(file, "block1_conv2")["1"]
    assert "the shapes of block1_conv2 are ((3, 3, 64, 64),), not" in refused(copy)


def test_arrays_that_are_no_numbers_are_refused(copy):
    with h5py.File(copy, "r+") as file:
        group = group_of(file, "block1_conv1")
        del group["1"]
        group["1"] = np.array([b"no number"] * 64, h5py.string_dtype())
    assert "is not an HDF5 file of weights, or damaged" in refused(copy)


# The VGG19 feature distance.


@pytest.fixture
def distance_weights(saved):
    return saved["vgg19"][1]


def test_the_feature_distance_is_the_mean_over_three_scaled_layers(distance_weights, pictures, others):
    network = vgg_features("vgg19", ["block1_conv1", "block2_conv1", "block3_conv1"], distance_weights, 32)
    differences = [
        ((one.numpy() - two.numpy()) ** 2).mean(axis=(1, 2, 3))
        for one, two in zip(network(pictures), network(others), strict=True)
    ]
    expected = sum(difference / scale for difference, scale in zip(differences, SCALES, strict=True)) / 3
    distance = FeatureDistance(distance_weights, 32)
    np.testing.assert_allclose(distance(pictures, others), expected, rtol=1e-4)
    np.testing.assert_array_equal(distance(pictures, pictures), np.zeros(8))


def test_the_feature_distance_clips_reconstructions(distance_weights, pictures):
    distance, wild = FeatureDistance(distance_weights, 32), pictures * 3 - 1
    np.testing.assert_array_equal(distance(pictures, wild), distance(pictures, np.clip(wild, 0, 1)))


def test_the_feature_distance_is_in_float32_whatever_the_policy(distance_weights, pictures, others):
    expected = FeatureDistance(distance_weights, 32)(pictures, others)
    keras.config.set_dtype_policy("mixed_bfloat16")
    values = FeatureDistance(distance_weights, 32)(pictures, others)
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


def test_the_feature_distance_of_gray_pictures(distance_weights, pictures, others):
    distance, (first, second) = FeatureDistance(distance_weights, 32), (pictures[..., :1], others[..., :1])
    repeated = distance(np.repeat(first, 3, axis=-1), np.repeat(second, 3, axis=-1))
    np.testing.assert_allclose(distance(first, second), repeated, rtol=1e-6)


# The real weights, where FACEZOO_WEIGHTS names a folder with the files below.


@pytest.fixture(scope="module")
def real():
    folder = Path(REAL_WEIGHTS)
    return {
        "vgg16": str(folder / "vgg16_to_block2_conv2.weights.h5"),
        "vgg19": str(folder / "vgg19_to_block3_conv4.weights.h5"),
    }


@pytest.fixture(scope="module")
def faces():
    """The faces that the constants were measured with, float32 [1000, 64, 64, 3]."""
    return procedural_faces("test", image_size=64).load(np.arange(1000))["image"].astype(np.float32) / 255.0


@needs_real_weights
@pytest.mark.parametrize(
    ("network", "layers"), [("vgg16", ["relu1_1", "block2_conv2"]), ("vgg19", [*LAYERS, "block3_conv4"])]
)
def test_real_weights_tell_faces_apart(real, faces, network, layers):
    features = vgg_features(network, layers, real[network], 64)
    scales = feature_scales(features, faces[:16], faces[500:516])
    values = perceptual_loss(faces[:16], faces[500:516], features, scales)
    np.testing.assert_allclose(np.mean(values), 1.0, rtol=1e-4)
    np.testing.assert_array_equal(perceptual_loss(faces[:4], faces[:4], features, scales), np.zeros(4))
    faint = perceptual_loss(faces[:16], faces[:16] + 0.01, features, scales)
    assert 0 < np.max(faint) < np.min(values)


@needs_real_weights
def test_real_weights_of_one_network_are_not_the_other_s(real):
    assert "holds block3_conv4, which vgg16 does not have" in refused(real["vgg19"], "vgg16")
    assert "holds layers up to block2_conv2; block3_conv3 asked for" in refused(real["vgg16"], layer="block3_conv3")


@needs_real_weights
def test_the_constants_are_what_drawn_faces_measure(real, faces):
    network = vgg_features("vgg19", LAYERS, real["vgg19"], 64)
    np.testing.assert_allclose(feature_scales(network, faces[:500], faces[500:]), SCALES, rtol=0.02)
    np.testing.assert_allclose(np.mean(FeatureDistance(real["vgg19"], 64)(faces[:100], faces[500:600])), 1.0, atol=0.15)
