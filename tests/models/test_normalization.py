"""Fused batch normalisation against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.models.normalization import BatchNormalization


def passed(layer, images, training=True):
    """Outputs, gradient of a weighted sum, and the moving moments afterwards."""
    weights = np.random.default_rng(1).normal(size=images.shape).astype(np.float32)
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = tf.function(layer)(tf.cast(images, layer.compute_dtype), training=training)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * weights)
    gradients = tape.gradient(loss, [images, *layer.trainable_variables])
    return [outputs, *gradients, *layer.non_trainable_variables]


def pair(channels, **options):
    layers = [BatchNormalization(**options), keras.layers.BatchNormalization(**options)]
    for layer in layers:
        layer.build((None, 8, 8, channels))
        for weight in layer.trainable_variables:
            weight.assign(np.random.default_rng(2).uniform(0.5, 2.0, weight.shape))
    return layers


def images_of(channels):
    return np.random.default_rng(0).normal(1.0, 2.0, (6, 8, 8, channels)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("options", [{}, {"scale": False, "momentum": 0.9, "epsilon": 0.1}, {"center": False}])
@pytest.mark.parametrize("training", [True, False])
def test_it_is_keras_own_within_rounding(channels, options, training):
    ours, kerass = pair(channels, **options)
    for one, other in zip(*(passed(layer, images_of(channels), training) for layer in (ours, kerass)), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize("training", [True, False])
def test_its_output_can_be_scaled(channels, training):
    layers = [BatchNormalization(output_scale=scale) for scale in (1.0, 0.1)]
    whole, tenth = (layer(images_of(channels), training=training) for layer in layers)
    np.testing.assert_allclose(tenth, 0.1 * whole, atol=1e-6)
    np.testing.assert_array_equal(layers[0].moving_variance, layers[1].moving_variance)
    assert BatchNormalization.from_config(layers[1].get_config()).output_scale == 0.1


def test_pictures_of_any_width_are_normalised():
    layer = BatchNormalization()
    layer.build((None, None, None, 3))
    anywhere = tf.function(lambda x: layer(x, training=True), input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(anywhere(images_of(3)), BatchNormalization()(images_of(3), training=True), atol=1e-5)


@pytest.mark.parametrize("channels", [3, 16])
def test_half_precision_is_near_float32(channels):
    exact = passed(pair(channels)[1], images_of(channels))
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = passed(pair(channels)[0], images_of(channels))
    assert half[0].dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(half[0], tf.float32), exact[0], atol=0.06)
    np.testing.assert_allclose(half[-1], exact[-1], rtol=0.01)


def test_two_replicas_share_their_moments(two_devices):
    images = images_of(4)
    with two_devices.scope():
        layer = BatchNormalization(output_scale=0.1)
        layer.build((None, 8, 8, 4))
    batches = two_devices.experimental_distribute_dataset(tf.data.Dataset.from_tensors(images))
    step = tf.function(lambda rows: two_devices.run(lambda rows: layer(rows, training=True), args=(rows,)))
    shares = two_devices.experimental_local_results(step(next(iter(batches))))
    alone = BatchNormalization(output_scale=0.1)
    np.testing.assert_allclose(np.concatenate(shares), alone(images, training=True), atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), alone.moving_variance, rtol=1e-5)


def test_a_frozen_layer_does_not_move():
    layer = pair(4)[0]
    layer.trainable = False
    layer(images_of(4), training=True)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(4))


def test_dense_features_are_normalised_too():
    ours, kerass = (
        layer(images_of(4)[:, 0, 0], training=True)
        for layer in (BatchNormalization(), keras.layers.BatchNormalization())
    )
    np.testing.assert_allclose(ours, kerass, atol=1e-6)
