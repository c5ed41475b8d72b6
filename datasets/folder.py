"""A folder of one's own photographs, with what its sub-folders and a file of labels say about them."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from . import photographs
from .alignment import POINT_NAMES
from .labels import find_attributes, find_group, find_identities, find_keys, read_landmarks
from .likeness import alike
from .manifest import MANIFEST_FILE, Cut, ForeignManifestError, Row, find_landmarks, read_manifest
from .once import once
from .photographs import Crop
from .picture_index import Picture, index_pictures
from .source import SPLITS, DatasetError, Source
from .splitting import choose_splits

ALL = "all"
MOST_DAMAGED = 0.1
NAMED = 5

_warned: set[tuple[Path, str]] = set()


def folder(
    split: str,
    *,
    data_dir: str | os.PathLike[str],
    image_size: int = 64,
    channels: int = 3,
    crop: Crop | None = None,
    subfolders: str | None = "attribute",
    labels: str | os.PathLike[str] | None = None,
    landmarks: str | os.PathLike[str] | None = None,
    max_megapixels: int | None = None,
    split_by: str | None = None,
    partition: str | os.PathLike[str] | None = None,
) -> Source:
    """One's own photographs below a folder, at any depth; hidden files and folders are skipped.

    They are files of any of `picture_kinds.KINDS`, whatever they are called; others are passed over, and counted. The
    first time every file is decoded once; what was found is kept in the user's cache folder (or in the folder
    that the environment variable FACEZOO_CACHE_DIR names), and only new and changed files are decoded again. Damaged
    files, and those `crop` does not fit into, are left out with one warning. The split of a picture follows from its
    path below `data_dir`, see `splitting.choose_splits`; pictures that look like one in another split are told once.

    Args:
      split: train, validation, test, or all for the three together.
      data_dir: the folder.
      image_size: side S of the pictures in pixels.
      channels: C, 3 for RGB or 1 for gray.
      crop: the side of a square in the centre, or (left, top, width, height) of one, in pixels of the photographs;
        default the largest in the centre.
      subfolders: what the first level of sub-folders means. "identity": one person each, `identity` counts them from
        0 in the order of their names, `identity_names`. "attribute": an attribute each, 1 for the pictures in it, if
        there are at least two and no `labels`. None: nothing, whatever they are called.
      labels: a CSV file with a header, file names (path below `data_dir`, or base name) in the first column and 0/1
        or -1/1 in the others, or CelebA's `list_attr_celeba.txt`: the `attributes`.
      landmarks: a file that `labels.read_landmarks` reads, with five points of each picture in its pixels; default
        the manifest that `facezoo align` has left in `data_dir`, if it tells of all pictures.
      max_megapixels: larger pictures are left out; default `photographs.MEGAPIXELS`.
      split_by: what falls into one split together, of `splitting.SPLIT_BY`; default each file by itself.
      partition: a file that says which split each picture is in.

    Returns:
      Pictures [S, S, C] named by their path below `data_dir`, sorted; attribute names in lower snake case; `landmarks`
      as fractions of the crop, where they are known (one that is cut off lies outside [0, 1]).

    Raises:
      DatasetError: no folder, no pictures in it or in the split, more than 10 % of them unfit, or unfit labels or
        landmarks.
    """
    _check_choices(split, subfolders, channels, crop)
    root = find_root(data_dir, "folder")
    max_pixels = (max_megapixels or photographs.MEGAPIXELS) * 10**6
    index = _index(root, max_pixels, (labels, landmarks, partition))
    usable = _usable(root, index, crop, max_pixels)
    names = [picture.name for picture in usable]
    groups = sorted({group for picture in index if (group := find_group(picture.name))})
    attribute_names, attributes = find_attributes(names, groups if subfolders == "attribute" else [], labels)
    people = find_identities(root, names, groups) if subfolders == "identity" else None
    points = _landmarks(root, usable, crop, landmarks)
    splits = choose_splits(names, split_by or "file", partition) if split != ALL or partition else []
    members = _members(root, splits, split, split_by or "file", partition) if split != ALL else np.arange(len(names))
    if split == SPLITS[0]:
        tell_of_likeness(root, usable, splits)

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        chosen = members[positions]
        examples = {
            "image": _images(root, [names[member] for member in chosen], image_size, crop, channels, max_pixels)
        }
        if attribute_names:
            examples["attributes"] = attributes(chosen)
        if points is not None:
            examples["landmarks"] = points[chosen]
        if people is not None:
            examples["identity"] = people[chosen]
        return examples

    def digest() -> str:
        """Of what the split is made of, wherever it lies."""
        sums = hashlib.sha256()
        for member in members:
            sums.update(f"{usable[member].digest} {names[member]}\n".encode("utf-8", "surrogateescape"))
        for column in (attributes(members), points, people):
            sums.update(b"" if column is None else np.ascontiguousarray(column).tobytes())
        return sums.hexdigest()

    return Source(
        name=f"folder/{split}",
        names=[names[member] for member in members],
        load=load,
        image_shape=(image_size, image_size, channels),
        attribute_names=attribute_names,
        landmark_names=() if points is None else POINT_NAMES,
        identity_names=tuple(groups) if people is not None else (),
        digest=digest,
    )


def _check_choices(split: str, subfolders: str | None, channels: int, crop: Crop | None) -> None:
    if split not in (*SPLITS, ALL):
        raise DatasetError(f"folder: split={split!r} is none of {', '.join(SPLITS)}, {ALL}")
    if subfolders not in ("attribute", "identity", None):
        raise DatasetError(f"folder: subfolders={subfolders!r} is neither 'attribute' nor 'identity'")
    if channels not in (1, 3):
        raise DatasetError(f"folder: channels={channels} is neither 1 (gray) nor 3 (RGB)")
    photographs.check_crop(crop)


def find_root(data_dir: str | os.PathLike[str], dataset: str) -> Path:
    """The folder of a data set, without links; a DatasetError where there is none."""
    if not data_dir:
        raise DatasetError(f"{dataset}: data_dir is missing, the folder with the photographs")
    # Not Path's: its expanduser raises where there is no such user, its resolve where a link leads to itself.
    root = Path(os.path.realpath(os.path.expanduser(data_dir)))  # noqa: PTH111
    if not root.is_dir():
        raise DatasetError(f"{dataset}: data_dir={data_dir} is {'not a folder' if root.exists() else 'not there'}")
    return root


def _index(root: Path, max_pixels: int, known: Sequence[str | os.PathLike[str] | None]) -> list[Picture]:
    """The pictures of a folder; files that are none are told once, but for those that we know of."""
    index = index_pictures(root, max_pixels)
    ours = [os.path.relpath(os.path.expanduser(file), root) for file in known if file]  # noqa: PTH111 (it may raise)
    if passed_over := index.describe_others([MANIFEST_FILE, *ours]):
        warn_once(root, f"{root}: {passed_over}")
    return index.pictures


def _images(
    root: Path, names: Sequence[str], image_size: int, crop: Crop | None, channels: int, max_pixels: int
) -> np.ndarray:
    images = np.empty((len(names), image_size, image_size, channels), np.uint8)
    for image, name in zip(images, names, strict=True):
        try:
            image[:] = photographs.fit(photographs.read(root / name, max_pixels), image_size, crop, channels)
        except DatasetError as error:
            raise DatasetError(f"folder: {root / name} has changed since it was indexed: {error}") from error
    return images


def _landmarks(
    root: Path, pictures: Sequence[Picture], crop: Crop | None, file: str | os.PathLike[str] | None
) -> np.ndarray | None:
    """Five points of each picture as fractions of its crop, float32 [N, 5, 2]; None where they are not known."""
    if file:
        points = read_landmarks(Path(os.path.expanduser(file)))  # noqa: PTH111 (Path's may raise)
        in_pixels = [points[key] for key in find_keys([picture.name for picture in pictures], points, file)]
    else:
        of_crops = _read_points(root)
        others = [picture.name for picture in pictures if picture.name not in of_crops]
        if others and of_crops:
            first = f"{len(others)} of {len(pictures)} pictures, the first is {others[0]}"
            warn_once(root, f"no landmarks, since {root / MANIFEST_FILE} does not speak of {first}")
        if others:
            return None
        in_pixels = [of_crops[picture.name] * (picture.width, picture.height) for picture in pictures]
    boxes = np.array([photographs.crop_box((picture.width, picture.height), crop) for picture in pictures], np.float64)
    corners, sizes = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]  # [N, 1, 2]
    return ((np.stack(in_pixels) - corners) / sizes).astype(np.float32)  # [N, 5, 2]


@once
def _read_points(root: Path) -> dict[str, np.ndarray]:
    return find_landmarks(_read_rows(root))


def find_cut(root: Path, crop: Crop | None = None) -> Cut | None:
    """How faces lie in what `crop` takes of the crops that `facezoo align` has left in a folder.

    Returns:
      None for any other folder, and for one that is not there.

    Raises:
      DatasetError: the manifest cannot be read, or is damaged, or the crop reaches outside.
    """
    rows = _read_rows(root)
    return rows[0].cut.part(photographs.crop_box((rows[0].cut.size, rows[0].cut.size), crop)) if rows else None


def _read_rows(root: Path) -> list[Row]:
    try:
        return read_manifest(root)
    except ForeignManifestError as error:
        warn_once(root, f"{error}; it is passed over")
        return []


def _members(
    root: Path, splits: Sequence[str], split: str, split_by: str, partition: str | os.PathLike[str] | None
) -> np.ndarray:
    members = np.array([position for position, name in enumerate(splits) if name == split], np.int64)
    if not len(members) and partition:
        raise DatasetError(
            f"folder: {partition} puts none of the {len(splits)} pictures in {root} into the {split} split"
        )
    if not len(members):
        by = "name" if split_by == "file" else split_by
        raise DatasetError(
            f"folder: none of the {len(splits)} pictures in {root} falls into the {split} split (80/10/10 by {by});",
            f"add pictures: about 50 {'' if split_by == 'file' else f'of such {split_by}s '}are enough to fill every "
            "split, or say by partition=FILE which picture is in which",
        )
    return members


def tell_of_likeness(root: Path, pictures: Sequence[Picture], splits: Sequence[str]) -> None:
    """Warns once of pictures that look like one in another split: what is measured there is not of new faces."""
    numbers = np.array([SPLITS.index(split) for split in splits])
    pairs = alike([picture.look for picture in pictures], numbers)
    if not len(pairs):
        return
    others = np.unique(pairs[numbers[pairs] != 0])  # of validation and test
    first, second = (pictures[position].name for position in pairs[0])
    told = f"{len(others)} pictures of validation and test look like one in another split, as {first} and {second} do"
    warn_once(root, f"{root}: {told}: --split_by=folder, identity or clip, or --partition=FILE keeps them together")


def _usable(root: Path, index: Sequence[Picture], crop: Crop | None, max_pixels: int) -> list[Picture]:
    unfit = {picture.name: reason for picture in index if (reason := find_fault(picture, crop, max_pixels))}
    if len(unfit) == len(index) or len(unfit) > MOST_DAMAGED * len(index):
        raise DatasetError(
            f"folder: {len(unfit)} of {len(index)} pictures in {root} cannot be used, more than {MOST_DAMAGED:.0%}:",
            name_first(unfit),
            "replace or remove them, or choose another crop if it reaches outside",
        )
    if unfit:
        warn_once(root, f"leaving out {len(unfit)} of {len(index)} pictures in {root}: {name_first(unfit)}")
    return [picture for picture in index if picture.name not in unfit]


def find_fault(picture: Picture, crop: Crop | None, max_pixels: int) -> str:
    """Why a picture cannot be used, or ""."""
    if picture.damage:
        return picture.damage
    try:
        photographs.check_pixels((picture.width, picture.height), max_pixels)
        photographs.crop_box((picture.width, picture.height), crop)
    except DatasetError as error:
        return str(error)
    return ""


def name_first(unfit: dict[str, str]) -> str:
    """The first files that cannot be used, with why, and how many more there are."""
    named = [f"{name} ({reason})" for name, reason in list(unfit.items())[:NAMED]]
    more = [f"and {len(unfit) - NAMED} more"] if len(unfit) > NAMED else []
    return ", ".join(named + more)


def warn_once(root: Path, message: str) -> None:
    """One warning in a process, though each split of the folder finds the same."""
    if (root, message) not in _warned:
        _warned.add((root, message))
        logging.warning("%s", message)
