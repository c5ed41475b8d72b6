"""Training steps, taken in the way that costs a test least: a graph is ten times as dear as a step of a small model."""

import tensorflow as tf
from zoo import batch

WORTH_A_GRAPH = 15


def take_steps(model, steps, data=None, in_graph=None):
    """Trains on one batch, in a graph if that is asked for or worth its tracing; returns each step's reports."""
    if in_graph is None:
        in_graph = steps >= WORTH_A_GRAPH
    step = tf.function(model.train_step) if in_graph else model.train_step
    data = {name: tf.constant(values) for name, values in (data or batch()).items()}
    return [{name: float(value) for name, value in step(data).items()} for _ in range(steps)]


def step_on(strategy, model):
    """Returns a function of the rows of all replicas: eager on one, on several in a graph as training takes it."""
    if strategy.num_replicas_in_sync == 1:
        return model.train_step
    return tf.function(lambda rows: strategy.run(model.train_step, args=(rows,)))
