"""What is true of single architectures and of their parts; what all share is in test_conformance.py."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.losses import Objective
from facezoo.models import (
    MODELS,
    VAE,
    ConvolutionalAutoencoder,
    Schedule,
    build_autoencoder,
    leaky_relu,
    randomness,
    sampling,
)
from facezoo.models.blocks import DepthToSpace, Dropout
from steps import step_on


def trainable_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


def arguments_of(model_class):
    return inspect.signature(model_class).parameters


def kernels(model):
    return [weight.numpy() for weight in model.trainable_variables if weight.name == "kernel"]


def images_of(model, count=2):
    shape = (count, model.image_size, model.image_size, model.channels)
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


# The articles' sizes.


def test_the_article_s_autoencoder_keeps_a_spatial_code():
    model = build_autoencoder((128, 128, 3))
    assert isinstance(model, ConvolutionalAutoencoder)
    assert model.encode(images_of(model, 1)).shape == (1, 32, 32, 64)
    convolutions = [(3, 32), (32, 64), (64, 64), (64, 32), (32, 3)]
    assert trainable_parameters(model) == sum(9 * inputs * outputs + outputs for inputs, outputs in convolutions)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((64, 128, 3), "must be square"), ((66, 66, 3), "multiple of 4"), ((64, 64, 2), "channels=2")],
)
def test_build_autoencoder_refuses_other_shapes(shape, message):
    with pytest.raises(ValueError, match=message):
        build_autoencoder(shape)


def test_the_face_article_s_vae_has_its_size():
    model = VAE(image_size=128, latent_dim=200, filters=(32, 64, 64, 64), dropout=0.25)
    assert round(trainable_parameters(model) / 1e6, 2) == 2.66  # the article's last stage has no 32 -> 32 convolution
    assert model.encoder.features.output_shape == (None, 8 * 8 * 64)


def test_facenet_s_plain_vae_has_its_size():
    model = VAE(
        latent_dim=100,
        filters=(32, 64, 128, 256),
        kernel_size=4,
        decoder_filters=(128, 64, 32, 3),
        decoder_kernel_size=3,
        upsampling="nearest",
        negative_slope=0.1,
    )
    assert round(trainable_parameters(model) / 1e6, 2) == 2.31
    assert model.encoder.features.output_shape == (None, 4 * 4 * 256)


def test_the_digits_article_s_vae_has_its_size():
    model = VAE(
        image_size=28, channels=1, latent_dim=2, filters=(32, 64, 64, 64), strides=(1, 2, 2, 1), batch_norm=False
    )
    images = images_of(model)
    assert model.encode(images).shape == (2, 2)
    assert model.decode(model.encode(images)).shape == (2, 28, 28, 1)
    code_maps = 7 * 7 * 64
    encoder = [(1, 32), (32, 64), (64, 64), (64, 64)]
    decoder = [(64, 64), (64, 64), (64, 32), (32, 32), (32, 1)]
    dense = 2 * (code_maps * 2 + 2) + 2 * code_maps + code_maps
    convolutions = sum(9 * inputs * outputs + outputs for inputs, outputs in encoder + decoder)
    assert trainable_parameters(model) == convolutions + dense


def test_the_encoder_has_the_article_s_name():
    model = VAE(image_size=16, latent_dim=3, filters=(8,))
    mean, log_var = model.encoder_mu_log_var(images_of(model))
    assert mean.shape == log_var.shape == (2, 3)
    np.testing.assert_array_equal(mean, model.encode(images_of(model)))


def test_a_vector_code_goes_through_a_dense_layer():
    model = ConvolutionalAutoencoder(image_size=16, filters=(4, 8), latent_dim=5)
    assert model.encode(images_of(model)).shape == (2, 5)
    plain = ConvolutionalAutoencoder(image_size=16, filters=(4, 8))
    code = 4 * 4 * 8
    assert trainable_parameters(model) - trainable_parameters(plain) == (code * 5 + 5) + (5 * code + code)


def test_skip_adds_a_residual_block():
    plain, with_skip = (ConvolutionalAutoencoder(image_size=16, filters=(8, 8), skip=skip) for skip in (False, True))
    assert trainable_parameters(with_skip) - trainable_parameters(plain) == 2 * (9 * 8 * 8 + 8)
    for weight in with_skip.encoder.layers[-2].weights:  # the block's last convolution
        weight.assign(tf.zeros_like(weight))
    before_block = keras.Model(with_skip.encoder.input, with_skip.encoder.layers[-1].input[0])
    images = images_of(with_skip)
    np.testing.assert_array_equal(with_skip.encode(images), before_block(images))


# Arguments.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strides": (2, 2)}, r"strides=\(2, 2\) must be a 1 or a 2 for each of filters=\(32, 64, 128, 256\)"),
        ({"strides": (2, 2, 3, 2)}, "strides="),
        ({"decoder_filters": (3,)}, r"decoder_filters=\(3,\) must be as many as filters="),
        ({"dropout": 1.0}, "dropout=1.0 must be at least 0 and below 1"),
        ({"kernel_size": 0}, "kernel_size=0"),
        ({"capacity_steps": 0}, "capacity_steps=0"),
        ({"channels": 4}, r"channels=4 must be 1 \(gray\) or 3 \(RGB\)"),
    ],
)
def test_bad_combinations_name_both_sides(arguments, message):
    with pytest.raises(ValueError, match=message):
        VAE(**arguments)


def test_unknown_arguments_are_not_swallowed():
    for model in MODELS.values():
        with pytest.raises(TypeError, match="no_such"):
            model(no_such=3)


@pytest.mark.parametrize("key", [key for key in MODELS if "kernel_initializer" in arguments_of(MODELS[key])])
def test_the_initialiser_takes_effect(key):
    make = MODELS[key]
    made = kernels(make(image_size=32, filters=(32, 32), kernel_initializer="truncated_normal"))
    narrow = [kernel for kernel in made if kernel.std() > 0.02]  # what changes others begins at next to nothing
    assert len(made) - len(narrow) == (key == "video_autoencoder")
    assert all(0.03 < kernel.std() < 0.055 for kernel in narrow)  # 0.05, cut off at two deviations
    assert all(np.abs(kernel).max() <= 0.1 for kernel in narrow)
    xavier = kernels(make(image_size=32, filters=(32, 32), kernel_initializer="glorot_uniform"))[1]  # 32 -> 32
    fan = xavier.shape[0] * xavier.shape[1] * 32
    np.testing.assert_allclose(np.abs(xavier).max(), (6 / (2 * fan)) ** 0.5, rtol=0.01)
    he = kernels(make(image_size=32, filters=(32, 32), kernel_initializer="he_normal"))[1]
    np.testing.assert_allclose(he.std(), (2 / fan) ** 0.5, rtol=0.05)


@pytest.mark.parametrize("key", [key for key in MODELS if "l2" in arguments_of(MODELS[key])])
def test_l2_is_a_penalty_on_every_kernel(key):
    code = {"latent_dim": 4} if "latent_dim" in arguments_of(MODELS[key]) else {}
    model = MODELS[key](image_size=16, filters=(8, 8), **code, l2=0.01)
    expected = 0.01 * sum((kernel**2).sum() for kernel in kernels(model))
    np.testing.assert_allclose(model.regularization(), expected, rtol=1e-5)
    assert MODELS[key](image_size=16, filters=(8, 8), **code).regularization() == 0


def test_l2_is_trained_on_and_not_reported():
    def kernels_after_a_step(l2):
        keras.utils.set_random_seed(0)
        model = ConvolutionalAutoencoder(image_size=16, filters=(8,), l2=l2)
        before = kernels(model)
        model.compile(keras.optimizers.SGD(0.1))
        logs = model.train_step({"image": tf.constant(images_of(model))})
        return before, kernels(model), float(logs["loss"])

    before, plain, plain_loss = kernels_after_a_step(0.0)
    _, shrunk, shrunk_loss = kernels_after_a_step(0.5)
    assert plain_loss == shrunk_loss
    for start, without, with_penalty in zip(before, plain, shrunk, strict=True):
        np.testing.assert_allclose(without - with_penalty, 0.1 * 2 * 0.5 * start, atol=1e-5)


def test_capacity_rises_to_its_end_over_its_steps():
    model = VAE(image_size=16, latent_dim=4, filters=(8,), capacity=10.0, capacity_steps=100)
    batch = {"image": images_of(model)}
    for step, nats in ((0, 0.0), (25, 2.5), (100, 10.0), (5000, 10.0)):
        with randomness.at_step(step):
            np.testing.assert_allclose(model(batch, training=True)["capacity"], [nats, nats])
    np.testing.assert_allclose(model(batch, training=False)["capacity"], [10.0, 10.0])
    assert "capacity" not in VAE(image_size=16, latent_dim=4, filters=(8,))(batch, training=True)


def test_capacity_draws_the_divergence_to_its_target():
    model = VAE(image_size=16, latent_dim=4, filters=(8,), capacity=6.0, capacity_steps=1)
    model.compile(keras.optimizers.Adam(0.02))
    batch = {"image": tf.constant(images_of(model, 8))}
    model.objective.factors["kl"] = 100.0
    step = tf.function(model.train_step)
    for _ in range(150):
        step(batch)
    model.reset_metrics()
    assert step(batch)["kl"] < 1.5  # the term is the distance from 6 nats


def test_free_bits_are_for_training_only():
    model = VAE(image_size=16, filters=(8,), free_bits=0.25)
    batch = {"image": images_of(model)}
    assert model(batch, training=True)["free_bits"] == 0.25
    assert "free_bits" not in model(batch, training=False)


# Sampling and noise.


def test_sampling_is_the_reparameterisation():
    z = sampling(tf.constant([[1.0, -2.0]]), tf.constant([[0.0, np.log(9.0)]]), tf.constant([[0.5, -1.0]]))
    np.testing.assert_allclose(z, [[1.5, -5.0]], rtol=1e-6)


def test_training_samples_and_evaluation_takes_the_mean():
    model = VAE(image_size=16, latent_dim=4, filters=(8,))
    batch = {"image": images_of(model)}
    outputs = model(batch, training=False)
    np.testing.assert_array_equal(outputs["z"], outputs["mean"])
    with randomness.at_step(3):
        first, again = model(batch, training=True), model(batch, training=True)
    with randomness.at_step(4):
        later = model(batch, training=True)
    np.testing.assert_array_equal(first["z"], again["z"])
    assert np.abs(first["z"] - first["mean"]).min() > 0
    assert np.abs(first["z"] - later["z"]).min() > 0


def test_leaky_relu_has_facenet_s_slope():
    np.testing.assert_allclose(leaky_relu(tf.constant([-2.0, 0.0, 3.0])), [-0.2, 0.0, 3.0])
    np.testing.assert_allclose(leaky_relu(tf.constant([-2.0]), negative_slope=0.3), [-0.6])


def test_depth_to_space_by_hand():
    layer, depth = DepthToSpace(), np.arange(4.0).reshape(1, 1, 1, 4)
    np.testing.assert_array_equal(layer(depth)[0, :, :, 0], [[0, 1], [2, 3]])
    assert layer.compute_output_shape((None, 3, 5, 8)) == (None, 6, 10, 2)


def test_dropout_drops_its_share_and_keeps_the_mean():
    layer, ones = Dropout(0.25, seed=0, stream="here"), np.ones((16, 32, 32), np.float32)
    dropped = layer(ones, training=True).numpy()
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((dropped == 0).mean() - 0.25) < 0.01
    np.testing.assert_array_equal(layer(ones, training=False), ones)


def test_dropout_is_a_function_of_seed_step_and_stream():
    ones = np.ones((4, 64), np.float32)

    def mask(seed=0, step=0, stream="here"):
        with randomness.at_step(step):
            return Dropout(0.5, seed, stream)(ones, training=True).numpy()

    np.testing.assert_array_equal(mask(), mask())
    for other in (mask(seed=1), mask(step=1), mask(stream="there")):
        assert 0.3 < (mask() != other).mean() < 0.7


@pytest.mark.parametrize("draw", [randomness.normal, randomness.uniform])
def test_each_replica_draws_its_rows_of_the_global_batch(draw, two_devices):
    whole = draw(6, (5,), seed=1, stream="here")
    halves = tf.function(lambda: two_devices.run(lambda: draw(3, (5,), seed=1, stream="here")))()
    np.testing.assert_array_equal(tf.concat(two_devices.experimental_local_results(halves), 0), whole)


def test_dropout_does_not_depend_on_how_the_batch_is_split(two_devices):
    layer, ones = Dropout(0.5, seed=0, stream="here"), np.ones((6, 20), np.float32)
    halves = tf.function(lambda: two_devices.run(lambda: layer(tf.ones((3, 20)), training=True)))()
    np.testing.assert_array_equal(
        tf.concat(two_devices.experimental_local_results(halves), 0), layer(ones, training=True)
    )


def test_noise_is_normal_and_uniform():
    normal = randomness.normal(1000, (50,), seed=0, stream="here").numpy()
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    uniform = randomness.uniform(1000, (50,), seed=0, stream="here").numpy()
    assert uniform.min() >= 0
    assert uniform.max() < 1
    np.testing.assert_allclose(np.quantile(uniform, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.01)


def test_the_step_is_an_integer_a_tensor_or_a_variable_and_ends_with_its_block():
    draws = []
    for step in (7, tf.constant(7, tf.int64), tf.Variable(7, dtype=tf.int64)):
        with randomness.at_step(step):
            draws.append(randomness.normal(2, (3,), seed=0, stream="here"))
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])
    assert randomness.current_step() == 0


# The learning rate.


@pytest.mark.parametrize(
    ("kind", "rates"),
    [
        ("constant", {0: 1.0, 50: 1.0, 100: 1.0, 500: 1.0}),
        ("cosine", {0: 1.0, 25: 0.1 + 0.9 * (1 + 0.5**0.5) / 2, 50: 0.55, 100: 0.1, 500: 0.1}),
        ("exponential", {0: 1.0, 50: 0.1**0.5, 100: 0.1, 500: 0.1}),
    ],
)
def test_schedules_by_hand(kind, rates):
    schedule = Schedule(0.02, 100, kind, final_fraction=0.1)
    np.testing.assert_allclose([schedule(step) for step in rates], [0.02 * rate for rate in rates.values()], rtol=1e-5)


def test_the_warm_up_rises_evenly_and_the_decay_follows():
    schedule = Schedule(1.0, 24, "cosine", warmup_steps=4, final_fraction=0.2)
    np.testing.assert_allclose([schedule(step) for step in range(5)], [0.25, 0.5, 0.75, 1.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose([schedule(14), schedule(24)], [0.6, 0.2], rtol=1e-6)


def test_a_schedule_survives_its_config():
    schedule = Schedule(0.3, 50, "exponential", warmup_steps=5, final_fraction=0.5)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    np.testing.assert_array_equal([copy(step) for step in (0, 3, 20, 60)], [schedule(step) for step in (0, 3, 20, 60)])


def test_a_schedule_refuses_unknown_kinds_and_long_warm_ups():
    with pytest.raises(ValueError, match="kind='steps' must be one of constant, cosine, exponential"):
        Schedule(1.0, 10, "steps")
    with pytest.raises(ValueError, match="warm-up of 10 steps must be shorter than the run's 10"):
        Schedule(1.0, 10, warmup_steps=10)


# Training.


@pytest.mark.parametrize("replicas", [1, 2])
def test_weights_that_no_term_reaches_stay_and_are_named(replicas, two_devices, pictures, caplog):
    strategy = two_devices if replicas == 2 else tf.distribute.get_strategy()
    with strategy.scope():
        model = VAE(image_size=32, filters=(4,), latent_dim=2)
        model.compile(objective=Objective(model.loss_terms(), {"kl": 1.0}))
    encoder, decoder = (
        [weight.numpy() for weight in part.trainable_variables] for part in (model.encoder, model.decoder)
    )
    batches = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensors({"image": pictures}))
    for rows in batches:
        step_on(strategy, model)(rows)
    layers = {variable.path.split("/")[0] for variable in model.decoder.trainable_variables}
    assert f"no loss term reaches {', '.join(sorted(layers))}: they do not learn" in caplog.text
    assert any((old != new.numpy()).any() for old, new in zip(encoder, model.encoder.trainable_variables, strict=True))
    for old, new in zip(decoder, model.decoder.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
