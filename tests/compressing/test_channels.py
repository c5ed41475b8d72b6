"""Networks without some of their channels."""

import keras
import numpy as np
import pytest
from facezoo.compressing import JoinedPatches, build_small_decoder, inherit_channels, narrow_channels, prune_channels
from facezoo.models import VAE, ConvolutionalAutoencoder, FaceMapping
from facezoo.models.distilled import CHANNELWISE, FOLDING

OURS = (CHANNELWISE, FOLDING)


def make_decoders():
    """Of every kind of stage and of ending that the zoo has."""
    size = {"image_size": 32, "filters": (16, 32)}
    yield "plain", VAE(**size, latent_dim=4)
    yield "nearest, finish", VAE(**size, latent_dim=4, upsampling="nearest", finish=8)
    yield "subpixel, blocks", VAE(**size, latent_dim=4, upsampling="subpixel", decoder_blocks=1, batch_norm=False)
    yield "smoothed, output skips", VAE(**size, latent_dim=4, upsampling="bilinear", output_skips=True, dropout=0.1)
    yield "spatial code", ConvolutionalAutoencoder(**size)
    yield "grids", VAE(**size, latent_dim=4, decoder_width=12, decoder_depth=1, finish=8)
    yield "dense, relu", ConvolutionalAutoencoder(**size, latent_dim=6, upsampling="subpixel")


@pytest.fixture(scope="module")
def decoders():
    found = {name: model.decoder for name, model in make_decoders()}
    for layer in found["grids"].layers:
        if layer.name.startswith(("places", "block")):  # which begin at 0 and 1
            layer.set_weights([keras.random.normal(weight.shape, seed=0) for weight in layer.get_weights()])
    return found


NAMES = [
    "plain",
    "nearest, finish",
    "subpixel, blocks",
    "smoothed, output skips",
    "spatial code",
    "grids",
    "dense, relu",
]


@pytest.mark.parametrize("name", NAMES)
def test_without_a_share_it_is_the_same_network(decoders, name):
    decoder = decoders[name]
    codes = np.random.default_rng(0).normal(size=(2, *decoder.input_shape[1:])).astype("f")
    np.testing.assert_allclose(prune_channels(decoder, 0.0, *OURS)(codes), decoder(codes), atol=1e-6)


def test_without_a_share_no_odd_number_of_channels_is_rounded():
    inputs = keras.Input((8, 8, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(3, 3)(keras.layers.Conv2D(18, 3)(inputs)))
    assert [weight.shape for weight in prune_channels(network, 0.0).weights] == [one.shape for one in network.weights]


@pytest.mark.parametrize("name", NAMES)
def test_channels_leave_the_graph(decoders, name):
    decoder = decoders[name]
    narrow = prune_channels(decoder, 0.5, *OURS)
    assert narrow.input_shape == decoder.input_shape
    assert narrow.output_shape == decoder.output_shape
    hidden = [one for one in narrow.layers if isinstance(one, keras.layers.Conv2D) and one.name != "patches"]
    assert all(layer.filters < decoder.get_layer(layer.name).filters for layer in hidden if layer.filters > 3)
    assert narrow.count_params() < 0.6 * decoder.count_params()
    assert np.isfinite(narrow(np.zeros((1, *decoder.input_shape[1:]), "f"))).all()


def test_channels_that_do_nothing_go_first():
    pictures = keras.Input((4, 4, 2))
    x = keras.layers.BatchNormalization(name="moments")(
        keras.layers.Conv2D(6, 3, padding="same", name="first")(pictures)
    )
    network = keras.Model(pictures, keras.layers.Conv2D(2, 1, name="last")(keras.layers.ReLU()(x)))
    dead = [0, 3, 4]
    kernel, bias = network.get_layer("first").get_weights()
    kernel[..., dead] = 0.0
    network.get_layer("first").set_weights([kernel, bias])
    moments = np.arange(24, dtype="f").reshape(4, 6) + 1.0
    moments[1:3, dead] = 0.0  # nothing is added to them
    network.get_layer("moments").set_weights(list(moments))
    narrow = prune_channels(network, 0.5)
    np.testing.assert_array_equal(narrow.get_layer("moments").get_weights(), moments[:, [1, 2, 5]])
    numbers = np.random.default_rng(0).normal(size=(2, 4, 4, 2)).astype("f")
    np.testing.assert_allclose(narrow(numbers), network(numbers), atol=1e-5)


def test_both_sides_of_a_sum_keep_the_same_channels():
    pictures = keras.Input((4, 4, 3))
    first = keras.layers.Conv2D(8, 3, padding="same", name="first")(pictures)
    second = keras.layers.Conv2D(8, 3, padding="same", name="second")(first)
    total = first + second  # an operation, no layer
    network = keras.Model(pictures, keras.layers.Conv2D(3, 1, name="last")(total))
    kernel, bias = network.get_layer("last").get_weights()
    kernel[..., ::2, :] = 100.0 * np.abs(kernel[..., ::2, :])  # only every other one is read
    network.get_layer("last").set_weights([kernel, bias])
    narrow = prune_channels(network, 0.5)
    for name in ("first", "second"):
        np.testing.assert_array_equal(
            narrow.get_layer(name).get_weights()[1], network.get_layer(name).get_weights()[1][::2]
        )
    np.testing.assert_array_equal(narrow.get_layer("last").get_weights()[0], kernel[..., ::2, :])


def test_shapes_follow_from_shapes_alone_and_frozen_layers_learn_again(decoders):
    decoder = decoders["plain"]
    narrow = narrow_channels(decoder, 0.5, *OURS)
    inherit_channels(narrow, decoder, 0.5, *OURS)
    for one, other in zip(narrow.get_weights(), prune_channels(decoder, 0.5, *OURS).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    frozen = VAE(image_size=32, filters=(16, 32), latent_dim=4)
    frozen.trainable = False
    assert narrow_channels(frozen.decoder, 0.5, *OURS).trainable_variables


def test_what_cannot_be_made_narrower_is_refused_in_one_line(decoders):
    with pytest.raises(ValueError, match=r"share=1.0 must be"):
        prune_channels(decoders["plain"], 1.0, *OURS)
    with pytest.raises(ValueError, match=r"decoder: a Split \(split\w*\) cannot be made narrower"):
        prune_channels(FaceMapping(image_size=16, filters=(8, 8), inter_dim=6).decoder, 0.5, *OURS)
    pictures = keras.Input((4, 4, 4))
    normalised = keras.Model(pictures, keras.layers.GroupNormalization(2, name="groups")(pictures), name="network")
    with pytest.raises(ValueError, match=r"network: a GroupNormalization \(groups\) cannot be made narrower"):
        prune_channels(normalised, 0.5)


@pytest.mark.parametrize("stages", [1, 2, 3])
@pytest.mark.parametrize("code_shape", [(6,), (4, 4, 8)])
def test_a_small_decoder_makes_pictures_of_codes(code_shape, stages, tmp_path):
    decoder = build_small_decoder(code_shape, (32, 32, 3), width=12, depth=1, grid=8, stages=stages)
    codes = np.random.default_rng(0).normal(size=(2, *code_shape)).astype("f")
    pictures = np.array(decoder(codes))
    assert pictures.shape == (2, 32, 32, 3)
    assert (pictures > 0).all() and (pictures < 1).all()
    decoder.save(tmp_path / "decoder.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "decoder.keras")(codes), pictures)
    narrow = prune_channels(decoder, 0.5)
    assert narrow.count_params() < decoder.count_params()
    with pytest.raises(ValueError, match=r"grid=.* must go into the picture's 30 pixels"):
        build_small_decoder(code_shape, (30, 30, 3), width=12, stages=stages)


def test_a_place_and_a_code_lead_a_small_decoder_of_several_grids():
    decoder = build_small_decoder((2,), (16, 16, 3), width=8, depth=1, grid=4, stages=2)
    kinds = [type(layer).__name__ for layer in decoder.layers]
    assert kinds.count("PlaceBias") == 2 and kinds.count("Multiply") == 2
    places = decoder.get_layer("places_1")
    change = np.zeros((8, 8, places.bias.shape[-1]), "f")
    change[2, 5] = 1.0
    before = np.array(decoder(np.ones((1, 2), "f")))
    places.set_weights([change])
    changed = np.abs(np.array(decoder(np.ones((1, 2), "f"))) - before).max(axis=(0, 3)) > 0
    rows, columns = np.nonzero(changed)
    assert (
        rows.min() >= 2 and rows.max() <= 7 and columns.min() >= 8 and columns.max() <= 13
    )  # one place and its next ones


def test_patches_lie_side_by_side():
    rows = np.arange(2 * 2 * 12, dtype="f").reshape(1, 2, 2, 12)
    pictures = np.array(JoinedPatches(2)(rows))
    np.testing.assert_array_equal(pictures[0, :2, :2].ravel(), rows[0, 0, 0])
    np.testing.assert_array_equal(pictures[0, 2:, :2].ravel(), rows[0, 1, 0])
