"""What a crop shows beyond its photograph's edge."""

import numpy as np
import pytest
from facezoo.datasets.alignment import cut
from PIL import Image

SIZE = 64


def crop_of(pixels, left):
    """A crop as large as the photograph, so many pixels to the left of it."""
    return cut(Image.fromarray(pixels), np.array([[SIZE, 0, -left], [0, SIZE, 0]], float), SIZE).astype(int)


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def test_inside_not_a_bit_changes(noise):
    assert np.array_equal(crop_of(noise, 0), noise)
    assert np.abs(crop_of(noise, 20)[:, 20:] - noise[:, :44]).max() <= 1


def test_no_stripes_lie_beyond_the_edge(noise):
    beyond = crop_of(noise, 20)[:, :20]
    along = np.abs(np.diff(beyond, axis=1)).mean()
    across = np.abs(np.diff(beyond, axis=0)).mean()
    assert 0.5 < along / across < 2.0  # edge pixels that repeat would not change along their stripe


def test_the_further_the_more_blurred(noise):
    beyond = crop_of(noise, 24)
    near, far = (np.abs(np.diff(beyond[:, columns], axis=0)).mean() for columns in (slice(22, 24), slice(0, 8)))
    assert far < near / 4


def test_the_edge_is_no_seam():
    slope = np.broadcast_to(np.arange(SIZE, dtype=np.uint8)[None, :, None] * 3, (SIZE, SIZE, 3)).copy()
    crop = crop_of(slope, 16)
    assert np.abs(np.diff(crop[:, 14:19], axis=1)).max() <= 4
