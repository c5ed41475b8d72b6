"""The network that reads faces, and the weights that ship."""

import hashlib
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.datasets.procedural import procedural_faces
from facezoo.metrics import face_reading
from facezoo.metrics.face_reading import column_correlations, landmark_error, nearest_other, nearest_person
from facezoo.models import FACE_NETWORKS, VAE, FaceFeatures, load_pretrained, pretrained_names
from facezoo.models.pretrained import FOLDER, read_card, reason, round_weights, save_pretrained
from steps import step_on, take_steps

FORTY_MEGABYTES = 40_000_000


def small_network(**arguments):
    source = procedural_faces("train", image_size=32)
    data = {argument: getattr(source, field) for argument, field in FaceFeatures.data_arguments.items()}
    return FaceFeatures(
        **{
            "image_size": 32,
            "filters": (8, 8, 8),
            "convolutions": (1, 2, 1),
            "embedding_dim": 8,
            "identities": 4,
            **data,
            **arguments,
        }
    )


def faces(count=16, split="train", size=32):
    examples = procedural_faces(split, image_size=size).load(np.arange(count))
    return {**examples, "image": examples["image"].astype(np.float32) / 255.0}


def trained(steps, optimizer=None, network=None):
    network = network or small_network()
    network.compile(optimizer or keras.optimizers.Adam(3e-3))
    return network, take_steps(network, steps, faces())


def test_every_default_constructs():
    assert all(network().built for network in FACE_NETWORKS.values())


def test_outputs_have_their_shapes():
    source = procedural_faces("train", image_size=32)
    outputs = small_network().read(faces(5)["image"])
    assert outputs["landmarks"].shape == (5, len(source.landmark_names), 2)
    assert outputs["attribute_logits"].shape == (5, len(source.attribute_names))
    assert outputs["factors"].shape == (5, len(source.factor_names))
    assert outputs["identity_logits"].shape == (5, 4)
    np.testing.assert_allclose(np.linalg.norm(outputs["embedding"], axis=-1), 1.0, rtol=1e-5)


def test_gradient_reaches_every_weight():
    network, batch = small_network(), faces()
    network.compile("sgd")
    with tf.GradientTape() as tape:
        loss = network.objective.reduce(network.objective.values(batch, network(batch, training=True))["loss"])
    for weight, gradient in zip(
        network.trainable_variables, tape.gradient(loss, network.trainable_variables), strict=True
    ):
        assert np.abs(gradient).max() > 0, weight.path


def test_it_learns_sixteen_faces():
    _, logs = trained(60)
    for term in ("identity", "attributes", "landmarks", "factors"):
        first, last = logs[0][term], 60 * logs[-1][term] - 59 * logs[-2][term]  # logs are running means
        assert last < 0.7 * first, term


def test_it_saves_and_loads_in_safe_mode_and_goes_on(tmp_path):
    network, _ = trained(3)
    network.save(tmp_path / "face.keras")
    loaded = keras.saving.load_model(tmp_path / "face.keras", safe_mode=True)
    batch = {name: tf.constant(values) for name, values in faces().items()}
    network.train_step(batch)
    loaded.train_step(batch)
    for one, other in zip(network.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains(policy):
    keras.config.set_dtype_policy(policy)
    network, logs = trained(5)
    assert np.isfinite(logs[-1]["loss"])
    assert network.read(faces(2)["image"])["embedding"].dtype == tf.float32


def test_one_replica_equals_two(two_devices):
    def weights(strategy):
        keras.utils.set_random_seed(1)  # with 3, rounding takes one activation over ReLU's corner
        with strategy.scope():
            network = small_network()
            network.compile(keras.optimizers.SGD(1e-3))
        step = step_on(strategy, network)
        for rows in strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensors(faces()).repeat(2)):
            step(rows)
        return network.trainable_variables

    for one, two in zip(weights(tf.distribute.get_strategy()), weights(two_devices), strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=0, atol=1e-5, err_msg=one.path)


def test_strangers_do_not_count_in_the_identity_term():
    network = small_network()
    outputs = network.read(faces(3)["image"])
    values = network.loss_terms()["identity"]({"identity": np.array([0, 3, 4])}, outputs)
    assert (values[:2] > 0).numpy().all()
    assert values[2] == 0


def test_the_identity_term_is_cosface():
    network = small_network(margin=0.3, scale=2.0)
    cosines = np.array([[0.9, 0.1, -0.2, 0.0]], np.float32)
    value = network.loss_terms()["identity"]({"identity": np.array([0])}, {"identity_logits": 2.0 * cosines})
    powers = np.exp(2.0 * (cosines - [[0.3, 0, 0, 0]]))
    np.testing.assert_allclose(value, -np.log(powers[:, 0] / powers.sum()), rtol=1e-5)


def test_factors_come_back_in_their_units():
    network = small_network()
    names, ranges = network.factor_names, network.factor_ranges
    factors = np.array([[low if not choices else 2.0 for low, _, choices in ranges]], np.float32)
    scores = np.concatenate([np.eye(choices)[2] if choices else [-1.0] for _, _, choices in ranges])[None]
    scores = scores.astype(np.float32) * np.concatenate([[100.0] * choices or [1.0] for _, _, choices in ranges])
    np.testing.assert_allclose(network._read_factors(tf.constant(scores, tf.float32)), factors, rtol=1e-6)
    assert names.index("yaw") >= 0
    assert network._factor_error({"factors": factors}, {"factor_scores": tf.constant(scores, tf.float32)}) < 1e-6


def test_feature_networks_are_the_trunk_at_any_size_and_frozen():
    network = small_network()
    features = network.feature_network(["stage_1_conv_1", "stage_2_conv_2"])
    assert [maps.shape for maps in features(faces(2)["image"])] == [(2, 32, 32, 8), (2, 16, 16, 8)]
    assert features(faces(2, size=64)["image"])[1].shape == (2, 32, 32, 8)
    assert not features.trainable_weights
    assert network.trunk.get_layer("stage_1_conv_1") is not None
    with pytest.raises(ValueError, match="no layer 'block1_conv1'; it has stage_1_conv_1"):
        network.feature_network(["block1_conv1"])


def test_the_landmark_network_reads_as_the_network_does():
    network, images = small_network(), faces(3)["image"]
    points = network.landmark_network()(images)
    np.testing.assert_allclose(points, network.read(images)["landmarks"], atol=1e-5)
    gray = network.landmark_network(channels=1)(images[..., :1])
    np.testing.assert_allclose(gray, network.read(np.repeat(images[..., :1], 3, -1))["landmarks"], atol=1e-5)


def test_the_factor_network_reads_continuous_factors_in_half_ranges():
    network, images = small_network(), faces(3)["image"]
    read = network.factor_network(["yaw", "smile"])(images)
    for column, name in enumerate(("yaw", "smile")):
        place = network.factor_names.index(name)
        low, high, _ = network.factor_ranges[place]
        in_units = (low + high + (high - low) * np.asarray(read)[:, column]) / 2.0
        np.testing.assert_allclose(in_units, network.read(images)["factors"][:, place], rtol=1e-4, atol=1e-4)
    for name in ("hair_style", "height"):
        with pytest.raises(ValueError, match=f"no continuous factor '{name}'"):
            network.factor_network([name])


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="factor_names has 1 names, factor_ranges 2 rows"):
        FaceFeatures(factor_names=("yaw",), factor_ranges=((0.0, 1.0, 0), (0.0, 1.0, 0)))
    with pytest.raises(ValueError, match="image_size=30 must be a multiple"):
        FaceFeatures(image_size=30)


# How well it reads.


def test_perfect_reading():
    examples = procedural_faces("test", image_size=32).load(np.arange(30))
    source = procedural_faces("test", image_size=32)
    read = {
        "embedding": np.eye(3, dtype=np.float32)[examples["identity"] - examples["identity"][0]],
        "attribute_logits": examples["attributes"] - 0.5,
        "landmarks": examples["landmarks"],
        "factors": examples["factors"],
    }
    result = face_reading(examples, read, source.landmark_names, [choices for _, _, choices in source.factor_ranges])
    assert result.pop("landmark_error") == 0
    balanced = result.pop("attribute_balanced_accuracy")  # an attribute that nobody has counts half
    assert 0.5 < balanced <= 1
    np.testing.assert_allclose(list(result.values()), 1.0, rtol=1e-5)


def test_correlation_against_numpy_and_of_a_constant():
    first, second = np.random.default_rng(0).normal(size=(2, 20, 3))
    second[:, 2] = 1.0
    expected = [np.corrcoef(first[:, column], second[:, column])[0, 1] for column in range(2)]
    np.testing.assert_allclose(column_correlations(first, second), [*expected, 0.0], atol=1e-12)


def test_nearest_other_is_never_oneself():
    embeddings = np.array([[1, 0], [0.9, 0.1], [0, 1]]) / np.linalg.norm([[1, 0], [0.9, 0.1], [0, 1]], axis=1)[:, None]
    assert nearest_other(embeddings).tolist() == [1, 0, 1]


def test_nearest_person_goes_by_the_mean_of_their_pictures():
    gallery = np.array([[[1.0, 0.0], [0.8, 0.6]], [[0.0, 1.0], [0.6, 0.8]]])
    assert nearest_person(np.array([[1.0, 0.2], [0.1, 1.0]]), gallery).tolist() == [0, 1]


def test_landmark_error_is_in_percent_of_the_eye_distance():
    names = ("right_eye_0", "left_eye_0", "nose_tip")
    truth = np.array([[[0.3, 0.5], [0.7, 0.5], [0.5, 0.6]]])
    np.testing.assert_allclose(landmark_error(truth, truth + np.array([0.03, 0.04]), names), 100 * 0.05 / 0.4)


# Weights that ship.


def published(tmp_path):
    model = VAE(image_size=16, latent_dim=3, filters=(4, 8))
    save_pretrained(model, "small", {"recipe": "none", "data": "none"}, tmp_path)
    return model


def test_what_is_saved_is_loaded_in_float16(tmp_path):
    model = published(tmp_path)
    loaded = load_pretrained("small", tmp_path)
    round_weights(model)
    assert loaded.get_config() | {"name": None} == model.get_config() | {"name": None}
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_loading_is_in_float32_whatever_the_policy(tmp_path):
    published(tmp_path)
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert load_pretrained("small", tmp_path).dtype_policy.name == "float32"
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


def test_a_changed_file_is_refused(tmp_path):
    published(tmp_path)
    data = bytearray((tmp_path / "small.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "small.npz").write_bytes(data)
    with pytest.raises(ValueError, match="SHA-256 differs"):
        load_pretrained("small", tmp_path)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    published(tmp_path)
    with pytest.raises(ValueError, match="no pretrained model 'large'; there are small"):
        load_pretrained("large", tmp_path)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError(), "RuntimeError"),
        (ValueError("\n\nfirst\nsecond"), "first"),
        (TypeError("long\n\nconfig={}.\n\nException encountered: no argument 'a'\nmore"), "no argument 'a'"),
    ],
)
def test_an_error_s_reason_is_one_line(error, expected):
    assert reason(error) == expected


@pytest.mark.parametrize("field", ["sha256", "recipe", "data"])
def test_a_card_that_lacks_something_is_named(tmp_path, field):
    published(tmp_path)
    path = tmp_path / "small.json"
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != field}))
    with pytest.raises(ValueError, match=rf"small\.json is damaged: it has no {field}"):
        read_card("small", tmp_path)


def test_a_card_that_describes_no_model_is_refused(tmp_path):
    published(tmp_path)
    path = tmp_path / "small.json"
    path.write_text(path.read_text().replace('"class_name"', '"class_nam"'))
    with pytest.raises(ValueError, match=r"small\.npz or its card is damaged: it describes a dict"):
        load_pretrained("small", tmp_path)


def test_weights_too_large_for_float16_are_refused(tmp_path):
    model = VAE(image_size=16, latent_dim=3, filters=(4, 8))
    model.set_weights([weight + 1e6 for weight in model.get_weights()])
    with pytest.raises(ValueError, match="not a finite number in float16"):
        save_pretrained(model, "small", {}, tmp_path)


@pytest.mark.parametrize("name", pretrained_names())
def test_every_shipped_model_loads_and_is_its_card_s(name):
    card = read_card(name)
    assert card["sha256"] == hashlib.sha256((FOLDER / f"{name}.npz").read_bytes()).hexdigest()
    assert {"name", "recipe", "data", "seed", "metrics", "sha256", "model"} <= set(card)
    assert load_pretrained(name).built
    json.dumps(card)


def test_what_ships_is_small():
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert sum(sizes.values()) < FORTY_MEGABYTES
    assert sizes.get("face_features.npz", 0) < 2_000_000
