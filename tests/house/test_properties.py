"""What holds for every input, tried on many: order of the data, splits, paths between codes, the objective, labels."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from facezoo.datasets.labels import snake_case
from facezoo.datasets.pipeline import epoch_order
from facezoo.datasets.procedural import FACTOR_RANGES, sample_factors
from facezoo.datasets.source import SPLITS, choose_split
from facezoo.latents.interpolation import PATHS, equalise_change, interpolate
from facezoo.losses import Objective
from facezoo.models.learning_rate import SCHEDULES, Schedule
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

# The first example waits for TensorFlow.
settings.register_profile("patient", deadline=None, max_examples=50)
settings.load_profile("patient")

seeds = st.integers(0, 2**31 - 1)
floats = st.floats(-100.0, 100.0, width=32)
names = st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable())


# Data.


@given(count=st.integers(1, 300), seed=seeds, epoch=st.integers(0, 10_000))
def test_an_epoch_takes_every_example_once(count, seed, epoch):
    order = epoch_order(count, seed, epoch)
    assert sorted(order) == list(range(count))
    np.testing.assert_array_equal(order, epoch_order(count, seed, epoch))


@given(name=names)
def test_a_picture_is_in_one_split_wherever_it_is_asked(name):
    assert choose_split(name) in SPLITS
    assert choose_split(name) == choose_split(name)


@given(indices=st.lists(st.integers(0, 2**40), min_size=1, max_size=8), seed=seeds)
def test_a_drawn_face_depends_on_its_own_number_only(indices, seed):
    together = sample_factors(np.array(indices), seed)
    low, high = np.array(list(FACTOR_RANGES.values())).T
    assert ((together >= low - 1e-6) & (together <= high + 1e-6)).all()
    for index, row in zip(indices, together, strict=True):
        np.testing.assert_array_equal(sample_factors(np.array([index]), seed)[0], row)


@given(name=st.text(max_size=40))
def test_a_column_s_name_is_one_word_and_stays_it(name):
    column = snake_case(name)
    assert " " not in column
    assert snake_case(column) == column


# Codes.


codes = arrays.arrays(np.float32, st.integers(1, 16), elements=floats)


@given(start=codes, seed=seeds, path=st.sampled_from(PATHS))
def test_a_path_begins_and_ends_at_its_codes(start, seed, path):
    end = np.random.default_rng(seed).normal(size=start.shape).astype(np.float32)
    way = interpolate(start, end, np.array([0.0, 0.5, 1.0]), path)
    assert np.isfinite(way).all()
    scale = 1e-4 * max(1.0, float(np.abs(start).max()))
    np.testing.assert_allclose(way[0], start, atol=scale)
    np.testing.assert_allclose(way[2], end, atol=scale)


@given(steps=st.integers(2, 20), count=st.integers(2, 30), seed=seeds)
def test_the_dynamic_step_rises_from_0_to_1(steps, count, seed):
    pictures = np.random.default_rng(seed).uniform(size=(count, 2, 2, 1))
    alphas = equalise_change(np.linspace(0.0, 1.0, count), pictures, steps)
    assert alphas.shape == (steps,)
    assert (alphas[0], alphas[-1]) == pytest.approx((0.0, 1.0))
    assert (np.diff(alphas) >= -1e-9).all()


# Training.


def given_values(row, batch, outputs):
    return tf.constant(row)


@given(
    values=st.lists(st.lists(floats, min_size=4, max_size=4), min_size=1, max_size=3),
    factors=st.lists(st.floats(0.0, 10.0), min_size=3, max_size=3),
)
def test_the_objective_is_the_weighted_sum_of_what_it_reports(values, factors):
    terms = {str(number): functools.partial(given_values, row) for number, row in enumerate(values)}
    weights = dict(zip(terms, factors, strict=False))
    if not any(weights.values()):
        with pytest.raises(ValueError, match="nothing to minimise"):
            Objective(terms, weights)
        return
    objective = Objective(terms, weights)
    found = objective.values({}, {})
    assert found.keys() == {"loss"} | {name for name, weight in weights.items() if weight > 0}
    expected = sum(weights[name] * np.array(found[name], np.float64) for name in objective.terms)
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-4, atol=1e-3)
    means = objective.track(found)
    np.testing.assert_allclose(means["loss"], np.mean(expected), rtol=1e-4, atol=1e-3)


@given(
    kind=st.sampled_from(SCHEDULES),
    total=st.integers(1, 1000),
    share=st.floats(0.0, 0.99),
    final=st.floats(1e-4, 1.0),
    step=st.integers(0, 2000),
)
def test_a_learning_rate_stays_between_0_and_the_highest(kind, total, share, final, step):
    rate = float(Schedule(1e-3, total, kind, int(share * total), final)(step))
    assert 0.0 < rate <= 1e-3 * (1 + 1e-6)
    if step >= total and kind != "constant":
        assert rate == pytest.approx(1e-3 * final, rel=1e-3)
