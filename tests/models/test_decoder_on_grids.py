"""A VAE whose decoder works on coarse grids."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.models import VAE, ConditionalVAE
from steps import take_steps
from zoo import batch

SIZE = 32  # of which there are two grids
FORM = {"image_size": SIZE, "filters": (8, 8), "latent_dim": 4, "decoder_width": 12, "decoder_depth": 1, "finish": 4}


def test_a_code_and_places_lead_it():
    decoder = VAE(**FORM).decoder
    kinds = [type(layer).__name__ for layer in decoder.layers]
    assert kinds.count("PlaceBias") == 2 and kinds.count("Multiply") == 2
    assert decoder.count_params() < VAE(image_size=SIZE, filters=(8, 16), latent_dim=4).decoder.count_params() * 4
    assert [count_grids_of(size) for size in (64, 128)] == [3, 4]


def count_grids_of(size: int) -> int:
    decoder = VAE(image_size=size, filters=(4, 4), latent_dim=4, decoder_width=4, decoder_depth=1).decoder
    return sum(type(layer).__name__ == "PlaceBias" for layer in decoder.layers)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_all_of_it_learns(policy):
    keras.config.set_dtype_policy(policy)
    model = VAE(**FORM)
    model.compile(keras.optimizers.Adam(1e-2))
    before = [np.array(weight) for weight in model.decoder.trainable_variables]
    reports = take_steps(model, 3, batch(size=SIZE))
    assert reports[-1]["loss"] < reports[0]["loss"]
    after = model.decoder.trainable_variables
    still = [w.path for w, old in zip(after, before, strict=True) if np.array_equal(np.array(w), old)]
    assert still == []


def test_it_is_saved_and_is_told_attributes(tmp_path):
    model = ConditionalVAE(attributes=("smiling", "beard"), **FORM)
    codes, told = np.ones((2, 4), "f"), np.array([[1.0, -1.0], [-1.0, 1.0]], "f")
    pictures = np.array(model.decode(codes, told))
    assert pictures.shape == (2, SIZE, SIZE, 3)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras").decode(codes, told), pictures)
    for layer in model.decoder.layers:
        if layer.name.endswith("_scales"):
            layer.set_weights([tf.random.normal(weight.shape, seed=0) for weight in layer.get_weights()])
    assert np.ptp(np.array(model.decode(codes, told)), axis=0).max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"decoder_width": 0}, "decoder_width=0 must be a positive whole number"),
        ({"decoder_width": 8, "decoder_depth": 0}, "decoder_depth=0 must be"),
        ({"decoder_width": 8, "upsampling": "nearest"}, "upsampling=nearest does not go with decoder_width=8"),
        ({"decoder_width": 8, "output_skips": True}, "output_skips=True does not go with decoder_width=8"),
        ({"decoder_width": 8, "decoder_filters": (4, 4)}, "decoder_filters=.* does not go with decoder_width=8"),
    ],
)
def test_what_does_not_go_with_it_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        VAE(image_size=SIZE, filters=(8, 16), latent_dim=4, **arguments)


def test_it_is_begun_with_an_encoder_where_it_is_new_alone():
    plain = VAE(image_size=SIZE, filters=(8, 8), latent_dim=4)
    model = VAE(**FORM)
    assert model.begin_from(plain, dict)
    for weight, taken in zip(plain.encoder.get_weights(), model.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(taken, weight)
    for other in ({"finish": 0}, {"decoder_depth": 2}, {"decoder_width": 14}):
        assert not VAE(**FORM | other).begin_from(model, dict)
    assert not plain.begin_from(model, dict)
    assert not ConditionalVAE(attributes=("smiling",), **FORM).begin_from(plain, dict)
