"""The norm of the gradients that a training step tells of."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.losses import Objective
from facezoo.models import ConvolutionalAutoencoder
from steps import step_on, take_steps


def model_of(clip_norm=None, optimizer=None):
    model = ConvolutionalAutoencoder(image_size=16, filters=(4,))
    model.compile(optimizer or keras.optimizers.SGD(0.01), clip_norm=clip_norm)
    return model


def norm_of(model, batch):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.objective.values(batch, model(batch, training=True))["loss"])
    gradients = tape.gradient(loss, model.trainable_variables)
    return np.sqrt(sum(float(tf.reduce_sum(tf.square(gradient))) for gradient in gradients))


@pytest.fixture
def faces(pictures):
    return {"image": pictures[:, ::2, ::2]}


@pytest.mark.parametrize("clip_norm", [None, 1e-4])
def test_it_is_of_the_gradients_before_they_are_clipped(faces, clip_norm):
    model = model_of(clip_norm)
    wanted = [norm_of(model, faces)]
    (told,) = take_steps(model, 1, faces)
    np.testing.assert_allclose(told["gradient_norm"], wanted[0], rtol=1e-5)
    wanted.append(norm_of(model, faces))
    (told,) = take_steps(model, 1, faces)
    np.testing.assert_allclose(told["gradient_norm"], np.mean(wanted), rtol=1e-5)
    model.reset_metrics()
    assert float(model.objective.gradient_norm.result()) == 0.0


def test_it_is_of_the_loss_as_it_was_before_it_was_scaled(faces):
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=1024.0)
    model = model_of(optimizer=scaled)
    wanted = norm_of(model, faces)
    np.testing.assert_allclose(take_steps(model, 1, faces)[0]["gradient_norm"], wanted, rtol=1e-5)


def test_a_step_whose_loss_scale_was_too_high_is_not_counted(faces):
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=1e38)
    model = model_of(optimizer=scaled)
    model.compile(scaled, Objective(model.loss_terms(), {"reconstruction": 1e6}))
    (told,) = take_steps(model, 1, faces)
    assert (told["gradient_norm"], told["skipped_steps"]) == (0.0, 0.0)


def test_two_replicas_tell_the_norm_of_both(faces, two_devices):
    alone = model_of()
    whole = norm_of(alone, faces)
    with two_devices.scope():
        model = model_of()
    model.set_weights(alone.get_weights())
    halves = two_devices.experimental_distribute_values_from_function(
        lambda context: tf.constant(faces["image"][context.replica_id_in_sync_group :: 2])
    )
    logs = step_on(two_devices, model)({"image": halves})
    told = [float(norm) for norm in two_devices.experimental_local_results(logs["gradient_norm"])]
    np.testing.assert_allclose(told, whole, rtol=1e-5)
