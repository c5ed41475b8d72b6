"""Random changes of pictures: mirrored, moved, distorted, recoloured and softened faces, one after the other."""

import numpy as np
import pytest
import tensorflow as tf
from facezoo.datasets.augmentation import LUMA, affine, blur, chain, colour, flip, random_warp
from facezoo.datasets.masks import with_masks
from facezoo.datasets.pipeline import evaluation_batches, training_batches
from facezoo.datasets.procedural import procedural_people
from facezoo.datasets.source import DatasetError
from scipy.ndimage import map_coordinates

STILL = {"warp": 0.0, "degrees": 0.0, "scale": 1.0, "shift": 0.0, "flip": 0.0}
MIRROR = STILL | {"flip": 1.0}
SIDED = ("left_eye_closed", "smiling", "right_eye_closed", "left_handed")
NAMES = ("right_pupil", "left_pupil", "jaw_0", "jaw_16")
SEED = tf.constant([3, 7], tf.int64)


def noise(count=4, height=32, width=32, channels=3):
    return np.random.default_rng(0).uniform(size=(count, height, width, channels)).astype(np.float32)


def places(count, height, width):
    """Pictures whose two channels are each pixel's own x and y: [count, height, width, 2]."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32) + 0.5
    return np.repeat(np.stack([columns, rows], axis=-1)[None], count, axis=0)


def changed(augmentation, batch, seed=SEED):
    batch = {name: tf.constant(values) for name, values in batch.items()}
    return {name: values.numpy() for name, values in augmentation(batch, seed).items()}


def dots(points, height, width):
    """One soft dot for each point [n, L, 2], each in a channel of its own: [n, height, width, L]."""
    grid = places(1, height, width)[:, :, :, None]  # [1, H, W, 1, 2]
    square = ((grid - points[:, None, None] * [width, height]) ** 2).sum(axis=-1)
    return np.exp(-square / (2.0 * 1.5**2)).astype(np.float32)


def centres(pictures):
    """Where the dots are: [n, H, W, L] -> [n, L, 2] in sides."""
    _, height, width, _ = pictures.shape
    weights = pictures / pictures.sum(axis=(1, 2), keepdims=True)
    return np.einsum("nhwl,hwc->nlc", weights, places(1, height, width)[0]) / [width, height]


# Mirroring.


@pytest.mark.parametrize("make", [flip, lambda **names: random_warp(**MIRROR, **names)], ids=["flip", "warp"])
def test_in_a_mirrored_face_what_is_told_of_left_is_true_of_right(make):
    image = noise(32)
    attributes = np.random.default_rng(1).integers(0, 2, (32, len(SIDED))).astype(np.float32)
    after = changed(make(attribute_names=SIDED), {"image": image, "attributes": attributes})
    is_mirrored = np.abs(after["image"] - image[:, :, ::-1]).max(axis=(1, 2, 3)) < 1e-5
    assert is_mirrored.sum() > 8
    # Nothing is known of the right hand, so the left one's value stays.
    expected = np.where(is_mirrored[:, None], attributes[:, [2, 1, 0, 3]], attributes)
    np.testing.assert_array_equal(after["attributes"], expected)
    assert (after["attributes"] != attributes).any()
    untold = changed(make(), {"image": image, "attributes": attributes})
    np.testing.assert_array_equal(untold["attributes"], attributes)


@pytest.mark.parametrize("make", [flip, lambda **names: random_warp(**MIRROR, **names)], ids=["flip", "warp"])
def test_landmarks_of_a_clip_change_sides_as_those_of_its_picture(make):
    landmarks = np.random.default_rng(2).random((32, 2, 2)).astype(np.float32)
    image = noise(32)
    batch = {"image": image, "landmarks": landmarks, "clip": np.repeat(image[:, None], 3, 1)}
    batch |= {"clip_landmarks": np.repeat(landmarks[:, None], 3, 1), "clip_factors": np.zeros((32, 3, 2), np.float32)}
    after = changed(make(landmark_names=("left_eye", "right_eye")), batch)
    assert "clip_factors" not in after
    assert (after["landmarks"] != landmarks).any()
    for frame in range(3):
        np.testing.assert_allclose(after["clip_landmarks"][:, frame], after["landmarks"], atol=1e-6)


def test_a_mask_is_mirrored_with_its_picture():
    image = noise(16)
    after = changed(flip(), {"image": image, "mask": image[..., :1]})
    np.testing.assert_array_equal(after["mask"], after["image"][..., :1])
    assert (after["mask"] != image[..., :1]).any()


@pytest.mark.parametrize("make", [flip, random_warp])
def test_what_has_no_name_cannot_be_mirrored(make):
    batch = {"image": noise(), "landmarks": np.zeros((4, 4, 2), np.float32)}
    with pytest.raises(DatasetError, match="4 landmarks but 0 landmark_names"):
        changed(make(), batch)
    with pytest.raises(DatasetError, match="3 attributes but 4 attribute_names"):
        changed(make(attribute_names=SIDED), {"image": noise(), "attributes": np.zeros((4, 3), np.float32)})
    assert changed(random_warp(flip=0.0), batch)["landmarks"].shape == (4, 4, 2)


# Moving.


def test_nothing_to_do_changes_nothing():
    image = noise()
    after = changed(random_warp(**STILL), {"image": image})
    np.testing.assert_allclose(after["image"], image, atol=1e-6)
    np.testing.assert_allclose(after["warped"], image, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(48, 48), (40, 64)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_landmarks_stay_on_what_they_mark(height, width, mirrored):
    points = np.random.default_rng(1).uniform(0.35, 0.65, (16, len(NAMES), 2)).astype(np.float32)
    augmentation = random_warp(degrees=40.0, scale=1.3, flip=float(mirrored), landmark_names=NAMES)
    after = changed(augmentation, {"image": dots(points, height, width), "landmarks": points})
    # In a mirrored face what was the right pupil is the left one.
    found = centres(after["image"])[:, [1, 0, 3, 2] if mirrored else [0, 1, 2, 3]]
    np.testing.assert_allclose(after["landmarks"], found, atol=2e-3)
    assert np.abs(after["landmarks"] - points).max() > 0.05


def test_sampling_is_bilinear_and_repeats_the_edge():
    image = np.concatenate([places(8, 24, 24), noise(8, 24, 24, 1)], axis=-1)
    after = changed(random_warp(degrees=45.0, scale=2.0, shift=0.3, flip=0.5), {"image": image})
    for key in ("image", "warped"):
        for example, original in zip(after[key], image, strict=True):
            # The first two channels say where each pixel comes from.
            at = example[..., 1::-1].transpose(2, 0, 1) - 0.5
            reference = map_coordinates(original[..., 2], at, order=1, mode="nearest")
            np.testing.assert_allclose(example[..., 2], reference, atol=1e-4)


def test_a_mask_moves_with_its_picture():
    image = noise()
    after = changed(random_warp(), {"image": image, "mask": image[..., 1:2]})
    np.testing.assert_allclose(after["mask"], after["image"][..., 1:2], atol=1e-6)
    assert after["image"].shape == image.shape


def test_an_affine_move_is_that_of_a_warp():
    limits = {"degrees": 30.0, "scale": 1.4, "shift": 0.2}
    batch = {"image": noise(8), "mask": noise(8)[..., :1], "landmarks": noise(8, 5, 2, 1)[..., 0]}
    warped = changed(random_warp(**limits, flip=0.0), batch)
    moved = changed(affine(**limits), batch, tf.random.experimental.stateless_fold_in(SEED, 0))
    assert set(moved) == set(batch)
    for name, values in moved.items():
        np.testing.assert_allclose(values, warped[name], atol=1e-6, err_msg=name)
        assert np.abs(values - batch[name]).max() > 0.1


def test_turn_scale_and_shift_fill_their_ranges():
    points = np.tile(np.float32([[[0.5, 0.5], [0.75, 0.5]]]), (4000, 1, 1))
    augmentation = random_warp(degrees=10.0, scale=1.15, shift=0.05, flip=0.0)
    after = changed(augmentation, {"image": noise(4000, 4, 4, 1), "landmarks": points})["landmarks"]
    x, y = (after[:, 1] - after[:, 0]).T / 0.25
    values = {
        "degrees": (np.degrees(np.arctan2(y, x)), 10.0),
        "log scale": (np.log(np.hypot(x, y)), np.log(1.15)),
        "shift x": (after[:, 0, 0] - 0.5, 0.05),
        "shift y": (after[:, 0, 1] - 0.5, 0.05),
    }
    for name, (drawn, limit) in values.items():
        assert np.abs(drawn).max() <= limit * 1.0001, name
        np.testing.assert_allclose(np.quantile(drawn / limit, [0.1, 0.5, 0.9]), [-0.8, 0.0, 0.8], atol=0.05)
    assert np.abs(np.corrcoef([drawn for drawn, _ in values.values()]) - np.eye(4)).max() < 0.06


def test_a_share_of_the_pictures_is_mirrored():
    image = noise(2000, 4, 4, 1)
    after = changed(random_warp(**STILL | {"flip": 0.4}), {"image": image})["image"]
    is_mirrored = np.abs(after - image[:, :, ::-1]).max(axis=(1, 2, 3)) < 1e-5
    np.testing.assert_allclose(after[~is_mirrored], image[~is_mirrored], atol=1e-5)
    assert 0.36 < is_mirrored.mean() < 0.44


# Distorting.


def test_one_point_inside_pulls_its_four_cells_along():
    """With 3 x 3 points only the middle one moves, and the field is its move times a tent."""
    image = places(2000, 9, 9)
    after = changed(random_warp(**STILL | {"cells": 3, "warp": 0.2}), {"image": image})
    field = after["warped"] - image
    tent = 1.0 - np.abs(np.linspace(-1.0, 1.0, 19)[1::2])
    expected = field[:, 4:5, 4:5] * (tent[:, None] * tent)[None, :, :, None]
    # Less the border, where a pixel beyond the edge is the edge's.
    np.testing.assert_allclose(field[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-5)
    moves = field[:, 4, 4] / (0.2 * 4.5)
    assert np.abs(moves).max() <= 1.0001
    # The standard deviation of a normal number cut off at 2, halved.
    np.testing.assert_allclose(moves.std(axis=0), 0.4398, atol=0.015)
    np.testing.assert_allclose(moves.mean(axis=0), 0.0, atol=0.03)


def test_the_border_stays_and_every_cell_may_move():
    image = places(64, 40, 40)
    field = changed(random_warp(**STILL | {"warp": 0.24}), {"image": image})["warped"] - image
    # Half a pixel from the edge, a twentieth of the move of at most 2.4 pixels.
    assert np.abs(field[:, [0, -1]]).max() < 0.125 and np.abs(field[:, :, [0, -1]]).max() < 0.125
    assert (field.std(axis=0)[4:-4, 4:-4] > 0.1).all()


def test_the_distortion_is_of_the_moved_picture():
    """Seen in the original, a distortion after a mirror image pulls the other way along x."""
    image = places(8, 33, 33)
    plain, mirrored = (
        changed(random_warp(**STILL | {"warp": 0.1, "flip": flipped}), {"image": image}) for flipped in (0.0, 1.0)
    )
    field = plain["warped"] - plain["image"]
    np.testing.assert_allclose(mirrored["warped"] - mirrored["image"], field * [-1.0, 1.0], atol=1e-4)
    assert np.abs(field).max() > 0.5


# What all share.


@pytest.mark.parametrize(
    "augmentation",
    [random_warp(), affine(), colour(), blur(), chain(flip(), blur())],
    ids=["warp", "affine", "colour", "blur", "chain"],
)
def test_an_augmentation_is_a_function_of_its_seed(augmentation):
    batch = {"image": np.repeat(noise(1), 8, axis=0)}
    first, again, other = (changed(augmentation, batch, tf.constant([5, step], tf.int64)) for step in (1, 1, 2))
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name], err_msg=name)
    assert (first["image"] != other["image"]).any()


@pytest.mark.parametrize("augmentation", [random_warp(), affine(), colour()], ids=["warp", "affine", "colour"])
def test_every_example_has_numbers_of_its_own(augmentation):
    after = changed(augmentation, {"image": np.repeat(noise(1), 8, axis=0)})
    for values in after.values():
        assert len(np.unique(values.reshape(8, -1).round(4), axis=0)) == 8


@pytest.mark.parametrize(
    "augmentation", [random_warp(), affine(), colour(), flip()], ids=["warp", "affine", "colour", "flip"]
)
def test_what_is_known_stays_except_the_factors(augmentation):
    known = {"attributes": np.ones((4, 2), np.float32), "identity": np.arange(4), "padding": np.zeros(4, bool)}
    after = changed(augmentation, {"image": noise(), "factors": np.ones((4, 3), np.float32)} | known)
    assert set(after) - {"warped"} == {"image", *known}
    for name, values in known.items():
        np.testing.assert_array_equal(after[name], values)


def test_a_stream_of_drawn_people_is_warped_with_known_shapes():
    source = with_masks(procedural_people("train", image_size=32))
    augmentation = chain(random_warp(landmark_names=source.landmark_names), blur())
    batches = training_batches(source, 4, seed=0, steps_per_epoch=2, augmentation=augmentation)
    assert batches.element_spec["warped"].shape == batches.element_spec["image"].shape == (4, 32, 32, 3)
    assert batches.element_spec["mask"] == tf.TensorSpec((4, 32, 32, 1), tf.float32)
    batch = next(iter(batches))
    assert "factors" not in batch
    for name in ("image", "warped", "mask"):
        assert 0.0 <= batch[name].numpy().min() < batch[name].numpy().max() <= 1.00001, name


def test_masks_come_from_the_pipeline_as_shares():
    source = with_masks(procedural_people("test", image_size=32))
    batch = next(iter(evaluation_batches(source, 4)))
    np.testing.assert_allclose(batch["mask"], source.load(np.arange(4))["mask"] / 255.0, rtol=1e-6)


@pytest.mark.parametrize(
    "argument",
    [{"cells": 2}, {"warp": -0.1}, {"degrees": -1.0}, {"scale": 0.9}, {"shift": -0.1}, {"flip": 1.1}, {"flip": -0.1}],
)
def test_an_unfit_argument_is_named(argument):
    (name,) = argument
    with pytest.raises(DatasetError, match=f"random_warp: {name}=.* must be"):
        random_warp(**argument)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        *[(affine, {"degrees": 181.0}), (affine, {"scale": 0.5}), (affine, {"shift": -0.1})],
        *[(colour, {"strength": 1.1}), (colour, {"strength": -0.1}), (colour, {"strength": float("nan")})],
    ],
)
def test_an_unfit_argument_of_the_others_is_named(make, argument):
    (name,) = argument
    with pytest.raises(DatasetError, match=f"{make.__name__}: {name}=.* must be"):
        make(**argument)


# Recolouring.


def recoloured(image, brightness, contrast, saturation):
    """The formulas as they are written, with one number for each picture [n]."""
    brightness, contrast, saturation = (number[:, None, None, None] for number in (brightness, contrast, saturation))
    image = (1 + brightness) * image
    mean = (image @ LUMA).mean(axis=(1, 2))[:, None, None, None]
    image = mean + (1 + contrast) * (image - mean)
    gray = (image @ LUMA)[..., None]
    return gray + (1 + saturation) * (image - gray)


def test_colours_follow_their_formulas_and_fill_their_ranges():
    image = 0.4 + 0.2 * noise(2000, 4, 4)  # so that nothing is cut off
    after = changed(colour(0.25), {"image": image})["image"]
    gray, gray_after = image @ LUMA, after @ LUMA
    mean = gray.mean(axis=(1, 2))
    brightness = gray_after.mean(axis=(1, 2)) / mean - 1
    contrast = gray_after.std(axis=(1, 2)) / (gray.std(axis=(1, 2)) * (1 + brightness)) - 1
    chroma, chroma_after = (pictures - (pictures @ LUMA)[..., None] for pictures in (image, after))
    saturation = chroma_after.std(axis=(1, 2, 3)) / (chroma.std(axis=(1, 2, 3)) * (1 + brightness) * (1 + contrast)) - 1
    numbers = np.stack([brightness, contrast, saturation])
    np.testing.assert_allclose(after, recoloured(image, *numbers), atol=1e-5)
    assert np.abs(numbers).max() < 0.2501
    for drawn in numbers:
        np.testing.assert_allclose(np.quantile(drawn / 0.25, [0.1, 0.5, 0.9]), [-0.8, 0.0, 0.8], atol=0.06)
    assert np.abs(np.corrcoef(numbers) - np.eye(3)).max() < 0.07


def test_colours_stay_in_their_range_and_nothing_else_changes():
    batch = {"image": noise(64), "mask": noise(64)[..., :1], "landmarks": noise(64, 5, 2, 1)[..., 0]}
    after = changed(colour(1.0), batch)
    assert (after["image"].min(), after["image"].max()) == (0.0, 1.0)
    for name in ("mask", "landmarks"):
        np.testing.assert_array_equal(after[name], batch[name])
    np.testing.assert_allclose(changed(colour(0.0), batch)["image"], batch["image"], atol=1e-6)


def test_gray_pictures_change_in_brightness_and_contrast():
    image = 0.4 + 0.2 * noise(8, 16, 16, 1)
    after = changed(colour(0.3), {"image": image})["image"]
    coloured = changed(colour(0.3), {"image": np.repeat(image, 3, axis=-1)})["image"]
    np.testing.assert_allclose(np.repeat(after, 3, axis=-1), coloured, atol=1e-5)
    assert after.shape == image.shape
    assert np.abs(after - image).max() > 0.05


# Softening.


def test_blurring_mixes_half_of_the_pictures_with_their_means():
    """The squares of a chess board have the mean 1/2, so how far it is from 1/2 is the share of the sharp picture."""
    board = np.indices((8, 8)).sum(axis=0) % 2
    image = np.tile(board.astype(np.float32)[None, :, :, None], (2000, 1, 1, 1))
    after = changed(blur(2), {"image": image})["image"]
    shares = 1.0 - 2.0 * np.abs(after[:, 0, 0, 0] - 0.5)
    np.testing.assert_allclose(after, image + shares[:, None, None, None] * (0.5 - image), atol=1e-6)
    assert 0.46 < (shares == 0.0).mean() < 0.54
    np.testing.assert_allclose(np.quantile(shares[shares > 0], [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.04)


@pytest.mark.parametrize("factor", [2, 4, 5])
def test_blurring_keeps_size_brightness_and_company(factor):
    image = np.full((8, 33, 30, 3), 0.3, np.float32)
    batch = {"image": image, "factors": np.ones((8, 2), np.float32)}
    after = changed(blur(factor), batch)
    np.testing.assert_allclose(after["image"], image, atol=1e-6)
    np.testing.assert_array_equal(after["factors"], batch["factors"])


def test_more_blur_is_smoother():
    image = noise(64, 32, 32, 1)
    sharpness = [np.diff(changed(blur(factor), {"image": image})["image"], axis=2).std() for factor in (2, 4, 8)]
    assert np.diff(image, axis=2).std() > sharpness[0] > sharpness[1] > sharpness[2]


@pytest.mark.parametrize("factor", [0, 1, 33])
def test_an_unfit_blur_is_refused(factor):
    with pytest.raises(DatasetError, match=f"blur: factor={factor} must be 2 to 32"):
        changed(blur(factor), {"image": noise()})


# One after the other.


def test_a_chain_applies_in_order_with_different_seeds():
    seeds = []

    def times_two(batch, seed):
        seeds.append(tuple(seed.numpy()))
        return {"image": 2.0 * batch["image"]}

    def plus_one(batch, seed):
        seeds.append(tuple(seed.numpy()))
        return {"image": batch["image"] + 1.0}

    image = noise()
    np.testing.assert_array_equal(
        changed(chain(times_two, plus_one, times_two), {"image": image})["image"], 2.0 * (2.0 * image + 1.0)
    )
    assert len(set(seeds)) == 3
    assert tuple(SEED.numpy()) not in seeds


def test_a_chain_of_nothing_changes_nothing():
    image = noise()
    np.testing.assert_array_equal(changed(chain(), {"image": image})["image"], image)
