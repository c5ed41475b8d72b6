"""The code prior: it draws codes as they are spread, with attributes where they are asked for."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.latents.interpolation import interpolate
from facezoo.models import VAE, CodePrior, ConditionalVAE, ConvolutionalAutoencoder
from steps import take_steps
from zoo import SIZE, batch

CENTRES = np.array([[2.0, 0.0], [-2.0, 1.0]], np.float32)  # of the codes without an attribute, and with it
SPREAD = 0.3


def codes_of(labels, seed=0):
    noise = np.random.default_rng(seed).standard_normal((len(labels), 2))
    return (CENTRES[labels] + SPREAD * noise).astype(np.float32)


@pytest.fixture(scope="module")
def prior():
    """One that has learned codes of two heaps, half of them with an attribute."""
    keras.utils.set_random_seed(0)
    model = CodePrior(
        autoencoder=VAE(image_size=SIZE, latent_dim=2, filters=(4, 4)), attributes=("hat",), width=32, depth=1
    )
    labels = np.arange(256) % 2
    codes = codes_of(labels)
    model.code_means.assign(codes.mean(0))
    model.code_deviations.assign(codes.std(0))
    model.compile(keras.optimizers.Adam(3e-3))
    data = {
        "image": np.zeros((256, SIZE, SIZE, 3), np.float32),
        "code": codes,
        "attributes": labels[:, None].astype(np.float32),
    }
    take_steps(model, 400, data, in_graph=True)
    return model


def noise_of(count=400):
    return np.random.default_rng(1).standard_normal((count, 2)).astype(np.float32)


def share_near(codes, centre):
    return np.mean(np.linalg.norm(codes - centre, axis=1) < 4 * SPREAD)


@pytest.mark.traced
def test_drawn_codes_are_spread_as_the_codes_are(prior):
    drawn = prior.draw(noise_of()).numpy()
    shares = [share_near(drawn, centre) for centre in CENTRES]
    assert sum(shares) > 0.9
    assert min(shares) > 0.35


@pytest.mark.traced
def test_an_attribute_chooses_the_codes_that_have_it(prior):
    for label, centre in enumerate(CENTRES):
        drawn = prior.draw(noise_of(), np.full((400, 1), float(label)))
        assert share_near(drawn, centre) > 0.95
        np.testing.assert_allclose(drawn.numpy().mean(0), centre, atol=0.1)


@pytest.mark.traced
def test_the_noise_of_codes_is_found_again(prior):
    for attributes in (None, np.ones((400, 1))):
        found = prior.find_noise(prior.draw(noise_of(), attributes), attributes).numpy()
        assert np.quantile(np.abs(found - noise_of()), 0.95) < 0.05
    ends = codes_of(np.arange(100) % 2)
    starts, others = prior.find_noise(ends[0::2]).numpy(), prior.find_noise(ends[1::2]).numpy()
    middles = np.concatenate(
        [interpolate(*pair, np.array([0.5]), "slerp") for pair in zip(starts, others, strict=True)]
    )
    near = [
        sum(share_near(codes, centre) for centre in CENTRES)
        for codes in (prior.draw(middles), ends[0::2] / 2 + ends[1::2] / 2)
    ]
    assert near[0] > 0.8 > 0.2 > near[1]


@pytest.mark.traced
def test_guidance_exaggerates(prior):
    told = np.ones((400, 1))
    plain, guided = (prior.draw(noise_of(), told, guidance).numpy().mean(0) for guidance in (1.0, 3.0))
    away = CENTRES[1] - CENTRES[0]
    assert (guided - plain) @ away > 0


def test_codes_are_found_in_pictures_where_none_are_given(prior):
    columns = prior.columns_to_keep(batch()["image"])
    np.testing.assert_array_equal(columns["code"], prior.autoencoder.encode(batch()["image"]))
    np.testing.assert_array_equal(prior({"image": batch()["image"]})["z"], columns["code"])
    with pytest.raises(ValueError, match="must have 1 columns, as the model knows hat"):
        prior._tell(batch()["attributes"], 8)


def test_spatial_codes_are_drawn_too():
    prior = CodePrior(autoencoder=ConvolutionalAutoencoder(image_size=SIZE, filters=(4, 4)), width=16, depth=1)
    prior.adapt(batch()["image"])
    prior.compile()
    assert np.isfinite(take_steps(prior, 1)[0]["velocity"])
    assert prior.draw(np.zeros((2, *prior.code_shape))).shape == (2, 4, 4, 4)


def test_one_from_before_steers_by_as_many_units_as_it_is_wide():
    config = CodePrior(autoencoder=VAE(image_size=SIZE, latent_dim=2, filters=(4, 4)), width=16, depth=1).get_config()
    narrow = CodePrior.from_config(config)
    before = CodePrior.from_config({name: value for name, value in config.items() if name != "steer_width"})
    assert (before.steer_width, narrow.steer_width) == (16, 4)
    assert before.denoiser.count_params() > narrow.denoiser.count_params()
    with pytest.raises(ValueError, match="steer_width=0"):
        CodePrior(steer_width=0)


def test_survives_saving_in_safe_mode(tmp_path):
    prior = CodePrior(
        autoencoder=VAE(image_size=SIZE, latent_dim=2, filters=(4, 4)), attributes=("hat",), width=16, depth=1
    )
    prior.adapt(batch()["image"])
    prior.save(tmp_path / "prior.keras")
    loaded = keras.saving.load_model(tmp_path / "prior.keras", safe_mode=True)
    noise = noise_of(3)
    np.testing.assert_array_equal(prior.draw(noise, np.ones((3, 1))), loaded.draw(noise, np.ones((3, 1))))
    assert tf.reduce_all(loaded.code_means == prior.code_means)


def test_what_is_told_attributes_itself_has_no_prior():
    with pytest.raises(ValueError, match="a ConditionalVAE is told attributes"):
        CodePrior(autoencoder=ConditionalVAE(image_size=SIZE, latent_dim=2, filters=(4, 4)))
