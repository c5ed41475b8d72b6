"""Where there is no room, one line says for what and what to do; nothing half-written stays, nothing is lost."""

import errno
import os

import pytest
from command_line import assert_refused, photographs_in
from facezoo import files
from facezoo.experiments.faces import aligning
from facezoo.experiments.terminal import MAKE_ROOM, find_message

FULL = os.strerror(errno.ENOSPC)


def raise_full():
    raise OSError(errno.ENOSPC, FULL)


@pytest.mark.parametrize("place", ["file", "new file", "shared file", "folder", "files", "file and folder"])
def test_what_has_no_room_is_named_and_leaves_nothing(tmp_path, place):
    """As morph, sample, edit and swap (a folder), publish (files), encode (file and folder) and all others write."""
    target = tmp_path / "mine"
    writers = {
        "file": lambda: files.whole_file(target),
        "new file": lambda: files.whole_file(target, is_new=True),
        "shared file": lambda: files.whole_file(target, is_shared=True),
        "folder": lambda: files.whole_folder(target),
        "files": lambda: files.whole_files(target, ["mine.npz", "mine.json"]),
        "file and folder": lambda: files.whole_file_and_folder(target, tmp_path / "pictures"),
    }
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(OSError, match=FULL) as full, writers[place]() as partial:
        for path in partial if isinstance(partial, tuple) else [partial]:
            (path / "mine.npz" if path.is_dir() else path).write_text("half of i")
        raise_full()
    assert find_message(full.value) == f"{target}: {FULL}; {MAKE_ROOM}"
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_another_error_names_what_it_named(tmp_path):
    with pytest.raises(PermissionError) as refused, files.whole_file(tmp_path / "mine"):
        raise PermissionError(errno.EACCES, "Permission denied", "other")
    assert find_message(refused.value) == "other: Permission denied"


def test_align_says_so_and_goes_on_when_there_is_room(command, tmp_path, monkeypatch):
    photographs, out = photographs_in(tmp_path / "photographs", 3), tmp_path / "crops"
    columns = (
        "lefteye_x,lefteye_y,righteye_x,righteye_y,nose_x,nose_y,leftmouth_x,leftmouth_y,rightmouth_x,rightmouth_y"
    )
    points = [f"{number:03d}.jpg,6,6,13,6,9,9,7,13,12,13" for number in range(3)]
    (tmp_path / "points.csv").write_text("\n".join([f"file,{columns}", *points]) + "\n")
    flags = ("align", f"--in={photographs}", f"--out={out}", f"--landmarks={tmp_path / 'points.csv'}", "--size=32")

    def align_here(aligner, unread, processes):
        yield from map(aligner, unread)

    def align_until_full(aligner, unread, processes):
        yield aligner(unread[0])
        raise_full()

    monkeypatch.setattr(aligning, "align_in_processes", align_until_full)
    assert_refused(command(*flags), f"{out / 'manifest.csv'}: {FULL}; {MAKE_ROOM}")
    assert sorted(path.name for path in out.iterdir()) == ["000.png", "manifest.csv"]
    with (out / "manifest.csv").open("a") as manifest:
        manifest.write("001.jpg,00")  # as far as there was room
    crop = (out / "000.png").read_bytes()
    monkeypatch.setattr(aligning, "align_in_processes", align_here)
    again = command(*flags)
    assert again.code == 0, again.err
    assert f"{out}: 3 faces" in again.out
    assert (out / "000.png").read_bytes() == crop
