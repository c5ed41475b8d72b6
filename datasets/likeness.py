"""Pictures that look alike though their files differ: copies, other sizes, frames of a film."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

SIDE = 8
# Of the 128 bits. Of 600 faces of CelebA none differs from 4,000 others in fewer than 13; a copy of half the quality or
# of two thirds of the size differs from its original in 6 or fewer, 19 times of 20.
MOST_BITS = 6
_BANDS = 8  # of 16 bits: where at most 7 differ, one of them is the same
_NEIGHBOURS = 16  # that are compared among those of one band
_FLAT = 2.0  # levels of 255


def hash_look(image: Image.Image) -> str:
    """Where a picture gets brighter to the right and down, 128 bits in hexadecimal; "" for one without any structure.

    The difference hash of N. Krawetz, "Kind of like that" (2013), in both directions.

    Args:
      image: of any size.
    """
    gray = np.asarray(image.convert("L").resize((SIDE + 1, SIDE + 1), Image.Resampling.BOX), np.int16)
    if gray.std() < _FLAT:
        return ""
    right, down = gray[:SIDE, 1:] > gray[:SIDE, :-1], gray[1:, :SIDE] > gray[:-1, :SIDE]
    return np.packbits(np.concatenate([right, down], axis=None)).tobytes().hex()


def alike(looks: Sequence[str], groups: np.ndarray) -> np.ndarray:
    """Pairs of pictures that look alike and are in two groups.

    Args:
      looks: of N pictures, as `hash_look` gives them.
      groups: a number for each, [N].

    Returns:
      Positions of the two, int64 [P, 2], each pair once, sorted. Where very many look alike some pairs are missing.
    """
    known = np.array([position for position, look in enumerate(looks) if look], np.int64)
    if len(known) < 2:
        return np.empty((0, 2), np.int64)
    bits = np.frombuffer(bytes.fromhex("".join(looks[position] for position in known)), np.uint8).reshape(-1, 16)
    groups = np.asarray(groups)[known]
    pairs = [_pair_by_band(bits, groups, band) for band in range(_BANDS)]
    found = known[np.unique(np.concatenate(pairs), axis=0)]
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _pair_by_band(bits: np.ndarray, groups: np.ndarray, band: int) -> np.ndarray:
    """The pairs whose bits of a band are the same, among neighbours in the order of their bits: int64 [P, 2]."""
    turned = np.roll(bits, -2 * band, axis=1)
    order = np.argsort(np.ascontiguousarray(turned).view("S16")[:, 0], kind="stable")
    found = [np.empty((0, 2), np.int64)]
    for step in range(1, min(_NEIGHBOURS, len(order) - 1) + 1):
        first, second = order[:-step], order[step:]
        is_pair = (turned[first, :2] == turned[second, :2]).all(axis=1) & (groups[first] != groups[second])
        first, second = first[is_pair], second[is_pair]
        is_pair = np.bitwise_count(bits[first] ^ bits[second]).sum(axis=1) <= MOST_BITS
        found.append(np.sort(np.stack([first[is_pair], second[is_pair]], axis=1), axis=1))
    return np.concatenate(found)
