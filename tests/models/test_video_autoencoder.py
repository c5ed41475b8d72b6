"""A VAE of clips: a slow code that is one for all frames, fast ones, and what time tells."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.models import VAE, ConvolutionalAutoencoder, VideoAutoencoder
from facezoo.models.batches import choose_targets
from facezoo.models.video_autoencoder import SmoothFrames, find_slow_directions
from steps import take_steps
from zoo import SIZE, adversarial, batch

CLIPS = np.random.default_rng(0).uniform(size=(2, 5, SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    made = VideoAutoencoder(image_size=SIZE, filters=(8, 8), latent_dim=6, slow_dim=4)
    teach(made)
    return made


def teach(model):
    """Gives what frames add to those beside them, which begins as nothing, some weights."""
    *_, last = (layer for layer in model.temporal.layers if isinstance(layer, keras.layers.Conv1D))
    last.kernel.assign(np.random.default_rng(0).normal(0.0, 0.1, last.kernel.shape))


def test_the_slow_code_is_one_for_a_clip_and_the_mean_of_its_frames(model):
    codes = np.asarray(model.encode(CLIPS))
    assert codes.shape == (2, 5, 6)
    np.testing.assert_array_equal(codes[:, :, :4], np.repeat(codes[:, :1, :4], 5, axis=1))
    each = np.stack([np.asarray(model.encode(CLIPS[:, frame])) for frame in range(5)], axis=1)
    np.testing.assert_allclose(codes[:, 0, :4], each[:, :, :4].mean(axis=1), atol=1e-5)
    assert (np.ptp(codes[:, :, 4:], axis=1) > 0).all()


def test_fast_codes_are_told_by_the_frames_beside_them(model):
    changed = CLIPS.copy()
    changed[:, 0] = 1.0 - changed[:, 0]
    before, after = (np.asarray(model.encode(clips))[:, :, 4:] for clips in (CLIPS, changed))
    moved = np.abs(after - before).max(axis=(0, 2))
    assert (moved[:3] > 0).all()  # two convolutions of three frames see two frames away, and smoothing one
    np.testing.assert_allclose(moved[3:], 0.0, atol=1e-6)


def test_a_clip_that_stands_still_is_its_picture(model):
    still = np.repeat(CLIPS[:, :1], 4, axis=1)
    codes, alone = np.asarray(model.encode(still)), np.asarray(model.encode(CLIPS[:, 0]))
    np.testing.assert_allclose(codes, np.repeat(alone[:, None], 4, axis=1), atol=1e-5)
    np.testing.assert_allclose(model.decode(codes)[:, 2], model.decode(alone), atol=1e-5)


def test_codes_come_apart_and_together(model):
    codes = model.encode(CLIPS)
    slow, fast = model.split_codes(codes)
    assert (slow.shape, fast.shape) == ((2, 4), (2, 5, 2))
    np.testing.assert_allclose(model.join_codes(slow, fast), codes, atol=1e-6)
    other = model.decode(model.join_codes(slow[::-1], fast))  # somebody else moves alike
    assert other.shape == CLIPS.shape
    assert other.numpy().min() >= 0 and other.numpy().max() <= 1


def test_pictures_alone_are_told_as_the_frame_in_the_middle(model):
    outputs = model({"image": CLIPS[:, 2], "clip": CLIPS})
    for whole, middle in (("clip_reconstruction", "reconstruction"), ("clip_mean", "mean"), ("clip_mean", "z")):
        np.testing.assert_array_equal(outputs[whole][:, 2], outputs[middle])
    np.testing.assert_allclose(model.decode(model.encode(CLIPS)), outputs["clip_reconstruction"], atol=1e-5)
    assert not [name for name in model(CLIPS[:, 2]) if name.startswith("clip")]


def test_plain_clips_are_taken_as_plain_pictures_are(model):
    whole = np.rint(255 * CLIPS).astype(np.uint8)
    np.testing.assert_allclose(model(whole)["reconstruction"], model({"clip": whole})["reconstruction"], atol=1e-6)
    learner = VideoAutoencoder(image_size=SIZE, filters=(8, 8), latent_dim=4)
    learner.compile("adam")
    history = learner.fit(whole, batch_size=2, verbose=0).history
    assert history["temporal"][0] > 0
    assert learner.predict(whole, verbose=0)["clip_reconstruction"].shape == CLIPS.shape


def test_clips_may_be_compared_with_others(model):
    batch = model.read_batch((1.0 - CLIPS, CLIPS))
    np.testing.assert_array_equal(batch["clip"], 1.0 - CLIPS)
    aims = choose_targets(batch)
    np.testing.assert_array_equal(aims["clip"], CLIPS)
    np.testing.assert_array_equal(aims["image"], CLIPS[:, 2])
    for wrong in (CLIPS[:, 2], CLIPS[:, :4]):  # neither a picture for all frames, nor fewer frames
        with pytest.raises(ValueError, match="y must be clips of the shape"):
            model.read_batch((CLIPS, wrong))
    assert set(choose_targets(model.read_batch((CLIPS, {"more": CLIPS[:, 0]})))) == {"image", "clip", "more"}


def test_noise_of_codes_is_one_for_all_frames_of_a_clip(model):
    noise = np.asarray(model._epsilon(tf.zeros((2, 5, 6))))
    np.testing.assert_array_equal(noise, np.repeat(noise[:, :1], 5, axis=1))
    assert (noise[0] != noise[1]).all()


def test_the_network_of_codes_is_what_encodes_a_picture(model):
    np.testing.assert_allclose(model.code_network()(CLIPS[:, 0]), model.encode(CLIPS[:, 0]), atol=1e-5)


def test_it_begins_from_a_vae_of_frames_with_what_is_slow_first():
    keras.utils.set_random_seed(1)
    tiny = {"image_size": SIZE, "filters": (8, 8), "latent_dim": 6, "upsampling": "nearest"}
    frames, model = VAE(**tiny), VideoAutoencoder(**tiny, slow_dim=2, seed=3)
    numbers = np.random.default_rng(2)
    stays, moves = numbers.uniform(size=(40, 1, 1, 1, 3)), numbers.uniform(size=(40, 5, SIZE, SIZE, 3))
    clips = (0.7 * stays + 0.3 * moves).astype(np.float32)
    assert model.begin_from(frames, lambda count: {"clip": clips[:count], "image": clips[:count, 2]})
    # Every picture by itself is made as before, since the temporal convolutions hardly say anything yet.
    np.testing.assert_allclose(
        model.decode(model.encode(clips[:, 2])), frames.decode(frames.encode(clips[:, 2])), atol=1e-3
    )
    means, precisions = model._tell_frames(clips)
    every = means.reshape(-1, 6)
    np.testing.assert_allclose(np.cov(every.T, bias=True), np.eye(6), atol=1e-2)
    shares = means.mean(axis=1).var(axis=0) / every.var(axis=0)
    assert (np.diff(shares) < 1e-3).all() and shares[0] > 0.9 > shares[-1]
    _, log_vars = frames.encoder(clips.reshape(-1, *clips.shape[2:]))
    kernel, _ = frames.encoder.mu.get_weights()
    turn = np.linalg.lstsq(kernel, model.encoder.mu.get_weights()[0], rcond=None)[0]
    back = np.linalg.inv(turn)
    expected = np.diag(back @ np.diag(np.exp(-np.asarray(log_vars)).mean(axis=0)) @ back.T)
    np.testing.assert_allclose(precisions, expected, rtol=1e-3)


def test_a_decoder_that_reads_the_code_in_several_places_is_turned_in_all_of_them():
    tiny = {"image_size": 32, "filters": (8, 8), "latent_dim": 6, "decoder_width": 8, "decoder_depth": 1}
    frames, model = VAE(**tiny), VideoAutoencoder(**tiny, slow_dim=2, seed=3)
    for layer in frames.decoder.layers:
        if layer.name.endswith("_scales"):
            layer.set_weights([keras.random.normal(weight.shape, seed=4) for weight in layer.get_weights()])
    clips = np.random.default_rng(2).uniform(size=(20, 5, 32, 32, 3)).astype(np.float32)
    assert model.begin_from(frames, lambda count: {"clip": clips[:count], "image": clips[:count, 2]})
    made, wanted = model.decode(model.encode(clips[:, 2])), frames.decode(frames.encode(clips[:, 2]))
    assert np.ptp(wanted, axis=0).max() > 0.03
    np.testing.assert_allclose(made, wanted, atol=0.003)


def test_it_begins_from_no_other_model(model):
    assert not model.begin_from(VAE(image_size=SIZE, filters=(8, 8), latent_dim=5), dict)
    assert not model.begin_from(ConvolutionalAutoencoder(image_size=SIZE, filters=(8, 8)), dict)


def test_slow_directions_are_found_where_they_lie():
    numbers = np.random.default_rng(0)
    slow = np.repeat(numbers.normal(size=(60, 1, 1)), 8, axis=1) * np.array([1.0, 2.0, 0.0])
    fast = numbers.normal(size=(60, 8, 1)) * np.array([2.0, -1.0, 0.0])
    codes = slow + fast + 0.1 * numbers.normal(size=(60, 8, 3))
    first = find_slow_directions(codes)[:, 0]
    assert abs(first @ [2.0, -1.0, 0.0]) < 0.1 * abs(first @ [1.0, 2.0, 0.0])


def test_smoothing_leaves_what_moves_evenly_and_the_ends_of_a_clip():
    even = np.arange(6.0, dtype=np.float32)[None, :, None] * np.array([1.0, -2.0], np.float32)
    np.testing.assert_allclose(SmoothFrames()(even), even, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0, 1, 3])
def test_fast_codes_are_smoothed_as_often_as_asked(smoothing):
    model = VideoAutoencoder(image_size=SIZE, filters=(8, 8), latent_dim=6, slow_dim=4, smoothing=smoothing)
    expected, _ = model.encoder(CLIPS.reshape(-1, *CLIPS.shape[2:]))
    expected = np.reshape(expected, (2, 5, 6))[..., 4:]
    for _ in range(smoothing):
        expected = SmoothFrames()(expected)
    np.testing.assert_allclose(np.asarray(model.encode(CLIPS))[..., 4:], expected, atol=5e-3)


def test_a_code_that_moves_by_chance_alternately_is_smoothed():
    zigzag = np.tile(np.array([1.0, -1.0])[None, :, None], (1, 3, 2)).astype(np.float32)
    np.testing.assert_allclose(SmoothFrames()(zigzag)[:, 1:-1], 0.0, atol=1e-7)
    np.testing.assert_allclose(SmoothFrames()(np.ones((1, 1, 2), np.float32)), 1.0)


def test_a_discriminator_judges_frames_of_clips():
    game = adversarial(VideoAutoencoder(image_size=SIZE, filters=(8, 8), latent_dim=4), "global")
    game.compile("adam")
    assert game.reads_clips
    logs = take_steps(game, 1, {name: batch()[name] for name in ("image", "clip")})[0]
    assert logs["temporal"] > 0 and np.isfinite(logs["loss"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 1}, "latent_dim=1 must be at least 2"),
        ({"latent_dim": 4, "slow_dim": 4}, "slow_dim=4 must be below latent_dim=4"),
        ({"slow_dim": 0}, "slow_dim=0 must be a positive whole number"),
        ({"temporal_kernel_size": 2}, "temporal_kernel_size=2 must be odd"),
        ({"temporal_filters": 0}, "temporal_filters=0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        VideoAutoencoder(**arguments)
