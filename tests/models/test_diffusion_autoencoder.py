"""The diffusion autoencoder: its details, its flow, and what codes and noise carry."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.experiments.codes.encoding import draw_noise, encode_exactly
from facezoo.experiments.codes.morphing import decode_between, lead_details
from facezoo.latents.interpolation import interpolate
from facezoo.losses import DSSIM, Objective, PerceptualLoss
from facezoo.models import (
    VAE,
    AutoencoderGAN,
    CodePrior,
    ConditionalVAE,
    ConvolutionalAutoencoder,
    DiffusionAutoencoder,
    Discriminator,
    randomness,
)
from facezoo.models.denoiser import GroupNormalization, build_denoiser
from facezoo.models.diffusion_autoencoder import _slerp
from zoo import SIZE, batch

DEVIATION = 0.5  # of what is drawn, where the best denoiser is known


def last_kernel_of(network):
    return [weight for weight in network.trainable_variables if weight.name == "kernel"][-1]


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    autoencoder = VAE(image_size=SIZE, latent_dim=4, filters=(8, 8))
    made = DiffusionAutoencoder(
        autoencoder=autoencoder,
        patch=4,
        components=6,
        width=32,
        depth=1,
        sampling_steps=12,
        seed=3,
    )
    made.adapt(batch()["image"])
    decoder = made.detail_decoder
    for kernel, deviation in (
        (decoder.get_layer("last").kernel, 0.3),  # these begin as hardly any change
        (decoder.get_layer("block_0_scales").kernel, 0.1),
        (last_kernel_of(made.denoiser), 0.1),
    ):
        kernel.assign(deviation * tf.random.stateless_normal(kernel.shape, (0, 1)))
    return made


@pytest.fixture
def ideal(model, monkeypatch):
    """A model of normal details that deviate half as much as noise, whose best denoiser has a closed form."""

    def find_velocity(noisy, guide, told, angles, is_weak=False):
        cosines, sines = (part[:, :, None, None] for part in (tf.cos(angles), tf.sin(angles)))
        variances = (cosines * DEVIATION) ** 2 + sines**2
        return noisy * cosines * sines * (1.0 - DEVIATION**2) / variances

    monkeypatch.setattr(model, "_find_velocity", find_velocity)
    model.sampling_steps = 16
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


def test_a_file_of_before_is_to_be_trained_anew(model):
    config = model.get_config()
    del config["finish"]
    with pytest.raises(ValueError, match="are to be trained anew"):
        DiffusionAutoencoder.from_config(config)


def test_files_with_the_normalization_of_keras_are_read(tmp_path, monkeypatch):
    autoencoder = ConvolutionalAutoencoder(image_size=SIZE, filters=(8, 8))
    monkeypatch.setattr("facezoo.models.denoiser.GroupNormalization", keras.layers.GroupNormalization)
    before = CodePrior(autoencoder=autoencoder, width=16, depth=1)
    monkeypatch.undo()
    before.save(tmp_path / "before.keras")
    again = keras.models.load_model(tmp_path / "before.keras")
    assert any(isinstance(layer, GroupNormalization) for layer in again.denoiser.layers)
    for one, other in zip(again.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def noise_of(model, count=8, seed=0):
    return np.random.default_rng(seed).standard_normal((count, *model.noise_shape)).astype(np.float32)


def seen_of(model):
    """What the denoiser is given of the batch's faces besides noise."""
    codes = model.encode(batch()["image"])
    return model._cut_guide(model.autoencoder.decode(codes)), model._tell(codes, tf.zeros((8, 1)))


def test_flow_turns_noise_into_what_has_the_deviation_of_details_and_back(ideal):
    noise, seen = noise_of(ideal), seen_of(ideal)
    drawn = ideal._follow(noise, *seen, np.pi / 2.0, 0.0)
    np.testing.assert_allclose(drawn, DEVIATION * noise, rtol=0.01, atol=0.01)
    np.testing.assert_allclose(ideal._follow(drawn, *seen, 0.0, np.pi / 2.0), noise, rtol=0.02, atol=0.02)


def test_steps_of_second_order_make_a_quarter_of_the_error_when_they_are_halved(ideal):
    noise, seen = noise_of(ideal), seen_of(ideal)

    def error_of(steps):
        ideal.sampling_steps = steps
        follow = DiffusionAutoencoder._follow.python_function
        return np.abs(follow(ideal, noise, *seen, np.pi / 2.0, 0.0) - DEVIATION * noise).max()

    assert error_of(32) < 0.3 * error_of(16)


def test_details_become_noise_and_are_found_again(model):
    images = batch()["image"]
    codes, noise = model.encode(images, noise=True)
    assert noise.shape == (8, *model.noise_shape)
    guide, told = seen_of(model)
    mean, log_var = model._find_details(images, model.autoencoder.decode(model.encode(images)), guide, told)
    found = model._follow(noise, guide, told, np.pi / 2.0, 0.0)
    deviations = np.exp(0.5 * np.asarray(log_var))
    assert np.abs(noise - found).mean() > 0.1
    np.testing.assert_allclose(np.std((found - mean) / deviations), 1.0, rtol=0.15)  # drawn within what is told
    expected = model._draw(model.autoencoder.decode(codes), found, guide, told)
    np.testing.assert_allclose(model.decode(codes, noise), tf.clip_by_value(expected, 0.0, 1.0), atol=1e-5)


def test_drawn_noise_is_as_warm_as_asked(model):
    codes = model.encode(batch()["image"])
    cool = model.decode(codes)
    shared = tf.repeat(model._draw_shared("noise"), 8, axis=0)
    np.testing.assert_allclose(model.decode(codes, shared, drawn=1.0), cool)
    np.testing.assert_allclose(model.decode(codes, 0.7 * shared, drawn=0.0), cool, atol=1e-6)
    np.testing.assert_allclose(model.decode(codes, 0.85 * shared), model.decode(codes, shared, drawn=0.5), atol=1e-6)
    model.temperature = 0.0
    np.testing.assert_allclose(model.decode(codes), model.decode(codes, tf.zeros((8, *model.noise_shape))))


def test_drawn_details_are_led_away_from_what_a_weaker_denoiser_says(model):
    led = DiffusionAutoencoder(**{**model.get_config(), "autoencoder": model.autoencoder, "weak_width": 8})
    for weights in (led.weak_denoiser, led.denoiser):
        last_kernel_of(weights).assign(0.1 * tf.random.stateless_normal(last_kernel_of(weights).shape, (0, 1)))
    codes, shared = led.encode(batch()["image"]), tf.repeat(led._draw_shared("noise"), 8, axis=0)
    plain, weak = (led._find_velocity(shared, *seen_of(led), tf.ones((8, 1)), is_weak) for is_weak in (False, True))
    assert np.abs(plain - weak).max() > 0.01
    led.sampling_steps = 1  # two evaluations: where the noise is, and where the first leads
    step = -np.pi / 2.0
    guided = DiffusionAutoencoder._follow.python_function(led, shared, *seen_of(led), -step, 0.0, tf.ones(8))

    def lead(noisy, angle):
        own, weak = (led._find_velocity(noisy, *seen_of(led), tf.fill((8, 1), angle), weak) for weak in (False, True))
        away = 2.0 * own - weak
        size, changed = (np.square(maps).mean(axis=(1, 2, 3), keepdims=True) ** 0.5 for maps in (own, away))
        return away * size / changed

    first = lead(shared, -step)
    np.testing.assert_allclose(guided, shared + step * (first + lead(shared + step * first, 0.0)) / 2.0, atol=1e-4)
    led.sampling_steps, led.temperature = 10, 1.0
    drawn, found = led.decode(codes, shared, drawn=1.0), led.decode(codes, shared)
    assert np.abs(drawn - found).max() > 1e-3
    np.testing.assert_allclose(
        led.decode(codes, shared, drawn=np.array([1.0] + 7 * [0.0])), [drawn[0], *found[1:]], atol=1e-5
    )
    led.guidance = 0.0
    np.testing.assert_allclose(led.decode(codes, shared, drawn=1.0), found, atol=1e-6)


def test_a_model_without_a_weaker_denoiser_gets_one(model):
    arguments = {**model.get_config(), "autoencoder": model.autoencoder}
    led = DiffusionAutoencoder(**{**arguments, "weak_width": 8, "temperature": 0.9})
    before = led.weak_denoiser.get_weights()
    assert led.begin_from(model, None)
    for name in ("denoiser", "detail_encoder", "detail_decoder", "finisher", "autoencoder"):
        for one, other in zip(getattr(led, name).get_weights(), getattr(model, name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(led.code_means, model.code_means)
    for one, other in zip(led.weak_denoiser.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not DiffusionAutoencoder(**{**arguments, "weak_width": 8, "components": 4}).begin_from(model, None)
    assert not led.begin_from(led, None) and not DiffusionAutoencoder(**arguments).begin_from(led, None)


def test_a_weaker_denoiser_is_weaker_and_learns(model):
    with pytest.raises(ValueError, match="weak_width=96 must be less than denoiser_width=96"):
        DiffusionAutoencoder(image_size=SIZE, weak_width=96)
    assert "weak_velocity" not in model.loss_terms() and "weak_velocity" not in model(batch(), training=False)
    led = DiffusionAutoencoder(**{**model.get_config(), "autoencoder": model.autoencoder, "weak_width": 8})
    led.compile(keras.optimizers.Adam(1e-3))
    before = led.weak_denoiser.get_weights()
    assert np.isfinite(led.train_step(batch())["weak_velocity"])
    assert any(np.abs(old - new).max() > 0 for old, new in zip(before, led.weak_denoiser.get_weights(), strict=True))


def test_noise_of_a_picture_is_its_own_whichever_batch_it_is_in(model):
    images = batch()["image"]
    noise, alone = (np.asarray(model.encode(pictures, noise=True)[1]) for pictures in (images, images[3:4]))
    np.testing.assert_allclose(noise[3:4], alone, atol=1e-4)
    numbers = randomness.normal_of(images, (1000,), seed=0, stream="details").numpy()
    np.testing.assert_allclose(np.corrcoef(numbers), np.eye(8), atol=0.15)


def test_terms_of_how_pictures_look_see_one_of_two(model):
    term, other = PerceptualLoss(lambda pictures, training: [pictures]), DSSIM()
    assert model.inside(term).term is term
    assert model.inside(other) is other
    examples = batch(32)
    outputs = model(examples, training=True)
    differ = np.abs(outputs["shown"] - outputs["reconstruction"]).mean(axis=(1, 2, 3)) > 0.01
    assert 6 <= np.count_nonzero(differ) <= 26  # others are the reconstruction itself
    np.testing.assert_array_equal(outputs["shown"][~differ], outputs["reconstruction"][~differ])
    changed = {**outputs, "shown": outputs["reconstruction"]}
    said = [model.loss_terms()["texture"](examples, made) for made in (outputs, changed)]
    np.testing.assert_array_equal(np.abs(said[0] - said[1]) > 1e-4, differ)


def test_pictures_between_two_faces_are_those_of_a_morph(model, monkeypatch):
    """Codes on the line, details on the great circle, and the doubt that `morph` tells."""
    places = np.array([0.0, 1.0, 0.5, 0.25, 0.5], np.float32)
    monkeypatch.setattr(randomness, "uniform", lambda *_, **__: tf.constant(places[:, None]))
    codes, details = np.asarray(model.encode(batch(5)["image"])), np.array(model.draw_noise(5))
    details[3] = details[2] + 0.3 * details[3]  # these are alike
    pictures, mixed, guide, told = model._mix(tf.constant(codes), tf.constant(details), tf.zeros((5, 1)))
    neighbours = [1, 0, 3, 2, 4]  # the last one has none
    for row, (other, place) in enumerate(zip(neighbours, places, strict=True)):
        expected = interpolate(details[row], details[other], place[None], "slerp")[0]
        np.testing.assert_allclose(mixed[row], expected, atol=2e-3)
        code = interpolate(codes[row], codes[other], place[None], "linear")
        np.testing.assert_allclose(pictures[row], model.autoencoder.decode(code)[0], atol=1e-5)
        doubt = lead_details({"noise": details[[row, other]], "drawn": np.zeros(2)}, place[None])["doubt"]
        np.testing.assert_allclose(told[row], model._tell(code, doubt[:, None] / model.doubt)[0], atol=1e-5)
    np.testing.assert_allclose(guide, model._cut_guide(pictures))


def test_noise_between_two_faces_is_as_good_as_drawn(model):
    found, drawn = encode_exactly(model, batch()["image"][:2])[1], draw_noise(model, 2, 0)
    assert np.std(drawn["noise"]) == pytest.approx(1.0, rel=0.1)  # the model multiplies by its temperature
    alphas = np.array([0.0, 1 / 6, 0.5, 1.0])
    for details, expected in ((found, [0.0, 0.5, 1.0, 0.0]), (drawn, np.ones(4))):
        np.testing.assert_allclose(lead_details(details, alphas)["drawn"], expected, atol=1e-6)
    mixed = {name: np.stack([found[name][0], drawn[name][0]]) for name in found}
    np.testing.assert_allclose(lead_details(mixed, alphas)["drawn"], [0.0, 0.5, 1.0, 1.0], atol=1e-6)
    codes, kept = encode_exactly(model, batch()["image"][:2])
    ways = [{name: column[row : row + 1] for name, column in kept.items()} for row in range(2)]
    for alpha in alphas:
        between = decode_between(model, (codes[:1], ways[0]), (codes[1:], ways[1]), np.array([alpha], np.float32))
        code = codes[:1] + alpha * (codes[1:] - codes[:1])
        expected = model.decode(code, **lead_details(kept, np.array([alpha])))
        np.testing.assert_allclose(between, expected, atol=1e-4)


def test_pictures_between_two_faces_do_not_depend_on_how_a_batch_is_shared_out(model):
    codes, details, doubts = model.encode(batch(8)["image"]), model.draw_noise(8), tf.zeros((8, 1))
    mixed = model._mix(codes, details, doubts)[1]
    places = randomness.uniform(8, (1,), seed=model.seed, stream="between")
    half = _slerp(details[4:], tf.gather(details[4:], [1, 0, 3, 2]), places[4:, :, None, None])
    np.testing.assert_allclose(mixed[4:], half, atol=1e-5)


def test_a_discriminator_judges_what_is_shown_and_pictures_between_faces(model):
    judge = Discriminator(image_size=SIZE, filters=(4, 8))
    game = AutoencoderGAN(autoencoder=model, discriminator=judge, balance="none")
    game.compile(keras.optimizers.SGD(0.1), discriminator_optimizer=keras.optimizers.SGD(0.1))
    examples = batch(32)
    outputs = game(examples, training=True)
    np.testing.assert_allclose(outputs["fake_logits"], judge(outputs["judged"])["logits"], atol=1e-5)
    is_shown = np.abs(outputs["judged"] - outputs["shown"]).max(axis=(1, 2, 3)) == 0
    assert 6 <= np.count_nonzero(is_shown) <= 26  # others lie between two faces
    decoder = model.detail_decoder.get_layer("last").kernel
    before = [weight.numpy() for weight in (decoder, judge.trainable_variables[0])]
    game.objective.factors = dict.fromkeys(game.objective.factors, 0.0) | {"adversarial": 1.0}
    tf.function(game.train_step)({"image": tf.constant(examples["image"])})
    for start, weight in zip(before, (decoder, judge.trainable_variables[0]), strict=True):
        assert np.abs(weight - start).max() > 0


def test_features_of_pictures_without_an_original_are_not_compared(model):
    game = AutoencoderGAN(autoencoder=model, discriminator=Discriminator(image_size=SIZE, filters=(4, 8)))
    with pytest.raises(ValueError, match="'feature_matching' compares reconstructions, and of a DiffusionAutoencoder"):
        game.compile(objective=Objective(game.loss_terms(), {"reconstruction": 1.0, "feature_matching": 1.0}))


def test_evaluation_tells_of_a_picture_s_own_details(model):
    model.compile("adam")
    outputs = model(batch(), training=False)
    told = model.evaluate_batch(batch(), outputs)["reconstruction"]
    np.testing.assert_allclose(told, np.mean((outputs["own"] - batch()["image"]) ** 2, axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_array_equal(outputs["reconstruction"], model.decode(outputs["z"]))


def test_divergence_comes_to_count(model):
    model.divergence_steps = 4
    shares = []
    for step in (0, 2, 9):
        with randomness.at_step(step):
            shares.append(float(model(batch(), training=True)["detail_share"]))
    assert shares == [0.0, 0.5, 1.0]
    assert "detail_share" not in model(batch(), training=False)


def test_own_details_give_back_what_codes_do_not():
    """Pictures of noise, of which no code of four numbers tells more than one which it is."""
    keras.utils.set_random_seed(0)
    autoencoder = VAE(image_size=SIZE, latent_dim=4, filters=(8, 8))
    model = DiffusionAutoencoder(autoencoder=autoencoder, patch=4, components=12, width=48, depth=1, finish=0)
    numbers = np.random.default_rng(0)
    model.compile(keras.optimizers.Adam(3e-3))

    def draw():
        return np.repeat(np.repeat(numbers.uniform(size=(8, SIZE // 2, SIZE // 2, 3)), 2, 1), 2, 2).astype(np.float32)

    train_step = tf.function(model.train_step)
    for _ in range(150):
        train_step({"image": draw()})
    images = draw()
    codes, noise = model.encode(images, noise=True)
    own, held = (
        np.mean((np.asarray(made) - images) ** 2) for made in (model.decode(codes, noise), autoencoder.decode(codes))
    )
    assert own < 0.5 * held


def test_codes_are_those_of_the_autoencoder(model):
    np.testing.assert_array_equal(model.encode(batch()["image"]), model.autoencoder.encode(batch()["image"]))


def test_a_picture_depends_on_its_code_alone_unless_noise_is_given(model):
    codes = model.encode(batch()["image"])
    np.testing.assert_allclose(model.decode(codes)[3:4], model.decode(codes[3:4]), atol=1e-5)
    assert np.abs(model.decode(codes, noise_of(model)) - model.decode(codes)).max() > 0.05


def test_doubt_is_told_to_the_networks(model):
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


def test_a_patch_is_no_pixel():
    with pytest.raises(ValueError, match="patch=1 must be even"):
        DiffusionAutoencoder(image_size=SIZE, patch=1, width=16, depth=1)


@pytest.mark.parametrize(("shape", "width", "levels"), [((4, 4, 6), 112, 1), ((4, 4, 6), 160, 2), ((6,), 100, 1)])
def test_a_width_need_not_be_a_multiple_of_anything(shape, width, levels):
    network = build_denoiser(shape, 8, width, 1, levels)
    inputs = [tf.zeros((2, *shape)), tf.zeros((2, 8))]
    assert network(inputs).shape == (2, *shape)


def test_no_network_of_its_own_decodes_codes(model):
    with pytest.raises(ValueError, match="drawn in steps"):
        model.picture_network()
