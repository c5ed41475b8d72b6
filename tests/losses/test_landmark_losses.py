"""Errors that know where the parts of the face are, by hand and against NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.losses import LandmarkConsistency, LandmarkWeightedError


@pytest.fixture
def landmarks():
    return np.random.default_rng(0).uniform(0, 1, (8, 5, 2)).astype(np.float32)


def batch_of(image, landmarks):
    return {"image": image, "landmarks": landmarks}


def expected_weights(landmarks, height, width, radius):
    """The formula with every pixel, example and landmark on an axis of its own."""
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    squared = (x - landmarks[..., None, None, 0]) ** 2 + (y[:, None] - landmarks[..., None, None, 1]) ** 2
    return np.minimum(1, np.exp(-squared / (2 * radius**2)).sum(axis=1))  # [B, H, W]


@pytest.mark.parametrize("radius", [0.03, 0.06, 0.5])
def test_weights_are_the_formula(landmarks, radius):
    weights = LandmarkWeightedError(radius=radius).weight_map(landmarks, 12, 20)
    assert weights.shape == (8, 12, 20)
    np.testing.assert_allclose(weights, expected_weights(landmarks, 12, 20, radius), rtol=1e-4, atol=1e-6)


def test_a_weight_is_one_on_a_landmark_and_falls_as_a_gaussian():
    on_a_centre = np.float32([[[2.5 / 10, 7.5 / 10]]])
    weights = LandmarkWeightedError(radius=0.1).weight_map(on_a_centre, 10, 10)[0].numpy()
    np.testing.assert_allclose(weights[7, 2:5], np.exp([0, -0.5, -2.0]), rtol=1e-5)
    np.testing.assert_allclose(weights[6, 3], np.exp(-1.0), rtol=1e-5)
    crowd = np.repeat(on_a_centre, 9, axis=1)
    assert LandmarkWeightedError(radius=0.1).weight_map(crowd, 10, 10).numpy().max() == 1.0


@pytest.mark.parametrize("channels", [1, 3])
def test_the_value_is_the_weighted_mean_of_absolute_differences(pictures, landmarks, channels):
    target, reconstruction = pictures[..., :channels], pictures[::-1, ..., :channels]
    weights = expected_weights(landmarks, 32, 32, 0.06)
    error = np.abs(target - reconstruction).sum(axis=-1)
    expected = (weights * error).sum(axis=(1, 2)) / (channels * weights.sum(axis=(1, 2)))
    values = LandmarkWeightedError()(batch_of(target, landmarks), {"reconstruction": reconstruction})
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_the_same_error_everywhere_is_itself_however_many_landmarks(pictures, landmarks):
    for count in (1, 5):
        values = LandmarkWeightedError()(batch_of(pictures, landmarks[:, :count]), {"reconstruction": pictures + 0.25})
        np.testing.assert_allclose(values, np.full(8, 0.25), rtol=1e-5)


def test_x_points_right_and_y_down():
    top_right = np.zeros((1, 20, 20, 1), np.float32)
    top_right[:, :10, 10:] = 1
    batch = batch_of(np.zeros_like(top_right), np.float32([[[0.75, 0.25]]]))
    term = LandmarkWeightedError()
    assert term(batch, {"reconstruction": top_right}) > 0.99
    for elsewhere in (top_right[:, ::-1], top_right[:, :, ::-1]):
        assert term(batch, {"reconstruction": elsewhere}) < 0.01


def test_only_the_chosen_rows_count(pictures, landmarks):
    outputs = {"reconstruction": pictures[::-1]}
    chosen = LandmarkWeightedError(rows=[3, 1])(batch_of(pictures, landmarks), outputs)
    expected = LandmarkWeightedError()(batch_of(pictures, landmarks[:, [1, 3]]), outputs)
    np.testing.assert_allclose(chosen, expected, rtol=1e-5)
    assert np.abs(chosen - LandmarkWeightedError()(batch_of(pictures, landmarks), outputs)).max() > 1e-3


def test_half_precision_is_summed_in_float32(pictures, landmarks):
    half = tf.cast(pictures[::-1], tf.float16)
    term, batch = LandmarkWeightedError(), batch_of(pictures, landmarks)
    values = term(batch, {"reconstruction": half})
    assert values.dtype == tf.float32
    np.testing.assert_array_equal(values, term(batch, {"reconstruction": tf.cast(half, tf.float32)}))


def test_landmarks_far_outside_leave_nothing_to_weigh(pictures, landmarks):
    reconstruction = tf.constant(pictures[::-1])
    with tf.GradientTape() as tape:
        tape.watch(reconstruction)
        values = LandmarkWeightedError()(batch_of(pictures, landmarks + 50), {"reconstruction": reconstruction})
    np.testing.assert_array_equal(values, np.zeros(8))
    np.testing.assert_array_equal(tape.gradient(values, reconstruction), np.zeros_like(pictures))


def test_a_batch_without_landmarks_is_refused_while_tracing():
    signature = tf.TensorSpec((None, 8, 8, 3))
    with pytest.raises(ValueError, match="landmark needs a data set with landmarks"):
        tf.function(
            lambda images: LandmarkWeightedError()({"image": images}, {"reconstruction": images}), autograph=False
        ).get_concrete_function(signature)


def test_rows_that_the_data_set_does_not_have_are_refused(pictures, landmarks):
    with pytest.raises(ValueError, match="landmark row 5 asked for, but the data set has 5"):
        LandmarkWeightedError(rows=[0, 5])(batch_of(pictures, landmarks), {"reconstruction": pictures})


@pytest.mark.parametrize("rows", [[], [-1, 2]])
def test_rows_are_numbers_from_zero(rows):
    with pytest.raises(ValueError, match="rows must be numbers of landmarks from 0, at least one"):
        LandmarkWeightedError(rows=rows)


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan"), float("inf")])
def test_the_radius_is_a_finite_number_above_zero(radius):
    with pytest.raises(ValueError, match="radius must be a finite number above 0"):
        LandmarkWeightedError(radius=radius)


# Consistency.


def reader():
    """Two landmarks that are mean colours: (red, green) and (green, blue), each plus 0 or an offset that cancels."""
    images = keras.Input((None, None, 3))
    colours = keras.layers.GlobalAveragePooling2D()(images)
    read = keras.layers.Dense(4, use_bias=False, name="read")
    network = keras.Model(images, keras.layers.Reshape((2, 2))(read(colours)))
    read.set_weights([np.float32([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]])])
    network.trainable = False
    return network


def test_consistency_is_the_mean_squared_distance_in_percent_of_the_width(pictures):
    term = LandmarkConsistency(reader())
    # Red up by 0.01: the first landmark moves by 1 % of the width, the second stays.
    values = term({"image": pictures}, {"reconstruction": pictures + np.float32([0.01, 0, 0])})
    np.testing.assert_allclose(values, np.full(8, 0.5), rtol=1e-2)
    # Red by 0.3 and green by 0.4: distances 0.5 and 0.4.
    values = term({"image": pictures}, {"reconstruction": pictures + np.float32([0.3, 0.4, 0])})
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, np.full(8, 1e4 * (0.25 + 0.16) / 2), rtol=1e-4)


def test_consistency_is_zero_for_equal_pictures_and_per_example(pictures):
    reconstruction = pictures.copy()
    reconstruction[3] += 0.1
    values = LandmarkConsistency(reader())({"image": pictures}, {"reconstruction": reconstruction}).numpy()
    assert values[3] > 100
    np.testing.assert_allclose(np.delete(values, 3), np.zeros(7), atol=1e-6)


def test_consistency_moves_the_reconstruction_and_neither_target_nor_network(pictures):
    target, reconstruction = tf.constant(pictures), tf.constant(pictures + np.float32([0.1, 0, 0]))
    network = reader()
    with tf.GradientTape() as tape:
        tape.watch([target, reconstruction])
        values = LandmarkConsistency(network)({"image": target}, {"reconstruction": reconstruction})
    to_target, to_reconstruction = tape.gradient(values, [target, reconstruction])
    assert to_target is None
    # 1e4 (mean red difference)^2 / 2: its derivative by each of 1024 red pixels.
    np.testing.assert_allclose(to_reconstruction[..., 0], np.full((8, 32, 32), 1e4 * 0.1 / 1024), rtol=1e-3)
    np.testing.assert_allclose(to_reconstruction[..., 1:], np.zeros((8, 32, 32, 2)), atol=1e-5)
    assert network.trainable_weights == []


def test_a_model_that_holds_the_term_does_not_hold_its_network():
    class Holder(keras.Model):
        def __init__(self, term):
            super().__init__()
            self.term = term

    holder = Holder(LandmarkConsistency(reader()))
    assert (holder.weights, holder.layers) == ([], [])
