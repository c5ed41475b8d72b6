"""Faces are followed through a film: who is who, where nobody is found for a moment, and without jitter."""

import numpy as np
import pytest
from facezoo.films.tracking import Sighting, Tracker, group_people, smooth_places

FACE = 20.0 * np.array([[-1.0, -1.0], [1.0, -1.0], [0.0, 0.0], [-0.8, 1.0], [0.8, 1.0]])
RATE = 25.0
RED, BLUE = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def follow(frames):
    """Tracks of frames, each a list of (middle, look)."""
    tracker = Tracker(RATE)
    for faces in frames:
        tracker.add([Sighting(FACE + middle, look) for middle, look in faces])
    return tracker.finish()


def cross(hidden=()):
    """Two faces that walk past each other, the nearer one hiding the other for some frames; found in any order."""
    draws = np.random.default_rng(0)
    for frame in range(60):
        both = [((50.0 + 5.0 * frame, 100.0), RED), ((345.0 - 5.0 * frame, 104.0), BLUE)]
        faces = both[:1] if frame in hidden else both
        yield [faces[place] for place in draws.permutation(len(faces))]


@pytest.mark.parametrize("hidden", [(), range(26, 34)])
def test_two_that_cross_stay_who_they_are(hidden):
    red, blue = follow(cross(hidden))
    for track, start, speed in ((red, 50.0, 5.0), (blue, 345.0, -5.0)):
        assert (track.first, len(track.points)) == (0, 60)
        middles = track.points.mean(axis=1)[:, 0]
        np.testing.assert_allclose(middles, start + speed * np.arange(60) + FACE.mean(axis=0)[0], atol=1e-6)
    assert (~blue.is_seen).sum() == len(hidden)
    assert red.is_seen.all()


def test_a_face_that_is_lost_for_a_moment_is_bridged_and_one_that_is_gone_is_not():
    frames = [[((100.0 + 2.0 * frame, 80.0), RED)] for frame in range(80)]
    for frame in (*range(10, 15), *range(40, 60)):
        frames[frame] = []
    first, second = sorted(follow(frames), key=lambda track: track.first)
    assert (first.first, len(first.points), second.first, len(second.points)) == (0, 40, 60, 20)
    np.testing.assert_allclose(first.at(12), np.add(FACE, (124.0, 80.0)))
    assert not first.is_seen[12]
    assert first.at(40) is None
    assert second.at(59) is None


@pytest.mark.parametrize(("glimpse", "is_bridged"), [(0.8 * RED, True), (BLUE, False)])
def test_a_face_is_bridged_where_something_like_it_is_seen_and_not_over_something_else(glimpse, is_bridged):
    tracker = Tracker(RATE)
    for frame in range(20):
        is_found = frame not in range(8, 12)
        glimpses = {} if is_found or not tracker.await_next() else {0: np.stack([BLUE, glimpse])}
        tracker.add([Sighting(FACE + 100.0, RED)] if is_found else [], glimpses)
    spans = sorted((track.first, track.end) for track in tracker.finish())
    assert spans == ([(0, 20)] if is_bridged else [(0, 8), (12, 20)])


def test_one_frame_of_something_else_is_bridged():
    tracker = Tracker(RATE)
    for frame in range(20):
        is_found = frame != 8
        tracker.add([Sighting(FACE + 100.0, RED)] if is_found else [], {} if is_found else {0: np.stack([BLUE, BLUE])})
    (track,) = tracker.finish()
    assert (track.first, track.end, track.is_seen.sum()) == (0, 20, 19)


def test_a_face_behind_another_one_is_not_gone():
    tracker = Tracker(RATE)
    for frame in range(20):
        front = Sighting(np.add(FACE, 100.0), BLUE)
        is_found = frame not in range(8, 12)
        both = [Sighting(np.add(FACE, (110.0, 100.0)), RED), front]
        tracker.add(both if is_found else [front], {} if is_found else {0: np.stack([BLUE, BLUE])})
    assert [(track.first, track.end) for track in tracker.finish()] == [(0, 20), (0, 20)]


def test_a_person_that_comes_back_is_the_same():
    frames = [[((100.0, 80.0), RED)] if frame not in range(20, 60) else [] for frame in range(80)]
    frames = [[*faces, ((300.0, 80.0), BLUE)] for frame, faces in enumerate(frames)]
    people = group_people(follow(frames))
    assert [len(person) for person in people] == [1, 2]  # the longest seen first


def test_another_person_in_the_place_is_another_track():
    frames = [[((100.0, 80.0), RED if frame < 30 else BLUE)] for frame in range(60)]
    assert [(track.first, len(track.points)) for track in follow(frames)] == [(0, 30), (30, 30)]


def test_where_a_face_will_be_is_awaited():
    tracker = Tracker(RATE)
    for frame in range(3):
        tracker.add([Sighting(np.add(FACE, (10.0 * frame, 0.0)), RED)])
    (awaited,) = tracker.await_next()
    assert 24.0 < awaited.mean(axis=0)[0] < 30.0


def test_jitter_is_at_most_half_and_movement_stays():
    draws = np.random.default_rng(0)
    frames = np.arange(200)[:, None, None]
    true = FACE + 40.0 * np.sin(frames / 25.0)
    found = true + draws.normal(size=true.shape)
    smoothed = smooth_places(found, RATE)

    def jitter(places):
        return np.abs(np.diff(places, n=2, axis=0)).mean()

    assert jitter(smoothed - true) < 0.2 * jitter(found - true)
    assert np.abs(smoothed - true).mean() < 0.6 * np.abs(found - true).mean()
    short = found[:4]
    np.testing.assert_array_equal(smooth_places(short, RATE), short)


def test_the_recogniser_tells_two_of_like_colours_apart():
    ann, bob = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    frames = [[Sighting(np.add(FACE, (100.0, 80.0)), RED, ann if frame < 30 else bob)] for frame in range(60)]
    tracker = Tracker(RATE)
    for sightings in frames:
        tracker.add(sightings)
    tracks = tracker.finish()
    assert [(track.first, len(track.points)) for track in tracks] == [(0, 30), (30, 30)]
    assert [len(person) for person in group_people(tracks)] == [1, 1]


def test_who_comes_back_in_another_light_is_known_by_the_recogniser():
    ann = np.array([1.0, 0.0])
    tracker = Tracker(RATE)
    for frame in range(80):
        look = RED if frame < 20 else BLUE
        tracker.add([] if frame in range(20, 60) else [Sighting(np.add(FACE, (100.0, 80.0)), look, ann)])
    assert [len(person) for person in group_people(tracker.finish())] == [2]
