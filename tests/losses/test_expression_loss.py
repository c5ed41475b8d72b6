"""The term that ties a code's first numbers to what a network reads in the picture."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.datasets.procedural import procedural_faces
from facezoo.losses import ExpressionCode, Objective
from facezoo.models import VAE, load_pretrained
from steps import step_on


def reader():
    """Reads the mean of red and that of blue."""
    images = keras.Input((None, None, 3))
    network = keras.Model(images, keras.ops.take(keras.layers.GlobalAveragePooling2D()(images), [0, 2], axis=-1))
    network.trainable = False
    return network


def coloured(red, blue):
    return np.full((2, 8, 8, 3), np.float32([red, 0.5, blue]))


def test_it_is_the_mean_squared_difference_of_readings_and_a_third_of_the_codes():
    codes = np.float32([[0.6, 1.5, 9.0], [1.2, 0.0, -9.0]])
    values = ExpressionCode(reader())({"image": coloured(0.2, 0.5)}, {"z": codes})
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, [0.0, (0.2**2 + 0.5**2) / 2], atol=1e-6)


def test_it_moves_the_codes_that_it_reads_and_no_picture():
    images, codes = tf.constant(coloured(0.2, 0.5)), tf.zeros((2, 3))
    with tf.GradientTape() as tape:
        tape.watch([images, codes])
        values = ExpressionCode(reader())({"image": images}, {"z": codes})
    to_images, to_codes = tape.gradient(values, [images, codes])
    assert to_images is None
    np.testing.assert_allclose(to_codes, [[-0.2 / 3, -0.5 / 3, 0.0]] * 2, rtol=1e-5)


@pytest.mark.parametrize("shape", [(2, 1), (2, 4, 4, 8)])
def test_codes_without_room_are_refused(shape):
    with pytest.raises(ValueError, match="at least 2 numbers"):
        ExpressionCode(reader())({"image": coloured(0.2, 0.5)}, {"z": np.zeros(shape, np.float32)})


def test_one_replica_equals_two(two_devices):
    """With the network that ships, made in the strategy's scope as training makes it."""
    examples = procedural_faces("test", image_size=32).load(np.arange(8))
    batch = {"image": examples["image"].astype(np.float32) / 255.0}

    def trained(strategy):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            model = VAE(image_size=32, filters=(4, 4), latent_dim=2, seed=1)
            term = ExpressionCode(load_pretrained("face_features").factor_network(["yaw", "smile"]))
            factors = {"reconstruction": 1.0, "expression": 1.0}
            model.compile(keras.optimizers.SGD(1e-2), Objective({**model.loss_terms(), "expression": term}, factors))
        step = step_on(strategy, model)
        for rows in strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensors(batch).repeat(2)):
            step(rows)
        return [variable.numpy() for variable in model.encoder.trainable_variables]

    one, two = trained(tf.distribute.get_strategy()), trained(two_devices)
    for first, second in zip(one, two, strict=True):
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-5)
