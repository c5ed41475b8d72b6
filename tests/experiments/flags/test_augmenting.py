"""From flags to the changes of training pictures."""

import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_refused
from facezoo.datasets.augmentation import affine, blur, chain, colour, flip, random_warp
from facezoo.datasets.masks import with_masks
from facezoo.datasets.pipeline import load_batch
from facezoo.datasets.procedural import procedural_people
from facezoo.experiments.flags import augmentation as augmenting
from facezoo.experiments.flags import parsing

SOURCE = with_masks(procedural_people("train", image_size=32))
NAMES = {"landmark_names": SOURCE.landmark_names, "attribute_names": SOURCE.attribute_names}
STILL = {"degrees": 0.0, "scale": 1.0, "shift": 0.0, "flip": 0.0}
MAPPING = (
    *("--model=face_mapping", "--dataset=procedural_people", "--image_size=32", "--set=filters=4,4"),
    *("--set=inter_dim=4", "--set=decoder_filters=4,4", "--batch_size=8", "--dry_run"),
)


def asked(flags, is_warped=False):
    return augmenting.make_augmentation(parsing.parse_training(flags.split()).augmentation, SOURCE, is_warped)


@pytest.mark.parametrize(
    ("flags", "is_warped", "expected"),
    [
        ("--flip --blur", False, [flip(**NAMES), blur()]),
        ("--rotation=20", False, [affine(20.0, 1.0, 0.0)]),
        ("--scale=1.5 --shift=0.2", False, [affine(0.0, 1.5, 0.2)]),
        (
            "--blur --shift=0.1 --colour=0.3 --flip",
            False,
            [flip(**NAMES), colour(0.3), affine(0.0, 1.0, 0.1), blur()],
        ),
        ("", True, [random_warp(**NAMES)]),
        ("--flip --warp=0.1 --blur", True, [flip(**NAMES), random_warp(warp=0.1, **NAMES), blur()]),
        ("--noaffine", True, [random_warp(**STILL)]),
        ("--rotation=0 --shift=0.2", True, [random_warp(degrees=0.0, shift=0.2, **NAMES)]),
        ("--scale=1 --colour=0.5", True, [colour(0.5), random_warp(scale=1.0, **NAMES)]),
    ],
)
def test_flags_ask_for_changes(flags, is_warped, expected):
    batch, seed = load_batch(SOURCE, np.arange(4)), tf.constant([1, 2], tf.int64)
    changed, wanted = (augment(batch, seed) for augment in (asked(flags, is_warped), chain(*expected)))
    assert set(changed) == set(wanted)
    for name, values in wanted.items():
        np.testing.assert_array_equal(changed[name], values, err_msg=name)


@pytest.mark.parametrize("flags", ["", "--noflip --rotation=0 --scale=1 --shift=0 --colour=0"])
def test_what_changes_nothing_is_nothing(flags):
    assert asked(flags) is None


def test_examples_are_changed_as_in_training_in_portions():
    """The second eight are the batch of the second step."""
    augment = asked("--flip --colour=0.4 --rotation=10")
    examples = augmenting.change_examples(SOURCE, 11, augment)
    assert examples["image"].shape == (11, 32, 32, 3)
    assert examples["image"].dtype == np.uint8
    last = augment(load_batch(SOURCE, np.arange(8, 11)), tf.constant([0, 1], tf.int64))
    np.testing.assert_array_equal(examples["image"][8:], np.rint(255 * last["image"].numpy()))
    np.testing.assert_array_equal(examples["landmarks"][8:], last["landmarks"])


def test_mapping_trains_on_what_is_asked_for(command):
    done = command("train", *MAPPING, "--flip", "--rotation=3", "--colour=0.2", "--blur")
    assert done.code == 0, done.err
    for line in ("warped: float32 [8, 32, 32, 3]", "mask: float32 [8, 32, 32, 1]", "--rotation=3.0", "--colour=0.2"):
        assert line in done.out
    assert "factors: float32" not in done.out


@pytest.mark.parametrize("flag", ["--rotation=0", "--scale=1.5", "--shift=0.1"])
def test_moves_do_not_go_with_staying_in_place(command, flag):
    assert_refused(command("train", *MAPPING, flag, "--noaffine"), flag, "--noaffine")
    assert_refused(command("datasets", "--show=digits", "--warp=0.1", flag, "--noaffine"), flag, "--noaffine")


def test_who_learns_factors_wants_pictures_that_have_them(command):
    tiny = ("--model=face_features", "--image_size=32", "--set=filters=4,4", "--set=convolutions=1,1", "--dry_run")
    assert command("train", *tiny, "--blur").code == 0
    for flag in ("--flip", "--colour=0.1"):
        assert_refused(command("train", *tiny, flag), "face_features", "--blur")
