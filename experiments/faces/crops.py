"""A folder of crops and its manifest, which grows with each photograph."""

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ... import files
from ...datasets import detection
from ...datasets.manifest import CROP_SUFFIX, MANIFEST_FILE, Cut, Row, as_csv, header_as_csv, read_manifest
from ...datasets.picture_index import UNREADABLE, Picture, find_files
from ...datasets.progress import progress_bar
from ..errors import UsageError
from ..folders import is_ours, save_sheet
from ..terminal import printable, shorten

NAMED = 3
OF_PERSON = "person="  # what `Cut.faces` begins with where somebody in a film is meant
SHOWN = 48  # faces on the sheet


def find_known_rows(root: Path, out: Path, cut: Cut) -> list[Row]:
    """What earlier runs into the folder have found; a UsageError where they cut otherwise, or it is not theirs."""
    rows = read_manifest(out)
    if not (out / MANIFEST_FILE).exists() and out.exists() and not all(map(files.is_unfinished, out.iterdir())):
        raise UsageError(f"--out={out} holds something, but no {MANIFEST_FILE} of an earlier run: choose a new folder")
    other = next((row.cut for row in rows if row.cut != cut), None)
    if other:
        whose = other.faces if other.faces.startswith(OF_PERSON) else f"faces={other.faces}"
        raise UsageError(
            f"--out={out} holds crops with --template={other.template} --margin={other.margin:g} --size={other.size} "
            f"--{whose}: give the same, or choose a new folder"
        )
    if rows and rows[0].root != str(root):
        raise UsageError(f"--out={out} holds crops of the pictures in {rows[0].root}: choose a new folder")
    return rows


def new_files(root: Path, known: Sequence[Row], by_points: bool) -> list[Picture]:
    """Files that are new or have changed, and those that gave nothing for a reason that may have passed."""
    from .aligning import DEADLY, NO_POINTS, TAKEN

    passing = (UNREADABLE, DEADLY, NO_POINTS, TAKEN, *([detection.NONE_FOUND] if by_points else []))
    done = {(row.source, row.num_bytes, row.modified_ns) for row in known if not row.reason.startswith(passing)}
    found = find_files(root)
    if not found:
        raise UsageError(f"--in={root} holds no files")
    return [file for file in found if file[:3] not in done]


def name_crops(known: Sequence[Row], photographs: Sequence[Picture]) -> dict[str, str]:
    """By photograph, what its crops are called but for number and ending.

    Those that are there keep their names, also where facezoo 0.1 has given them; of a photograph that has changed, its
    own.
    """
    there = {row.source: _without_endings(row) for row in known if row.output}
    return files.name_results([row.source for row in known] + [file.name for file in photographs], there)


def _without_endings(row: Row) -> str:
    name = row.output.removesuffix(CROP_SUFFIX)
    return re.sub(r"[.]\d+$", "", name) if row.cut.faces == "all" else name


def make_stamp(out: Path) -> tuple[int, int] | None:
    """What changes with the manifest of a folder; None where it has none."""
    try:
        status = (out / MANIFEST_FILE).stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


def with_new_rows(
    known: Sequence[Row],
    stamp: tuple[int, int] | None,
    out: Path,
    renewed: Collection[str],
    make_rows: Callable[[], Iterable[list[Row]]],
    total: int | None,
) -> list[Row]:
    """Aligns files; the manifest grows with each, so that a run that is killed goes on from there.

    Args:
      known: what the manifest told.
      stamp: `make_stamp` the folder before it was read.
      out: the folder.
      renewed: sources whose known rows count no more.
      make_rows: aligns one source after the other.
      total: how many there are.

    Raises:
      UsageError: another `facezoo align` writes there, or has written since.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.lock(out / MANIFEST_FILE))
        except files.HeldError as error:
            raise UsageError(f"--out={out}: another `facezoo align` writes there") from error
        if make_stamp(out) != stamp:
            raise UsageError(f"--out={out}: another `facezoo align` has written there: give the command again")
        return _align(known, out, renewed, make_rows, total)


def _align(
    known: Sequence[Row],
    out: Path,
    renewed: Collection[str],
    make_rows: Callable[[], Iterable[list[Row]]],
    total: int | None,
) -> list[Row]:
    path = out / MANIFEST_FILE
    rows = [row for row in known if row.source not in renewed]
    _write(path, rows)
    progress = progress_bar("aligning", total=total)
    with (
        files.name_full_disk(path),
        progress,
        path.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        for new in make_rows():
            rows += new
            file.write(as_csv(new))
            file.flush()
            progress.update()
    rows.sort(key=lambda row: (row.source, row.output))
    _write(path, rows)
    _remove_crops(out, {row.output for row in known} - {row.output for row in rows})
    return rows


def _remove_crops(out: Path, names: set[str]) -> None:
    """Removes crops of photographs that have changed and show that face no more; nothing that a link leads to."""
    for path in (out / name for name in names if files.is_path_inside(name)):
        if files.is_below(path, out) and is_ours(path):
            path.unlink()


def _write(path: Path, rows: Sequence[Row]) -> None:
    files.write_text(path, header_as_csv() + as_csv(rows))


def report(out: Path, rows: Sequence[Row], num_new: int) -> None:
    faces = sum(bool(row.output) for row in rows)
    without = [row for row in rows if not row.output]
    if not faces:
        named = ", ".join(f"{row.source} ({row.reason})" for row in without[:NAMED])
        more = f" and {len(without) - NAMED} more" if len(without) > NAMED else ""
        raise UsageError(f"no face in any of {len(without)} files, see {out / MANIFEST_FILE}: {named}{more}")
    print(f"{out}: {faces} faces" + (f", {len(without)} without ({_reasons(without)})" if without else ""))
    _report_turns([row for row in rows if row.output and row.points is not None])
    if not num_new:
        print("nothing was new")


def _report_turns(rows: Sequence[Row]) -> None:
    """Tells which photographs were turned: a detector may have taken one that stood upright for one that lay."""
    if not rows:
        return
    degrees = detection.tilts(np.stack([row.points for row in rows if row.points is not None]))
    sources = [rows[number].source for number in np.flatnonzero(detection.are_lying(degrees)).tolist()]
    if sources:
        more = f" and {len(sources) - NAMED} more" if len(sources) > NAMED else ""
        print(f"of the photographs {detection.describe_turns(degrees)}: {', '.join(sources[:NAMED])}{more}")


def show(out: Path, rows: Sequence[Row]) -> None:
    """Draws those that were turned and those that are least sure, then some others, on a sheet beside the folder."""
    doubtful_first = sort_by_doubt(rows)
    least_sure, others = doubtful_first[: SHOWN // 2], doubtful_first[SHOWN // 2 :]
    chosen = least_sure + others[:: max(1, len(others) // (SHOWN // 2))][: SHOWN // 2]
    crops = [(row, crop) for row in chosen if (crop := _crop(out, row.output)) is not None]
    if crops:
        labels = [f"{row.confidence:.3f} {row.source}" for row, _ in crops]
        what = f"faces of {out}, turned ones and the least sure first: the detector's confidence, and the photograph"
        save_sheet(out, np.stack([crop for _, crop in crops]), labels, what)


def sort_by_doubt(rows: Sequence[Row]) -> list[Row]:
    """Returns rows of crops: those of photographs that were turned first, then by confidence."""

    def is_turned(row: Row) -> bool:
        return row.points is not None and bool(detection.describe_turns(detection.tilts(row.points)[None]))

    return sorted((row for row in rows if row.output), key=lambda row: (not is_turned(row), row.confidence))


def _crop(out: Path, name: str) -> np.ndarray | None:
    """A crop that is there still, and ours."""
    path = out / name
    if not (files.is_below(path, out) and is_ours(path)):
        return None
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _reasons(rows: Sequence[Row]) -> str:
    """The most frequent ones, and where they all stand."""
    counted = Counter(row.reason for row in rows).most_common(NAMED)
    return "; ".join(
        [*(f"{count}: {shorten(printable(reason), 200)}" for reason, count in counted), f"see {MANIFEST_FILE}"]
    )
