"""Models for larger pictures that begin as a smaller one: the code of a face stays, its picture is enlarged."""

import keras
import numpy as np
import pytest
import zoo
from facezoo.models import (
    DFCVAE,
    MODELS,
    VAE,
    AppearanceVAE,
    CodePrior,
    ConditionalVAE,
    ConvolutionalAutoencoder,
    DiffusionAutoencoder,
    FaceMapping,
    VideoAutoencoder,
)

SIZE = 16
TINY = {"image_size": SIZE, "filters": (8, 8), "latent_dim": 3}
GRIDS = {**TINY, "image_size": 32, "filters": (16, 8), "decoder_width": 24, "decoder_depth": 1}
KINDS = {
    "nearest": lambda: VAE(**TINY, upsampling="nearest", decoder_blocks=2),
    "subpixel": lambda: VAE(**TINY, upsampling="subpixel", kernel_size=4, decoder_kernel_size=5),
    "transposed": lambda: VAE(**TINY, decoder_blocks=1),
    "bilinear": lambda: VAE(**TINY, upsampling="bilinear", batch_norm=False),
    "skips": lambda: VAE(**TINY, output_skips=True, decoder_blocks=1, strides=(1, 2)),
    "finish": lambda: VAE(**TINY, upsampling="nearest", finish=4),
    "grids": lambda: VAE(**GRIDS),
    "grids, finish": lambda: VAE(**GRIDS, finish=4),
    "conditional, grids": lambda: ConditionalVAE(**GRIDS),
    "video, grids": lambda: VideoAutoencoder(**GRIDS),
    "conditional": lambda: ConditionalVAE(**TINY, upsampling="nearest"),
    "video": lambda: VideoAutoencoder(**TINY, upsampling="nearest"),
    "vector cae": lambda: ConvolutionalAutoencoder(**TINY, skip=True),
    "df": lambda: FaceMapping(image_size=SIZE, filters=(8, 8), inter_dim=4, mask_head=True),
    "liae": lambda: FaceMapping(image_size=SIZE, filters=(8, 8), inter_dim=4, structure="liae"),
}
DRAWN = {"image_size": SIZE, "patch": 8, "width": 32, "channels": 3, "depth": 1}
# Where pixels are enlarged by straight lines, edges differ; the others see too few pixels, or change pictures after.
LEAST = {"bilinear": 45.0, "skips": 55.0, "finish": 35.0, "grids, finish": 35.0, "transposed": 30.0}
EXACT = 120.0


def shake(model) -> None:
    """Gives a new model moments and offsets as training leaves them."""
    numbers = np.random.default_rng(0)
    for weight in model.weights:
        if "moving_variance" in weight.path or "gamma" in weight.path:
            weight.assign(numbers.uniform(0.5, 1.5, weight.shape))
        elif len(weight.shape) == 1:
            weight.assign(numbers.normal(0.0, 0.2, weight.shape))


def grown_from(small, image_size: int):
    larger = type(small)(**small.enlarge_arguments(small.get_config(), image_size))
    larger.grow_from(small)
    return larger


def enlarge(pictures, way: str, times: int) -> np.ndarray:
    for _ in range(times):
        pictures = keras.layers.UpSampling2D(interpolation=way)(pictures)
    return np.asarray(pictures)


@pytest.mark.parametrize(("kind", "doublings"), [*((kind, 1) for kind in KINDS), ("nearest", 2), ("grids", 2)])
def test_a_grown_model_has_the_codes_and_the_enlarged_pictures_of_the_small_one(kind, doublings):
    small = KINDS[kind]()
    shake(small)
    large = grown_from(small, small.image_size * 2**doublings)
    assert large.filters == (*(8,) * doublings, *small.filters)
    pictures = zoo.batch(4, size=small.image_size)["image"]
    codes = np.asarray(small.encode(pictures))
    np.testing.assert_allclose(large.encode(enlarge(pictures, "nearest", doublings)), codes, atol=1e-4)
    way = "bilinear" if kind in ("bilinear", "skips") else "nearest"
    error = np.square(large.decode(codes) - enlarge(small.decode(codes), way, doublings)).mean()
    assert -10.0 * np.log10(max(error, 1e-30)) > LEAST.get(kind, EXACT)


def test_masks_grow_too():
    small = KINDS["df"]()
    shake(small)
    codes = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    masks = grown_from(small, 2 * SIZE).decode_with_mask(codes)[1]
    np.testing.assert_allclose(masks, enlarge(small.decode_with_mask(codes)[1], "nearest", 1), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_its_size_already_stays_as_it_is(kind):
    config = KINDS[kind]().get_config()
    assert type(KINDS[kind]()).enlarge_arguments(config, config["image_size"]) == config


def test_what_draws_details_stays_as_it_is_where_it_has_its_size(drawn):
    for model in drawn:
        config = model.get_config()
        assert model.enlarge_arguments(config, model.image_size) == config


def test_convolutions_alone_need_no_stage():
    small = ConvolutionalAutoencoder(image_size=SIZE, filters=(8, 8))
    large = grown_from(small, 2 * SIZE)
    assert large.filters == (8, 8)
    np.testing.assert_array_equal(large.get_weights()[0], small.get_weights()[0])


@pytest.mark.parametrize("kind", ["nearest", "grids, finish"])
def test_what_a_grown_model_has_new_learns(kind):
    small = KINDS[kind]()
    large = grown_from(small, 2 * small.image_size)
    before = large.get_weights()
    large.compile(keras.optimizers.SGD(0.01))
    for _ in range(2):  # what has no effect yet is reached in the second
        large.train_on_batch(zoo.batch(4, size=large.image_size)["image"])
    moved = [not np.array_equal(old, new) for old, new in zip(before, large.get_weights(), strict=True)]
    assert all(moved)


@pytest.mark.parametrize("name", ["vae", "conditional_vae", "appearance_vae", "face_mapping", "dfc_vae"])
def test_larger_pictures_take_a_stage_more_by_themselves(name):
    widths = [MODELS[name](image_size=size).filters for size in (64, 128)]
    first = max(8, widths[0][0] // 2)
    assert widths[1] == (first, *widths[0])


def test_stages_that_are_given_stay():
    assert VAE(image_size=128, filters=(8, 8)).filters == (8, 8)
    assert VAE(image_size=128, decoder_filters=(8, 8, 8, 8)).filters == (32, 64, 128, 256)
    assert VAE(image_size=128, strides=(2, 2, 2, 2)).filters == (32, 64, 128, 256)
    assert ConvolutionalAutoencoder(image_size=128).filters == (32, 64)  # the article's
    assert ConvolutionalAutoencoder(image_size=256).filters == (16, 32, 64)
    assert DFCVAE(form="large").filters == (32, 64, 128, 256, 512)


def test_pictures_that_no_further_stage_halves_have_none():
    assert VAE(image_size=144).filters == (32, 64, 128, 256)
    assert ConvolutionalAutoencoder(image_size=260).filters == (32, 64)


def test_a_kernel_without_room_for_a_picture_does_not_grow():
    small = VAE(**TINY | {"kernel_size": 2, "upsampling": "nearest"})
    with pytest.raises(ValueError, match="decoder_kernel_size=2 leaves a new stage no room"):
        small.enlarge_arguments(small.get_config(), 2 * small.image_size)


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        (DFCVAE, {"image_size": 64}, "leaves no room for another one"),
        (DiffusionAutoencoder, {**DRAWN, "patch": 24}, "patch=24 leaves no room"),
        (CodePrior, {"image_size": 64}, "a CodePrior grows for no larger pictures"),
        (DiffusionAutoencoder, {**DRAWN, "patch": 4}, "patch=4 leaves no room for a grid more: 8, 16"),
        (
            DiffusionAutoencoder,
            {**DRAWN, "width": 12},
            "of 8 channels, as of width=12, cannot draw quarters",
        ),
        (AppearanceVAE, {"image_size": 32, "filters": (8, 8)}, "made for 32 pixels, and grows from 64 on"),
        (VAE, {"image_size": 16, "decoder_width": 8, "channels": 3, "filters": (8, 8)}, "takes no second one"),
    ],
)
def test_what_cannot_grow_says_so(kind, arguments, words):
    with pytest.raises(ValueError, match=words):
        kind.enlarge_arguments(arguments, 2 * arguments["image_size"])


@pytest.fixture(params=[3, 1], ids=["colour", "gray"])
def drawn(request):
    held = VAE(**TINY, upsampling="nearest", channels=request.param)
    small = DiffusionAutoencoder(autoencoder=held, **DRAWN, weak_width=16, finish=0, components=5)
    shake(small)
    kernel = small.detail_decoder.get_layer("last").kernel  # which begins as hardly any change
    kernel.assign(0.3 * keras.random.normal(kernel.shape, seed=1))
    larger = small.enlarge_arguments(small.get_config(), 2 * SIZE)
    large = DiffusionAutoencoder(**{**larger, "autoencoder": grown_from(held, 2 * SIZE)})
    large.grow_from(small)
    return small, large


def test_what_draws_details_draws_them_enlarged_and_finds_the_same(drawn, monkeypatch):
    small, large = drawn
    assert large.patch == 2 * small.patch and large.noise_shape == small.noise_shape
    pictures = zoo.batch(4, size=SIZE)["image"][..., : small.channels]
    codes, noise = np.asarray(small.encode(pictures)), small.draw_noise(4)
    for told in ({}, {"drawn": 1.0, "doubt": 0.5}):
        made = large.decode(codes, noise, **told)
        np.testing.assert_allclose(made, enlarge(small.decode(codes, noise, **told), "nearest", 1), atol=1e-4)
    finer = np.tile([[0.1, -0.1], [-0.1, 0.1]], (SIZE, SIZE))[None, :, :, None]  # whose means of 2x2 pixels are 0
    monkeypatch.setattr(large.autoencoder, "encode", lambda images: codes)
    found, there = large({"image": enlarge(pictures, "nearest", 1) + finer}), small({"image": pictures})
    for name in ("detail_mean", "detail_log_var"):
        np.testing.assert_allclose(found[name], there[name], atol=1e-4)
    assert np.ptp(there["detail_mean"]) > 0.1


def test_what_draws_details_learns_all_that_is_new(drawn):
    large = drawn[1]
    before = [weight.numpy() for weight in large.trainable_variables]
    large.compile(keras.optimizers.Adam(1e-3))
    for _ in range(3):
        large.train_on_batch(zoo.batch(4, size=2 * SIZE)["image"][..., : large.channels])
    assert all(not np.array_equal(old, new) for old, new in zip(before, large.trainable_variables, strict=True))


def test_what_draws_details_grows_once_and_with_its_codes(drawn):
    small = drawn[0]
    with pytest.raises(ValueError, match="grows to pictures twice as large, one training after the other"):
        small.enlarge_arguments(small.get_config(), 4 * SIZE)
    larger = small.enlarge_arguments(small.get_config(), 2 * SIZE)
    other = VAE(image_size=2 * SIZE, filters=(8, 8, 8), latent_dim=4)
    with pytest.raises(ValueError, match=r"holds has codes \(3,\), not \(4,\)"):
        DiffusionAutoencoder(**{**larger, "autoencoder": other}).grow_from(small)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"decoder_width": 6}, "a grid of 4 channels, as of decoder_width=6, cannot draw quarters of patches of 4"),
        ({"image_size": 40}, "cannot draw quarters of patches of 5 pixels, as of pictures of 40"),
    ],
)
def test_a_grid_that_has_no_room_for_a_patch_says_so(arguments, words):
    config = VAE(**GRIDS | arguments).get_config()
    with pytest.raises(ValueError, match=words):
        VAE.enlarge_arguments(config, 2 * config["image_size"])


def test_shapes_are_read_and_bent_alike_in_larger_pictures():
    small = AppearanceVAE(**TINY | {"image_size": 64}, landmark_names=("nose", "chin", "ear"), shape_dim=2)
    shake(small)
    landmarks = np.random.default_rng(0).uniform(0.2, 0.8, (20, 3, 2)).astype(np.float32)
    small.adapt(landmarks)
    large = grown_from(small, 128)
    pictures = zoo.batch(2, size=64)["image"]
    shapes = small.reader(pictures)
    np.testing.assert_allclose(large.reader(enlarge(pictures, "nearest", 1)), shapes, atol=1e-4)
    grown = [np.array(weight) for weight in large.frame.weights]
    large.adapt(landmarks)
    for weight, own in zip(large.frame.weights, grown, strict=True):
        np.testing.assert_allclose(own, weight, atol=1e-3)


def test_growing_takes_whole_doublings():
    with pytest.raises(ValueError, match="image_size is 16, not 24"):
        VAE.enlarge_arguments(VAE(**TINY).get_config(), 24)
