"""What is made of files is called: short where that is clear, and never two by one name."""

import random

import pytest
from facezoo.files import name_results


@pytest.mark.parametrize(
    ("names", "results"),
    [
        (["008001.jpg"], ["008001"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.png"]),
        (["a.jpg", "A.png"], ["a.jpg", "A.png"]),  # one name on Windows and macOS
        (["a.jpg", "b/a.png"], ["a", "b/a"]),
        (["film.0001", "film.0002"], ["film.0001", "film.0002"]),
        ([".jpg", "b/.jpg"], [".jpg", "b/.jpg"]),
    ],
)
def test_short_where_that_is_clear(names, results):
    assert name_results(names) == dict(zip(names, results, strict=True))


def test_what_is_known_stays():
    assert name_results(["a.png", "b.jpg"], {"a.jpg": "a"}) == {"a.jpg": "a", "a.png": "a.png", "b.jpg": "b"}


def test_never_two_by_one_name():
    draw = random.Random(0)
    for _ in range(300):
        names = {
            "".join(draw.choice(["a", "b", ".jpg", ".png", ".0"]) for _ in range(draw.randint(1, 4)))
            for _ in "12345678"
        }
        known = {name: name for name in names if draw.random() < 0.3}
        results = name_results(names, known)
        assert results.keys() == names
        assert len({result.casefold() for result in results.values()}) == len(names)
        assert known.items() <= results.items()
