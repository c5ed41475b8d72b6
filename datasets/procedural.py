"""Drawn faces: pictures that are a pure function of true factors, so attributes and landmarks are exact."""

from collections.abc import Callable, Sequence

import numpy as np

from .drawing.factors import (
    ATTRIBUTE_NAMES,
    BEARDS,
    DISCRETE_FACTORS,
    FACTOR_NAMES,
    FACTOR_RANGES,
    FACTORS,
    HAIR_STYLES,
    PICTURES_PER_IDENTITY,
    columns,
    face_attributes,
    number_people,
    sample_factors,
    sample_pictures,
)
from .drawing.geometry import LANDMARK_NAMES, face_landmarks
from .drawing.picture import draw_pictures
from .source import SPLITS, DatasetError, Source

__all__ = [
    "ATTRIBUTE_NAMES",
    "DISCRETE_FACTORS",
    "FACTORS",
    "FACTOR_NAMES",
    "FACTOR_RANGES",
    "LANDMARK_NAMES",
    "PICTURES_PER_IDENTITY",
    "check_drawable",
    "draw_faces",
    "face_attributes",
    "face_landmarks",
    "gray",
    "make_drawn_source",
    "number_people",
    "procedural_faces",
    "procedural_people",
    "sample_factors",
]

SPLIT_SIZES = {"train": 20_000, "validation": 2_000, "test": 2_000}
PICTURES_OF_EACH = {"train": 4_000, "validation": 500, "test": 500}
PAIR = (1145, 1040)  # places in the test split of two who lie alike: a morph between them is good to look at
MOST_PEOPLE = 100
CANDIDATES = 4_000  # enough for every seed to have the two that `_people` looks for
IMAGE_SIZES = (32, 256)
_NUM_FACES = sum(SPLIT_SIZES.values())
_NUM_PICTURES = sum(PICTURES_OF_EACH.values())
_OF_OCCASION = [factor.of_occasion for factor in FACTORS.values()]
PIXELS_AT_ONCE = 32 * 64 * 64  # keeps a plane of floats inside the processor's cache


def draw_faces(factors: np.ndarray, image_size: int) -> np.ndarray:
    """Draws faces.

    Args:
      factors: [n, F] as FACTOR_NAMES, within FACTOR_RANGES.
      image_size: side S of the pictures in pixels.

    Returns:
      uint8 [n, S, S, 3]; each picture depends on its own row only.
    """
    factors = np.asarray(factors, np.float32)
    at_once = max(1, PIXELS_AT_ONCE // image_size**2)
    pictures = np.empty((len(factors), image_size, image_size, 3), np.uint8)
    # Alike hair together: a layer that all pictures of a portion need is painted without cutting some of them out.
    order = np.argsort(factors[:, FACTOR_NAMES.index("hair_style")], kind="stable")
    for start in range(0, len(factors), at_once):
        members = order[start : start + at_once]
        pictures[members] = draw_pictures(factors[members], image_size)
    return pictures


def gray(pictures: np.ndarray) -> np.ndarray:
    """Luma of ITU-R BT.601: uint8 [n, S, S, 3] -> [n, S, S, 1]."""
    red, green, blue = (pictures[..., channel].astype(np.float32) for channel in range(3))
    return (0.299 * red + 0.587 * green + 0.114 * blue + 0.5).astype(np.uint8)[..., None]


def check_drawable(name: str, split: str, image_size: int, channels: int) -> None:
    """Raises a DatasetError for a split, image_size or channels that no drawn data set has."""
    if split not in SPLITS:
        raise DatasetError(f"{name} has no split {split!r}: choose one of {', '.join(SPLITS)}")
    low, high = IMAGE_SIZES
    if not low <= image_size <= high:
        raise DatasetError(f"{name} draws image_size {low} to {high}, not {image_size}")
    if channels not in (1, 3):
        raise DatasetError(f"{name} draws channels 1 (gray) or 3 (colour), not {channels}")


def make_drawn_source(
    name: str,
    names: Sequence[str],
    load: Callable[[np.ndarray], dict[str, np.ndarray]],
    image_shape: tuple[int, int, int],
    identity_names: tuple[str, ...] = (),
) -> Source:
    """A source of drawn faces, with what is known of their columns; the arguments are those of `Source`."""
    return Source(
        name=name,
        names=names,
        load=load,
        image_shape=image_shape,
        attribute_names=ATTRIBUTE_NAMES,
        landmark_names=LANDMARK_NAMES,
        factor_names=FACTOR_NAMES,
        factor_ranges=tuple((factor.low, factor.high, len(factor.choices)) for factor in FACTORS.values()),
        identity_names=identity_names,
    )


def find_pair(test: Source) -> tuple[int, int] | None:
    """`PAIR` where a source is these faces' test split; None of all others."""
    return PAIR if test.name == "procedural_faces/test" else None


def _source(
    name: str,
    names: Sequence[str],
    sample: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    image_size: int,
    channels: int,
    identity_names: tuple[str, ...] = (),
) -> Source:
    """The drawn pictures whose factors [n, F] and identities [n] `sample` gives for positions [n]."""

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        factors, identities = sample(np.asarray(positions, np.int64).reshape(-1))
        pictures = draw_faces(factors, image_size)
        return {
            "image": pictures if channels == 3 else gray(pictures),
            "attributes": face_attributes(factors),
            "landmarks": face_landmarks(factors),
            "identity": identities,
            "factors": factors,
        }

    return make_drawn_source(name, names, load, (image_size, image_size, channels), identity_names)


def procedural_faces(split: str, *, image_size: int = 64, channels: int = 3, seed: int = 0) -> Source:
    """The embedded data set: 20,000 / 2,000 / 2,000 drawn faces, ten pictures of each person.

    >>> faces = procedural_faces("test", image_size=32)
    >>> examples = faces.load(np.array([17, 53]))
    >>> len(faces), examples["image"].shape, examples["image"].dtype
    (2000, (2, 32, 32, 3), dtype('uint8'))

    Args:
      split: "train", "validation" or "test".
      image_size: side of the pictures in pixels, 32 to 256.
      channels: 3 for colour, 1 for gray.
      seed: which world of people.

    Raises:
      DatasetError: a value outside of these.
    """
    check_drawable("procedural_faces", split, image_size, channels)
    first = sum(SPLIT_SIZES[name] for name in SPLITS[: SPLITS.index(split)])

    def sample(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        indices = first + positions
        return sample_factors(indices, seed), number_people(indices)

    names = tuple(str(first + position) for position in range(SPLIT_SIZES[split]))
    return _source(f"procedural_faces/{split}", names, sample, image_size, channels)


def procedural_people(split: str, *, image_size: int = 64, channels: int = 3, people: int = 2, seed: int = 0) -> Source:
    """A few drawn people, many pictures of each, for face mapping: 4,000 / 500 / 500 of everyone.

    They come as if each were filmed in one place: a person keeps the face, hair, age, beard, glasses, clothes and what
    is behind; expression, pose and light are each picture's own and say nothing about who it is. None of the people are
    in `procedural_faces` of the same seed.

    >>> procedural_people("test", image_size=32).identity_names[:2]
    ('person_0', 'person_1')

    Args:
      split: "train", "validation" or "test".
      image_size: side of the pictures in pixels, 32 to 256.
      channels: 3 for colour, 1 for gray.
      people: how many, 2 to 100; more people change nothing about the first ones. Person 0 is young with long hair,
        person 1 is old with short gray hair, neither has a beard or glasses; the others are as they come.
      seed: which world of people.

    Returns:
      Pictures of the people in turn, `identity` counting from 0, named after the person and the picture.

    Raises:
      DatasetError: a value outside of these.
    """
    check_drawable("procedural_people", split, image_size, channels)
    if not 2 <= people <= MOST_PEOPLE:
        raise DatasetError(f"procedural_people draws people 2 to {MOST_PEOPLE}, not {people}")
    first = sum(PICTURES_OF_EACH[name] for name in SPLITS[: SPLITS.index(split)])
    numbers = _people(people, seed)
    occasions = sample_pictures(numbers, numbers, seed)[:, _OF_OCCASION]

    def sample(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pictures, identities = first + positions // people, positions % people
        factors = sample_pictures(numbers[identities], _NUM_FACES + identities * _NUM_PICTURES + pictures, seed)
        factors[:, _OF_OCCASION] = occasions[identities]
        return factors, identities.astype(np.int32)

    identity_names = tuple(f"person_{person}" for person in range(people))
    pictures = range(first, first + PICTURES_OF_EACH[split])
    names = [f"{name}/{picture}" for picture in pictures for name in identity_names]
    return _source(f"procedural_people/{split}", names, sample, image_size, channels, identity_names)


def _people(count: int, seed: int) -> np.ndarray:
    """Numbers of people that `procedural_faces` does not have: the first two chosen to look different, [count]."""
    candidates = _NUM_FACES // PICTURES_PER_IDENTITY + np.arange(CANDIDATES)
    face = columns(sample_pictures(candidates, candidates, seed))
    hair, beard = np.array(HAIR_STYLES)[face["hair_style"].astype(int)], np.array(BEARDS)[face["beard"].astype(int)]
    is_bare = (face["glasses"] == 0) & (beard == "none")  # neither hides the expression
    is_first = np.isin(hair, ("long_straight", "long_wavy")) & (face["age"] < 35) & is_bare
    is_second = np.isin(hair, ("short", "side_part")) & (face["age"] > 55) & (face["hair_gray"] > 0.6) & is_bare
    others = candidates[-1] + 1 + np.arange(count - 2)
    return np.concatenate([candidates[[np.argmax(is_first), np.argmax(is_second)]], others])
