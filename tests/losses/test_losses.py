"""Loss terms against NumPy, closed forms and scikit-image; the objective that weighs them."""

import numpy as np
import pytest
import tensorflow as tf
from facezoo.losses import (
    DSSIM,
    AbsoluteError,
    DetailDivergence,
    DetailError,
    KLDivergence,
    MissingTerm,
    Objective,
    OfOutput,
    PerceptualLoss,
    SquaredError,
    TextureError,
    ssim,
    vae_kl_loss,
    vae_r_loss,
)
from scipy import ndimage
from skimage.metrics import structural_similarity


@pytest.fixture
def pair(pictures):
    """Pictures and noisy copies of them, each noisier than the one before."""
    noise = np.random.default_rng(1).normal(0, 0.1, pictures.shape) * np.linspace(0.1, 2, 8)[:, None, None, None]
    return pictures, np.clip(pictures + noise, 0, 1).astype(np.float32)


def posterior(mean, log_var):
    return {"mean": np.float32(mean), "log_var": np.float32(log_var)}


# Pixels.


def test_squared_error_is_the_mean_over_pixels(pair):
    target, reconstruction = pair
    values = SquaredError()({"image": target}, {"reconstruction": reconstruction})
    np.testing.assert_allclose(values, ((target - reconstruction) ** 2).mean(axis=(1, 2, 3)), rtol=1e-5)


def test_absolute_error_is_the_mean_over_pixels(pair):
    target, reconstruction = pair
    values = AbsoluteError()({"image": target}, {"reconstruction": reconstruction})
    np.testing.assert_allclose(values, np.abs(target - reconstruction).mean(axis=(1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize(("term", "power"), [(SquaredError(), 2), (AbsoluteError(), 1)])
def test_a_region_weight_weighs_each_pixel(pair, term, power):
    target, reconstruction = pair
    weight = np.random.default_rng(2).uniform(0, 3, (8, 32, 32, 1)).astype(np.float32)
    values = term({"image": target, "region_weight": weight}, {"reconstruction": reconstruction})
    expected = (np.abs(target - reconstruction) ** power * weight).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_pixels_outside_of_the_region_do_not_count(pair):
    target, reconstruction = pair
    weight = np.zeros((8, 32, 32, 1), np.float32)
    weight[:, :16] = 1
    spoiled = reconstruction.copy()
    spoiled[:, 16:] = 0
    batch = {"image": target, "region_weight": weight}
    np.testing.assert_array_equal(
        SquaredError()(batch, {"reconstruction": spoiled}), SquaredError()(batch, {"reconstruction": reconstruction})
    )


def test_half_precision_is_summed_in_float32(pair):
    target, reconstruction = pair
    half = tf.cast(reconstruction, tf.float16)
    values = SquaredError()({"image": target}, {"reconstruction": half})
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, ((target - half.numpy().astype(np.float32)) ** 2).mean((1, 2, 3)), rtol=1e-5)


def test_vae_r_loss_scales_by_its_factor(pair):
    target, reconstruction = pair
    expected = 1000 * ((target - reconstruction) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(vae_r_loss(target, reconstruction, r_loss_factor=1000), expected, rtol=1e-5)


# KL divergence.


@pytest.mark.parametrize(
    ("mean", "log_var", "nats"),
    [
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([2.0, 0.0], [0.0, 0.0], 2.0),  # mean^2 / 2
        ([0.0, 0.0], [np.log(4.0), 0.0], (4 - 1 - np.log(4)) / 2),
        ([1.0, -3.0], [np.log(0.25), np.log(9.0)], (1 + 0.25 - 1 - np.log(0.25)) / 2 + (9 + 9 - 1 - np.log(9)) / 2),
    ],
)
def test_kl_by_hand(mean, log_var, nats):
    np.testing.assert_allclose(vae_kl_loss([mean], [log_var]), [nats], rtol=1e-6, atol=1e-7)


def test_kl_is_the_mean_of_the_log_ratio_of_densities():
    mean, log_var = np.array([0.7, -1.1, 0.0]), np.array([-0.5, 0.3, 1.0])
    samples = mean + np.exp(log_var / 2) * np.random.default_rng(0).standard_normal((400_000, 3))
    log_posterior = -0.5 * (log_var + (samples - mean) ** 2 / np.exp(log_var))
    log_ratio = (log_posterior + 0.5 * samples**2).sum(axis=1)
    np.testing.assert_allclose(vae_kl_loss([mean], [log_var]), [log_ratio.mean()], atol=5 * log_ratio.std() / 400**1.5)


def test_kl_in_half_precision_does_not_overflow():
    assert np.isfinite(vae_kl_loss(tf.constant([[200.0]], tf.float16), tf.constant([[15.0]], tf.float16))).all()


def test_the_kl_term_is_vae_kl_loss():
    outputs = posterior([[1, -2], [0.5, 0]], [[0.1, 0.2], [-1, 1]])
    np.testing.assert_array_equal(KLDivergence()({}, outputs), vae_kl_loss(outputs["mean"], outputs["log_var"]))


def test_free_bits_floor_a_dimension_by_its_batch_mean():
    # By dimension, over the batch: 0.5 and 0 nats (mean 0.25, below 0.3); 2 and 0 nats (mean 1, above).
    outputs = posterior([[1, 2], [0, 0]], np.zeros((2, 2)))
    np.testing.assert_allclose(KLDivergence()({}, outputs | {"free_bits": 0.3}), [0.3 + 2, 0.3 + 0], rtol=1e-6)


def test_free_bits_leave_no_gradient_on_a_dimension_below_them():
    mean = tf.Variable([[0.1, 2.0], [0.2, 1.0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(KLDivergence()({}, {"mean": mean, "log_var": tf.zeros((2, 2)), "free_bits": 0.3}))
    np.testing.assert_allclose(tape.gradient(loss, mean), [[0, 2], [0, 1]], atol=1e-6)


def test_free_bits_average_over_the_global_batch(two_devices):
    outputs = posterior([[1, 2], [0, 0]], np.zeros((2, 2)))

    def term():
        row = tf.distribute.get_replica_context().replica_id_in_sync_group
        rows = {name: values[row][None] for name, values in tensors.items()}
        return KLDivergence()({}, rows | {"free_bits": 0.3})

    tensors = {name: tf.constant(values) for name, values in outputs.items()}
    shares = two_devices.experimental_local_results(tf.function(lambda: two_devices.run(term))())
    np.testing.assert_allclose(tf.concat(shares, 0), KLDivergence()({}, outputs | {"free_bits": 0.3}), rtol=1e-6)


def test_capacity_is_the_distance_from_the_target():
    outputs = posterior([[2, 0], [4, 0]], np.zeros((2, 2))) | {"capacity": np.float32([3, 3])}
    np.testing.assert_allclose(KLDivergence()({}, outputs), [3 - 2, 8 - 3], rtol=1e-6)


def test_details_diverge_by_all_their_numbers():
    maps = {"detail_mean": np.ones((2, 3, 3, 4), np.float32), "detail_log_var": np.zeros((2, 3, 3, 4), np.float32)}
    np.testing.assert_allclose(DetailDivergence()({}, maps), [18.0, 18.0])


def test_a_term_reads_another_output(pair):
    images, noisy = pair
    plain = PerceptualLoss(lambda pictures, training: [pictures, tf.square(pictures)], [0.5, 2.0])
    term, batch = OfOutput("shown", plain), {"image": images}
    expected = plain(batch, {"reconstruction": noisy})
    np.testing.assert_array_equal(term(batch, {"reconstruction": images, "shown": noisy}), expected)
    known = batch | term.target_columns(images)
    np.testing.assert_allclose(term(known, {"reconstruction": images, "shown": noisy}), expected, rtol=1e-6)


def test_texture_is_what_a_blur_lacks_wherever_it_lies():
    numbers = np.random.default_rng(0)
    strands, others = numbers.uniform(size=(2, 3, 64, 64, 3)).astype(np.float32)
    blurred = ndimage.gaussian_filter(strands, (0, 1, 1, 0))

    def measure(made):
        return TextureError()({"image": strands}, {"reconstruction": made}).numpy()

    assert measure(others).max() < 0.1 * measure(blurred).min()
    np.testing.assert_allclose(measure(strands + 0.1), 0.0, atol=1e-6)  # a flat change is none
    assert measure(2.0 * strands).min() > measure(blurred).min()  # nor is too much texture right
    with pytest.raises(ValueError, match="at least 5 pixels"):
        TextureError()({"image": strands[:, :4]}, {"reconstruction": strands[:, :4]})


# Structural similarity.


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_scikit_images(pair, channels):
    first, second = (pictures[..., :channels] for pictures in pair)
    expected = [
        structural_similarity(
            one,
            other,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=-1,
        )
        for one, other in zip(first, second, strict=True)
    ]
    assert min(expected) < 0.5 < max(expected)
    np.testing.assert_allclose(ssim(first, second), expected, atol=1e-4)


def test_ssim_is_the_same_with_windows_as_with_matrices(pair, monkeypatch):
    found = {}
    for gpus in ([], ["a"]):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind, gpus=gpus: gpus)
        made = tf.Variable(pair[1][:, :, :14])
        with tf.GradientTape() as tape:
            found[len(gpus)] = [ssim(pair[0][:, :, :14], made)]
        found[len(gpus)].append(tape.gradient(found[len(gpus)][0], made))
    for windows, matrices in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(windows, matrices, atol=1e-5)


def test_ssim_is_one_for_equal_pictures_and_symmetric(pair):
    np.testing.assert_array_equal(ssim(pair[0], pair[0]), np.ones(8))
    np.testing.assert_allclose(ssim(*pair), ssim(*reversed(pair)), atol=1e-6)


def test_ssim_of_opposites_is_negative_and_dssim_stays_in_range():
    stripes = np.tile(np.float32([[0], [1]]), (8, 16))[None, :, :, None]  # [1, 16, 16, 1]
    assert -1 <= ssim(stripes, 1 - stripes) < -0.9
    assert 0.95 < DSSIM()({"image": stripes}, {"reconstruction": 1 - stripes}) <= 1


def test_dssim_is_half_of_what_is_missing(pair):
    target, reconstruction = pair
    values = DSSIM()({"image": target}, {"reconstruction": reconstruction})
    np.testing.assert_allclose(values, (1 - ssim(target, reconstruction)) / 2, rtol=1e-6)


def test_ssim_needs_pictures_as_large_as_its_window():
    np.testing.assert_allclose(ssim(np.ones((1, 11, 11, 1)), np.ones((1, 11, 11, 1))), [1], rtol=1e-5)
    with pytest.raises(ValueError, match="at least 11 pixels, got 10x12"):
        ssim(np.ones((1, 10, 12, 1)), np.ones((1, 10, 12, 1)))


def test_detail_counts_where_the_picture_is_flat():
    draws = np.random.default_rng(0)
    flat = np.full((1, 32, 32, 3), 0.5, np.float32)
    textured = np.clip(flat + 0.2 * draws.standard_normal(flat.shape), 0, 1).astype(np.float32)
    grid = np.float32(2 / 255) * (-1.0) ** np.add.outer(np.arange(32), np.arange(32))[None, :, :, None]
    on_flat, on_textured = (
        DetailError()({"image": picture}, {"reconstruction": picture + grid})[0] for picture in (flat, textured)
    )
    assert 1.0 < on_flat < np.log1p(4) + 1e-3  # a blur takes all of a grid of single pixels away, but for edges
    assert on_textured < on_flat / 50


def test_detail_of_a_slope_and_of_another_brightness_is_none():
    slope = np.tile(np.linspace(0.2, 0.8, 48, dtype=np.float32)[:, None, None], (1, 48, 1))[None]
    inside = (slice(None), slice(8, -8), slice(8, -8))
    steeper = 0.5 * slope + 0.1
    np.testing.assert_allclose(
        DetailError()({"image": slope[inside]}, {"reconstruction": slope[inside] + 0.1}), [0], atol=1e-6
    )
    assert DetailError()({"image": slope}, {"reconstruction": steeper})[0] < 0.05
    with pytest.raises(ValueError, match="at least 4 pixels, got 3x8"):
        DetailError()({"image": slope[:, :3, :8]}, {"reconstruction": slope[:, :3, :8]})


def test_detail_is_what_a_blur_takes_away_mirrored_at_the_edges():
    numbers = np.random.default_rng(0).uniform(size=(1, 9, 14, 1)).astype("f")
    taps = np.convolve([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256.0

    def blur(line):
        return np.convolve(np.pad(line, 4, "symmetric"), taps, "valid")

    blurred = np.apply_along_axis(blur, 2, np.apply_along_axis(blur, 1, numbers))
    contrast = np.apply_along_axis(blur, 2, np.apply_along_axis(blur, 1, np.square(numbers - blurred))) + 255.0**-2
    flat = np.full_like(numbers, 0.5)  # which has no detail
    expected = np.log1p(np.square(numbers - blurred) / contrast).mean()
    np.testing.assert_allclose(DetailError()({"image": numbers}, {"reconstruction": flat}), [expected], rtol=1e-4)


# The objective.


def constant(value, count=4):
    return lambda batch, outputs: tf.fill([count], float(value))


def test_the_loss_is_the_weighted_sum_and_terms_are_reported_unweighted():
    objective = Objective({"one": constant(3), "other": constant(5)}, {"one": 2.0, "other": 0.5})
    values = objective.values({}, {})
    np.testing.assert_allclose(values["loss"], np.full(4, 2 * 3 + 0.5 * 5))
    assert float(objective.reduce(values["loss"])) == 8.5
    assert {name: float(value) for name, value in objective.track(values).items()} == {
        "loss": 8.5,
        "one": 3.0,
        "other": 5.0,
    }


def test_trackers_average_over_batches_until_they_are_reset():
    level = tf.Variable(1.0)
    objective = Objective({"term": lambda batch, outputs: tf.fill([4], level)}, {"term": 10.0})
    objective.track(objective.values({}, {}))
    level.assign(3.0)
    assert float(objective.track(objective.values({}, {}))["term"]) == 2.0
    for tracker in objective.trackers.values():
        tracker.reset_state()
    assert float(objective.track(objective.values({}, {}))["loss"]) == 30.0


def test_a_factor_of_zero_switches_its_term_off():
    def never(batch, outputs):
        raise AssertionError("a term that is off must not be computed")

    objective = Objective({"on": constant(1), "off": never}, {"on": 1, "off": 0})
    assert set(objective.values({}, {})) == set(objective.trackers) == {"loss", "on"}
    assert objective.factors == {"on": 1.0, "off": 0.0}


def test_a_term_without_a_factor_is_off():
    assert set(Objective({"on": constant(1), "spare": constant(9)}, {"on": 1}).trackers) == {"loss", "on"}


def test_shares_of_replicas_add_up_to_the_mean(two_devices):
    objective = Objective({"term": constant(6)}, {"term": 1.0})
    step = tf.function(lambda: two_devices.run(lambda: objective.reduce(tf.fill([4], 6.0))))
    shares = two_devices.experimental_local_results(step())
    assert [float(share) for share in shares] == [3.0, 3.0]


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"nope": 1.0}, "no loss term 'nope'; this model has one, other"),
        ({"one": -1.0}, "the factor of 'one' is -1.0; it must be a finite number >= 0"),
        ({"one": float("nan")}, "the factor of 'one' is nan"),
        ({"one": float("inf")}, "the factor of 'one' is inf"),
        ({"one": 0.0, "other": 0.0}, r"every loss factor is 0 \(one, other\)"),
        ({}, "none given"),
    ],
)
def test_bad_factors_are_named(factors, message):
    with pytest.raises(ValueError, match=message):
        Objective({"one": constant(1), "other": constant(2)}, factors)


def test_a_missing_term_says_what_to_do_once_it_is_needed():
    objective = Objective({"perceptual": MissingTerm("perceptual")}, {"perceptual": 1.0})
    with pytest.raises(ValueError, match=r"needs the term 'perceptual', .* compile it with"):
        objective.values({}, {})
