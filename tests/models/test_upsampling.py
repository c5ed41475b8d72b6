"""What keeps lattices out of decoders: enlarging by straight lines, convolutions that finish the picture."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.models import VAE, ConvolutionalAutoencoder
from facezoo.models.blocks import Smoothing

SIZE = 16


def test_repeated_pixels_smoothed_are_enlarged_by_straight_lines():
    maps = tf.random.stateless_uniform((2, 6, 5, 3), (1, 2))
    smoothed = Smoothing()(keras.layers.UpSampling2D()(maps))
    expected = keras.layers.UpSampling2D(interpolation="bilinear")(maps)
    np.testing.assert_allclose(smoothed[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-6)
    np.testing.assert_allclose(Smoothing()(tf.ones((1, 4, 4, 2))), np.ones((1, 4, 4, 2)), atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: VAE(image_size=SIZE, filters=(4, 4), latent_dim=3, **options),
        lambda **options: VAE(image_size=SIZE, filters=(4, 4), latent_dim=3, output_skips=True, **options),
        lambda **options: ConvolutionalAutoencoder(image_size=SIZE, filters=(4, 4), **options),
    ],
    ids=["vae", "output skips", "cae"],
)
def test_a_decoder_that_enlarges_by_lines_has_no_steps_between_pairs_of_pixels(make):
    """Neighbours that come of one small pixel differ as much as those of two, or nearly, with the same weights."""
    stepped, straight = make(upsampling="nearest"), make(upsampling="bilinear")
    assert stepped.count_params() == straight.count_params()
    straight.set_weights(stepped.get_weights())
    codes = np.random.default_rng(0).standard_normal((4, *stepped.shape_of_code())).astype(np.float32)
    excesses = []
    for model in (stepped, straight):
        steps = np.abs(np.diff(np.asarray(model.decode(codes)), axis=2)).mean(axis=(0, 1, 3))[3:-3]
        pairs = steps[::2].mean(), steps[1::2].mean()
        excesses.append(max(pairs) / min(pairs) - 1.0)
    assert excesses[1] < excesses[0] / 3


@pytest.mark.parametrize("make", [VAE, ConvolutionalAutoencoder], ids=["vae", "cae"])
def test_what_finishes_a_picture_begins_as_hardly_any_change_and_learns(make):
    plain, finished = (make(image_size=SIZE, filters=(4, 4), finish=finish) for finish in (0, 6))
    number = len(plain.decoder.get_weights())
    finished.decoder.set_weights(plain.decoder.get_weights() + finished.decoder.get_weights()[number:])
    codes = np.random.default_rng(0).standard_normal((2, *plain.shape_of_code())).astype(np.float32)
    np.testing.assert_allclose(finished.decode(codes), plain.decode(codes), atol=0.05)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(finished.decoder(codes) ** 2)
    (kernel,) = finished.last_kernels
    assert kernel.shape == (3, 3, 6, 3)
    assert np.abs(tape.gradient(loss, kernel)).max() > 0
    assert finished.count_params() - plain.count_params() == (75 + 1) * 6 + (9 * 6 + 1) * 6 + (9 * 6 + 1) * 3
