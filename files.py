"""Files and folders that are there whole or not at all, without loss of anybody else's. Every folder builds on it."""

import contextlib
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import filelock
import platformdirs

MOST_TEXT_BYTES = 64 * 2**20
MOST_NAME_BYTES = 255  # of one name, as Linux, macOS and Windows have it


class OccupiedError(OSError):
    """Something else is in the place, or another process is writing there; the message says what to do."""


class UnfitFileError(OSError):
    """A file that is not read: no regular one, or larger than it may be. The message does not name it."""


# Writing.


@contextlib.contextmanager
def whole_file(path: Path, is_new: bool = False, is_shared: bool = False) -> Iterator[Path]:
    """Yields a path to write to; the file gets its name when the block ends, and nothing is left after an error.

    Args:
      path: of the file, in a folder that is there.
      is_new: nothing may be in its place, now and when the block ends, and no other process may be making it.
      is_shared: several processes may replace it at once; the last one stays.

    Raises:
      OccupiedError: something is, or one does.
    """
    partial = path.with_name(_choose_hidden_name(path.name, f"partial-{os.getpid()}" if is_shared else "partial"))
    with claim(path) if is_new else contextlib.nullcontext():
        _reserve(partial)
        try:
            yield partial
            forget_made(path)
            if is_new:
                _name_once(partial, path)
            else:
                partial.replace(path)
            note_made(path)
        finally:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yields a folder to fill; what is in it appears under its name when the block ends.

    After an error nothing is left, not even a new folder above. A folder that is there, empty, stays the same one: a
    link leads where it led, and a mount stays mounted.

    Raises:
      OccupiedError: something is in the place, or another process is making it.
    """
    with claim(target):
        is_there = target.is_dir()
        partial = _workplace(target) / _own_name(target, "partial")
        _remove_partial(partial)  # of a process that was killed: nobody else holds the claim
        partial.mkdir()
        placed: list[str] = []
        try:
            yield partial
            if not is_there:
                _name_once(partial, target)
                return
            for child in sorted(partial.iterdir()):
                _name_once(child, target / child.name)
                placed.append(child.name)
            partial.rmdir()
        except BaseException:
            for name in placed:  # all or nothing
                (target / name).rename(partial / name)
            raise
        finally:
            _remove_partial(partial)


@contextlib.contextmanager
def whole_files(stem: Path, names: list[str]) -> Iterator[Path]:
    """Yields a folder to write new files to, which then get their names beside `stem` together.

    What a process that was killed meanwhile has named already is taken back first: it is the same file as one in the
    hidden folder that it has left.

    Args:
      stem: what they are called but for their endings, in a folder that may be new.
      names: of all that may be there at the end; nothing may have one of them.

    Raises:
      OccupiedError: something has one, or another process is making them.
    """
    folder = stem.parent
    with lock(stem):
        partial = folder / _choose_hidden_name(stem.name, "partial")
        _take_back(partial, folder)
        if taken := [name for name in names if os.path.lexists(folder / name)]:
            raise OccupiedError(f"{folder / taken[0]} exists: choose another name or folder")
        _remove_partial(partial)
        partial.mkdir()
        placed: list[Path] = []
        try:
            yield partial
            for child in sorted(partial.iterdir()):
                _name_too(child, folder / child.name)
                placed.append(folder / child.name)
        except BaseException:
            for path in placed:  # all or nothing
                path.unlink()
            raise
        finally:
            _remove_partial(partial)


@contextlib.contextmanager
def claim(target: Path) -> Iterator[None]:
    """Holds a name that nothing may have yet, so that two processes do not make it at once. Folders above are made.

    Raises:
      OccupiedError: something is in the place, or another process holds it.
    """
    with lock(target):
        refuse_what_is_there(target)
        yield


@contextlib.contextmanager
def lock(target: Path) -> Iterator[None]:
    """Holds a name, whatever may have it, until the block ends. Folders above are made.

    Raises:
      OccupiedError: another process holds it.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(make_folders(target.parent))
        except OSError as error:
            raise OccupiedError(f"{target} cannot be made: {error.strerror}: {error.filename}") from error
        lock = _workplace(target) / _own_name(target, "lock")
        try:
            held = filelock.FileLock(lock, timeout=0)
            held.acquire()
        except filelock.Timeout as error:
            raise OccupiedError(f"{target}: another facezoo is making it: wait for it, or choose another") from error
        except NotImplementedError:  # a file system without locks: the name is given only once all the same
            held = None
        try:
            yield
        finally:
            if held:
                lock.unlink(missing_ok=True)
                held.release()


def refuse_what_is_there(target: Path) -> None:
    """Raises OccupiedError for a file, a link that leads nowhere, or a folder that holds something."""
    is_free = all(map(is_unfinished, target.iterdir())) if target.is_dir() else not os.path.lexists(target)
    if not is_free:
        raise OccupiedError(f"{target} already holds something: choose another")


@contextlib.contextmanager
def make_folders(folder: Path) -> Iterator[None]:
    """Makes a folder and those above it; after an error those that are new and empty are removed again."""
    new = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        remove_empty(new)
        raise


def remove_empty(folders: list[Path]) -> None:
    """Removes those folders that hold nothing; never a link, nor anything else."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def write_text(path: Path, text: str, is_shared: bool = False) -> None:
    """Writes a text file in UTF-8 by `whole_file`; bytes that were no text are written as they were."""
    with whole_file(path, is_shared=is_shared) as partial:
        partial.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def _workplace(target: Path) -> Path:
    """Where a file or folder is made: beside its place, or in the folder that is to hold it already."""
    return target if target.is_dir() else target.parent


def _own_name(target: Path, kind: str) -> str:
    """The hidden name of what is made for a target; in a folder that is there, whatever name it is called by."""
    return _choose_hidden_name("" if target.is_dir() else target.name, kind)


def _choose_hidden_name(name: str, kind: str) -> str:
    """A name for what is not ready: never too long, with the same ending, and nothing else that a program looks for."""
    ending = Path(name).suffix
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f".facezoo-{kind}-{digest}{ending if re.fullmatch(r'[.][A-Za-z0-9]{1,8}', ending) else ''}"


def _reserve(partial: Path) -> None:
    """Makes an empty file to write to; one of a killed process goes, and no link is written through."""
    if os.path.lexists(partial):
        if not stat.S_ISREG(os.lstat(partial).st_mode):
            raise OccupiedError(f"{partial} is a link, or no file: remove it")
        partial.unlink()
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0), 0o666))


def _name_once(partial: Path, path: Path) -> None:
    """Gives what is ready its name, where nothing has it yet."""
    try:
        if partial.is_dir():
            partial.rename(path)  # refused by the system where something is there, but for an empty folder
            return
        try:
            path.hardlink_to(partial)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            path.touch(exist_ok=False)
            partial.replace(path)
        else:
            partial.unlink(missing_ok=True)
    except OSError as error:
        if os.path.lexists(path):
            raise OccupiedError(f"{path} has come to be there meanwhile, and stays: choose another") from error
        raise


def _name_too(partial: Path, path: Path) -> None:
    """Gives what is ready its name, where nothing has it yet, besides the hidden one; where that cannot be, instead."""
    try:
        path.hardlink_to(partial)
    except FileExistsError as error:
        raise OccupiedError(f"{path} has come to be there meanwhile, and stays: choose another") from error
    except OSError:
        _name_once(partial, path)


def _take_back(partial: Path, folder: Path) -> None:
    """Removes the names of files that have them besides those in a hidden folder."""
    if partial.is_symlink() or not partial.is_dir():
        return
    for child in partial.iterdir():
        path = folder / child.name
        if not path.is_symlink() and path.is_file() and path.samefile(child):
            path.unlink()


def _remove_partial(partial: Path) -> None:
    """Removes what was being made. A link of that name is nobody's of ours, and what it leads to is not touched."""
    if partial.is_symlink():
        raise OccupiedError(f"{partial} is a link: remove it")
    shutil.rmtree(partial, ignore_errors=True)


def is_unfinished(path: Path) -> bool:
    """Whether it is what a process that was killed has left of making something."""
    return path.name.startswith((".facezoo-lock-", ".facezoo-partial-"))


_made: set[tuple[int, ...]] = set()  # marks of the files that this process has written


def note_made(path: Path, grows: bool = False) -> None:
    """Remembers that this process has written a file, or writes it still where it grows."""
    _made.add(_mark(path)[: 2 if grows else None])


def forget_made(path: Path) -> None:
    """Forgets a file that is about to be replaced or removed."""
    with contextlib.suppress(OSError):
        _made.discard(_mark(path))


def remove_made(path: Path) -> None:
    """Removes a file if this process has written it, as it is; never a link, nor anybody else's of that name."""
    with contextlib.suppress(OSError):
        mark = _mark(path)
        if mark in _made or mark[:2] in _made:
            _made.discard(mark)
            path.unlink()


def _mark(path: Path) -> tuple[int, ...]:
    """Device and number of a file, which another may get when it is gone; and when, how long and of what kind it is."""
    status = os.lstat(path)
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode


# Reading.


def read_bytes(path: Path, most: int = MOST_TEXT_BYTES) -> bytes:
    """The bytes of a regular file.

    Raises:
      UnfitFileError: it is a pipe, a device or a folder, or has more than `most` bytes.
      OSError: it is not there, or cannot be read.
    """
    with open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise UnfitFileError(f"it has more than {most / 2**20:g} MB")
    return data


def open_regular(path: Path):
    """Opens a regular file for reading, in binary; a pipe is not waited for, nor a device read without end.

    Raises:
      UnfitFileError: it is another kind of file.
      OSError: it is not there, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise UnfitFileError("it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file")
    return os.fdopen(descriptor, "rb")


def read_text(path: Path, most: int = MOST_TEXT_BYTES, encoding: str = "utf-8", errors: str = "strict") -> str:
    """The text of a regular file, as `read_bytes` reads it.

    Raises:
      UnicodeDecodeError: a ValueError; it is no such text.
      OSError: what `read_bytes` raises.
    """
    return read_bytes(path, most).decode(encoding, errors)


def cache_folder() -> Path:
    """Where facezoo keeps what it can make or get again: FACEZOO_CACHE_DIR, or the user's cache on this system."""
    cache = os.environ.get("FACEZOO_CACHE_DIR") or platformdirs.user_cache_dir("facezoo")
    return Path(os.path.expanduser(cache))  # noqa: PTH111 (Path's may raise)


# Names.


def name_result(name: str, ending: str = ".png") -> str:
    """What is made of the file `name` is called so: its ending is kept, so that a.jpg and a.png do not collide.

    A name that would be longer than file systems take is shortened, and told from others by a digest.
    """
    folder, slash, last = name.rpartition("/")
    if len(os.fsencode(last + ending)) <= MOST_NAME_BYTES:
        return name + ending
    digest = hashlib.sha256(os.fsencode(last)).hexdigest()[:16]
    begin = os.fsencode(last)[: MOST_NAME_BYTES - len(digest) - len(ending) - 1].decode("utf-8", "ignore")
    return f"{folder}{slash}{begin}-{digest}{ending}"


def is_plain_name(name: str) -> bool:
    """Whether a name from a file or a network is one name inside of a folder: it leads nowhere else."""
    return (
        name not in ("", ".", "..")
        and not any(character in name for character in "/\\\0")
        and not os.path.splitdrive(name)[0]
    )


def is_path_inside(name: str) -> bool:
    """Whether a relative path, with `/` between its parts, leads to a place below the folder it is read in."""
    return bool(name) and all(map(is_plain_name, name.split("/")))


def is_below(path: Path, folder: Path) -> bool:
    """Whether a path that begins with a folder stays in it, since no link on the way leads elsewhere."""
    return Path(os.path.realpath(path)) == Path(os.path.realpath(folder)) / path.relative_to(folder)
