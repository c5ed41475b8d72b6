"""Flicker, jitter and drift of clips, against what is known of them."""

import numpy as np
import pytest
from facezoo.experiments.codes import judging
from facezoo.metrics import OfEach
from facezoo.metrics.clips import find_added_flicker, find_drift, find_flicker, find_jitter, find_ratio

NUMBERS = np.random.default_rng(0)
STILL = np.repeat(NUMBERS.uniform(0.2, 0.8, (2, 1, 8, 8, 3)), 5, axis=1)
TIMES = np.arange(5.0)[:, None, None, None]


def test_what_stands_still_and_what_changes_evenly_do_not_flicker():
    np.testing.assert_allclose(find_flicker(STILL), 0.0, atol=1e-4)
    np.testing.assert_allclose(find_flicker(STILL + 0.02 * TIMES), 0.0, atol=1e-4)


def test_what_comes_and_goes_flickers_by_twice_its_swing():
    blinks = STILL + 0.1 * (TIMES % 2)
    np.testing.assert_allclose(find_flicker(blinks), 255 * 0.2, rtol=1e-5)
    np.testing.assert_allclose(find_added_flicker(STILL, blinks), 255 * 0.2, rtol=1e-5)
    np.testing.assert_allclose(find_added_flicker(blinks, blinks), 0.0)


def test_a_blur_that_hides_motion_adds_flicker_while_the_ratio_falls():
    clips = NUMBERS.uniform(size=(3, 6, 8, 8, 1))
    gray = np.full_like(clips, 0.5)
    assert find_ratio(find_flicker(clips), find_flicker(gray)) == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(find_added_flicker(clips, gray), find_flicker(clips), rtol=1e-5)


def test_jitter_is_in_percent_of_a_size():
    steady = np.cumsum(np.full((2, 5, 3, 2), 0.01), axis=1)
    np.testing.assert_allclose(find_jitter(steady, np.full((2, 5), 0.4)), 0.0, atol=1e-9)
    steady[..., 0] += 0.002 * (np.arange(5) % 2)[:, None]
    np.testing.assert_allclose(find_jitter(steady, np.full((2, 5), 0.4)), 100 * 0.004 / 0.4)


def test_drift_is_the_distance_from_the_clip_s_mean():
    people = np.zeros((1, 4, 3))
    people[0, :, 1] = (1.0, -1.0, 1.0, -1.0)
    np.testing.assert_allclose(find_drift(people), [1.0])
    np.testing.assert_allclose(find_drift(people + 5.0), [1.0])


def test_a_ratio_by_nothing_is_told():
    assert find_ratio(np.zeros(2), np.zeros(2)) == 1.0
    assert 1e6 < find_ratio(np.zeros(2), np.ones(2)) < np.inf
    assert find_ratio(np.array([1.0, 3.0]), np.array([1.0])) == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(2, 2, 8, 8, 3), (2, 8, 8, 3)])
def test_too_few_frames_are_refused(shape):
    with pytest.raises(ValueError, match="at least 3 frames"):
        find_flicker(np.zeros(shape))


def test_frames_of_a_clip_are_one_example():
    stream = OfEach("mean", lambda frames: frames, rows_of_each=3)
    stream.update(np.array([0.0, 1.0, 2.0, 6.0, 6.0, 6.0]))
    figure = stream.result()["mean"]
    assert (figure.value, figure.num_pictures) == (3.5, 2)


def test_clips_that_stand_still_are_no_measure_of_others(caplog):
    blinks = STILL + 0.1 * (TIMES % 2)
    for real, names in ((STILL, []), (blinks, ["flicker"])):
        stream = judging.MEASURES["flicker"].stream(judging.Setting(8, 3))
        stream.update(real, blinks)
        assert list(stream.result()) == names
        assert ("flicker: not measured: in the real ones hardly anything moves" in caplog.text) == (not names)
        caplog.clear()
