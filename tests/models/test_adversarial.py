"""Adversarial training: its losses, the discriminator, and what both players do in a step."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.losses import ADVERSARIAL_LOSSES, AdversarialTerm, FeatureMatching, Objective, r1_penalty
from facezoo.models import (
    VAE,
    AutoencoderGAN,
    ConditionalVAE,
    ConvolutionalAutoencoder,
    Discriminator,
    FaceMapping,
    balance,
)
from steps import step_on, take_steps
from zoo import SIZE, batch

LN_2 = float(np.log(2.0))


def discriminator(**arguments):
    return Discriminator(**{"image_size": SIZE, "filters": (4, 8), "dense_units": 6, "l2": 1e-2} | arguments)


def autoencoder():
    return ConvolutionalAutoencoder(image_size=SIZE, filters=(4, 4), l2=1e-3)


def model_of(*, factors=None, optimizer=None, discriminator_optimizer=None, clip_norm=None, judge=(), **arguments):
    """A small compiled model that starts with the same weights every time."""
    keras.utils.set_random_seed(5)
    judge = discriminator(**dict(judge))
    model = AutoencoderGAN(autoencoder=autoencoder(), discriminator=judge, **arguments)
    factors = factors or {"reconstruction": 2.0, "adversarial": 0.5, "feature_matching": 0.3}
    optimizers = [given or keras.optimizers.SGD(0.1) for given in (optimizer, discriminator_optimizer)]
    model.compile(
        optimizers[0], Objective(model.loss_terms(), factors), clip_norm, discriminator_optimizer=optimizers[1]
    )
    return model


def tensors(count=8):
    return {name: tf.constant(values) for name, values in batch(count).items()}


def numbers(variables):
    return [variable.numpy() for variable in variables]


def assert_same(first, second, tolerance=0.0):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def differ(first, second):
    return [bool(np.any(one != other)) for one, other in zip(first, second, strict=True)]


# Losses.


def test_losses_by_hand():
    logits = tf.constant([[0.0], [2.0], [-0.5]])
    bce, hinge = ADVERSARIAL_LOSSES["bce"], ADVERSARIAL_LOSSES["hinge"]
    np.testing.assert_allclose(bce.real(logits), np.log1p(np.exp([0.0, -2.0, 0.5])), rtol=1e-6)
    np.testing.assert_allclose(bce.fake(logits), np.log1p(np.exp([0.0, 2.0, -0.5])), rtol=1e-6)
    np.testing.assert_allclose(bce.generator(logits), bce.real(logits))
    np.testing.assert_allclose(hinge.real(logits), [1.0, 0.0, 1.5])
    np.testing.assert_allclose(hinge.fake(logits), [1.0, 3.0, 0.5])
    np.testing.assert_allclose(hinge.generator(logits), [0.0, -2.0, 0.5])
    np.testing.assert_allclose(hinge.discriminator(logits, logits), [2.0, 3.0, 2.0])


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_a_map_of_logits_is_averaged_for_each_example(name):
    loss = ADVERSARIAL_LOSSES[name]
    maps = tf.random.stateless_normal((3, 4, 5, 1), seed=(0, 1))
    for judge in (loss.real, loss.fake, loss.generator):
        by_cell = tf.reshape(judge(tf.reshape(maps, (60, 1))), (3, 20))
        np.testing.assert_allclose(judge(maps), tf.reduce_mean(by_cell, axis=1), rtol=1e-5)
        assert judge(tf.cast(maps, tf.bfloat16)).dtype == tf.float32
    np.testing.assert_array_equal(AdversarialTerm(loss)({}, {"fake_logits": maps}), loss.generator(maps))


def test_feature_matching_by_hand_and_whatever_the_features_size():
    real = [tf.constant([[2.0, 2.0], [1.0, 3.0]]), tf.ones((2, 3, 3, 4))]
    fake = [tf.constant([[1.0, 2.0], [1.0, 3.0]]), tf.zeros((2, 3, 3, 4))]
    values = FeatureMatching()({}, {"real_features": real, "fake_features": fake})
    np.testing.assert_allclose(values, [(0.5 / 4.0 + 1.0) / 2.0, 0.5], rtol=1e-5)
    larger = {"real_features": [100.0 * layer for layer in real], "fake_features": [100.0 * layer for layer in fake]}
    np.testing.assert_allclose(FeatureMatching()({}, larger), values, rtol=1e-5)


def test_feature_matching_has_no_gradient_by_the_real_features():
    real, fake = tf.constant([[2.0]]), tf.constant([[1.0]])
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        value = FeatureMatching()({}, {"real_features": [real], "fake_features": [fake]})
    by_real, by_fake = tape.gradient(value, [real, fake])
    assert by_real is None
    np.testing.assert_allclose(by_fake, [[-2.0 / 4.0]], rtol=1e-5)


def test_r1_of_a_linear_judge_is_half_its_squared_weights():
    weights = tf.random.stateless_normal((4, 4, 3), seed=(0, 2))
    images = tf.random.stateless_uniform((5, 4, 4, 3), seed=(0, 3))
    expected = np.full(5, 0.5 * np.square(weights).sum())
    np.testing.assert_allclose(
        r1_penalty(lambda x: tf.reduce_sum(weights * x, axis=(1, 2, 3))[:, None], images), expected, rtol=1e-5
    )
    # The mean logit of a map of 16 cells.
    by_cell = r1_penalty(lambda x: 16.0 * tf.reduce_sum(weights * x, axis=3, keepdims=True), images)
    np.testing.assert_allclose(by_cell, expected, rtol=1e-5)


def test_r1_is_of_each_picture_alone():
    images, judge = batch()["image"], discriminator()
    penalties = r1_penalty(lambda x: judge(x)["logits"], images)
    alone = r1_penalty(lambda x: judge(x)["logits"], images[2:3])
    np.testing.assert_allclose(penalties[2], alone[0], rtol=1e-5)
    assert np.ptp(penalties) > 0


# The discriminator.

DISCRIMINATORS = [
    {},
    {"channels": 1, "halvings": 1},
    {"kind": "patch"},
    {"kind": "patch", "filters": (4, 4, 4), "halvings": 1},
]
over_discriminators = pytest.mark.parametrize("arguments", DISCRIMINATORS, ids=str)


def pictures_for(judge):
    return batch(channels=judge.channels)["image"]


@pytest.mark.parametrize(
    ("arguments", "logits", "features"),
    [
        ({}, (8, 1), [(8, 8, 8, 4), (8, 4, 4, 8), (8, 6)]),
        ({"kind": "patch"}, (8, 4, 4, 1), [(8, 8, 8, 4), (8, 4, 4, 8)]),
        ({"kind": "patch", "halvings": 1}, (8, 8, 8, 1), [(8, 8, 8, 4), (8, 8, 8, 8)]),
    ],
)
def test_the_discriminator_s_shapes(arguments, logits, features):
    judged = discriminator(**arguments)(batch()["image"])
    assert judged["logits"].shape == logits
    assert [layer.shape for layer in judged["features"]] == features


@over_discriminators
def test_the_discriminator_judges_each_picture_alone(arguments):
    judge = discriminator(**arguments)
    images = pictures_for(judge)
    np.testing.assert_allclose(judge(images)["logits"][3], judge(images[3:4])["logits"][0], atol=1e-6)


@over_discriminators
def test_a_gradient_reaches_every_weight_of_the_discriminator(arguments):
    judge = discriminator(**arguments)
    images = pictures_for(judge)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(ADVERSARIAL_LOSSES["bce"].real(judge(images, training=True)["logits"]))
    for weight, gradient in zip(judge.trainable_variables, tape.gradient(loss, judge.trainable_variables), strict=True):
        assert np.abs(gradient).max() > 0, weight.path


@over_discriminators
def test_the_discriminator_saves_and_loads_in_safe_mode(arguments, tmp_path):
    judge = discriminator(**arguments)
    judge.save(tmp_path / "judge.keras")
    loaded = keras.saving.load_model(tmp_path / "judge.keras", safe_mode=True)
    assert loaded.get_config() == judge.get_config()
    images = pictures_for(judge)
    np.testing.assert_array_equal(loaded(images)["logits"], judge(images)["logits"])


@pytest.mark.parametrize(
    ("filters", "halvings", "size"), [((4,), 1, 4), ((4, 4), 2, 10), ((4, 4, 4), 2, 18), ((4, 4), 1, 8)]
)
def test_a_cell_sees_its_patch(filters, halvings, size):
    judge = Discriminator(kind="patch", image_size=64, channels=1, filters=filters, halvings=halvings)
    images = tf.random.stateless_uniform((1, 64, 64, 1), seed=(0, 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = judge(images)["logits"]
        cell = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    rows, columns = np.nonzero(tape.gradient(cell, images).numpy()[0, :, :, 0])
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (size, size)
    assert judge.patch_size == size


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_logits_are_float32_in_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    judged = discriminator()(batch()["image"])
    assert judged["logits"].dtype == tf.float32
    assert judged["features"][0].dtype == policy.removeprefix("mixed_")


def test_the_discriminator_s_penalty_and_initialiser():
    judge = discriminator(kernel_initializer="ones")
    kernels = [weight for weight in judge.trainable_variables if weight.name == "kernel"]
    assert all(np.all(kernel.numpy() == 1) for kernel in kernels)
    np.testing.assert_allclose(tf.add_n(judge.losses), 1e-2 * sum(tf.size(kernel).numpy() for kernel in kernels))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "local"}, "kind='local' must be one of global, patch"),
        ({"channels": 2}, "channels=2 must be 1"),
        ({"filters": ()}, "filters="),
        ({"halvings": 3}, r"halvings=3 must be at most one for each of filters=\(4, 8\)"),
        ({"halvings": 0}, "halvings=0 must be a positive"),
        ({"image_size": 2}, "image_size=2 is too small to be halved 2 times"),
        ({"dense_units": 0}, "dense_units=0"),
        ({"l2": -1.0}, "l2=-1.0"),
    ],
)
def test_the_discriminator_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        discriminator(**arguments)


# What the autoencoder says.


@pytest.mark.parametrize("kind", [VAE, ConditionalVAE])
def test_it_encodes_and_decodes_as_its_autoencoder(kind):
    inner = kind(image_size=SIZE, latent_dim=4, filters=(4, 4))
    model = AutoencoderGAN(autoencoder=inner, discriminator=discriminator())
    images, attributes = batch()["image"], batch()["attributes"]
    conditions = [attributes] if kind is ConditionalVAE else []
    codes = model.encode(images, *conditions)
    np.testing.assert_array_equal(codes, inner.encode(images, *conditions))
    np.testing.assert_array_equal(model.decode(codes, *conditions), inner.decode(codes, *conditions))
    assert (model.latent_dim, model.has_prior, model.image_size, model.channels) == (4, True, SIZE, 3)
    assert model.encoder is inner.encoder
    assert set(model.default_factors) == {"reconstruction", "kl", "adversarial"}
    assert set(model.loss_terms()) == {*inner.loss_terms(), "adversarial", "feature_matching"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "wasserstein"}, "loss='wasserstein' must be one of bce, hinge"),
        ({"balance": "fair"}, "balance='fair' must be one of adaptive, skip, none"),
        ({"balance": "skip"}, "balance='skip' does not go with loss='hinge'"),
        ({"start_step": -1}, "start_step=-1"),
        ({"r1_factor": -1.0}, "r1_factor=-1.0"),
        ({"judge": {"image_size": 32}}, "autoencoder has image_size=16, the discriminator image_size=32"),
        ({"judge": {"channels": 1}}, "autoencoder has channels=3, the discriminator channels=1"),
        ({"factors": {"adversarial": 1.0}}, "only loss term is 'adversarial'"),
        ({"factors": {"feature_matching": 1.0}}, "only loss term is 'feature_matching'"),
    ],
)
def test_bad_combinations_name_both_sides(arguments, message):
    with pytest.raises(ValueError, match=message):
        model_of(**arguments)


def test_the_discriminator_is_asked_only_where_a_term_wants_to_know():
    data = batch()
    judged = {"real_logits", "fake_logits", "real_features", "fake_features"}
    never_compiled = AutoencoderGAN(autoencoder=autoencoder(), discriminator=discriminator())
    assert not judged & set(never_compiled(data))
    assert not judged & set(model_of(factors={"reconstruction": 1.0, "adversarial": 0.0})(data))
    for term in ("adversarial", "feature_matching"):
        assert judged <= set(model_of(factors={"reconstruction": 1.0, term: 1.0})(data))


def test_the_discriminator_sees_faces_inside_of_their_masks():
    inner = FaceMapping(image_size=SIZE, filters=(4, 4), inter_dim=4)
    model = AutoencoderGAN(autoencoder=inner, discriminator=discriminator())
    assert model.batch_columns == inner.batch_columns
    data = batch()
    outside = data["mask"][..., 0] == 0
    for images in model._pictures(data, model(data)):
        assert np.all(images.numpy()[outside] == 0)
        assert np.any(images.numpy()[~outside] != 0)


# A step.


def plain_gradients(model, data, weight=1.0):
    """What each player's gradients are without going back in stages: of one loss each, in one tape each."""
    objective = model.objective
    with tf.GradientTape() as tape:
        outputs = model(data, training=True)
        values = objective.values(data, outputs)
        values["adversarial"] *= weight
        loss = tf.reduce_mean(objective.weighted_sum(values)) + tf.add_n(model.autoencoder.losses)
    first = tape.gradient(loss, model.autoencoder.trainable_variables)
    with tf.GradientTape() as tape:
        outputs = model(data, training=True)
        game = ADVERSARIAL_LOSSES[model.loss_name].discriminator(outputs["real_logits"], outputs["fake_logits"])
        penalty = r1_penalty(lambda images: model.discriminator(images)["logits"], data["image"])
        loss = tf.reduce_mean(game + model.r1_factor * penalty) + tf.add_n(model.discriminator.losses)
    return first, tape.gradient(loss, model.discriminator.trainable_variables)


@pytest.mark.parametrize(
    "arguments", [{"loss": "hinge"}, {"loss": "bce", "r1_factor": 3.0, "judge": {"kind": "patch"}}]
)
def test_a_step_follows_the_gradients_of_the_plain_losses(arguments):
    model, data = model_of(balance="none", **arguments), tensors()
    expected = [
        [weight - 0.1 * gradient for weight, gradient in zip(network.trainable_variables, gradients, strict=True)]
        for network, gradients in zip(
            (model.autoencoder, model.discriminator), plain_gradients(model, data), strict=True
        )
    ]
    model.train_step(data)
    assert_same(numbers(model.autoencoder.trainable_variables), expected[0], 1e-6)
    assert_same(numbers(model.discriminator.trainable_variables), expected[1], 1e-6)


def norms_at_last_layer(model, data):
    kernels = model.last_kernels
    with tf.GradientTape(persistent=True) as tape:
        values = model.objective.values(data, model(data, training=True))
        rest = tf.reduce_mean(2.0 * values["reconstruction"] + 0.3 * values["feature_matching"])
        adversarial = tf.reduce_mean(values["adversarial"])
    return [tf.linalg.global_norm(tape.gradient(loss, kernels)).numpy() for loss in (rest, adversarial)]


def test_the_adaptive_weight_is_the_ratio_of_gradients_at_the_last_layer():
    model, data = model_of(), tensors()
    rest, adversarial = norms_at_last_layer(model, data)
    weight = rest / (adversarial + 1e-4)
    expected, _ = plain_gradients(model, data, weight)
    before = numbers(model.autoencoder.trainable_variables)
    logs = model.train_step(data)
    np.testing.assert_allclose(logs["adversarial_weight"], weight, rtol=1e-4)
    after = numbers(model.autoencoder.trainable_variables)
    for start, end, gradient in zip(before, after, expected, strict=True):
        np.testing.assert_allclose(start - 0.1 * gradient, end, atol=1e-5)
    parts = 2.0 * logs["reconstruction"] + 0.3 * logs["feature_matching"] + 0.5 * weight * logs["adversarial"]
    np.testing.assert_allclose(logs["loss"], parts, rtol=1e-4)


def test_the_adaptive_weight_has_a_limit():
    model = model_of()
    for weight in model.discriminator.trainable_variables:
        weight.assign(tf.zeros_like(weight))  # so that nothing goes back through the discriminator
    model.objective.factors["reconstruction"] = 1e6
    np.testing.assert_allclose(model.train_step(tensors())["adversarial_weight"], 1e4)


@pytest.mark.parametrize(
    ("real", "fake", "learns", "learns_against"),
    [
        (LN_2, LN_2, True, True),
        (0.27, LN_2, False, True),
        (LN_2, 0.27, False, True),
        (0.27, 0.27, False, True),
        (LN_2, 1.09, True, False),
        (1.09, LN_2, True, False),
        (0.27, 1.09, True, True),
        (0.29, 1.07, True, True),
    ],
)
def test_the_skip_rule(real, fake, learns, learns_against):
    turns = balance.BALANCES["skip"].choose_turns(tf.constant(real), tf.constant(fake))
    assert [bool(turn) for turn in turns] == [learns, learns_against]


def state(model):
    """Of the discriminator and its optimizer."""
    return numbers([*model.discriminator.variables, *model.discriminator_optimizer.variables])


def test_a_discriminator_too_strong_takes_no_step_and_is_learned_from(monkeypatch):
    monkeypatch.setattr(balance, "EQUILIBRIUM", 1e3)
    model = model_of(loss="bce", balance="skip", discriminator_optimizer=keras.optimizers.Adam())
    before = state(model)
    logs = take_steps(model, 2)
    assert_same(before, state(model))
    assert logs[-1]["adversarial_weight"] == 1


def test_a_discriminator_too_weak_learns_and_is_not_learned_from(monkeypatch):
    monkeypatch.setattr(balance, "EQUILIBRIUM", -1e3)
    model = model_of(loss="bce", balance="skip", discriminator_optimizer=keras.optimizers.Adam())
    without = model_of(factors={"reconstruction": 2.0, "feature_matching": 0.3}, loss="bce", balance="none")
    before = state(model)
    logs = take_steps(model, 1)
    take_steps(without, 1)
    assert all(differ(before, state(model))[: len(model.discriminator.variables)])
    assert_same(numbers(model.autoencoder.variables), numbers(without.autoencoder.variables), 1e-7)
    assert logs[-1]["adversarial_weight"] == 0


def test_before_the_start_the_autoencoder_trains_as_if_alone():
    model = model_of(start_step=2, discriminator_optimizer=keras.optimizers.Adam())
    keras.utils.set_random_seed(5)
    discriminator()  # takes the same random numbers
    alone = autoencoder()
    alone.compile(keras.optimizers.SGD(0.1), Objective(alone.loss_terms(), {"reconstruction": 2.0}))
    before = state(model)
    data = tensors()
    for _ in range(2):
        logs = model.train_step(data)
        logs_alone = alone.train_step(data)
    assert_same(before, state(model))
    assert_same(numbers(model.autoencoder.variables), numbers(alone.variables), 1e-7)
    np.testing.assert_allclose(logs["loss"], logs_alone["loss"], rtol=1e-5)
    model.reset_metrics()
    assert float(model.train_step(data)["adversarial_weight"]) > 0
    assert model.discriminator_optimizer.iterations == 1
    assert any(differ(before, state(model))[: len(model.discriminator.variables)])


def test_the_norm_of_either_player_s_gradients_is_clipped():
    model = model_of(balance="none", clip_norm=1e-3)
    before = [numbers(network.trainable_variables) for network in (model.autoencoder, model.discriminator)]
    model.train_step(tensors())
    for start, network in zip(before, (model.autoencoder, model.discriminator), strict=True):
        moved = [end - begin for begin, end in zip(start, numbers(network.trainable_variables), strict=True)]
        np.testing.assert_allclose(tf.linalg.global_norm([tf.constant(change) for change in moved]), 1e-4, rtol=0.01)


def test_accuracy_is_the_share_of_right_judgements():
    model = model_of()
    last_bias = model.discriminator.trainable_variables[-1]
    for weight in model.discriminator.trainable_variables:
        weight.assign(tf.zeros_like(weight))
    last_bias.assign([0.5])  # real every time
    logs = model.train_step(tensors())
    np.testing.assert_allclose(logs["discriminator_accuracy"], 0.5)
    np.testing.assert_allclose(logs["discriminator"], 0.5 + 1.5)
    model.reset_metrics()
    last_bias.assign([0.0])  # cannot tell, so neither is right
    assert model.train_step(tensors())["discriminator_accuracy"] == 0


def test_it_learns_to_tell_and_the_rule_of_two_players_is_reported():
    model = model_of(balance="none", discriminator_optimizer=keras.optimizers.Adam(0.02))
    first = take_steps(model, 1)[0]
    take_steps(model, 20)
    model.reset_metrics()
    last = take_steps(model, 1)[0]
    assert set(first) == {"loss", "gradient_norm", "skipped_steps", *model.objective.terms, *model.game_trackers}
    assert last["discriminator"] < 0.8 * first["discriminator"]
    assert last["discriminator_accuracy"] > 0.7


# Replicas, precision, saving.


RULES = [
    {"loss": "hinge", "balance": "adaptive", "start_step": 1},
    {"loss": "bce", "balance": "skip", "r1_factor": 0.5},
    {"loss": "hinge", "balance": "none"},
]


def rows_of_replicas(strategy):
    """Each replica's part of the batch."""
    count = strategy.num_replicas_in_sync

    def part(context):
        return {name: values[context.replica_id_in_sync_group :: count] for name, values in tensors().items()}

    return strategy.experimental_distribute_values_from_function(part)


@pytest.mark.parametrize("arguments", RULES, ids=str)
def test_one_replica_equals_two(arguments, two_devices):
    def trained(strategy):
        with strategy.scope():
            model = model_of(judge={"kind": "patch"}, clip_norm=0.5, **arguments)
        step, rows = step_on(strategy, model), rows_of_replicas(strategy)
        for _ in range(3):
            logs = step(rows)
        return numbers(model.variables), {name: strategy.reduce("MEAN", logs[name], axis=None) for name in logs}

    one, logs_of_one = trained(tf.distribute.get_strategy())
    two, logs_of_two = trained(two_devices)
    assert_same(one, two, 1e-5)
    for name, value in logs_of_one.items():
        np.testing.assert_allclose(value, logs_of_two[name], rtol=1e-4, err_msg=name)


def test_a_step_left_out_is_left_out_in_every_replica(two_devices, monkeypatch):
    monkeypatch.setattr(balance, "EQUILIBRIUM", 1e3)
    with two_devices.scope():
        model = model_of(loss="bce", balance="skip", discriminator_optimizer=keras.optimizers.Adam())
    before, start = state(model), numbers(model.autoencoder.trainable_variables)
    step_on(two_devices, model)(rows_of_replicas(two_devices))
    assert_same(before, state(model))
    assert all(differ(start, numbers(model.autoencoder.trainable_variables)))


@pytest.mark.parametrize("stopped", ["autoencoder", "discriminator"])
def test_in_float16_one_player_s_overflow_does_not_stop_the_other(stopped):
    keras.config.set_dtype_policy("mixed_float16")
    model = model_of(factors={"reconstruction": 2.0, "adversarial": 0.5}, loss="bce")
    optimizers = {"autoencoder": model.optimizer, "discriminator": model.discriminator_optimizer}
    for name, optimizer in optimizers.items():
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        optimizer.dynamic_scale.assign(1e30 if name == stopped else 256.0)
    before = {name: numbers(getattr(model, name).trainable_variables) for name in optimizers}
    logs = take_steps(model, 1)[0]
    for name, optimizer in optimizers.items():
        changed = differ(before[name], numbers(getattr(model, name).trainable_variables))
        assert not any(changed) if name == stopped else all(changed)
        assert optimizer.dynamic_scale == (np.float32(0.5e30) if name == stopped else 256.0)
    assert all(np.isfinite(value) for value in logs.values())


def test_the_loss_scale_does_not_change_the_adaptive_weight():
    keras.config.set_dtype_policy("mixed_float16")
    weights = []
    for scale in (1.0, 512.0):
        model = model_of()
        model.optimizer.dynamic_scale.assign(scale)
        for weight in model.discriminator.trainable_variables:
            weight.assign(weight * 0.2)  # the gradient comes near to the 1e-4 that is added to it
        weights.append(take_steps(model, 1)[0]["adversarial_weight"])
    np.testing.assert_allclose(weights[0], weights[1], rtol=0.05)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_both_optimizers_are_saved_and_go_on(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    optimizers = [keras.optimizers.Adam(1e-3), keras.optimizers.Adam(4e-3, beta_1=0.5)]
    model = model_of(
        optimizer=optimizers[0], discriminator_optimizer=optimizers[1], loss="bce", balance="skip", clip_norm=1.0
    )
    take_steps(model, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert_same(state(model), state(loaded))
    assert len(model.optimizer.variables) == len(loaded.optimizer.variables)
    assert loaded.discriminator_optimizer.get_config() == model.discriminator_optimizer.get_config()
    assert (loaded.objective.factors, loaded.clip_norm) == (model.objective.factors, 1.0)
    model.reset_metrics()
    assert take_steps(model, 2) == take_steps(loaded, 2)
    assert_same(state(model), state(loaded))
    assert_same(numbers(model.variables), numbers(loaded.variables))


def test_an_autoencoder_that_was_trained_before_keeps_its_weights_only(tmp_path):
    model = model_of()
    model.autoencoder.compile("adam")
    model.autoencoder.train_step(tensors())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert not loaded.autoencoder.compiled
    assert_same(numbers(model.variables), numbers(loaded.variables))
    take_steps(loaded, 1)


def test_the_main_optimizer_is_the_autoencoder_s_alone():
    model = model_of(optimizer=keras.optimizers.Adam(), discriminator_optimizer=keras.optimizers.Adam())
    for optimizer, network in (
        (model.optimizer, model.autoencoder),
        (model.discriminator_optimizer, model.discriminator),
    ):
        assert len(optimizer.variables) == 2 + 2 * len(network.trainable_variables)  # iterations and learning rate


def test_fit_reports_the_game_and_resets_it():
    model = model_of()
    dataset = tf.data.Dataset.from_tensors(batch()).repeat(2)
    history = model.fit(x=dataset, epochs=2, verbose=0, shuffle=False).history
    assert set(history) == {"loss", "gradient_norm", "skipped_steps", *model.objective.terms, *model.game_trackers}
    assert int(model.game_trackers["discriminator"].count) == 2 * 8  # of the last epoch
    evaluated = model.evaluate(x=dataset, verbose=0, return_dict=True)
    assert {"loss", *model.objective.terms} <= set(evaluated)
