"""What every data set gives: one split, read by position."""

import dataclasses
import difflib
import hashlib
import re
from collections.abc import Callable, Sequence

import numpy as np

SPLITS = ("train", "validation", "test")


class DatasetError(ValueError):
    """The data asked for is missing, damaged or unfit; the message says what to do, each line of it an argument."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


def _untold() -> str:
    return ""


@dataclasses.dataclass(frozen=True)
class Source:
    """One split of a data set with random access.

    Attributes:
      name: data set and split as messages call it, "folder/test".
      names: one name per example (a path below the data folder, or a number), in the order of positions.
      load: positions [n] -> examples, a dict of arrays whose first axis is n:
        `image` uint8 [n, H, W, C] and, as known, `attributes` float32 [n, A] in {0, 1}, `landmarks` float32
        [n, L, 2] (x, y in [0, 1], from the picture's left top corner), `identity` int32 [n], `factors` float32
        [n, F]. A pure function of the positions, safe to call from several threads at once.
      image_shape: (H, W, C) of `image`.
      attribute_names: the columns of `attributes`.
      landmark_names: the rows of `landmarks`.
      factor_names: the columns of `factors`.
      factor_ranges: (low, high, number of choices) of each factor; 0 choices for a continuous one, and a discrete
        one takes the values 0, 1, ..., choices - 1.
      identity_names: what each number of `identity` is called; empty if the people have no names.
      digest: gives a text that is the same for the same pictures with the same columns, wherever they lie; "" where
        they follow from the settings, or nothing tells.
    """

    name: str
    names: Sequence[str]
    load: Callable[[np.ndarray], dict[str, np.ndarray]]
    image_shape: tuple[int, int, int]
    attribute_names: tuple[str, ...] = ()
    landmark_names: tuple[str, ...] = ()
    factor_names: tuple[str, ...] = ()
    factor_ranges: tuple[tuple[float, float, int], ...] = ()
    identity_names: tuple[str, ...] = ()
    digest: Callable[[], str] = _untold

    def __len__(self) -> int:
        return len(self.names)


def with_attributes(source: Source, names: Sequence[str]) -> Source:
    """The source with only these of its attributes, in this order.

    Args:
      source: a source whose examples have `attributes` [n, A].
      names: k names from `source.attribute_names`, each once; its `attributes` become [n, k].

    Raises:
      DatasetError: the source has no attributes, `names` is empty, or one is unknown or stands there twice.
    """
    names = tuple(names)
    known = {name: _as_known(name, source.attribute_names) for name in names}
    _check_attributes(source, tuple(known[name] for name in names))
    columns = np.array([source.attribute_names.index(known[name]) for name in names])

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        examples = source.load(positions)
        return {**examples, "attributes": examples["attributes"][:, columns]}

    return dataclasses.replace(source, load=load, attribute_names=names)


def _as_known(name: str, known: Sequence[str]) -> str:
    """An attribute as the source calls it; models of facezoo 0.1 know names without the marks on their letters."""
    if name in known:
        return name
    same = [other for other in known if re.sub(r"[\W_]+", "_", other).strip("_") == name]
    return same[0] if len(same) == 1 else name


def with_people(source: Source, names: Sequence[str]) -> Source:
    """The source with its people numbered in this order.

    Args:
      source: a source whose examples have `identity` and whose people have names.
      names: at least all of `source.identity_names`.

    Raises:
      DatasetError: the people have no names, or one of them is not among `names`.
    """
    names = tuple(names)
    if source.identity_names == names:
        return source
    strangers = [name for name in source.identity_names if name not in names]
    if strangers or not source.identity_names:
        who = strangers[0] if strangers else "nobody by name"
        raise DatasetError(f"{source.name} shows {who}; the people known are {', '.join(names)}")
    numbers = np.array([names.index(name) for name in source.identity_names], np.int32)

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        examples = source.load(positions)
        return {**examples, "identity": numbers[examples["identity"]]}

    return dataclasses.replace(source, load=load, identity_names=names)


def _check_attributes(source: Source, names: tuple[str, ...]) -> None:
    known = source.attribute_names
    if not known:
        raise DatasetError(f"{source.name} has no attributes: choose a data set that has some, or ask for none")
    if not names:
        raise DatasetError(f"no attribute of {source.name} is asked for: name some of {', '.join(known)}")
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name.lower(), known, n=1)
            guess = f"; did you mean {close[0]!r}?" if close else ";"
            raise DatasetError(f"no attribute {name!r} in {source.name}{guess} there are {', '.join(known)}")
        if names.count(name) > 1:
            raise DatasetError(f"the attribute {name!r} of {source.name} is asked for twice: name it once")


def choose_split(name: str) -> str:
    """The split a name falls into: 80 % train, 10 % validation, 10 % test, by the name alone.

    The first 8 bytes of the name's SHA-256 (UTF-8; bytes a file system gave that are not UTF-8 stay as they are),
    read as a big-endian integer and divided by 2**64, are a fraction in [0, 1): below 0.8 is train, below 0.9
    validation, the rest test. So a picture stays in its split whatever is added to or taken from the others.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    fraction = int.from_bytes(digest[:8], "big") / 2**64
    if fraction < 0.8:
        return "train"
    return "validation" if fraction < 0.9 else "test"
