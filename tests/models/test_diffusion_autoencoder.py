"""The diffusion autoencoder: its patches, its flow, and what codes and noise carry."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.models import VAE, ConditionalVAE, DiffusionAutoencoder
from facezoo.models.denoiser import GroupNormalization, build_denoiser
from facezoo.models.patch_code import PatchCode
from zoo import SIZE, batch

DEVIATION = 0.5  # of what is drawn, where the best denoiser is known


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    autoencoder = VAE(image_size=SIZE, latent_dim=4, filters=(8, 8))
    made = DiffusionAutoencoder(
        autoencoder=autoencoder,
        patch=4,
        components=48,
        width=16,
        depth=1,
        moments_width=16,
        least_noise=0.0,
        sampling_steps=12,
        seed=3,
    )
    made.adapt(batch()["image"])
    return made


@pytest.fixture
def ideal(model, monkeypatch):
    """A model of normal numbers that deviate half as much as it is told, whose best denoiser has a closed form."""

    def find_velocity(noisy, guide, codes, angles, doubts):
        cosines, sines = model._turn(angles)
        variances = (cosines * DEVIATION) ** 2 + sines**2
        return noisy * cosines * sines * (1.0 - DEVIATION**2) / variances

    monkeypatch.setattr(model, "_find_velocity", find_velocity)
    model.patch_code.deviations.assign(np.linspace(1.0, 0.3, 48))
    model.sampling_steps = 16
    nothing = tf.zeros((8, *model.noise_shape))
    monkeypatch.setattr(model, "_tell_moments", lambda pictures, codes, doubts: (nothing, nothing))
    return model


@pytest.mark.parametrize("shape", [(3, 4, 4, 12), (3, 12)])
def test_fused_group_normalization_is_that_of_keras(shape):
    numbers = np.random.default_rng(0)
    inputs = tf.constant(3.0 + numbers.normal(size=shape), tf.float32)
    fused, plain = GroupNormalization(3), keras.layers.GroupNormalization(3)
    found = []
    for layer in (fused, plain):
        layer.build(shape)
        layer.set_weights([np.linspace(0.5, 2.0, 12), np.linspace(-1.0, 1.0, 12)])
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
            loss = tf.reduce_sum(outputs**3)
        found.append([outputs, *tape.gradient(loss, [inputs, *layer.trainable_variables])])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-4)


def test_deviations_are_those_of_the_differences(model):
    """Differences whose upper half varies ten times as much; the code tells nothing of them."""
    images = batch()["image"]
    pictures = model.autoencoder.decode(model.encode(images)).numpy()
    numbers = np.random.default_rng(0)
    amounts = np.where(np.arange(SIZE) < SIZE // 2, 0.1, 0.01)[:, None, None]

    def draw():
        return (pictures + amounts * numbers.normal(size=pictures.shape)).astype(np.float32)

    model.adapt(np.concatenate([draw() for _ in range(20)]))
    model.compile(keras.optimizers.Adam(1e-2))
    for _ in range(60):
        model.train_step({"image": draw()})
    deviations = model._find_moments(pictures, model.encode(pictures), tf.zeros((8, 1)))[1].numpy()
    upper, lower = np.split(deviations.mean(axis=(0, 2, 3)), 2)
    assert upper.min() > 4.0 * lower.max()


def test_what_is_normal_is_known_before_anything_is_learned(model):
    """Then noise becomes details as large as they are told to be, whatever the steps, and these that noise."""
    for kernel in model.last_kernels:
        kernel.assign(tf.zeros_like(kernel))
    model.sampling_steps = 1
    codes, noise = model.encode(batch()["image"]), noise_of(model)
    pictures, doubts = model.autoencoder.decode(codes), tf.zeros((8, 1))
    assert model.patch_code.spread.numpy().min() < 0.3  # of components of many sizes
    drawn = model._follow(noise, codes, pictures, doubts, np.pi / 2.0, 0.0)
    np.testing.assert_allclose(drawn, noise, atol=1e-5)
    np.testing.assert_allclose(model._follow(drawn, codes, pictures, doubts, 0.0, np.pi / 2.0), noise, atol=1e-5)


def test_a_component_turns_as_if_noise_were_added_at_its_size(model):
    sizes, angle = model.patch_code.spread.numpy(), 0.3
    middle = np.exp(np.mean(np.log(sizes)))
    cosines, sines = (part.numpy().ravel() for part in model._turn(angle))
    np.testing.assert_allclose(sines / cosines, np.tan(angle) * middle / sizes, rtol=1e-4)
    places = np.linspace(0.0, np.pi / 2.0, 20_001, dtype=np.float32)[:, None]
    paces = model._find_paces(places).numpy()
    np.testing.assert_allclose(paces.mean(axis=(0, 1, 2)), 1.0, rtol=0.01)
    turns = np.diff(model._find_angles(places).numpy(), axis=0)
    np.testing.assert_allclose(paces[5_000], turns[5_000] / np.diff(places[:2, 0]), rtol=0.02)


def test_a_file_of_before_is_to_be_trained_anew(model):
    config = model.get_config()
    del config["moments_width"]
    with pytest.raises(ValueError, match="are to be trained anew"):
        DiffusionAutoencoder.from_config(config)


def test_files_with_the_normalization_of_keras_are_read(model, tmp_path, monkeypatch):
    monkeypatch.setattr("facezoo.models.denoiser.GroupNormalization", keras.layers.GroupNormalization)
    before = DiffusionAutoencoder(autoencoder=model.autoencoder, patch=4, components=48, width=16, depth=1)
    monkeypatch.undo()
    before.save(tmp_path / "before.keras")
    again = keras.models.load_model(tmp_path / "before.keras")
    assert any(isinstance(layer, GroupNormalization) for layer in again.denoiser.layers)
    for one, other in zip(again.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def noise_of(model, count=8, seed=0):
    return np.random.default_rng(seed).standard_normal((count, *model.noise_shape)).astype(np.float32)


def test_flow_turns_noise_into_what_has_the_deviation_of_the_pictures_and_back(ideal):
    codes, noise = ideal.encode(batch()["image"]), noise_of(ideal)
    pictures, doubts = ideal.autoencoder.decode(codes), tf.zeros((8, 1))
    drawn = ideal._follow(noise, codes, pictures, doubts, np.pi / 2.0, 0.0)
    np.testing.assert_allclose(drawn, DEVIATION * noise, rtol=0.01, atol=0.01)
    np.testing.assert_allclose(
        ideal._follow(drawn, codes, pictures, doubts, 0.0, np.pi / 2.0), noise, rtol=0.02, atol=0.02
    )


def test_steps_of_second_order_make_a_quarter_of_the_error_when_they_are_halved(ideal):
    codes, noise = ideal.encode(batch()["image"]), noise_of(ideal)
    pictures = ideal.autoencoder.decode(codes)

    def error_of(steps):
        ideal.sampling_steps = steps
        follow = DiffusionAutoencoder._follow.python_function
        drawn = follow(ideal, noise, codes, pictures, tf.zeros((8, 1)), np.pi / 2.0, 0.0)
        return np.abs(drawn - DEVIATION * noise).max()

    assert error_of(32) < 0.3 * error_of(16)


def test_code_and_noise_together_give_the_picture_back(model):
    images = batch()["image"]
    codes, noise = model.encode(images, noise=True)
    assert noise.shape == (8, *model.noise_shape)
    np.testing.assert_allclose(model.decode(codes, noise), images, atol=0.01)
    assert np.abs(model.decode(codes) - images).mean() > 0.02  # other noise, another picture


def test_a_place_without_details_gives_noise_too(ideal):
    """Of numbers that are all 0 the flow makes noise that is 0, and of the least noise as much as it is of all."""
    codes = ideal.encode(batch()["image"])
    flat = ideal.autoencoder.decode(codes)
    assert np.median(np.abs(ideal.encode(flat, noise=True)[1])) < 0.01
    ideal.least_noise, ideal._least_angle = 0.6, float(np.arcsin(0.6))
    cosines, sines = (np.ravel(part) for part in ideal._turn(ideal._least_angle))
    noise = np.asarray(ideal.encode(flat, noise=True)[1])
    sizes = np.hypot(cosines * DEVIATION, sines)
    np.testing.assert_allclose(noise.std(axis=(0, 1, 2)).mean(), (sines / sizes).mean(), rtol=0.05)
    drawn = np.asarray(ideal.patch_code(ideal.decode(codes, noise) - flat)) / ideal.patch_code.spread
    expected = noise * DEVIATION**2 * cosines / sizes  # the mean of what may be below the noise
    kept = np.abs(np.asarray(ideal.decode(codes, noise)) - 0.5).max(axis=(1, 2, 3)) < 0.5  # not clipped
    np.testing.assert_allclose(drawn[kept], expected[kept], atol=0.02)


def test_codes_are_those_of_the_autoencoder(model):
    np.testing.assert_array_equal(model.encode(batch()["image"]), model.autoencoder.encode(batch()["image"]))


def test_a_picture_depends_on_its_code_alone_unless_noise_is_given(model):
    codes = model.encode(batch()["image"])
    np.testing.assert_allclose(model.decode(codes)[3:4], model.decode(codes[3:4]), atol=1e-5)
    assert np.abs(model.decode(codes, noise_of(model)) - model.decode(codes)).max() > 0.05


def test_doubt_is_told_to_the_denoiser(model):
    codes = model.encode(batch()["image"])
    np.testing.assert_array_equal(model.decode(codes), model.decode(codes, doubt=np.zeros(8, np.float32)))
    assert np.abs(model.decode(codes, doubt=0.5) - model.decode(codes)).max() > 1e-4


def test_the_autoencoder_stays_as_it_is(model):
    before = model.autoencoder.get_weights()
    model.compile(keras.optimizers.Adam(1e-2))
    model.train_step(batch())
    for old, new in zip(before, model.autoencoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_doubtful_codes_are_spread_as_codes_are(model):
    model.code_means.assign([1.0, 0.0, -1.0, 2.0])
    model.code_deviations.assign([1.0, 2.0, 0.5, 1.0])
    codes = model.code_means + model.code_deviations * np.random.default_rng(0).standard_normal((20_000, 4))
    doubtful = model._make_doubtful(tf.cast(codes, tf.float32), tf.ones((20_000, 1))).numpy()
    np.testing.assert_allclose(doubtful.mean(0), model.code_means, atol=0.05)
    np.testing.assert_allclose(doubtful.std(0), model.code_deviations, rtol=0.03)
    assert np.corrcoef(doubtful[:, 0], codes[:, 0])[0, 1] == pytest.approx(0.5**0.5, abs=0.02)


def test_an_autoencoder_that_is_told_attributes_is_refused():
    with pytest.raises(ValueError, match="a ConditionalVAE is told attributes"):
        DiffusionAutoencoder(autoencoder=ConditionalVAE(image_size=SIZE, latent_dim=4, filters=(8, 8)))


def test_a_denoiser_may_have_levels():
    keras.utils.set_random_seed(0)
    denoiser = build_denoiser((4, 4, 6), told=2, width=16, depth=1, levels=2, guide_channels=3)
    inputs = [np.ones((2, 4, 4, 6)), np.ones((2, 4, 4, 3)), np.ones((2, 2))]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(denoiser(inputs, training=True) ** 2)
    for weight, gradient in zip(
        denoiser.trainable_variables, tape.gradient(loss, denoiser.trainable_variables), strict=True
    ):
        assert np.abs(gradient).max() > 0, weight.path
    assert {weight.shape[-1] for weight in denoiser.trainable_variables if len(weight.shape) == 4} >= {16, 24}


def test_patches_of_few_dimensions_are_kept_whole():
    directions = np.linalg.qr(np.random.default_rng(0).standard_normal((48, 3)))[0]
    numbers = np.random.default_rng(1).standard_normal((8, 4, 4, 3)) * (1.0, 0.5, 0.25)
    pictures = tf.nn.depth_to_space(tf.constant(numbers @ directions.T, tf.float32), 4)
    code = PatchCode(4, 3, 3)
    code.adapt(pictures.numpy())
    np.testing.assert_allclose(code.decode(code(pictures)), pictures, atol=1e-5)
    deviations = code(pictures).numpy().std((0, 1, 2))
    np.testing.assert_allclose(deviations / deviations[0], np.sqrt((1.0, 0.5, 0.25)), rtol=0.1)


def test_patches_begin_as_waves_that_keep_what_is_smooth():
    code = PatchCode(4, 3, 48)
    np.testing.assert_allclose(tf.transpose(code.basis) @ code.basis, np.eye(48), atol=1e-6)
    np.testing.assert_allclose(code.decode(code(batch()["image"])), batch()["image"], atol=1e-5)
    flat = PatchCode(4, 3, 3)
    gray = np.full((1, 8, 8, 3), 0.25, np.float32)
    np.testing.assert_allclose(flat.decode(flat(gray)), gray, atol=1e-6)


def test_more_components_than_numbers_are_refused():
    with pytest.raises(ValueError, match="components=49 must be at most 48"):
        PatchCode(4, 3, 49)


def test_a_patch_is_no_pixel():
    with pytest.raises(ValueError, match="patch=1 must be at least 2"):
        DiffusionAutoencoder(image_size=SIZE, patch=1, width=16, depth=1)


@pytest.mark.parametrize(("shape", "width", "levels"), [((4, 4, 6), 112, 1), ((4, 4, 6), 160, 2), ((6,), 100, 1)])
def test_a_width_need_not_be_a_multiple_of_anything(shape, width, levels):
    network = build_denoiser(shape, 8, width, 1, levels)
    inputs = [tf.zeros((2, *shape)), tf.zeros((2, 8))]
    assert network(inputs).shape == (2, *shape)


def test_no_network_of_its_own_decodes_codes(model):
    with pytest.raises(ValueError, match="drawn in steps"):
        model.picture_network()
