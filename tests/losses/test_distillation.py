"""What a small decoder learns from a large one."""

import numpy as np
import tensorflow as tf
from facezoo.losses import CodeError, TaughtError
from facezoo.losses.distillation import TAUGHT


def test_the_teacher_s_picture_is_what_is_compared_with_and_gets_no_gradient():
    codes, pictures = tf.constant([[0.5], [1.0]]), tf.zeros((2, 4, 4, 3))
    factor = tf.Variable(1.0)
    term = TaughtError(lambda codes: factor * codes[:, None, None] * tf.ones((2, 4, 4, 3)))
    with tf.GradientTape() as tape:
        errors = term({"image": pictures + 9.0}, {"z": codes, "reconstruction": pictures})
    np.testing.assert_allclose(errors, [0.25, 1.0])
    assert tape.gradient(errors, factor) is None
    kept = {TAUGHT: pictures + 3.0}
    np.testing.assert_allclose(term(kept, {"z": codes, "reconstruction": pictures}), [9.0, 9.0])


def test_the_code_of_the_reconstruction_is_held_against_the_code():
    term = CodeError(lambda pictures: tf.reduce_mean(pictures, axis=(1, 2)))
    outputs = {"z": tf.constant([[1.0, 2.0, 4.0]]), "reconstruction": tf.ones((1, 4, 4, 3))}
    np.testing.assert_allclose(term({}, outputs), [(0 + 1 + 9) / 3])
