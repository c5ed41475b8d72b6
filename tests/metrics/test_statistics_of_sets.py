"""Precision and recall, path lengths and intervals: by hand and in closed form."""

import numpy as np
import pytest
from facezoo.metrics import (
    bootstrap_interval,
    half_sample_interval,
    kernel_distance,
    path_lengths,
    precision_and_recall,
)


def by_hand(pictures, others, k):
    """The definition, one picture at a time."""
    reach = [sorted(np.linalg.norm(others - other, axis=1))[k] for other in others]
    return np.mean([any(np.linalg.norm(picture - others, axis=1) <= reach) for picture in pictures])


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_and_recall_are_the_definition(k, monkeypatch):
    monkeypatch.setattr("facezoo.metrics.manifold.ROWS_AT_ONCE", 7)
    numbers = np.random.default_rng(0)
    real, made = numbers.normal(size=(40, 3)), 0.5 + 0.6 * numbers.normal(size=(30, 3))
    assert precision_and_recall(real, made, k) == (by_hand(made, real, k), by_hand(real, made, k))


def test_precision_and_recall_on_a_line_by_hand():
    # With k = 1 real ones reach 1, 1 and 7, so 0, 1 and 3 to 17 are real; made ones reach 0.5, 0.5 and 99.5.
    real, made = np.array([[0.0], [1.0], [10.0]]), np.array([[0.5], [-100.0], [1.0], [20.0]])
    precision, recall = precision_and_recall(real, made, 1)
    assert precision == 2 / 4
    assert recall == 1.0
    assert precision_and_recall(real, real, 1) == (1.0, 1.0)
    assert precision_and_recall(real, real + 1000, 1) == (0.0, 0.0)


def test_a_set_that_lacks_a_kind_is_precise_without_recalling_it():
    numbers = np.random.default_rng(0)
    real = np.concatenate([numbers.normal(size=(100, 4)), 50 + numbers.normal(size=(100, 4))])
    precision, recall = precision_and_recall(real, numbers.normal(size=(200, 4)))
    assert precision > 0.8
    assert recall == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("real", "made", "message"),
    [(np.zeros((3, 2)), np.zeros((9, 2)), "more than 3 pictures"), (np.zeros((9, 2)), np.zeros((9, 3)), "2 and of 3")],
)
def test_sets_that_cannot_be_compared_are_refused(real, made, message):
    with pytest.raises(ValueError, match=message):
        precision_and_recall(real, made)


def test_path_lengths_in_closed_form():
    # G(t) = a + t^2 v and d the sum of squares: d(G(t), G(t + e)) / e^2 = (2 t + e)^2 |v|^2.
    numbers = np.random.default_rng(0)
    starts, directions = numbers.normal(size=(2, 6, 4, 4, 3))
    alphas = numbers.uniform(0, 0.9, 6)
    found = path_lengths(
        lambda t: starts + (t**2)[:, None, None, None] * directions,
        lambda first, second: ((first - second) ** 2).sum(axis=(1, 2, 3)),
        alphas,
        1e-3,
    )
    np.testing.assert_allclose(found, (2 * alphas + 1e-3) ** 2 * (directions**2).sum(axis=(1, 2, 3)), rtol=1e-6)


def test_the_interval_of_a_mean_is_the_normal_one():
    values = np.random.default_rng(0).normal(3, 2, 400)
    low, high = bootstrap_interval(np.mean, values)
    margin = 1.96 * values.std(ddof=1) / np.sqrt(400)
    np.testing.assert_allclose([low, high], [values.mean() - margin, values.mean() + margin], atol=0.1 * margin)
    assert bootstrap_interval(np.mean, values) == (low, high)


def test_paired_columns_are_drawn_together():
    numbers = np.random.default_rng(0)
    first = numbers.normal(size=300)
    second = first + 0.01 * numbers.normal(size=300)
    widths = {
        is_paired: np.ptp(bootstrap_interval(lambda a, b: (a - b).mean(), first, second, is_paired=is_paired))
        for is_paired in (True, False)
    }
    np.testing.assert_allclose(widths[True], 2 * 1.96 * 0.01 / np.sqrt(300), rtol=0.2)
    np.testing.assert_allclose(widths[False], 2 * 1.96 * np.sqrt(2 / 300), rtol=0.2)


def test_half_samples_vary_as_much_as_whole_sets_do(monkeypatch):
    monkeypatch.setattr("facezoo.metrics.intervals.HALVES", 100)
    numbers = np.random.default_rng(0)
    sets = 0.5 + numbers.normal(size=(60, 2, 50, 3)) * [[[1.0]], [[1.5]]]
    spread = np.std([kernel_distance(*pair) for pair in sets])
    value = kernel_distance(*sets[0])
    low, high = half_sample_interval(kernel_distance, value, *sets[0])
    assert (low + high) / 2 == pytest.approx(value)
    assert (high - low) / (2 * 1.96) == pytest.approx(spread, rel=0.5)
