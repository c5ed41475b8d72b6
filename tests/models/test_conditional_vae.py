"""The conditional VAE: what attributes do to codes and pictures."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.models import VAE, ConditionalVAE, randomness


def tiny(**arguments):
    return ConditionalVAE(**{"image_size": 8, "latent_dim": 3, "filters": (8,)} | arguments)


def images_of(model, count=4):
    shape = (count, model.image_size, model.image_size, model.channels)
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


def some_attributes(count=4):
    return np.random.default_rng(1).integers(0, 2, (count, 2)).astype(np.float32)


def test_it_takes_what_a_vae_takes():
    own, parents = inspect.signature(ConditionalVAE).parameters, inspect.signature(VAE).parameters
    assert {name: one.default for name, one in own.items()} == {
        "attributes": ("smiling", "eyeglasses"),
        "attribute_dropout": 0.1,
        **{name: one.default for name, one in parents.items()},
    }
    assert tiny(free_bits=0.5).get_config()["free_bits"] == 0.5
    with pytest.raises(TypeError, match="unexpected keyword argument 'latent_dims'"):
        tiny(latent_dims=3)


def test_attributes_change_code_and_picture():
    model = tiny()
    images, attributes = images_of(model), some_attributes()
    codes = model.encode(images)
    assert np.abs(model.encode(images, attributes) - codes).max(axis=1).min() > 0
    for column in range(2):
        other = attributes.copy()
        other[:, column] = 1 - other[:, column]
        changes = np.abs(model.decode(codes, attributes) - model.decode(codes, other))
        assert changes.max(axis=(1, 2, 3)).min() > 0


def test_none_is_unknown_which_is_half():
    model = tiny()
    images, unknown = images_of(model), np.full((4, 2), 0.5, np.float32)
    codes = model.encode(images)
    np.testing.assert_array_equal(codes, model.encode(images, unknown))
    np.testing.assert_array_equal(model.decode(codes), model.decode(codes, unknown))
    without = model({"image": images}, training=False)
    np.testing.assert_array_equal(without["z"], codes)
    told = model({"image": images, "attributes": unknown}, training=False)
    np.testing.assert_array_equal(without["reconstruction"], told["reconstruction"])


def test_attributes_enter_signed():
    model = tiny(attributes=("smiling",))
    images = images_of(model, 1)
    no, unknown, yes = (model.encode(images, [[value]]).numpy() for value in (0.0, 0.5, 1.0))
    kernel = model.encoder.mu.kernel.numpy()[-1]  # attributes stand behind the pictures' features
    np.testing.assert_allclose(yes - unknown, kernel[None], atol=1e-5)
    np.testing.assert_allclose(unknown - no, kernel[None], atol=1e-5)


def test_evaluation_uses_the_batch_s_attributes():
    model = tiny(attribute_dropout=0.9)
    images, attributes = images_of(model), some_attributes()
    outputs = model({"image": images, "attributes": attributes}, training=False)
    np.testing.assert_array_equal(outputs["mean"], model.encode(images, attributes))
    np.testing.assert_array_equal(outputs["reconstruction"], model.decode(outputs["z"], attributes))


def test_training_drops_whole_rows_in_their_share():
    model = tiny(attribute_dropout=0.25)
    kept = np.abs(model._drop(tf.ones((4000, 2))).numpy())
    np.testing.assert_array_equal(kept[:, 0], kept[:, 1])
    assert set(np.unique(kept)) == {0.0, 1.0}
    assert abs((kept == 0).mean() - 0.25) < 0.03
    assert (tiny(attribute_dropout=0.0)._drop(tf.ones((100, 2))).numpy() == 1).all()


def test_what_is_dropped_is_dropped_for_encoder_and_decoder_alike():
    # An example whose attributes are dropped is the one without, to the last bit; the others are not.
    model = tiny(attribute_dropout=0.5, batch_norm=False)
    images = np.repeat(images_of(model, 1), 16, axis=0)
    told, untold = {"image": images, "attributes": np.ones((16, 2), np.float32)}, {"image": images}
    with randomness.at_step(3):
        first, second = (model(batch, training=True) for batch in (told, untold))
    same = np.all(first["mean"].numpy() == second["mean"].numpy(), axis=1)
    assert 2 <= same.sum() <= 14
    pictures = np.all(first["reconstruction"].numpy() == second["reconstruction"].numpy(), axis=(1, 2, 3))
    np.testing.assert_array_equal(pictures, same)


def test_each_step_drops_others():
    model, signed = tiny(attribute_dropout=0.5), tf.ones((64, 2))
    rows = []
    for step in (0, 0, 1):
        with randomness.at_step(step):
            rows.append(model._drop(signed).numpy())
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[0] != rows[2]).any()


def test_the_picture_follows_the_attribute_after_training():
    # What the attribute says is the brightness; the rest of the picture is one wave that the code must hold.
    bright = np.tile([0.0, 1.0], 8).astype(np.float32)
    x = np.linspace(0, 6, 8)[None, :, None, None] + np.arange(16)[:, None, None, None] // 2
    images = (0.3 + 0.4 * bright[:, None, None, None] + 0.2 * np.sin(x)) * np.ones((16, 8, 8, 3))
    batch = {"image": tf.constant(images, tf.float32), "attributes": tf.constant(bright[:, None])}
    model = tiny(attributes=("bright",), attribute_dropout=0.5, batch_norm=False)
    model.compile(keras.optimizers.Adam(0.01))
    step = tf.function(model.train_step)
    for _ in range(300):
        step(batch)
    codes = model.encode(batch["image"], batch["attributes"])
    dark, light = (model.decode(codes, np.full((16, 1), value, np.float32)) for value in (0.0, 1.0))
    assert tf.reduce_mean(light - dark) > 0.2
    without = model.decode(model.encode(batch["image"]))
    assert tf.reduce_mean(tf.square(without - batch["image"])) < 0.02  # of a variance of 0.06


def test_one_attribute_in_a_graph_of_unknown_batch_size():
    model = tiny()
    encode = tf.function(model.encode, input_signature=[tf.TensorSpec((None, 8, 8, 3)), tf.TensorSpec((None, 2))])
    images, attributes = images_of(model), some_attributes()
    np.testing.assert_allclose(encode(images, attributes), model.encode(images, attributes), atol=1e-6)
    alone = tf.function(model.decode, input_signature=[tf.TensorSpec((None, 3))])
    codes = model.encode(images)
    np.testing.assert_allclose(alone(codes), model.decode(codes), atol=1e-6)


@pytest.mark.parametrize("attributes", [np.ones((4, 3)), np.ones((4, 1)), np.ones(4)])
def test_a_wrong_number_of_attributes_names_both(attributes):
    model = tiny()
    message = r"attributes of shape \(4.* must have 2 columns, as the model knows smiling, eyeglasses"
    with pytest.raises(ValueError, match=message):
        model.encode(images_of(model), attributes)
    with pytest.raises(ValueError, match=message):
        model({"image": images_of(model), "attributes": attributes}, training=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attributes": ()}, r"attributes=\(\) must be names"),
        ({"attributes": "smiling"}, "attributes='smiling' must be names with commas"),
        ({"attributes": ("smiling", "")}, "attributes="),
        ({"attributes": ("smiling", 3)}, "attributes="),
        ({"attributes": ("old", "old")}, "must name each attribute once"),
        ({"attribute_dropout": 1.0}, "attribute_dropout=1.0 must be at least 0 and below 1"),
    ],
)
def test_bad_attributes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConditionalVAE(**arguments)
