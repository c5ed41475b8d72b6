"""Files and folders are there whole or not at all, and nothing that was there before is lost."""

import contextlib
import os
import threading

import pytest
from facezoo import files


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    with files.whole_file(tmp_path / "a.npz") as partial:
        partial.write_text("new")
        assert partial.suffix == ".npz"
        assert not (tmp_path / "a.npz").exists()
    assert names_in(tmp_path) == ["a.npz"]


def test_a_file_that_fails_leaves_the_one_before_it(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), files.whole_file(tmp_path / "a") as partial:
        partial.write_text("new")
        raise ZeroDivisionError
    assert names_in(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_of_two_that_make_a_file_at_once_one_is_refused(tmp_path):
    with files.whole_file(tmp_path / "a", is_new=True) as partial:
        partial.write_text("first")
        with pytest.raises(files.OccupiedError, match="another facezoo is making it"):
            files.whole_file(tmp_path / "a", is_new=True).__enter__()
    assert (tmp_path / "a").read_text() == "first"
    with pytest.raises(files.OccupiedError, match="already holds something"):
        files.whole_file(tmp_path / "a", is_new=True).__enter__()
    assert names_in(tmp_path) == ["a"]


@pytest.mark.parametrize("make", [files.whole_file, files.whole_folder])
def test_what_comes_to_be_there_meanwhile_stays(tmp_path, make):
    target = tmp_path / "a"
    arguments = {"is_new": True} if make is files.whole_file else {}
    with pytest.raises(files.OccupiedError, match="has come to be there"), make(target, **arguments) as partial:
        if make is files.whole_file:
            partial.write_text("ours")
            target.write_text("theirs")
        else:
            (partial / "ours").write_text("ours")
            target.mkdir()
            (target / "theirs").write_text("theirs")
    assert names_in(tmp_path) == (["a"] if make is files.whole_file else ["a", "a/theirs"])


def test_a_folder_appears_when_it_is_whole(tmp_path):
    with files.whole_folder(tmp_path / "above" / "a") as partial:
        (partial / "inner").mkdir()
        (partial / "inner" / "file").write_text("x")
        assert not (tmp_path / "above" / "a").exists()
    assert names_in(tmp_path) == ["above", "above/a", "above/a/inner", "above/a/inner/file"]


def test_a_folder_that_fails_takes_with_it_only_what_it_has_made(tmp_path):
    with pytest.raises(ZeroDivisionError), files.whole_folder(tmp_path / "above" / "deeper" / "a") as partial:
        (partial / "file").write_text("x")
        (tmp_path / "above" / "letter").write_text("dear")
        raise ZeroDivisionError
    assert names_in(tmp_path) == ["above", "above/letter"]


@pytest.mark.parametrize("is_linked", [False, True])
def test_an_empty_folder_that_is_there_stays_the_same_one(tmp_path, is_linked):
    folder = tmp_path / "folder"
    folder.mkdir()
    target = tmp_path / "link" if is_linked else folder
    if is_linked:
        target.symlink_to(folder)
    before = folder.stat().st_ino
    with pytest.raises(ZeroDivisionError), files.whole_folder(target) as partial:
        (partial / "file").write_text("x")
        raise ZeroDivisionError
    assert names_in(folder) == []
    with files.whole_folder(target) as partial:
        (partial / "file").write_text("x")
    assert names_in(folder) == ["file"]
    assert (folder.stat().st_ino, target.is_symlink()) == (before, is_linked)


@pytest.mark.parametrize("kind", ["file", "full", "dangling"])
def test_what_is_there_is_refused_and_left(tmp_path, kind):
    target = tmp_path / "a"
    if kind == "file":
        target.write_text("x")
    elif kind == "full":
        target.mkdir()
        (target / ".hidden").write_text("x")
    else:
        target.symlink_to(tmp_path / "nowhere")
    before = names_in(tmp_path)
    with pytest.raises(files.OccupiedError, match="already holds something"):
        files.whole_folder(target).__enter__()
    assert names_in(tmp_path) == before


def test_what_a_killed_process_has_left_of_a_folder_goes_with_the_next_one(tmp_path):
    with files.whole_folder(tmp_path / "a") as partial:
        name = partial.name
    (tmp_path / "a").rmdir()
    (tmp_path / name).mkdir()
    (tmp_path / name / "half").write_text("x")
    with files.whole_folder(tmp_path / "a") as partial:
        (partial / "whole").write_text("x")
    assert names_in(tmp_path) == ["a", "a/whole"]


def test_a_file_is_not_written_through_a_link(tmp_path):
    (tmp_path / "theirs").write_text("dear")
    with files.whole_file(tmp_path / "a") as partial:
        partial.write_text("x")
    (tmp_path / "a").unlink()
    partial.symlink_to(tmp_path / "theirs")
    with pytest.raises(files.OccupiedError, match="is a link"):
        files.write_text(tmp_path / "a", "x")
    assert names_in(tmp_path) == [partial.name, "theirs"]
    assert (tmp_path / "theirs").read_text() == "dear"


def test_only_what_was_written_here_is_removed(tmp_path):
    for name in ("a", "b", "c", "d"):
        files.write_text(tmp_path / name, "x")
    for name in ("b", "c"):  # somebody else puts a file there
        (tmp_path / name).unlink()
    (tmp_path / "b").write_text("dear")
    (tmp_path / "c").symlink_to(tmp_path / "d")
    for name in ("a", "b", "c", "nowhere"):
        files.remove_made(tmp_path / name)
    assert names_in(tmp_path) == ["b", "c", "d"]


def test_a_folder_that_is_there_gets_all_or_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(files.OccupiedError, match="has come to be there"),
        files.whole_folder(tmp_path / "folder") as partial,
    ):
        for name in ("a", "b", "c"):
            (partial / name).write_text("ours")
        (tmp_path / "folder" / "b").write_text("theirs")
    assert names_in(tmp_path) == ["folder", "folder/b"]
    assert (tmp_path / "folder" / "b").read_text() == "theirs"


def test_a_folder_is_held_by_whatever_name_it_is_called(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    with files.whole_folder(tmp_path / "folder") as partial:
        (partial / "a").write_text("x")
        with pytest.raises(files.OccupiedError, match="another facezoo is making it"):
            files.whole_folder(tmp_path / "link").__enter__()
    assert names_in(tmp_path / "folder") == ["a"]


def test_a_link_in_the_place_of_what_is_being_made_is_not_followed(tmp_path):
    with files.whole_folder(tmp_path / "a") as partial:
        name = partial.name
    (tmp_path / "a").rmdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "letter").write_text("dear")
    (tmp_path / name).symlink_to(tmp_path / "theirs")
    with pytest.raises(files.OccupiedError, match="is a link"):
        files.whole_folder(tmp_path / "a").__enter__()
    assert names_in(tmp_path / "theirs") == ["letter"]


def test_the_longest_name_can_be_made(tmp_path):
    name = "ä" * 125 + ".json"
    files.write_text(tmp_path / name, "x")
    with files.whole_folder(tmp_path / ("n" * 255)) as partial:
        (partial / "file").write_text("x")
    assert names_in(tmp_path) == ["n" * 255, f"{'n' * 255}/file", name]


@pytest.mark.parametrize("name", ["n" * 256, "a\0b"])
def test_what_no_file_can_be_called_is_refused_before_the_work(tmp_path, name):
    for make in (
        files.whole_file(tmp_path / name, is_new=True),
        files.whole_folder(tmp_path / name),
        files.whole_files(tmp_path / "a", ["a.npz", name]),
        files.whole_file_and_folder(tmp_path / "a", tmp_path / name),
    ):
        with pytest.raises(files.OccupiedError, match="cannot be made"):
            make.__enter__()
    assert names_in(tmp_path) == []


def test_folders_are_made_all_or_none(tmp_path):
    with pytest.raises(OSError, match="too long"), files.make_folders(tmp_path / "a" / ("long" * 100)):
        pass
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "large"])
def test_only_regular_files_of_a_moderate_size_are_read(tmp_path, kind):
    path = tmp_path / "a"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(b"12345")
    found = []

    def read():
        try:
            files.read_bytes(path, 4)
        except files.UnfitFileError as error:
            found.append(str(error))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(10)
    said = {"large": "it has more than 3.8147e-06 MB", "folder": "it is a directory"}
    assert found == [said.get(kind, "it is not a regular file")]


@pytest.mark.parametrize("name", ["", ".", "..", "/a", "a/b", "..\\a", "a\0b", "a/../../b"])
def test_a_name_that_leads_elsewhere_is_no_plain_one(name):
    assert not files.is_plain_name(name)


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "./a", "a/", "a/..\\b"])
def test_a_path_that_leads_out_of_its_folder_is_told(name):
    assert not files.is_path_inside(name)


@pytest.mark.parametrize("name", ["a", "a.jpg", "..a", "ä ö", ".hidden", "a/b/c.png"])
def test_other_paths_are_let_through(name):
    assert files.is_path_inside(name)
    assert files.is_plain_name(name) == ("/" not in name)


# Locks.


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "letter"])
def test_what_is_in_the_place_of_a_lock_is_told_of_and_stays(tmp_path, kind):
    with files.lock(tmp_path / "a"):
        (lock,) = tmp_path.iterdir()
    if kind == "folder":
        lock.mkdir()
    elif kind == "pipe":
        os.mkfifo(lock)
    elif kind == "link":
        lock.symlink_to(tmp_path / "theirs")
    else:
        lock.write_text("dear")
    before = os.lstat(lock)
    with pytest.raises(files.OccupiedError, match=r"is no lock of facezoo's: remove it"):
        files.lock(tmp_path / "a").__enter__()
    assert os.lstat(lock)[:7] == before[:7]
    assert names_in(tmp_path) == [lock.name]


# Killed.


def killed_at(number, make, folder):
    """Runs `make` in a process that ends at its so manieth change of a name; whether it did."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = [number]

    def counted(real):
        def call(*arguments, **options):
            if left[0] <= 0:
                os._exit(9)
            left[0] -= 1
            return real(*arguments, **options)

        return call

    for name in ("rename", "link", "unlink", "rmdir", "mkdir"):
        setattr(os, name, counted(getattr(os, name)))
    make(folder)
    os._exit(0)


def make_both(folder, names=("0.png", "inner/1.png")):
    with files.whole_file_and_folder(folder / "codes.npz", folder / "pictures") as (partial, made):
        partial.write_text("codes")
        for name in names:
            (made / name).parent.mkdir(exist_ok=True)
            (made / name).write_text("picture")


def make_folder(folder):
    with files.whole_folder(folder / "pictures") as made:
        (made / "inner").mkdir()
        for name in ("0.png", "inner/1.png"):
            (made / name).write_text("picture")


def make_files(folder):
    with files.whole_files(folder / "a", ["a.x", "a.y"]) as made:
        (made / "a.x").write_text("x")
        (made / "a.y").write_text("y")


def make_file(folder):
    with files.whole_file(folder / "a", is_new=True) as partial:
        partial.write_text("x")


@pytest.mark.parametrize(
    ("make", "is_there"),
    [(make_both, False), (make_both, True), (make_folder, True), (make_files, False), (make_file, False)],
)
def test_the_same_again_ends_as_if_it_had_never_been_killed(tmp_path, make, is_there):
    """Wherever it was killed: what is there then is all of it, or nothing that stands in the way."""

    def place(name):
        (tmp_path / name).mkdir()
        if is_there:
            (tmp_path / name / "pictures").mkdir()
        return tmp_path / name

    make(place("whole"))
    expected = names_in(tmp_path / "whole")
    for number in range(100):
        folder = place(str(number))
        is_killed = killed_at(number, make, folder)
        with contextlib.suppress(files.OccupiedError):  # where it was ready
            make(folder)
        assert names_in(folder) == expected, number
        if not is_killed:
            break
    assert number > 3


def test_what_somebody_puts_beside_what_a_killed_process_has_named_stays(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    stop = files._name_too

    def stopping(hidden, path):
        stop(hidden, path)
        if path.name == "0.png":
            raise KeyboardInterrupt

    monkeypatch.setattr(files, "_name_too", stopping)
    monkeypatch.setattr(files, "_remove_partial", lambda partial: None)
    monkeypatch.setattr(type(tmp_path), "unlink", lambda *arguments, **options: None)
    with pytest.raises(KeyboardInterrupt):
        make_both(tmp_path)
    monkeypatch.undo()
    assert "pictures/0.png" in names_in(tmp_path)
    (tmp_path / "pictures" / "letter").write_text("dear")
    with pytest.raises(files.OccupiedError, match="already holds something"):
        make_both(tmp_path)
    assert (tmp_path / "pictures" / "letter").read_text() == "dear"
