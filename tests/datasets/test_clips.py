"""Clips of drawn people: pure, smooth, within the ranges, and drawn as pictures are."""

import importlib

import numpy as np
import pytest
import tensorflow as tf
from command_line import CAE_FLAGS
from facezoo.datasets import augmentation, pipeline, procedural
from facezoo.datasets.clips import CLIPS_OF_EACH, PACE, procedural_clips, procedural_frames, sample_paths, without_clips
from facezoo.datasets.procedural import (
    FACTOR_NAMES,
    FACTOR_RANGES,
    FACTORS,
    draw_faces,
    face_attributes,
    face_landmarks,
    gray,
    sample_factors,
)
from facezoo.datasets.source import DatasetError
from facezoo.experiments.flags.augmentation import change_examples

clips = importlib.import_module("facezoo.datasets.clips")  # its name in the package is the function's

ALL = np.arange(2_400)
MOVES = np.isin(FACTOR_NAMES, list(PACE))
EYES = FACTOR_NAMES.index("eyes_open")
LOW, HIGH = np.array(list(FACTOR_RANGES.values()), np.float32).T


@pytest.fixture(scope="module")
def paths():
    """Factors [2400, 16, F] of every frame of the data set."""
    return sample_paths(ALL, 16)


def test_a_clip_is_a_function_of_its_position_alone():
    load = procedural_clips("validation", image_size=32, frames=3).load
    both, turned, alone = load(np.array([5, 7])), load(np.array([7, 5])), load(np.array([5]))
    for key in both:
        np.testing.assert_array_equal(both[key][0], turned[key][1], err_msg=key)
        np.testing.assert_array_equal(both[key][0], alone[key][0], err_msg=key)


@pytest.mark.parametrize(
    ("split", "first", "count"), [("train", 0, 2000), ("validation", 2000, 200), ("test", 2200, 200)]
)
def test_splits_are_ranges_of_clips_and_share_no_person(split, first, count, paths):
    source = procedural_clips(split, image_size=32, frames=16)
    assert (source.name, len(source)) == (f"procedural_clips/{split}", count)
    assert (source.names[0], source.names[-1]) == (str(first), str(first + count - 1))
    examples = source.load(np.array([0, count - 1]))
    np.testing.assert_array_equal(examples["clip_factors"], paths[[first, first + count - 1]])
    np.testing.assert_array_equal(examples["identity"], [first // 4, (first + count - 1) // 4])
    assert first % CLIPS_OF_EACH == count % CLIPS_OF_EACH == 0


def test_a_picture_of_a_clip_is_its_middle_frame_with_what_a_picture_has():
    source = procedural_clips("test", image_size=40, frames=5)
    examples = source.load(np.arange(3))
    assert source.image_shape == (40, 40, 3)
    assert examples["clip"].shape == (3, 5, 40, 40, 3) and examples["clip"].dtype == np.uint8
    assert examples["clip_landmarks"].shape == (3, 5, len(source.landmark_names), 2)
    assert examples["clip_factors"].shape == (3, 5, len(source.factor_names))
    for name, of_all in {"image": "clip", "landmarks": "clip_landmarks", "factors": "clip_factors"}.items():
        np.testing.assert_array_equal(examples[name], examples[of_all][:, 2], err_msg=name)
    np.testing.assert_array_equal(examples["attributes"], face_attributes(examples["factors"]))
    assert examples["identity"].dtype == np.int32
    assert all(examples[key].dtype == np.float32 for key in ("attributes", "landmarks", "factors", "clip_factors"))


def test_no_clips_are_no_error():
    assert procedural_clips("test").load(np.array([], np.int64))["clip"].shape == (0, 16, 64, 64, 3)


def test_frames_are_drawn_as_the_other_faces_are():
    examples = procedural_clips("test", image_size=32, frames=4, channels=1).load(np.arange(2))
    for clip, factors, landmarks in zip(
        *(examples[f"clip{end}"] for end in ("", "_factors", "_landmarks")), strict=True
    ):
        np.testing.assert_array_equal(clip, gray(draw_faces(factors, 32)))
        np.testing.assert_array_equal(landmarks, face_landmarks(factors))


def test_what_is_of_the_picture_moves_and_the_rest_stays(paths):
    of_picture = [not factor.of_person and not factor.of_occasion for factor in FACTORS.values()]
    np.testing.assert_array_equal(MOVES, of_picture)
    assert (np.ptp(paths[..., ~MOVES], axis=1) == 0.0).all()
    assert ((np.ptp(paths, axis=1) > 0.0).mean(axis=0)[MOVES] > 0.7).all()


def test_a_person_has_four_clips_on_as_many_occasions(paths):
    first = paths[:, 0].reshape(600, CLIPS_OF_EACH, -1)
    of_person = np.array([factor.of_person for factor in FACTORS.values()])
    varies = (np.ptp(first, axis=1) > 0.0).any(axis=0)
    np.testing.assert_array_equal(varies, ~of_person)
    assert len(np.unique(first[:, 0, of_person], axis=0)) == 600


def test_factors_keep_within_their_ranges_and_fill_them(paths):
    assert paths.dtype == np.float32
    assert (paths >= LOW).all() and (paths <= HIGH).all()
    assert (np.ptp(paths, axis=(0, 1)) > 0.8 * (HIGH - LOW)).all()


def test_no_factor_jumps(paths):
    steps = np.abs(np.diff(paths.astype(float), axis=1)).max(axis=(0, 1)) / (HIGH - LOW)
    turns = np.abs(np.diff(paths.astype(float), n=2, axis=1)).max(axis=(0, 1)) / (HIGH - LOW)
    for name, pace in PACE.items():
        if name != "eyes_open":
            assert steps[FACTOR_NAMES.index(name)] <= 2.0 / pace, name
            assert turns[FACTOR_NAMES.index(name)] <= 6.0 / pace**2, name
    assert steps[EYES] < 2.0 / PACE["eyes_open"] + 0.6  # a blink


def test_light_moves_more_slowly_than_the_head(paths):
    moved = np.ptp(paths, axis=1).mean(axis=0) / (HIGH - LOW)
    light = [name for name in PACE if name.startswith("light")]
    head = ("yaw", "pitch", "roll")
    assert max(moved[FACTOR_NAMES.index(name)] for name in light) < min(
        moved[FACTOR_NAMES.index(name)] for name in head
    )


def test_a_path_meets_its_keys_and_never_passes_beyond_them():
    keys = np.random.default_rng(0).uniform(size=(50, 9))
    path = clips._path(keys, np.broadcast_to(np.linspace(0.0, 5.99, 600), (50, 600)))
    np.testing.assert_allclose(clips._path(keys, np.tile(np.arange(6.0), (50, 1))), keys[:, 1:7])
    for key in range(6):
        part = path[:, key * 100 + 1 : key * 100 + 100]
        ends = np.sort(keys[:, key + 1 : key + 3])
        assert (part >= ends[:, :1] - 1e-12).all() and (part <= ends[:, 1:] + 1e-12).all()


def test_eyes_blink_now_and_then(monkeypatch, paths):
    monkeypatch.setattr(clips, "_blinks", lambda first, frames: np.zeros((len(first), frames)))
    open_eyes = sample_paths(ALL, 16)
    shut = open_eyes[..., EYES] - paths[..., EYES]
    assert 0.3 < (shut.max(axis=1) > 0.3).mean() < 0.6
    assert np.median((shut > 0.01).sum(axis=1)[shut.max(axis=1) > 0.3]) <= 5
    others = np.arange(len(FACTOR_NAMES)) != EYES
    np.testing.assert_array_equal(open_eyes[..., others], paths[..., others])


def test_more_frames_change_nothing_about_the_first(paths):
    np.testing.assert_array_equal(sample_paths(ALL[:50], 128)[:, :16], paths[:50])


def test_nobody_and_no_keyframe_is_of_the_other_data_sets(paths):
    others = sample_factors(np.arange(24_000))
    of_person = np.array([factor.of_person for factor in FACTORS.values()])
    for part in (of_person, ~of_person & ~MOVES):
        rows = {row.tobytes() for row in others[:, part]}
        assert not rows & {row.tobytes() for row in paths[:, 0, part]}
    people = procedural._NUM_FACES // procedural.PICTURES_PER_IDENTITY + procedural.CANDIDATES + procedural.MOST_PEOPLE
    assert people <= clips.FIRST_PERSON
    assert procedural._NUM_FACES + procedural.MOST_PEOPLE * procedural._NUM_PICTURES <= clips.FIRST_KEYFRAME


def test_no_two_of_the_longest_clips_share_a_keyframe(monkeypatch):
    drawn = []

    def sample_pictures(people, pictures, seed):
        drawn.append(pictures)
        return clips_sample(people, pictures, seed)

    clips_sample = clips.sample_pictures
    monkeypatch.setattr(clips, "sample_pictures", sample_pictures)
    sample_paths(ALL, clips.FRAMES[1])
    assert len(np.unique(drawn[0])) == drawn[0].size


def test_the_seed_changes_the_people_and_the_paths(paths):
    other = sample_paths(ALL[:4], 16, seed=1)
    assert (np.abs(other - paths[:4]).max(axis=(0, 1)) > 0.0).mean() > 0.9


def test_a_clip_comes_through_the_pipeline_as_floats():
    source = procedural_clips("train", image_size=32, frames=3)
    batch = next(iter(pipeline.training_batches(source, 4, seed=0, steps_per_epoch=2)))
    positions = pipeline.epoch_order(len(source), 0, 0)[:4]
    expected = source.load(positions)["clip"] / np.float32(255.0)
    assert batch["clip"].dtype.name == "float32" and tuple(batch["clip"].shape) == (4, 3, 32, 32, 3)
    np.testing.assert_allclose(batch["clip"], expected, atol=1e-6)
    np.testing.assert_array_equal(batch["clip"][:, 1], batch["image"])


def test_a_clip_is_mirrored_with_its_picture():
    source = procedural_clips("train", image_size=32, frames=3)
    batch = pipeline.load_batch(source, np.arange(8))
    augment = augmentation.flip(source.landmark_names, source.attribute_names)
    after = {name: values.numpy() for name, values in augment(batch, tf.constant([0, 1], tf.int64)).items()}
    is_mirrored = (after["clip"] != batch["clip"].numpy()).any(axis=(1, 2, 3, 4))
    assert 0 < is_mirrored.sum() < 8
    expected = np.where(is_mirrored[:, None, None, None, None], batch["clip"][:, :, :, ::-1], batch["clip"])
    np.testing.assert_array_equal(after["clip"], expected)
    for name in ("image", "landmarks"):
        of_all = {"image": "clip", "landmarks": "clip_landmarks"}[name]
        np.testing.assert_array_equal(after[of_all][:, 1], after[name], err_msg=name)
    pupils = [source.landmark_names.index(f"{side}_pupil") for side in ("right", "left")]
    eyes = after["clip_landmarks"][:, :, pupils, 0]  # the person's right eye is on the left
    assert (eyes[..., 0] < eyes[..., 1]).all()
    assert not {"factors", "clip_factors"} & set(after)
    shown = change_examples(source, 1, augment)
    assert (shown["clip"].dtype, shown["clip_landmarks"].dtype) == (np.uint8, np.float32)


def test_the_frames_of_clips_are_pictures_too():
    whole = procedural_clips("test", image_size=32, frames=3).load(np.array([4, 5]))
    source = procedural_frames("test", image_size=32, frames=3)
    assert (source.name, len(source), source.names[13]) == ("procedural_frames/test", 600, "2204/1")
    alone = source.load(np.array([15, 13, 17]))
    for column in ("clip", "clip_landmarks", "clip_factors"):
        frames = whole[column][[1, 0, 1], [0, 1, 2]]
        name = {"clip": "image", "clip_landmarks": "landmarks", "clip_factors": "factors"}[column]
        np.testing.assert_array_equal(alone[name], frames, err_msg=name)
    np.testing.assert_array_equal(alone["identity"], whole["identity"][[1, 0, 1]])
    assert not [name for name in alone if name.startswith("clip")]


def test_what_reads_no_clips_is_given_none():
    source = without_clips(procedural_clips("test", image_size=32, frames=3))
    assert set(source.load(np.arange(2))) == {"image", "attributes", "landmarks", "identity", "factors"}
    pictures = procedural_frames("test", image_size=32, frames=3)
    assert without_clips(pictures) is pictures


def test_a_window_shows_frames_at_a_pace_and_their_middle():
    source = procedural_clips("train", image_size=32, frames=7)
    batch = pipeline.load_batch(source, np.arange(24) % 6)
    after = augmentation.window(3)(batch, tf.constant([0, 1], tf.int64))
    after = {name: values.numpy() for name, values in after.items()}
    shown = set()
    for row, factors in enumerate(after["clip_factors"]):
        whole = batch["clip_factors"][row].numpy()
        numbers = [int(np.flatnonzero((whole == frame).all(axis=1))[0]) for frame in factors]
        np.testing.assert_array_equal(after["clip"][row], batch["clip"][row].numpy()[numbers])
        shown.add((numbers[0], numbers[1] - numbers[0]))
        assert numbers[2] - numbers[1] == numbers[1] - numbers[0]
    assert {pace for _, pace in shown} == {1, 2, 3}
    assert {first for first, pace in shown if pace == 3} == {0}
    assert len({first for first, pace in shown if pace == 1}) > 2
    for name, of_all in {"image": "clip", "landmarks": "clip_landmarks", "factors": "clip_factors"}.items():
        np.testing.assert_array_equal(after[name], after[of_all][:, 1], err_msg=name)
    assert "attributes" not in after
    slow = augmentation.window(3, most_pace=1)(batch, tf.constant([0, 1], tf.int64))["clip_factors"].numpy()
    whole = batch["clip_factors"].numpy()
    assert all(
        any((clip == frames[start : start + 3]).all() for start in range(5))
        for clip, frames in zip(slow, whole, strict=True)
    )
    with pytest.raises(DatasetError, match="window: frames=8 must be 2 to 7"):
        augmentation.window(8)(batch, tf.constant([0, 1], tf.int64))


@pytest.mark.parametrize(
    "augment",
    [augmentation.affine(20.0, 1.3, 0.1), augmentation.colour(0.4), augmentation.blur()],
    ids=["affine", "colour", "blur"],
)
def test_all_frames_are_changed_as_their_picture_is(augment):
    source = procedural_clips("train", image_size=32, frames=3)
    batch = pipeline.load_batch(source, np.arange(12))
    after = augment(batch, tf.constant([0, 1], tf.int64))
    for name, of_all in {"image": "clip", "landmarks": "clip_landmarks"}.items():
        np.testing.assert_allclose(after[of_all][:, 1], after[name], atol=1e-6, err_msg=name)
    first = {**batch, "image": batch["clip"][:, 0], "landmarks": batch["clip_landmarks"][:, 0]}
    alone = augment({name: first[name] for name in ("image", "landmarks")}, tf.constant([0, 1], tf.int64))
    np.testing.assert_allclose(after["clip"][:, 0], alone["image"], atol=1e-6)
    np.testing.assert_allclose(after["clip_landmarks"][:, 0], alone["landmarks"], atol=1e-6)
    assert ("clip_factors" in after) == ("factors" in after)
    assert (np.abs(after["clip"] - batch["clip"]).max(axis=(1, 2, 3, 4)) > 0).any()


def test_a_model_of_pictures_trains_on_clips(train):
    folder = train("run", *CAE_FLAGS, "--dataset=procedural_clips", "--model=vae", "--latent_dim=4")
    assert (folder / "model.keras").exists()
    assert len((folder / "metrics.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "all"}, ["procedural_clips", "'all'", "train, validation, test"]),
        ({"split": "test", "image_size": 31}, ["procedural_clips", "image_size 32 to 256, not 31"]),
        ({"split": "test", "frames": 1}, ["frames 2 to 128, not 1"]),
        ({"split": "test", "frames": 129}, ["frames 2 to 128, not 129"]),
    ],
)
def test_a_bad_argument_is_named_in_one_line(arguments, words):
    with pytest.raises(DatasetError) as error:
        procedural_clips(**arguments)
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words), error.value
