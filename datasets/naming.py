"""How files speak of pictures: other letters, slashes, folders and endings than the pictures' own names have."""

import functools
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import PurePosixPath


def compose(name: str) -> str:
    """A name with its accents in its letters (Unicode's form C): macOS takes them apart, others put them together."""
    return unicodedata.normalize("NFC", name)


def plain(name: str) -> str:
    """What is left of a name where small and large letters, slashes and the form of accents say nothing."""
    return compose(name).replace("\\", "/").casefold().removeprefix("./")


class Names:
    """Names in a file, found by those of the pictures that are meant.

    Args:
      names: as the file has them: paths or base names.
    """

    def __init__(self, names: Collection[str]):
        self._exact = frozenset(names)

    @functools.cached_property
    def _plain(self) -> dict[str, list[str]]:
        return _group(self._exact, plain)

    @functools.cached_property
    def _bases(self) -> dict[str, list[str]]:
        return _group(self._exact, _base)

    @functools.cached_property
    def _stems(self) -> dict[str, list[str]]:
        return _group(self._exact, lambda name: plain(name).rpartition(".")[0])

    def find_photograph(self, crop: str, ending: str) -> str | None:
        """How the file speaks of the photograph that a crop was cut out of: of a.jpg for a.jpg.png, or for a.png."""
        stem = crop.removesuffix(ending)
        if stem == crop:
            return None
        found = self.find(stem)
        others = (plain(stem), _base(stem))
        return found or next((_only(self._stems[other]) for other in others if other in self._stems), None)

    def find(self, picture: str) -> str | None:
        """How the file speaks of a picture, if it does: by its path, by its base name, or from another folder.

        A name that differs in small and large letters, slashes or the form of its accents is taken if it is the only
        one that fits, and so is one with more folders before the picture's path.
        """
        base = PurePosixPath(picture).name
        for exact in (picture, base):
            if exact in self._exact:
                return exact
        for other in (plain(picture), plain(base)):
            if other in self._plain:
                return _only(self._plain[other])
        return _only(
            [name for name in self._bases.get(_base(picture), ()) if plain(name).endswith("/" + plain(picture))]
        )


def _group(names: Collection[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[key(name)].append(name)
    return dict(groups)


def _base(name: str) -> str:
    return plain(name).rpartition("/")[2]


def _only(names: list[str]) -> str | None:
    return names[0] if len(names) == 1 else None
