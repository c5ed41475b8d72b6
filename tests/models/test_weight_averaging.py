"""The running mean of the weights that --ema keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.experiments.flags import parsing
from facezoo.experiments.runs.model_files import load_model
from facezoo.experiments.training import arguments
from facezoo.experiments.training.setup import Session
from facezoo.models import VAE
from steps import step_on

FLAGS = (
    *("--model=vae", "--image_size=32", "--set=filters=4,4", "--latent_dim=4", "--batch_size=4", "--optimizer=sgd"),
    *("--steps_per_epoch=3", "--validation_steps=1", "--epochs=1", "--save_every=1", "--keep_checkpoints=9"),
)


def weights_of(path):
    return [variable.numpy() for variable in load_model(path).trainable_variables]


def test_a_run_s_model_has_the_mean_and_its_checkpoints_the_weights(train):
    folder = train("run", *FLAGS, "--ema=0.25")
    first, second, third = (weights_of(folder / "checkpoints" / f"{step:09d}" / "model.keras") for step in (1, 2, 3))
    kept = weights_of(folder / "model.keras")
    for mean, *steps in zip(kept, first, second, third, strict=True):
        expected = 0.25 * (0.25 * steps[0] + 0.75 * steps[1]) + 0.75 * steps[2]
        np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-7)
    assert any(np.any(mean != last) for mean, last in zip(kept, third, strict=True))
    for mean, best in zip(kept, weights_of(folder / "checkpoints" / "best" / "model.keras"), strict=True):
        np.testing.assert_array_equal(mean, best)
    without = weights_of(train("without", *FLAGS) / "model.keras")
    for one, other in zip(third, without, strict=True):  # training itself is the same
        np.testing.assert_array_equal(one, other)


def test_before_the_first_update_there_is_no_mean():
    values = parsing.parse_training([*FLAGS, "--ema=0.25"])
    session = Session(values, *arguments.open_sources(values))
    before = [variable.numpy() for variable in session.model.trainable_variables]
    with session.average_weights():
        for variable, value in zip(session.model.trainable_variables, before, strict=True):
            np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_one_replica_equals_two(two_devices, pictures, policy):
    def mean_under(strategy):
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(policy)
        with strategy.scope():
            model = VAE(image_size=32, filters=(4, 4), latent_dim=2)
            optimizer = keras.optimizers.SGD(1e-3, use_ema=True, ema_momentum=0.5)
            if policy == "mixed_float16":
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1.0)
            model.compile(optimizer)
        data = tf.data.Dataset.from_tensors({"image": pictures}).repeat(3)
        step = step_on(strategy, model)
        for batch in strategy.experimental_distribute_dataset(data):
            step(batch)
        assert model.optimizer.iterations.numpy() == 3
        model.optimizer.finalize_variable_values(model.trainable_variables)
        return [variable.numpy() for variable in model.trainable_variables]

    bound = 1e-5 if policy == "float32" else 1e-2
    for one, two in zip(mean_under(tf.distribute.get_strategy()), mean_under(two_devices), strict=True):
        np.testing.assert_allclose(one, two, atol=bound)
