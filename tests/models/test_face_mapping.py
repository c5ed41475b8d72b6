"""What is true of the face mapping autoencoder alone, and of terms inside of a mask."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.losses import DSSIM, Masked, SquaredError, SquaredMaskError, ssim
from facezoo.models import MODELS, FaceMapping
from facezoo.models.face_mapping import ChosenPerson

PEOPLE = ("ann", "bob", "eve")
over_structures = pytest.mark.parametrize("structure", ["df", "liae"])


def tiny(**arguments):
    defaults = {"image_size": 16, "filters": (4, 4), "inter_dim": 6, "people": PEOPLE}
    return FaceMapping(**{**defaults, **arguments})


def images(count=3, size=16, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, size, size, 3)).astype(np.float32)


def parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


# Size.


def test_df_has_deepfacelab_s_size():
    model = FaceMapping(image_size=128, filters=(64, 128, 256, 512), mask_head=True)
    assert model.inter_dim == 256
    assert model.decoder_filters == (256, 512, 256, 128)
    assert round(parameters(model) / 1e6, 1) == 57.5


@over_structures
def test_the_default_fits_a_cpu_and_ships_in_nine_megabytes(structure):
    assert 3e6 < parameters(FaceMapping(structure=structure)) < 4e6
    assert 2 * parameters(FaceMapping(structure=structure, mask_head=True)) < 9e6


def test_a_person_of_df_costs_a_decoder_and_of_liae_an_inter():
    def of_three_more_than_of_two(structure):
        two, three = (
            parameters(tiny(people=PEOPLE[:count], structure=structure, decoder_filters=(4, 4))) for count in (2, 3)
        )
        return three - two

    up, residual, last = 9 * 4 * 16 + 16, 2 * (9 * 4 * 4 + 4), 4 * 3 + 3
    assert of_three_more_than_of_two("df") == up + residual + last
    units = 4 * 4 * 4
    assert of_three_more_than_of_two("liae") == (units * 6 + 6) + (6 * units + units) + up


# Who is decoded as whom.


@over_structures
def test_each_person_has_a_face_of_their_own(structure):
    model = tiny(structure=structure)
    mapped = [model.map_faces(images(), person).numpy() for person in PEOPLE]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(mapped[first] - mapped[second]).max() > 1e-4
    codes = model.encode(images())
    assert codes.shape == (3, 6 if structure == "df" else 18)
    np.testing.assert_array_equal(model.decode(codes), mapped[2])
    np.testing.assert_array_equal(model.decode(codes, 1), mapped[1])
    mixed = model.decode(codes, np.array([2, 0, 1]))
    np.testing.assert_allclose(mixed, [mapped[2][0], mapped[0][1], mapped[1][2]], atol=1e-6)


@pytest.mark.parametrize("person", ["ann", 2, None])
def test_a_graph_of_one_person_holds_that_person_s_network_alone(person):
    model = tiny()
    codes = model.encode(images())
    decode = tf.function(lambda codes: model.decode(codes, person)).get_concrete_function(tf.TensorSpec((None, 6)))
    assert "DynamicPartition" not in {operation.type for operation in decode.graph.get_operations()}
    np.testing.assert_array_equal(decode(tf.convert_to_tensor(codes)), model.decode(codes, person))


@over_structures
def test_a_batch_is_decoded_as_its_own_people(structure):
    model, batch = tiny(structure=structure), {"image": images()}
    codes = model.encode(batch["image"])
    outputs = model({**batch, "identity": np.array([1, 0, 2])})
    np.testing.assert_allclose(outputs["z"], codes, atol=1e-6)
    np.testing.assert_allclose(outputs["reconstruction"], model.decode(codes, [1, 0, 2]), atol=1e-6)
    for unknown in ({}, {"identity": np.array([3, 77, -1])}):
        np.testing.assert_allclose(model(batch | unknown)["reconstruction"], model.decode(codes, "eve"), atol=1e-6)


def test_liae_gives_the_first_person_the_shared_features_twice():
    model = tiny(structure="liae")
    codes = model.encode(images())
    of_shared = tf.concat([codes[:, :6], tf.random.normal((3, 12))], axis=1)
    np.testing.assert_array_equal(model.decode(of_shared, "ann"), model.decode(codes, "ann"))
    own = tf.concat([tf.random.normal((3, 12)), codes[:, 12:]], axis=1)
    assert np.abs(model.decode(own, "eve") - model.decode(codes, "eve")).max() > 1e-4
    without_bob = tf.concat([codes[:, :6], tf.random.normal((3, 6)), codes[:, 12:]], axis=1)
    np.testing.assert_array_equal(model.decode(without_bob, "eve"), model.decode(codes, "eve"))


@over_structures
def test_a_step_on_one_person_leaves_the_others_alone(structure):
    model = tiny(structure=structure)
    model.compile(keras.optimizers.SGD(0.1))
    weights = model.decoder.trainable_variables

    def trained(person):
        before = [weight.numpy() for weight in weights]
        model.train_step({"image": tf.constant(images()), "identity": tf.fill((3,), person)})
        return {weight.path for weight, old in zip(weights, before, strict=True) if (weight.numpy() != old).any()}

    ann, bob, eve = (trained(person) for person in range(3))
    assert ann | bob | eve == {weight.path for weight in weights}
    assert bob - eve
    assert eve - bob


def test_a_choice_of_person_by_hand():
    numbers = tf.constant([1, 0, 5])
    values = [tf.fill((3, 1, 1, 1), value) for value in (10.0, 20.0, 30.0)]
    assert ChosenPerson()([numbers, *values])[:, 0, 0, 0].numpy().tolist() == [20.0, 10.0, 30.0]


@pytest.mark.parametrize(
    ("person", "message"),
    [
        ("joe", r"no person 'joe': the model knows ann, bob, eve \(numbers 0 to 2\)"),
        (3, "no person of number 3"),
        ([0, -1, 1], "no person of number"),
    ],
)
def test_a_person_that_is_not_there_is_refused(person, message):
    with pytest.raises(ValueError, match=message):
        tiny().map_faces(images(), person)


# Training.


def test_training_undoes_the_warp_and_evaluation_sees_the_picture():
    model = tiny()
    batch = {"image": images(seed=1), "warped": images(seed=2)}
    np.testing.assert_allclose(model(batch, training=True)["z"], model.encode(batch["warped"]), atol=1e-6)
    np.testing.assert_allclose(model(batch, training=False)["z"], model.encode(batch["image"]), atol=1e-6)
    assert model.batch_columns == ("warped", "mask")


def test_what_is_outside_of_the_mask_does_not_count():
    model = tiny()
    model.compile(keras.optimizers.SGD(0.1))
    mask = np.zeros((3, 16, 16, 1), np.float32)
    mask[:, 4:12, 4:12] = 1.0
    batch = {"image": images(seed=1), "warped": images(seed=2), "mask": mask}
    other = {**batch, "image": np.where(mask > 0, batch["image"], images(seed=3))}
    outputs = model(batch, training=True)
    values, same = (model.objective.values(data, outputs)["loss"] for data in (batch, other))
    np.testing.assert_array_equal(values, same)
    inside = {name: value for name, value in other.items() if name != "mask"}
    assert np.abs(model.objective.values(inside, outputs)["loss"] - values).min() > 0.01


def test_two_people_learn_to_map():
    """Bright and dark people with a mark left or right: mapped, the brightness changes and the mark stays."""
    numbers = np.random.default_rng(0)
    identity, right = np.arange(16) % 2, np.arange(16) // 2 % 2
    data = np.where(identity[:, None, None, None] == 1, 0.8, 0.3) + numbers.uniform(-0.02, 0.02, (16, 16, 16, 3))
    for row, side in enumerate(right):
        data[row, 6:10, 3 + 7 * side : 7 + 7 * side] = 0.05
    model = FaceMapping(image_size=16, filters=(8, 8), inter_dim=4)
    model.compile(keras.optimizers.Adam(5e-3))
    batch = {"image": tf.constant(data, tf.float32), "identity": tf.constant(identity)}
    step = tf.function(model.train_step)
    for _ in range(250):
        step(batch)
    mapped = model.map_faces(batch["image"][::2], "target").numpy()
    assert abs(mapped[:, :3].mean() - 0.8) < 0.1
    left_is_darker = mapped[:, 6:10, 3:7].mean(axis=(1, 2, 3)) < mapped[:, 6:10, 10:14].mean(axis=(1, 2, 3))
    assert (left_is_darker == (right[::2] == 0)).all()


def test_the_last_kernels_are_those_of_every_picture():
    assert [kernel.shape for kernel in tiny(mask_head=True).last_kernels] == [(1, 1, 4, 3)] * 3
    assert [kernel.shape for kernel in tiny(structure="liae").last_kernels] == [(1, 1, 4, 3)]
    model = tiny()
    before = [model.decode(tf.ones((1, 6)), person).numpy() for person in PEOPLE]
    model.last_kernels[1].assign(0.5 * tf.ones((1, 1, 4, 3)))
    changed = [
        np.abs(model.decode(tf.ones((1, 6)), person) - old).max() > 0
        for person, old in zip(PEOPLE, before, strict=True)
    ]
    assert changed == [False, True, False]


@over_structures
def test_a_mask_head_gives_masks_and_learns_them(structure):
    model = tiny(structure=structure, mask_head=True)
    model.compile(keras.optimizers.Adam(1e-2))
    assert model.default_factors == {"reconstruction": 10.0, "dssim": 10.0, "mask": 1.0}
    mask = np.zeros((3, 16, 16, 1), np.float32)
    mask[:, :, 8:] = 1.0
    batch = {"image": tf.constant(images()), "mask": tf.constant(mask), "identity": tf.constant([0, 1, 2])}
    step = tf.function(model.train_step)
    first = float(step(batch)["mask"])
    for _ in range(80):
        step(batch)
    pictures, masks = model.decode_with_mask(model.encode(images()), [0, 1, 2])
    assert pictures.shape == (3, 16, 16, 3)
    assert masks.shape == mask.shape
    assert np.mean((masks - mask) ** 2) < 0.3 * first
    with pytest.raises(ValueError, match="no mask head"):
        tiny(structure=structure).decode_with_mask(tf.ones((1, 6 if structure == "df" else 18)))


# Terms inside of a mask.


def test_a_masked_term_sees_black_outside():
    mask = np.zeros((2, 16, 16, 1), np.float32)
    mask[:, :8] = 1.0
    batch, outputs = {"image": images(2, seed=1), "mask": mask}, {"reconstruction": images(2, seed=2)}
    difference = (batch["image"] - outputs["reconstruction"])[:, :8]
    np.testing.assert_allclose(
        Masked(SquaredError())(batch, outputs), (difference**2).sum(axis=(1, 2, 3)) / (16 * 16 * 3), rtol=1e-5
    )
    expected = (1 - ssim(batch["image"] * mask, outputs["reconstruction"] * mask)) / 2
    np.testing.assert_allclose(Masked(DSSIM())(batch, outputs), expected, rtol=1e-6)


def test_a_masked_term_without_a_mask_is_the_term():
    batch, outputs = {"image": images(2, seed=1)}, {"reconstruction": images(2, seed=2)}
    np.testing.assert_array_equal(Masked(SquaredError())(batch, outputs), SquaredError()(batch, outputs))


def test_the_error_of_masks_by_hand():
    batch, outputs = {"mask": tf.ones((2, 4, 4, 1))}, {"mask": tf.fill((2, 4, 4, 1), 0.75)}
    np.testing.assert_allclose(SquaredMaskError()(batch, outputs), [0.0625, 0.0625])
    with pytest.raises(ValueError, match="masks of the faces"):
        SquaredMaskError()({}, outputs)


# Arguments.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"people": ("ann",)}, "at least two"),
        ({"people": ("ann", "ann")}, "name each person once"),
        ({"people": "ann"}, "people='ann' must be names"),
        ({"people": ("ann", "")}, "must be names"),
        ({"structure": "sae"}, "structure='sae' must be one of df, liae"),
        ({"decoder_filters": (3,)}, r"decoder_filters=\(3,\) must be as many as filters=\(4, 4\)"),
        ({"decoder_filters": (3, 0)}, "decoder_filters="),
        ({"inter_dim": 0}, "inter_dim=0"),
        ({"mask_head": 1}, "mask_head=1"),
        ({"image_size": 18}, "image_size=18 must be a multiple of 4"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny(**arguments)


def test_it_is_in_the_zoo_and_keeps_its_configuration():
    assert MODELS["face_mapping"] is FaceMapping
    model = tiny(structure="liae", mask_head=True, l2=0.01, seed=3)
    config = model.get_config()
    assert set(config) == set(inspect.signature(FaceMapping).parameters)
    assert config["decoder_filters"] == (2, 4)
    assert FaceMapping.from_config(config).get_config() == config
