"""Align photographs: find their faces, and cut each out upright, in one size, eyes and mouth in one place."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from tqdm import tqdm

from ..datasets import detection
from ..datasets.labels import read_landmarks
from ..datasets.manifest import HEADER, MANIFEST_FILE, Cut, Row, as_csv, read_manifest
from ..datasets.picture_index import PROGRESS_AFTER_SECONDS, UNREADABLE, Picture, found_files
from . import options, runs
from .errors import UsageError

FACES = ("largest", "all")
NAMED = 3


def define_flags(values: flags.FlagValues) -> None:
    options.define_required(values, "in", "Folder of photographs, at any depth.")
    options.define_required(values, "out", f"Folder for the crops and {MANIFEST_FILE}; a second run does what is new.")
    options.define_number(values, "size", 128, "Height and width of the crops in pixels.", 16, 1024)
    options.define_template(values, "facezoo", 0.0)
    flags.DEFINE_enum("faces", "largest", FACES, "Of each photograph the largest face, or all.", flag_values=values)
    text = "CelebA's list of landmarks, or a CSV of its columns: the five points of each file, instead of a detector's."
    options.define_path(values, "landmarks", text)
    options.define_number(values, "processes", None, "That work side by side; one for each core if absent.", 1, 1024)


def run(values: flags.FlagValues) -> None:
    from .aligning import Aligner

    root, out = _folders(values)
    cut = Cut(values.template, values.margin, values.size, values.faces)
    known = _known_rows(out, cut)
    points = read_landmarks(Path(values.landmarks)) if values.landmarks else None
    if points is None:
        detection.check_installed()
    files = _new_files(root, known)
    renewed = {file.name for file in files}
    known = [row for row in known if row.source not in renewed]
    processes = min(values.processes or os.cpu_count() or 1, max(1, len(files)))
    rows = _with_new_rows(known, Aligner(root, out, cut, points), files, processes) if files else known
    _report(out, rows, len(renewed))


def _folders(values: flags.FlagValues) -> tuple[Path, Path]:
    root, out = Path(values.flag_values_dict()["in"]), Path(values.out)  # "in" is a keyword of Python
    if not root.is_dir():
        raise UsageError(f"--in={root} is {'not a folder' if root.exists() else 'not there'}")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out={out} is a file: choose a folder")
    if out.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"--out={out} lies in --in={root}, whose pictures it would add to: choose a folder elsewhere")
    return root, out


def _known_rows(out: Path, cut: Cut) -> list[Row]:
    """What earlier runs into the folder have found; a UsageError where they cut otherwise, or it is not theirs."""
    rows = read_manifest(out)
    if not (out / MANIFEST_FILE).exists() and out.exists() and any(out.iterdir()):
        raise UsageError(f"--out={out} holds something, but no {MANIFEST_FILE} of an earlier run: choose a new folder")
    other = next((row.cut for row in rows if row.cut != cut), None)
    if other:
        raise UsageError(
            f"--out={out} holds crops with --template={other.template} --margin={other.margin:g} --size={other.size} "
            f"--faces={other.faces}: give the same, or choose a new folder"
        )
    return rows


def _new_files(root: Path, known: Sequence[Row]) -> list[Picture]:
    """Files that are new or have changed, and those that could not be opened the last time."""
    done = {(row.source, row.num_bytes, row.modified_ns) for row in known if not row.reason.startswith(UNREADABLE)}
    files = found_files(root)
    if not files:
        raise UsageError(f"--in={root} holds no files")
    return [file for file in files if file[:3] not in done]


def _with_new_rows(known: Sequence[Row], aligner, files: Sequence[Picture], processes: int) -> list[Row]:
    """Aligns files; the manifest grows with each, so that a run that is killed goes on from there."""
    from .aligning import aligned_in_processes

    runs.make_folder(aligner.out)
    rows, path = list(known), aligner.out / MANIFEST_FILE
    _write(path, rows)
    progress = tqdm(total=len(files), desc="aligning", unit="", delay=PROGRESS_AFTER_SECONDS, leave=False)
    with progress, path.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file:
        for new in aligned_in_processes(aligner, files, processes):
            rows += new
            file.write(as_csv(new))
            file.flush()
            progress.update()
    rows.sort(key=lambda row: (row.source, row.output))
    _write(path, rows)
    return rows


def _write(path: Path, rows: Sequence[Row]) -> None:
    runs.write_atomically(path, ",".join(HEADER) + "\n" + as_csv(rows))


def _report(out: Path, rows: Sequence[Row], num_new: int) -> None:
    faces = sum(bool(row.output) for row in rows)
    without = [row for row in rows if not row.output]
    if not faces:
        named = ", ".join(f"{row.source} ({row.reason})" for row in without[:NAMED])
        more = f" and {len(without) - NAMED} more" if len(without) > NAMED else ""
        raise UsageError(f"no face in any of {len(without)} files, see {out / MANIFEST_FILE}: {named}{more}")
    print(f"{out}: {faces} faces" + (f", {len(without)} without ({_reasons(without)})" if without else ""))
    if not num_new:
        print("nothing was new")


def _reasons(rows: Sequence[Row]) -> str:
    """The most frequent ones, and where they all stand."""
    counted = Counter(row.reason for row in rows).most_common(NAMED)
    return "; ".join([*(f"{count}: {reason}" for reason, count in counted), f"see {MANIFEST_FILE}"])
