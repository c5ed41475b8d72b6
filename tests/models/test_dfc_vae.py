"""facenet's DFC-VAE, and the blocks that generators are made of."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.models import DFCVAE, MODELS, VAE, conv2d_block
from facezoo.models.blocks import ConvolutionStyle, UpsampledConv2D, output_skip, residual_block


def tiny(**arguments):
    return DFCVAE(**{"image_size": 16, "latent_dim": 4, "filters": (8, 8)} | arguments)


def trainable_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


def layers_of(model, kind):
    """In the order in which they work."""
    return [layer for layer in (*model.encoder.features.layers, *model.decoder.layers) if isinstance(layer, kind)]


def images_of(model, count=2):
    shape = (count, model.image_size, model.image_size, model.channels)
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


# The forms.


@pytest.mark.parametrize(
    ("form", "parameters", "millions", "size"),
    [("residual", 7_072_379, 7.07, 64), ("plain", 2_311_487, 2.31, 64), ("large", 25_937_531, 25.94, 128)],
)
def test_the_forms_have_their_sizes(form, parameters, millions, size):
    model = MODELS["dfc_vae"](form=form)
    assert trainable_parameters(model) == parameters
    assert round(parameters / 1e6, 2) == millions
    assert model.get_config()["image_size"] == size
    assert model.decoder.output_shape == (None, size, size, 3)
    assert model.encoder.features.output_shape == (None, 4 * 4 * model.filters[-1])


def test_the_default_is_the_residual_form():
    assert DFCVAE().get_config() | {"name": None} == DFCVAE(form="residual", blocks=3).get_config() | {"name": None}


def test_the_residual_form_is_facenet_s_layer_by_layer():
    model = DFCVAE()
    convolutions = [
        (layer.kernel_size[0], layer.strides[0], layer.filters) for layer in layers_of(model, keras.layers.Conv2D)
    ]
    encoder = [stage for filters in (32, 64, 128, 256) for stage in [(4, 2, filters)] + 3 * [(4, 1, filters)]]
    decoder = [(3, 1, filters) for filters in (128, 64, 32, 3) for _ in range(4)] + [(3, 1, 3)]
    assert convolutions == encoder + decoder
    normalizations = layers_of(model, keras.layers.BatchNormalization)
    assert len(normalizations) == len(convolutions) - 1  # the last convolution has none
    assert {(layer.momentum, layer.epsilon, layer.scale, layer.center) for layer in normalizations} == {
        (0.995, 0.001, False, True)
    }
    assert all(layer.synchronized for layer in normalizations)
    assert {layer.negative_slope for layer in layers_of(model, keras.layers.LeakyReLU)} == {0.1}
    assert [layer.use_bias for layer in layers_of(model, keras.layers.Conv2D)] == [False] * 32 + [True]


def test_pixels_are_repeated_before_they_are_convolved():
    order = [type(layer) for layer in layers_of(tiny(blocks=1), keras.layers.Conv2D)][-5:]
    assert order == 2 * [UpsampledConv2D, keras.layers.Conv2D] + [keras.layers.Conv2D]


def test_kernels_start_as_facenet_s_and_each_with_its_own_numbers():
    kernels = [weight.numpy() for weight in DFCVAE().trainable_variables if weight.name == "kernel"]
    for kernel in kernels:
        assert np.abs(kernel).max() <= 0.2
    large = [kernel for kernel in kernels if kernel.size > 10_000]
    np.testing.assert_allclose([kernel.std() for kernel in large], 0.08796, rtol=0.03)  # 0.1, cut off at two deviations
    assert len({kernel.ravel()[:100].tobytes() for kernel in kernels}) == len(kernels)


def test_another_initializer_takes_the_place_of_facenet_s():
    kernels = [weight for weight in tiny(kernel_initializer="zeros").trainable_variables if weight.name == "kernel"]
    assert kernels
    assert not any(np.any(kernel) for kernel in kernels)


def test_the_reconstruction_is_linear_and_decode_clips_it():
    model = tiny()
    codes = 100.0 * np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    raw = model.decoder(codes).numpy()
    assert raw.min() < 0
    assert raw.max() > 1
    np.testing.assert_array_equal(model.decode(codes), np.clip(raw, 0, 1))
    outputs = model({"image": images_of(model)}, training=False)
    np.testing.assert_array_equal(outputs["reconstruction"], model.decoder(outputs["z"]))


def test_the_last_layer_is_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    last = tiny().decoder.layers[-1]
    assert isinstance(last, keras.layers.Conv2D)
    assert last.compute_dtype == "float32"


def test_gray_pictures_end_in_gray_stages():
    assert DFCVAE(image_size=16, channels=1).decoder_filters == (128, 64, 32, 1)
    assert tiny(decoder_filters=(6, 5)).decoder_filters == (6, 5)


# Its objective.


def test_the_factors_are_features_and_divergence():
    model = tiny(blocks=1)
    model.compile(keras.optimizers.SGD(0.01))
    assert model.objective.factors == {"perceptual": 500.0, "kl": 1.0}
    with pytest.raises(ValueError, match=r"needs the term 'perceptual', .* compile it with"):
        model.train_step({"image": images_of(model)})


# Arguments.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"form": "huge"}, "form='huge' must be one of residual, plain, large"),
        ({"form": "plain", "blocks": 2}, "blocks=2 does not go with form='plain'"),
        ({"blocks": 0}, "blocks=0 does not go with form='residual'"),
        ({"blocks": -1}, "blocks=-1 must be a whole number of at least 0"),
        ({"blocks": 1.5}, "blocks=1.5 must be"),
        ({"form": "large", "image_size": 48}, "image_size=48 must be a multiple of 32"),
        ({"decoder_filters": (8,)}, r"decoder_filters=\(8,\) must be as many as filters="),
    ],
)
def test_bad_combinations_name_both_sides(arguments, message):
    with pytest.raises(ValueError, match=message):
        DFCVAE(**arguments)


# Blocks.


def test_conv2d_block_is_x_plus_a_share_of_the_activated_convolution():
    images = keras.Input((6, 6, 5))
    style = ConvolutionStyle(3, use_bias=False)
    block = keras.Model(
        images, conv2d_block(images, 0.1, style, lambda x, scale: scale * keras.layers.LeakyReLU(0.1)(x))
    )
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 5)).astype(np.float32)
    (kernel,) = block.trainable_variables
    convolved = tf.nn.conv2d(x, kernel, 1, "SAME")
    np.testing.assert_allclose(block(x), x + 0.1 * np.maximum(0.1 * convolved, convolved), atol=1e-6)
    assert block(x).numpy().min() < -1  # nothing follows the sum


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("options", [{}, {"activation": "tanh", "bias_initializer": "ones"}, {"use_bias": False}])
def test_upsampled_convolution_is_a_convolution_of_enlarged_maps(kernel_size, options):
    layer = UpsampledConv2D(4, kernel_size, **options)
    plain = keras.Sequential(
        [keras.layers.UpSampling2D(), keras.layers.Conv2D(4, kernel_size, padding="same", **options)]
    )
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 5, 6, 3)), tf.float32)
    assert layer(x).shape == plain(x).shape == layer.compute_output_shape(x.shape)
    plain.set_weights(layer.get_weights())
    weights = np.random.default_rng(1).normal(size=(2, 10, 12, 4)).astype(np.float32)
    for one, other in zip(*(values_and_gradients(network, x, weights) for network in (layer, plain)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize(("kernel_size", "options"), [(4, {}), ((3, 1), {}), (3, {"strides": 2}), (3, {"groups": 2})])
def test_upsampled_convolution_refuses_what_it_cannot_fold(kernel_size, options):
    with pytest.raises(ValueError, match="must be odd, without strides"):
        UpsampledConv2D(4, kernel_size, **options)


def values_and_gradients(network, x, weights):
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = network(x)
        loss = tf.reduce_sum(values * weights)
    return [values, *tape.gradient(loss, [x, *network.trainable_variables])]


def test_residual_block_is_deepfacelab_s():
    images = keras.Input((6, 6, 5))
    block = keras.Model(images, residual_block(images, ConvolutionStyle(3)))
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 5)).astype(np.float32)
    first, first_bias, second, second_bias = block.trainable_variables
    for bias in (first_bias, second_bias):
        bias.assign(np.linspace(-1, 1, 5))
    change = tf.nn.leaky_relu(tf.nn.conv2d(x, first, 1, "SAME") + first_bias, 0.2)
    change = tf.nn.conv2d(change, second, 1, "SAME") + second_bias
    np.testing.assert_allclose(block(x), tf.nn.leaky_relu(x + change, 0.2), atol=1e-5)


def test_output_skip_adds_the_resized_picture_of_the_stages_before():
    picture, maps = keras.Input((4, 4, 3)), keras.Input((8, 8, 6))
    skip = keras.Model([picture, maps], output_skip(picture, maps, ConvolutionStyle(1), 3))
    numbers = np.random.default_rng(0)
    small, x = (numbers.normal(size=(2, *entry.shape[1:])).astype(np.float32) for entry in (picture, maps))
    kernel, _ = skip.trainable_variables
    expected = tf.image.resize(small, (8, 8), "bilinear") + x @ kernel[0, 0]
    np.testing.assert_allclose(skip([small, x]), expected, atol=1e-5)


def test_a_stage_that_keeps_the_size_adds_its_picture_as_it_is():
    picture, maps = keras.Input((8, 8, 3)), keras.Input((8, 8, 6))
    skip = keras.Model([picture, maps], output_skip(picture, maps, ConvolutionStyle(1), 3))
    x = np.ones((1, 8, 8, 6), np.float32)
    before = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(skip([before, x]) - before, skip([0 * before, x]), atol=1e-5)


# The VAE's generator.


def vae(**arguments):
    return VAE(image_size=16, latent_dim=4, filters=(8, 6), **arguments)


def test_decoder_blocks_are_two_convolutions_of_each_stage_s_channels():
    added = trainable_parameters(vae(decoder_blocks=2)) - trainable_parameters(vae())
    assert added == sum(2 * 2 * (9 * filters**2 + filters) for filters in (8, 8))


def test_output_skips_take_a_1x1_convolution_a_stage_instead_of_the_last_3x3():
    added = trainable_parameters(vae(output_skips=True)) - trainable_parameters(vae())
    assert added == 2 * (8 * 3 + 3) - (9 * 8 * 3 + 3)


def test_with_output_skips_every_stage_shows_in_the_picture():
    model = vae(output_skips=True)
    pictures = [
        layer for layer in model.decoder.layers if isinstance(layer, keras.layers.Conv2D) and layer.filters == 3
    ]
    codes = np.ones((1, 4), np.float32)
    for layer in pictures:
        before = model.decode(codes).numpy()
        layer.bias.assign([0.5, 0.5, 0.5])
        assert (model.decode(codes).numpy() > before).all()
    assert len(pictures) == 2


def test_the_last_kernel_gives_the_pictures_with_output_skips_too():
    model = vae(output_skips=True, decoder_blocks=1)
    (kernel,) = model.last_kernels
    last = [layer for layer in model.decoder.layers if isinstance(layer, keras.layers.Conv2D)][-1]
    assert kernel is last.kernel
    assert tuple(last.output.shape[1:]) == (16, 16, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decoder_blocks": -1}, "decoder_blocks=-1 must be a whole number of at least 0"),
        ({"decoder_blocks": True}, "decoder_blocks=True must be"),
        ({"output_skips": 1}, "output_skips=1 must be True or False"),
    ],
)
def test_bad_generator_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        VAE(**arguments)
