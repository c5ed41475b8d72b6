"""Numbers of frames are smoothed over the frames around each while the film runs by."""

import numpy as np
import pytest
from facezoo.films.steadying import bridge, find_unbroken, look_around, smooth_at


@pytest.mark.parametrize("count", [0, 1, 3, 10])
def test_each_item_comes_once_with_those_around_it(count):
    seen = []
    for window, place in look_around(iter(range(count)), 2):
        seen.append(window[place])
        assert list(window) == list(range(max(0, seen[-1] - 2), min(count, seen[-1] + 3)))
    assert seen == list(range(count))


def test_no_more_is_read_ahead_than_is_needed():
    read = []
    windows = look_around((read.append(number) or number for number in range(100)), 3)
    next(windows)
    assert len(read) == 4


def test_a_parabola_goes_through_its_points_wherever_the_place_is():
    steps = np.arange(7.0)
    numbers = list(np.stack([steps**2, 1.0 - steps], axis=1))
    for place in range(7):
        np.testing.assert_allclose(smooth_at(numbers, place), numbers[place], atol=1e-9)
    np.testing.assert_allclose(smooth_at(numbers, 0, degree=0), np.mean(numbers, axis=0))


def test_gaps_between_numbers_are_bridged_and_their_ends_stay():
    numbers = [None, np.array(1.0), None, None, np.array(4.0), np.array(0.0), None]
    assert bridge(numbers) == [None, 1.0, 2.0, 3.0, 4.0, 0.0, None]
    assert bridge([None, None]) == [None, None]


def test_what_lies_behind_a_gap_does_not_count():
    numbers = [np.array(100.0), None, np.array(1.0), np.array(2.0), None, np.array(100.0)]
    assert find_unbroken(numbers, 3) == range(2, 4)
    assert smooth_at(numbers, 3) == pytest.approx(1.5)
