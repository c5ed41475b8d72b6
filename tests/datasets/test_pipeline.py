"""From a source to batches: order, resumption, padding, cache, augmentation, and the way out."""

import gc
import itertools
import threading
import weakref

import numpy as np
import pytest
import tensorflow as tf
from facezoo.datasets.augmentation import flip
from facezoo.datasets.pipeline import cache, epoch_order, evaluation_batches, steps_in_epoch, training_batches
from facezoo.datasets.procedural import procedural_faces
from facezoo.datasets.source import DatasetError, Source

BYTES_PER_EXAMPLE = 4 * 4 * 3 + 4


def numbered(count=20, loaded=None):
    """Pictures that differ, each with its position as identity; `loaded` gathers the positions that are asked for."""
    images = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), np.uint8)

    def load(positions):
        if loaded is not None:
            loaded.extend(positions.tolist())
        return {"image": images[positions], "identity": positions.astype(np.int32)}

    return Source("numbers/train", [str(number) for number in range(count)], load, (4, 4, 3))


def taken(batches, count):
    return [{name: value.numpy() for name, value in batch.items()} for batch in batches.take(count)]


def identities(batches, count):
    return [batch["identity"].tolist() for batch in taken(batches, count)]


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert set(one) == set(other)
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name], err_msg=name)


# Training.


def test_the_order_is_a_permutation_of_its_own_for_each_seed_and_epoch():
    orders = {(seed, epoch): epoch_order(50, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)}
    assert all(sorted(order) == list(range(50)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 4
    assert orders[1, 1] == epoch_order(50, 1, 1).tolist()


def test_an_epoch_takes_each_example_at_most_once_and_leaves_out_less_than_a_batch():
    first, second = np.array(identities(training_batches(numbered(), 6, seed=3, steps_per_epoch=3), 6)).reshape(2, 18)
    assert len(set(first)) == len(set(second)) == 18
    assert first.tolist() == epoch_order(20, 3, 0)[:18].tolist()
    assert second.tolist() == epoch_order(20, 3, 1)[:18].tolist()


def test_fewer_steps_take_the_first_batches_of_the_same_shuffle():
    whole = identities(training_batches(numbered(), 4, seed=0, steps_per_epoch=5), 2)
    assert identities(training_batches(numbered(), 4, seed=0, steps_per_epoch=2), 2) == whole


def test_images_become_float32_in_zero_to_one_and_the_rest_stays():
    source = numbered()
    batch = taken(training_batches(source, 4, seed=0, steps_per_epoch=5), 1)[0]
    assert {name: value.dtype for name, value in batch.items()} == {"image": np.float32, "identity": np.int32}
    np.testing.assert_allclose(batch["image"], source.load(batch["identity"])["image"] / 255.0, rtol=1e-6)


def test_shapes_are_known_before_the_first_batch():
    specification = training_batches(numbered(), 4, seed=0, steps_per_epoch=5).element_spec
    assert specification["image"].shape == (4, 4, 4, 3)
    assert specification["identity"].shape == (4,)


@pytest.mark.parametrize("first_step", [1, 5, 12])
def test_a_resumed_stream_is_the_uninterrupted_one(first_step):
    options = {"seed": 1, "steps_per_epoch": 5, "augmentation": flip()}
    whole = taken(training_batches(numbered(), 4, **options), 15)
    assert_same(
        taken(training_batches(numbered(), 4, first_step=first_step, **options), 15 - first_step), whole[first_step:]
    )


def test_steps_of_an_epoch_are_what_the_source_fills():
    assert steps_in_epoch(numbered(20), 6) == 3
    assert steps_in_epoch(numbered(20), 20) == 1
    assert steps_in_epoch(numbered(20), 6, 2) == 2


def test_more_than_the_source_fills_is_refused():
    with pytest.raises(DatasetError, match="numbers/train has 20 examples, fewer than one batch of 21: lower --batch_"):
        steps_in_epoch(numbered(20), 21)
    with pytest.raises(DatasetError, match="--steps_per_epoch=4, but numbers/train fills only 3 batches of 6"):
        steps_in_epoch(numbered(20), 6, 4)


# Evaluation.


@pytest.mark.parametrize(("count", "batches"), [(None, 3), (20, 3), (7, 1), (8, 1), (9, 2), (1, 1), (500, 3)])
def test_evaluation_counts_each_example_once_in_order(count, batches):
    found = taken(evaluation_batches(numbered(20), 8, count), 100)
    assert len(found) == batches
    assert {len(batch["image"]) for batch in found} == {8}
    examples = [int(number) for batch in found for number in batch["identity"][~batch["padding"]]]
    assert examples == list(range(min(count or 20, 20)))


# Cache.


@pytest.mark.parametrize("cache_gb", [0, 1, 7 * BYTES_PER_EXAMPLE / 1e9])
def test_the_cache_changes_no_data(cache_gb):
    options = {"seed": 0, "steps_per_epoch": 3, "augmentation": flip()}
    plain = taken(training_batches(numbered(), 6, **options), 9)
    assert_same(taken(training_batches(cache(numbered(), cache_gb), 6, **options), 9), plain)


def test_the_cache_loads_each_example_once():
    loaded = []
    source = cache(numbered(20, loaded), cache_gb=1)
    loaded.clear()
    for positions in ([0, 1, 2, 3], [2, 7, 3, 4], [4, 0], [19], [19, 19]):
        np.testing.assert_array_equal(source.load(np.array(positions))["identity"], positions)
    assert loaded == [0, 1, 2, 3, 7, 4, 19]


def test_the_cache_holds_no_more_than_its_size():
    loaded = []
    source = cache(numbered(20, loaded), cache_gb=7.5 * BYTES_PER_EXAMPLE / 1e9)
    for _ in range(2):
        loaded.clear()
        batch = source.load(np.arange(20))
        np.testing.assert_array_equal(batch["identity"], np.arange(20))
    assert loaded == list(range(7, 20))


def test_no_cache_is_the_source_itself():
    source = numbered()
    assert cache(source, 0) is source
    assert cache(source, 0.9 * BYTES_PER_EXAMPLE / 1e9) is source


def test_what_the_cache_gives_may_be_changed_without_changing_the_cache():
    source = cache(numbered(), 1)
    for _ in range(3):
        batch = source.load(np.arange(5))
        np.testing.assert_array_equal(batch["identity"], np.arange(5))
        batch["identity"][:] = -1


@pytest.mark.parametrize("of_training", [True, False])
def test_the_cache_goes_with_its_stream_and_stays_as_long_as_an_iterator(of_training):
    """TensorFlow never frees the graph that loads, which must not keep the pictures."""
    source = cache(numbered(), 1)
    stream = training_batches(source, 6, seed=0, steps_per_epoch=3) if of_training else evaluation_batches(source, 6)
    kept, iterator = weakref.ref(source), iter(stream.map(lambda batch: batch["identity"]).rebatch(3))
    del source, stream
    gc.collect()
    assert kept() is not None
    assert len(list(itertools.islice(iterator, 6))) == 6
    del iterator
    gc.collect()
    assert kept() is None


def test_the_cache_serves_threads():
    source, plain, wrong = cache(numbered(200), 1), numbered(200), []

    def read(seed):
        for positions in np.random.default_rng(seed).integers(0, 200, (200, 8)):
            if not np.array_equal(source.load(positions)["image"], plain.load(positions)["image"]):
                wrong.append(positions)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# Augmentation.


def test_flipping_mirrors_about_half_of_the_pictures_and_changes_no_other():
    images = np.random.default_rng(0).uniform(size=(400, 4, 4, 3)).astype(np.float32)
    changed = flip()({"image": tf.constant(images)}, tf.constant([0, 1]))["image"].numpy()
    is_mirrored = (changed == images[:, :, ::-1]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(changed[~is_mirrored], images[~is_mirrored])
    assert 150 < is_mirrored.sum() < 250


def test_flipping_is_a_function_of_its_seed():
    batch = {"image": tf.random.stateless_uniform((32, 4, 4, 3), (0, 0))}
    first, again, other = (flip()(batch, tf.constant(seed))["image"].numpy() for seed in ((0, 5), (0, 5), (0, 6)))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_drawn_face_and_its_landmarks_are_mirrored_together():
    source = procedural_faces("train", image_size=32)
    examples = source.load(np.arange(16))
    batch = {name: tf.constant(values) for name, values in examples.items()}
    changed = flip(source.landmark_names)(batch, tf.constant([0, 0]))
    is_mirrored = (changed["image"].numpy() != examples["image"]).any(axis=(1, 2, 3))
    assert 0 < is_mirrored.sum() < 16
    before, after = examples["landmarks"], changed["landmarks"].numpy()
    np.testing.assert_array_equal(after[~is_mirrored], before[~is_mirrored])
    for name, mirror in (("jaw_0", "jaw_16"), ("right_eye_0", "left_eye_3"), ("right_pupil", "left_pupil")):
        here, there = source.landmark_names.index(name), source.landmark_names.index(mirror)
        np.testing.assert_allclose(after[is_mirrored, here, 0], 1 - before[is_mirrored, there, 0], atol=1e-6)
        np.testing.assert_array_equal(after[is_mirrored, here, 1], before[is_mirrored, there, 1])
    # Right stays on its side of left, whichever way round the face is.
    right, left = source.landmark_names.index("right_pupil"), source.landmark_names.index("left_pupil")
    np.testing.assert_array_equal(
        np.sign(after[:, right, 0] - after[:, left, 0]), np.sign(before[:, right, 0] - before[:, left, 0])
    )


def test_every_landmark_has_one_mirror_image():
    names = procedural_faces("train", image_size=32).landmark_names
    points = tf.constant(np.random.default_rng(0).uniform(size=(8, len(names), 2)).astype(np.float32))
    batch = {"image": tf.zeros((8, 4, 4, 3)), "landmarks": points}
    augment = flip(names)
    twice = augment(augment(batch, tf.constant([0, 0])), tf.constant([0, 0]))
    np.testing.assert_allclose(twice["landmarks"], points, atol=1e-6)


# The way out.
