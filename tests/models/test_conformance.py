"""The contract of an autoencoder, held once over the whole zoo."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.losses import Objective
from facezoo.models import MODELS, randomness
from facezoo.models.learning_rate import Schedule
from steps import step_on, take_steps
from zoo import SIZE, ZOO, batch

over_zoo = pytest.mark.parametrize("specimen", ZOO, ids=str)


def compiled(specimen, optimizer=None):
    model = specimen.make()
    model.compile(optimizer or keras.optimizers.Adam(Schedule(1e-3, 100)), objective_of(specimen, model))
    return model


def factors_of(specimen, model):
    return model.default_factors if specimen.factors is None else specimen.factors


def objective_of(specimen, model):
    return Objective({**model.loss_terms(), **specimen.terms()}, factors_of(specimen, model))


def give_outside_terms(specimen, loaded):
    """A loaded model cannot train without its terms from outside, and goes on where it was with them."""
    if not specimen.terms():
        return
    with pytest.raises(ValueError, match=f"needs the term '{next(iter(specimen.terms()))}'"):
        take_steps(loaded, 1, in_graph=True)  # refused before anything is computed
    loaded.compile(loaded.optimizer, objective_of(specimen, loaded), loaded.clip_norm)


def squared_error(model):
    """Of the pictures that the model gives in training, inside of the masks that it reads."""
    squared = tf.square(model(batch(), training=True)["reconstruction"] - batch()["image"])
    return tf.reduce_mean(squared * batch()["mask"] if "mask" in model.batch_columns else squared)


def assert_same(first, second, tolerance=0.0):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=0, atol=tolerance, err_msg=one.path)


def test_zoo_has_every_model():
    assert {specimen.key for specimen in ZOO} >= set(MODELS)


@pytest.mark.parametrize("key", MODELS)
def test_every_default_constructs(key):
    assert MODELS[key]().built


@over_zoo
def test_shapes_and_ranges(specimen):
    model, images = specimen.make(), batch()["image"]
    codes = model.encode(images)
    decoded = model.decode(codes * 100.0)
    assert codes.shape == (8, *specimen.code_shape)
    assert model.shape_of_code() == specimen.code_shape
    assert decoded.shape == images.shape
    assert decoded.dtype == tf.float32
    assert tf.reduce_min(decoded) >= 0
    assert tf.reduce_max(decoded) <= 1
    outputs = model(batch(), training=True)
    assert outputs["reconstruction"].shape == images.shape
    assert outputs["z"].shape == codes.shape


@over_zoo
def test_encode_is_deterministic(specimen):
    model, images = specimen.make(), batch()["image"]
    np.testing.assert_array_equal(model.encode(images), model.encode(images))


@over_zoo
def test_gradient_reaches_every_weight(specimen):
    model = compiled(specimen)
    with tf.GradientTape() as tape:
        loss = model.objective.reduce(model.objective.values(batch(), model(batch(), training=True))["loss"])
    for weight, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True):
        assert gradient is not None, weight.path
        assert np.abs(gradient).max() > 0, weight.path


@over_zoo
def test_codes_that_are_frozen_leave_the_decoder_alone_to_learn(specimen):
    model = specimen.make()
    if not model.reconstructs or not model.network().decoder.trainable_variables:
        return
    network = model.network()
    network.freeze_codes()
    decoder = {variable.path for variable in network.decoder.trainable_variables}
    assert {variable.path for variable in network.trainable_variables} == decoder


@over_zoo
def test_config_is_the_constructor(specimen):
    model = specimen.make()
    config = model.get_config()
    assert set(config) == set(inspect.signature(type(model)).parameters)
    assert type(model).from_config(config).get_config() == config


@over_zoo
def test_saves_and_loads_in_safe_mode(specimen, tmp_path):
    model = compiled(specimen)
    take_steps(model, 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert_same(model.variables, loaded.variables)
    assert_same(model.optimizer.variables, loaded.optimizer.variables)
    assert loaded.objective.factors == model.objective.factors
    np.testing.assert_array_equal(model.encode(batch()["image"]), loaded.encode(batch()["image"]))
    # What is trained on continues as if it had never been saved.
    assert take_steps(model, 2)[-1]["loss"] != 0
    give_outside_terms(specimen, loaded)
    take_steps(loaded, 2)
    assert_same(model.variables, loaded.variables)


@pytest.mark.parametrize("key", MODELS)
def test_a_model_that_was_never_compiled_saves_too(key, tmp_path):
    model = MODELS[key](image_size=SIZE)
    model.save(tmp_path / "model.keras")
    assert_same(model.variables, keras.saving.load_model(tmp_path / "model.keras").variables)


@over_zoo
def test_same_seed_gives_the_same_weights(specimen):
    def trained():
        keras.utils.set_random_seed(7)
        model = compiled(specimen)
        take_steps(model, 2)
        return model.variables

    assert_same(trained(), trained())


@over_zoo
def test_function_equals_eager(specimen):
    keras.utils.set_random_seed(1)
    eager = compiled(specimen, keras.optimizers.SGD(0.01))
    keras.utils.set_random_seed(1)
    graph = compiled(specimen, keras.optimizers.SGD(0.01))
    take_steps(eager, 2)
    take_steps(graph, 2, in_graph=True)
    assert_same(eager.trainable_variables, graph.trainable_variables, 1e-5)


@over_zoo
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains(specimen, policy):
    keras.config.set_dtype_policy(policy)
    model = compiled(specimen)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")
    for optimizer in (model.optimizer, getattr(model, "discriminator_optimizer", None)):
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer.dynamic_scale.assign(1024.0)  # where it comes to after some steps that are left out
    before = [weight.numpy() for weight in model.trainable_variables]
    logs = take_steps(model, 20 if "discriminator" in specimen.reports else 2)  # two players move each other slowly
    assert np.isfinite(logs[-1]["loss"])
    assert model(batch(), training=True)["reconstruction"].dtype == tf.float32
    changed = [np.any(old != new.numpy()) for old, new in zip(before, model.trainable_variables, strict=True)]
    assert all(changed)


@over_zoo
def test_one_replica_equals_two(specimen, two_devices):
    data = batch()

    def trained(strategy):
        keras.utils.set_random_seed(3)
        with strategy.scope():
            model = compiled(specimen, keras.optimizers.SGD(0.01))
        dataset = tf.data.Dataset.from_tensors(data).repeat(3)
        step = step_on(strategy, model)
        for rows in strategy.experimental_distribute_dataset(dataset):
            logs = step(rows)
        return model.variables, strategy.reduce("MEAN", logs["loss"], axis=None)

    one, loss_of_one = trained(tf.distribute.get_strategy())
    two, loss_of_two = trained(two_devices)
    assert_same(one, two, 1e-5)
    np.testing.assert_allclose(loss_of_one, loss_of_two, rtol=1e-5)


@over_zoo
def test_a_batch_in_parts_makes_the_mean_of_their_updates(specimen):
    """A step of gradient descent is linear in the gradient; every layer sees a part by itself."""
    halves = [{name: rows[:4] for name, rows in batch().items()}, {name: rows[4:] for name, rows in batch().items()}]

    def after_a_step(data, part=(0, 1), accumulation_steps=1):
        keras.utils.set_random_seed(3)
        model = specimen.make()
        model.compile(keras.optimizers.SGD(0.01), objective_of(specimen, model), accumulation_steps=accumulation_steps)
        with randomness.of_part(*part):
            logs = take_steps(model, 1, data)[0]
        return [variable.numpy() for variable in model.learned_variables], logs

    whole, logs = after_a_step(batch(), accumulation_steps=2)
    (first, first_logs), (second, second_logs) = (after_a_step(half, (part, 2)) for part, half in enumerate(halves))
    for together, one, other in zip(whole, first, second, strict=True):
        np.testing.assert_allclose(together, (one + other) / 2, rtol=0, atol=1e-6)
    assert any((one != other).any() for one, other in zip(first, second, strict=True))
    assert logs["loss"] == pytest.approx((first_logs["loss"] + second_logs["loss"]) / 2, rel=1e-5)


@pytest.mark.parametrize("specimen", [specimen for specimen in ZOO if specimen.form == "subpixel, free bits"], ids=str)
def test_parts_on_two_replicas_are_the_whole_on_one(specimen, two_devices):
    """Of a network whose layers see one example at a time."""

    def trained(strategy, accumulation_steps):
        keras.utils.set_random_seed(3)
        with strategy.scope():
            model = specimen.make()
            optimizer = keras.optimizers.SGD(0.01)
            model.compile(optimizer, objective_of(specimen, model), 1.0, accumulation_steps)
        step = step_on(strategy, model)
        for rows in strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensors(batch()).repeat(3)):
            step(rows)
        return model.variables

    assert_same(trained(tf.distribute.get_strategy(), 1), trained(two_devices, 2), 1e-5)


@over_zoo
def test_learns_eight_pictures_by_fit_of_keras(specimen):
    model = compiled(specimen, keras.optimizers.Adam(5e-3))
    before = squared_error(model)
    dataset = tf.data.Dataset.from_tensors(batch()).repeat(30)
    history = model.fit(x=dataset, epochs=specimen.epochs, verbose=0, shuffle=False)
    assert squared_error(model) < 0.5 * before
    assert history.history["loss"][1] != history.history["loss"][0]
    assert model.evaluate(x=dataset.take(2), verbose=0, return_dict=True)["loss"] > 0


@over_zoo
def test_every_term_is_reported(specimen):
    model = compiled(specimen)
    assert set(take_steps(model, 1)[0]) == {
        *("loss", "gradient_norm", "skipped_steps"),
        *factors_of(specimen, model),
        *specimen.reports,
    }


@pytest.mark.parametrize("key", MODELS)
@pytest.mark.parametrize("channels", [1, 3])
def test_gray_and_colour(key, channels):
    model = MODELS[key](image_size=SIZE, channels=channels)
    images = batch(2, channels)["image"]
    assert model.decode(model.encode(images)).shape == images.shape


BAD_ARGUMENTS = [
    ({"image_size": 7}, "image_size=7 must be a multiple of"),
    ({"channels": 2}, "channels=2 must be 1"),
    ({"latent_dim": 0}, "latent_dim=0"),
    ({"filters": ()}, "filters="),
    ({"upsampling": "magic"}, "upsampling='magic' must be one of"),
    ({"l2": -1.0}, "l2=-1.0 must be a number of at least 0"),
]


@pytest.mark.parametrize(
    ("key", "arguments", "message"),
    [
        (key, arguments, message)
        for key in MODELS
        for arguments, message in BAD_ARGUMENTS
        if arguments.keys() <= inspect.signature(MODELS[key]).parameters.keys()
    ],
)
def test_bad_arguments_are_named(key, arguments, message):
    with pytest.raises(ValueError, match=message):
        MODELS[key](**arguments)
