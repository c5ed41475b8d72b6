"""Single dimensions of a code, by hand and against the losses and metrics that know them too."""

import numpy as np
import pytest
from facezoo.latents.traversal import active_dimensions, dimension_histograms, measure_kl, most_first, traversals
from facezoo.losses.kl import kl_per_dimension
from facezoo.metrics import active_units


def test_a_traversal_by_hand():
    codes = traversals(np.float32([10, 20, 30]), [2, 0], steps=3)
    assert codes.shape == (2, 3, 3)
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes[0], [[10, 20, -3], [10, 20, 0], [10, 20, 3]])
    np.testing.assert_allclose(codes[1], [[-3, 20, 30], [0, 20, 30], [3, 20, 30]])


def test_a_traversal_in_the_data_s_own_units():
    base, means, deviations = np.zeros((2, 2)), np.array([[1, 2], [3, 4]]), np.array([[0.1, 0.2], [0.3, 0.4]])
    codes = traversals(base, [3], steps=2, limit=2.0, means=means, deviations=deviations)
    assert codes.shape == (1, 2, 2, 2)
    np.testing.assert_allclose(codes[0, :, 1, 1], [4 - 0.8, 4 + 0.8], rtol=1e-6)
    assert np.count_nonzero(codes) == 2


@pytest.mark.parametrize(("dimensions", "steps"), [([3], 7), ([-1], 7), ([0], 1)])
def test_a_traversal_that_cannot_be_is_refused(dimensions, steps):
    with pytest.raises(ValueError, match="must be at least 2 and dimensions within 0 to 2"):
        traversals(np.zeros(3), dimensions, steps)


def test_the_kl_of_a_dimension_by_hand():
    mean, log_var = np.array([[0.0, 1.0, 2.0], [0.0, -1.0, 0.0]]), np.array([[0.0, 0.0, np.log(4)], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(measure_kl(mean, log_var), [0, 0.5, (4 + 4 - 1 - np.log(4)) / 4])


def test_the_kl_of_a_dimension_is_the_loss_s():
    rng = np.random.default_rng(0)
    mean, log_var = rng.normal(size=(50, 4)), rng.normal(size=(50, 4))
    expected = np.asarray(kl_per_dimension(mean, log_var)).mean(axis=0)
    np.testing.assert_allclose(measure_kl(mean, log_var), expected, rtol=1e-5)


def test_most_first_keeps_the_order_of_equals():
    assert most_first(np.array([0.1, 0.5, 0.1, 0.9])).tolist() == [3, 1, 0, 2]
    assert most_first(np.array([[0.0, 2.0], [3.0, 1.0]])).tolist() == [2, 1, 3, 0]


def test_active_dimensions_are_those_that_the_metric_counts():
    signs = np.float32([[1], [-1], [1], [-1]])
    means = signs * np.float32([0.09, 0.11, 0.0, 2.0])
    assert active_dimensions(means).tolist() == [False, True, False, True]
    assert active_dimensions(means).sum() == active_units(means)
    assert active_dimensions(means.reshape(4, 2, 2)).shape == (2, 2)


def test_a_histogram_by_hand():
    found = dimension_histograms(np.array([[-9.0, 0.5], [-0.5, 0.5], [0.5, 1.5], [1.0, 9.0]]), bins=4, limit=2.0)
    np.testing.assert_allclose(found.edges, [-2, -1, 0, 1, 2])
    np.testing.assert_allclose(found.shares, [[0.25, 0.25, 0.25, 0.25], [0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(found.normal, [0.1587, 0.3413, 0.3413, 0.1587], atol=1e-4)


def test_normal_codes_have_the_normal_s_histogram():
    codes = np.random.default_rng(0).normal(size=(20_000, 2, 1)) * [[1.0], [0.2]]
    found = dimension_histograms(codes)
    assert found.shares.shape == (2, 40)
    np.testing.assert_allclose(found.shares.sum(axis=1), 1)
    assert found.normal.sum() == pytest.approx(1)
    distances = np.abs(found.shares - found.normal).sum(axis=1)
    assert distances[0] < 0.05
    assert distances[1] > 1
