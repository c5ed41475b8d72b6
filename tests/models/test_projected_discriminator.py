"""The discriminator that sees the features of a frozen network."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.models import AutoencoderGAN, ConvolutionalAutoencoder, ProjectedDiscriminator
from facezoo.models.projected_discriminator import LARGEST, LargestSingularValue
from steps import take_steps
from zoo import batch, save_squeezenet

SIDE = 32


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "lpips_squeeze.npz"
    save_squeezenet(file)
    return str(file)


@pytest.fixture
def judge(weights):
    keras.utils.set_random_seed(1)
    made = ProjectedDiscriminator(image_size=SIDE, filters=(4, 6, 8, 8))
    made.read_weights(weights)
    return made


def pictures():
    return batch(size=SIDE)["image"]


def test_it_has_a_head_for_features_of_each_size(judge):
    judged = judge(pictures())
    assert judged["logits"].shape == (8, 9 + 9 + 9 + 1, 1)
    assert [layer.shape[1:] for layer in judged["features"]] == [
        *[(7, 7, 4), (3, 3, 4), (3, 3, 4)],
        *[(3, 3, 6), (3, 3, 6)],
        (3, 3, 8),
        (1, 1, 8),
    ]


def test_only_heads_learn_and_each_weight_of_them_does(judge):
    assert all("head" in weight.path for weight in judge.trainable_variables)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.math.softplus(judge(pictures())["logits"]))
    for weight, gradient in zip(judge.trainable_variables, tape.gradient(loss, judge.trainable_variables), strict=True):
        assert np.abs(gradient).max() > 0, weight.path


def test_each_picture_is_judged_alone_and_by_what_the_network_sees(judge):
    images = pictures()
    logits = judge(images)["logits"]
    np.testing.assert_allclose(logits[3], judge(images[3:4])["logits"][0], atol=1e-5)
    assert np.ptp(logits, axis=0).min() > 1e-4
    blind = ProjectedDiscriminator(image_size=SIDE, filters=(4, 6, 8, 8))
    assert np.ptp(blind(images)["logits"], axis=0).max() == 0  # until it has read the weights


def test_it_is_saved_with_its_network(judge, tmp_path):
    judge.save(tmp_path / "judge.keras")
    loaded = keras.saving.load_model(tmp_path / "judge.keras", safe_mode=True)
    assert loaded.get_config() == judge.get_config()
    np.testing.assert_array_equal(loaded(pictures())["logits"], judge(pictures())["logits"])


def test_it_is_exported(judge, tmp_path):
    judge.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(served.serve(pictures()), judge(pictures())["logits"], atol=1e-5)


def test_gray_pictures_are_judged(weights):
    gray = ProjectedDiscriminator(image_size=SIDE, channels=1, filters=(4, 6, 8, 8))
    gray.read_weights(weights)
    assert np.ptp(gray(batch(channels=1, size=SIDE)["image"])["logits"], axis=0).min() > 1e-4


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_the_frozen_network_and_the_logits_are_float32_in_mixed_precision(policy, weights, judge):
    keras.config.set_dtype_policy(policy)
    mixed = ProjectedDiscriminator(image_size=SIDE, filters=(4, 6, 8, 8))
    mixed.set_weights(judge.get_weights())
    judged = mixed(pictures())
    assert judged["logits"].dtype == tf.float32
    assert judged["features"][0].dtype == policy.removeprefix("mixed_")
    fine = pictures() + np.float32(1e-4)  # less than half precision tells apart near 1
    np.testing.assert_array_equal(mixed.slices(fine)[0], judge.slices(fine)[0])
    assert np.abs(mixed(fine)["logits"] - judged["logits"]).max() > 0


def test_its_random_convolutions_are_those_of_its_seed(judge, weights):
    again, other = (ProjectedDiscriminator(image_size=SIDE, filters=(4, 6, 8, 8), seed=seed) for seed in (0, 7))
    kernels = [made.network.get_layer("mix_2").kernel.numpy() for made in (judge, again, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).max() > 0.01


def test_a_game_leaves_the_frozen_network_alone_and_heads_within_their_limit(judge):
    model = AutoencoderGAN(
        autoencoder=ConvolutionalAutoencoder(image_size=SIDE, filters=(4, 4)), discriminator=judge, balance="none"
    )
    model.compile(keras.optimizers.SGD(0.1), discriminator_optimizer=keras.optimizers.SGD(100.0))
    frozen = [weight.numpy() for weight in judge.slices.weights]
    data = {"image": tf.constant(pictures())}
    logs = take_steps(model, 2, data)
    assert np.isfinite(logs[-1]["discriminator"])
    for before, weight in zip(frozen, judge.slices.weights, strict=True):
        np.testing.assert_array_equal(before, weight)
    largest = [
        np.linalg.norm(np.reshape(weight, (-1, weight.shape[-1])), 2)
        for weight in judge.trainable_variables
        if weight.name == "kernel"
    ]
    assert 0.9 * LARGEST < max(largest) < 1.01 * LARGEST


@pytest.mark.parametrize("shape", [(3, 3, 8, 4), (1, 1, 5, 7), (2, 6)])
def test_a_kernel_is_brought_to_its_limit_and_not_beyond(shape):
    kernel = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    limited = np.asarray(LargestSingularValue(0.5)(tf.constant(kernel)))
    assert np.linalg.norm(limited.reshape(-1, shape[-1]), 2) == pytest.approx(0.5, rel=0.01)
    np.testing.assert_allclose(LargestSingularValue(1e3)(tf.constant(kernel)), kernel)
    np.testing.assert_array_equal(LargestSingularValue(0.5)(tf.zeros(shape)), np.zeros(shape))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": (4, 4)}, r"filters=\(4, 4\) must be 4: a head for features of each size"),
        ({"image_size": 16}, "squeeze, as LPIPS has it, needs pictures of at least 17 pixels, not 16"),
        ({"filters": None}, "filters=None"),
        ({"channels": 2}, "channels=2"),
    ],
)
def test_it_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProjectedDiscriminator(**{"image_size": SIDE} | arguments)
