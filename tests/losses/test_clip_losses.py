"""What clips are compared by, against what it comes to by hand."""

import numpy as np
import tensorflow as tf
from facezoo.losses import DSSIM, ClipKLDivergence, KLDivergence, OfFrames, SquaredError, TemporalError, vae_kl_loss

CLIPS = np.random.default_rng(0).uniform(size=(2, 3, 16, 16, 3)).astype(np.float32)
MADE = np.random.default_rng(1).uniform(size=(2, 3, 16, 16, 3)).astype(np.float32)
BATCH = {"image": CLIPS[:, 1], "clip": tf.constant(CLIPS)}
OUTPUTS = {"reconstruction": MADE[:, 1], "clip_reconstruction": tf.constant(MADE)}


def test_a_term_of_frames_is_the_mean_of_each_clip_s():
    np.testing.assert_allclose(
        OfFrames(SquaredError())(BATCH, OUTPUTS), np.mean((MADE - CLIPS) ** 2, axis=(1, 2, 3, 4)), rtol=1e-5
    )
    each = [
        [
            float(DSSIM()({"image": frame[None]}, {"reconstruction": made[None]})[0])
            for frame, made in zip(*clip, strict=True)
        ]
        for clip in zip(CLIPS, MADE, strict=True)
    ]
    np.testing.assert_allclose(OfFrames(DSSIM())(BATCH, OUTPUTS), np.mean(each, axis=1), rtol=1e-5)


def test_of_pictures_alone_it_is_the_term_itself():
    pictures = {"image": CLIPS[:, 1]}
    np.testing.assert_array_equal(OfFrames(SquaredError())(pictures, OUTPUTS), SquaredError()(pictures, OUTPUTS))


def test_an_error_that_stays_costs_nothing_and_one_that_comes_and_goes_is_flicker():
    same = {"clip_reconstruction": tf.constant(CLIPS + 0.25)}
    np.testing.assert_allclose(TemporalError()(BATCH, same), [0.0, 0.0], atol=1e-12)
    signs = np.array([1.0, -1.0, 1.0], np.float32)[:, None, None, None]
    flickers = {"clip_reconstruction": tf.constant(CLIPS + 0.25 * signs)}
    np.testing.assert_allclose(TemporalError()(BATCH, flickers), [0.25, 0.25], rtol=1e-5)


def test_a_picture_alone_does_not_flicker():
    np.testing.assert_array_equal(TemporalError()({"image": CLIPS[:, 1]}, OUTPUTS), [0.0, 0.0])
    still = {"image": CLIPS[:, 1], "clip": tf.constant(CLIPS[:, 1:2])}
    np.testing.assert_array_equal(TemporalError()(still, {}), [0.0, 0.0])


def test_what_is_one_for_a_clip_is_paid_by_all_of_its_frames():
    numbers = np.random.default_rng(2)
    mean, log_var = (numbers.normal(size=(2, 3, 5)).astype(np.float32) for _ in range(2))
    mean[..., :2], log_var[..., :2] = mean[:, :1, :2], log_var[:, :1, :2]
    slow = vae_kl_loss(mean[:, 0, :2], log_var[:, 0, :2])
    fast = np.mean([vae_kl_loss(mean[:, frame, 2:], log_var[:, frame, 2:]) for frame in range(3)], axis=0)
    term = ClipKLDivergence(2)
    told = {"clip_mean": tf.constant(mean), "clip_log_var": tf.constant(log_var)}
    np.testing.assert_allclose(term({}, told), slow / 3 + fast, rtol=1e-5)
    alone = {"mean": mean[:, 0], "log_var": log_var[:, 0]}
    np.testing.assert_array_equal(term({}, alone), KLDivergence()({}, alone))


def test_free_bits_of_what_is_one_for_a_clip_are_given_once():
    nothing = tf.zeros((2, 4, 5))  # a code that says nothing: every dimension counts its floor
    told = {"clip_mean": nothing, "clip_log_var": nothing, "free_bits": tf.constant(0.5)}
    np.testing.assert_allclose(ClipKLDivergence(2)({}, told), [0.5 * (2 / 4 + 3)] * 2, rtol=1e-6)
    alone = {"mean": nothing[:, 0], "log_var": nothing[:, 0], "free_bits": tf.constant(0.5)}
    np.testing.assert_allclose(ClipKLDivergence(2)({}, alone), [0.5 * 5] * 2, rtol=1e-6)
