"""Streams: any number of pictures in batches of any size give what the whole gives at once."""

import functools
import itertools

import numpy as np
import pytest
from facezoo.metrics import AgainstReal, OfEach, OfSets, frechet_distance, kernel_distance, standardise
from facezoo.metrics.streams import Reservoir

SMALL_LAYERS = functools.partial(standardise, layer_size=16)


@pytest.fixture(scope="module")
def pictures():
    """Real ones and made ones, float32 [40, 4, 4, 1] each."""
    return np.random.default_rng(0).uniform(0, 1, (2, 40, 4, 4, 1)).astype(np.float32)


def streamed(stream, real, made, size):
    for start in range(0, len(real), size):
        stream.update(real[start : start + size], made[start : start + size])
    return stream.result()


def flattened(images):
    return images.reshape(len(images), -1)


@pytest.mark.parametrize("size", [1, 7, 40])
def test_batches_of_any_size_give_the_same(pictures, size):
    real, made = pictures
    errors = np.abs(real - made).mean(axis=(1, 2, 3))
    figure = streamed(OfEach("error", lambda a, b: np.abs(a - b).mean(axis=(1, 2, 3))), real, made, size)["error"]
    assert figure.value == pytest.approx(errors.mean(), rel=1e-6)
    assert figure.interval[0] < figure.value < figure.interval[1]
    assert figure.num_pictures == 40
    ratio = AgainstReal("ratio", lambda images: images.mean(axis=(1, 2, 3)), lambda a, b: b.mean() / a.mean())
    assert streamed(ratio, real, made, size)["ratio"].value == pytest.approx(made.mean() / real.mean(), rel=1e-5)


def test_distances_of_sets_are_those_of_the_functions(pictures):
    real, made = map(flattened, pictures)
    stream = OfSets(flattened, {"kid": kernel_distance, "frechet": frechet_distance}, SMALL_LAYERS)
    found = streamed(stream, *pictures, 7)
    pair = standardise(real, made, layer_size=16)
    assert found["kid"].value == pytest.approx(kernel_distance(*pair), rel=1e-5)
    assert found["frechet"].value == pytest.approx(frechet_distance(*pair), rel=1e-5)
    assert found["kid"].interval[0] < found["kid"].value < found["kid"].interval[1]


def test_real_and_made_pictures_may_come_one_after_the_other(pictures):
    nothing = pictures[0][:0]
    streams = [OfSets(flattened, {"kid": kernel_distance}, SMALL_LAYERS) for _ in range(2)]
    streams[0].update(*pictures)
    streams[1].update(pictures[0], nothing)
    streams[1].update(nothing, pictures[1])
    assert streams[0].result() == streams[1].result()


def test_too_few_pictures_have_no_distance(pictures):
    stream = OfSets(flattened, {"kid": kernel_distance})
    stream.update(pictures[0][:7], pictures[1])
    assert stream.result() == {}


def test_an_interval_holds_only_what_a_figure_can_be(pictures):
    distances = {}
    for name in ("recall", "kid"):
        values = itertools.cycle((0.9, 0.1))
        distances[name] = lambda *_, values=values: next(values)
    figures = streamed(OfSets(flattened, distances, SMALL_LAYERS), *pictures, 40)
    assert 0.0 < figures["recall"].interval[0] < figures["recall"].interval[1] == 1.0
    assert figures["kid"].interval[1] > 1.0


def test_every_row_has_the_same_chance_to_be_held():
    counts = np.zeros(30)
    for seed in range(400):
        reservoir = Reservoir(10, seed)
        reservoir.add(np.arange(30).reshape(30, 1))
        assert len(reservoir.rows()) == 10
        counts[reservoir.rows()[:, 0]] += 1
    np.testing.assert_allclose(counts / 400, 1 / 3, atol=0.1)
