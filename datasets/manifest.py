"""`manifest.csv`, which `facezoo align` leaves beside its crops: where each comes from, and why a file gave none."""

import csv
import dataclasses
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from .. import files
from .alignment import POINT_NAMES, TEMPLATES, align_points, crop_to_photograph, template_points
from .source import DatasetError

MANIFEST_FILE = "manifest.csv"
MOST_BYTES = 2**30
CROP_SUFFIX = ".png"  # what a crop's name has more than its source's


class ForeignManifestError(DatasetError):
    """A file of that name that `facezoo align` did not write."""


@dataclasses.dataclass(frozen=True)
class Cut:
    """How crops are cut.

    Attributes:
      template: of `alignment.TEMPLATES`.
      margin: in sides of the template's own crop.
      size: side of the crops in pixels.
      faces: "largest" or "all" of each photograph; of a film also "person=" and who.
      shift: of `template_points`; none in what `facezoo align` cuts.
    """

    template: str = "facezoo"
    margin: float = 0.0
    size: int = 128
    faces: str = "largest"
    shift: tuple[float, float] = (0.0, 0.0)

    def matrix(self, points: np.ndarray) -> np.ndarray:
        """`alignment.crop_to_photograph` for the five points of a face, or of several [..., 5, 2]."""
        return crop_to_photograph(points, template_points(self.template, self.margin, self.shift))

    def check(self) -> None:
        """Raises a ValueError where it does not say soundly where faces lie, as a damaged file's does."""
        if self.template not in TEMPLATES or self.size < 1:
            raise ValueError(f"no template {self.template!r}, or {self.size} pixels")
        if not (self.margin > -0.5 and math.isfinite(self.margin + sum(self.shift))):
            raise ValueError(f"a margin of {self.margin:g} and a shift of {self.shift} show no face")

    def part(self, box: tuple[int, int, int, int]) -> "Cut":
        """How a square of such crops is cut: (left, top, right, bottom) in their pixels, also of what lies beyond."""
        left, top, right, bottom = box
        pixel = (1.0 + 2.0 * self.margin) / self.size  # in sides of the template's own crop
        across, down = ((low + high - self.size) / 2.0 * pixel for low, high in ((left, right), (top, bottom)))
        return dataclasses.replace(
            self,
            margin=((right - left) * pixel - 1.0) / 2.0,
            size=right - left,
            shift=(self.shift[0] + across, self.shift[1] + down),
        )


@dataclasses.dataclass(frozen=True)
class Row:
    """One face of a file, or one file without.

    Attributes:
      root: the folder that was read.
      source: the file's path below it.
      num_bytes, modified_ns: of the file; a changed one is read again.
      cut: how.
      output: the crop's path below the folder that holds the manifest; "" where there is none.
      reason: why there is none, or "".
      confidence: the detector's, 1 for points that were given.
      box: left, top, width, height in pixels of the upright photograph.
      points: `POINT_NAMES`, [5, 2] in pixels of it; None where no face was found.
    """

    root: str
    source: str
    num_bytes: int
    modified_ns: int
    cut: Cut
    output: str = ""
    reason: str = ""
    confidence: float = 0.0
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    points: np.ndarray | None = None


HEADER = (
    *("source", "output", "reason", "confidence", "left", "top", "width", "height"),
    *(f"{name}_{axis}" for name in POINT_NAMES for axis in "xy"),
    *("template", "margin", "size", "faces", "root", "source_bytes", "source_modified_ns"),
)


def as_csv(rows: Iterable[Row]) -> str:
    """Rows as lines of the manifest, without the header."""
    return _lines(_cells(row) for row in rows)


def header_as_csv() -> str:
    """The first line of the manifest."""
    return _lines([HEADER])


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cells(row: Row) -> list[str]:
    numbers: list[float] = []
    if row.points is not None:
        numbers = [row.confidence, *row.box, *row.points.reshape(-1).tolist()]
    return [
        *(row.source, row.output, row.reason),
        *(f"{number:.5g}" for number in numbers[:1]),
        *(f"{number:.2f}" for number in numbers[1:]),
        *([""] * (len(POINT_NAMES) * 2 + 5 - len(numbers))),
        *(row.cut.template, repr(row.cut.margin), str(row.cut.size), row.cut.faces, row.root),
        *(str(row.num_bytes), str(row.modified_ns)),
    ]


def read_manifest(folder: Path) -> list[Row]:
    """The manifest of a folder, or no rows where it has none.

    What a killed run left half-written at the end is passed over.

    Raises:
      ForeignManifestError: a DatasetError; it is no manifest of ours.
      DatasetError: it cannot be read, or is damaged.
    """
    path = folder / MANIFEST_FILE
    try:
        text = files.read_text(path, MOST_BYTES, errors="surrogateescape")
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except FileNotFoundError:
        return []
    except (OSError, csv.Error) as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
    if not lines or tuple(lines[0]) != HEADER:
        raise ForeignManifestError(f"{path} is not the manifest of `facezoo align`: its first line is another")
    rows = []
    for number, cells in enumerate(lines[1:], 2):
        try:
            rows.append(_row(cells))
        except (ValueError, TypeError) as error:
            if number < len(lines):
                raise DatasetError(f"{path}, row {number} is damaged: {error}") from error
    return rows


def _row(cells: list[str]) -> Row:
    values = dict(zip(HEADER, cells, strict=True))
    cut = Cut(values["template"], float(values["margin"]), int(values["size"]), values["faces"])
    cut.check()
    row = Row(values["root"], values["source"], int(values["source_bytes"]), int(values["source_modified_ns"]), cut)
    row = dataclasses.replace(row, output=values["output"], reason=values["reason"])
    if row.output and not files.is_path_inside(row.output):
        raise ValueError("its output leads out of the folder")
    if not values["left_eye_x"]:
        return row
    left, top, width, height = (float(values[name]) for name in ("left", "top", "width", "height"))
    points = np.array([[float(values[f"{name}_{axis}"]) for axis in "xy"] for name in POINT_NAMES])
    return dataclasses.replace(
        row, confidence=float(values["confidence"]), box=(left, top, width, height), points=points
    )


def find_landmarks(rows: Iterable[Row]) -> dict[str, np.ndarray]:
    """By the crop's path, where the five points lie in it: (x, y) in its sides, float32 [5, 2]."""
    with_points = [(row, row.points) for row in rows if row.output and row.points is not None]
    if not with_points:
        return {}
    cut, points = with_points[0][0].cut, np.stack([points for _, points in with_points])  # the same for all crops
    landmarks = align_points(points, cut.matrix(points))
    return {row.output: places for (row, _), places in zip(with_points, landmarks, strict=True)}
