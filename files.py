"""Files and folders that are there whole or not at all, without loss of anybody else's. Every folder builds on it."""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import filelock
import platformdirs

WEIGHTS_FOLDER = Path(__file__).parent / "models" / "weights"  # of the models that ship
MOST_TEXT_BYTES = 64 * 2**20
MOST_NAME_BYTES = 255  # of one name, as Linux, macOS and Windows have it
ABANDONED_SECONDS = 24 * 3600  # since a file that is being made was written last
_OF_FULL_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class OccupiedError(OSError):
    """Something else is in the place, or another process is writing there; the message says what to do."""


class HeldError(OccupiedError):
    """Another process is writing there."""


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
    partial = _hidden_file(path, f"partial-{os.getpid()}" if is_shared else "partial")
    with name_full_disk(path), _taken_up(path, partial) if is_new else contextlib.nullcontext():
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
    with name_full_disk(target), lock(target):
        partial = _hidden_folder(target)
        _clear_up(partial, target)  # of a process that was killed: nobody else holds the lock
        refuse_what_is_there(target)
        is_there = target.is_dir()
        with _filled(partial):
            yield partial
            _name_folder(partial, target, is_there)


@contextlib.contextmanager
def whole_file_and_folder(path: Path, folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yields a path to write to and a folder to fill, both new, which get their names together.

    What a process that was killed meanwhile has named already is taken back first, as `whole_files` does.

    Raises:
      OccupiedError: something has one of the names, or another process is making it.
    """
    with name_full_disk(path), lock(path), lock(folder):
        hidden, partial = _hidden_file(path), _hidden_folder(folder)
        if _has_name_too(path, hidden):
            (path if partial.exists() else hidden).unlink()  # the folder got its name last
        _clear_up(partial, folder)
        for target in (path, folder):
            refuse_what_is_there(target)
        is_there = folder.is_dir()
        _reserve(hidden)
        try:
            with _filled(partial):
                yield hidden, partial
                _name_too(hidden, path)
                try:
                    _name_folder(partial, folder, is_there)
                except BaseException:
                    path.unlink()
                    raise
        finally:
            hidden.unlink(missing_ok=True)


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
    for name in names:
        _check_name(folder / name)
    with name_full_disk(stem), lock(stem):
        partial = folder / _choose_hidden_name(stem.name, "partial")
        _clear_up(partial, folder)
        if taken := [name for name in names if os.path.lexists(folder / name)]:
            raise OccupiedError(f"{folder / taken[0]} exists: choose another name or folder")
        with _filled(partial):
            yield partial
            _name_all(partial, folder)


@contextlib.contextmanager
def name_full_disk(path: Path) -> Iterator[None]:
    """Has the error of a full disk say what was to be written: the system names no file, or a hidden one."""
    try:
        yield
    except OSError as error:
        if is_of_full_disk(error):
            error.filename, error.filename2 = os.fspath(path), None
        raise


def is_of_full_disk(error: OSError) -> bool:
    """True if there is no room for a file: on its disk, in a user's share of it, or for one so long."""
    return error.errno in _OF_FULL_DISKS


@contextlib.contextmanager
def lock(target: Path) -> Iterator[None]:
    """Holds a name, whatever may have it, until the block ends. Folders above are made.

    Raises:
      OccupiedError: another process holds it, or nothing can have the name.
    """
    _check_name(target)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(make_folders(target.parent))
        except OSError as error:
            raise OccupiedError(f"{target} cannot be made: {error.strerror}: {error.filename}") from error
        lock = _workplace(target) / _own_name(target, "lock")
        _remove_lock_before(target)
        try:
            held = taken_lock(lock)
        except filelock.Timeout as error:
            raise HeldError(f"{target}: another facezoo is making it: wait for it, or choose another") from error
        try:
            yield
        finally:
            if held:
                lock.unlink(missing_ok=True)
                held.release()


def taken_lock(lock: Path) -> filelock.BaseFileLock | None:
    """A lock that this process holds until it releases it; None on a file system that has none.

    Raises:
      OccupiedError: something else is in its place, or nothing can be.
      filelock.Timeout: another process holds it.
    """
    if os.path.lexists(lock) and not _is_lock(lock):
        raise OccupiedError(f"{lock} is no lock of facezoo's: remove it, or choose another place")
    held = filelock.FileLock(lock, timeout=0)
    try:
        held.acquire()
    except filelock.Timeout:
        raise
    except NotImplementedError:
        return None
    except OSError as error:
        raise OccupiedError(f"{lock} cannot be made: {error.strerror or error}") from error
    return held


def _is_lock(path: Path) -> bool:
    """Whether a file is an empty one, as locks are."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:  # its holder has just let go of it
        return True
    return stat.S_ISREG(status.st_mode) and not status.st_size


def is_taken(target: Path) -> bool:
    """Whether a file is at a place, a link that leads nowhere, or a folder that holds something.

    What a process that was killed has named before all was ready does not count: it is taken back.
    """
    if target.is_dir():
        partial = _hidden_folder(target)
        return not all(is_unfinished(path) or _has_name_too(path, partial / path.name) for path in target.iterdir())
    return os.path.lexists(target) and not _has_name_too(target, _hidden_file(target))


def refuse_what_is_there(target: Path) -> None:
    """Raises OccupiedError for a place that is taken."""
    if is_taken(target):
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


@contextlib.contextmanager
def _taken_up(path: Path, partial: Path) -> Iterator[None]:
    """Holds a name that nothing may have; of a file that was ready when its process was killed the hidden one goes."""
    with lock(path):
        if _has_name_too(path, partial):
            partial.unlink()
        refuse_what_is_there(path)
        yield


def _hidden_file(path: Path, kind: str = "partial") -> Path:
    """Where a file is made that is to be at a place."""
    return path.with_name(_choose_hidden_name(path.name, kind))


def _hidden_folder(target: Path) -> Path:
    """Where a folder is made that is to be at a place."""
    return _workplace(target) / _own_name(target, "partial")


def _check_name(target: Path) -> None:
    """Raises OccupiedError where the system takes no such name: now, and not when all is ready to get it."""
    try:
        os.lstat(target)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # ValueError: with a NUL in it
        raise OccupiedError(f"{target} cannot be made: {getattr(error, 'strerror', None) or error}") from error


def _remove_lock_before(target: Path) -> None:
    """Removes the lock that a killed process has left of making a folder which is there: it is held elsewhere now."""
    lock = target.parent / _choose_hidden_name(target.name, "lock")
    if target.is_dir() and os.path.lexists(lock) and _is_lock(lock):
        lock.unlink(missing_ok=True)


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


def _name_folder(partial: Path, target: Path, is_there: bool) -> None:
    """Gives a folder that is ready its name, or what is in it its names where the folder was there before."""
    if is_there:
        _name_all(partial, target)
    else:
        _name_once(partial, target)


def _name_all(partial: Path, folder: Path) -> None:
    """Gives all that is in a hidden folder its names in another one, or nothing; the hidden names stay besides."""
    placed: list[Path] = []
    try:
        for child in sorted(partial.rglob("*")):  # a folder comes before what is in it
            path = folder / child.relative_to(partial)
            if child.is_dir():
                _make_once(path)
            else:
                _name_too(child, path)
            placed.append(path)
    except BaseException:
        for path in reversed(placed):
            path.rmdir() if path.is_dir() else path.unlink()
        raise


def _make_once(path: Path) -> None:
    try:
        path.mkdir()
    except FileExistsError as error:
        raise OccupiedError(f"{path} has come to be there meanwhile, and stays: choose another") from error


def _has_name_too(path: Path, hidden: Path) -> bool:
    """Whether what is at a path has a hidden name besides; of a folder, whether all that is in it has."""
    if path.is_symlink() or hidden.is_symlink() or not hidden.exists():
        return False
    if path.is_dir():
        return hidden.is_dir() and all(_has_name_too(child, hidden / child.name) for child in path.iterdir())
    return path.exists() and path.samefile(hidden)


def _take_back(partial: Path, folder: Path) -> None:
    """Removes what has names in a folder besides those in a hidden one."""
    for child in partial.iterdir() if partial.is_dir() and not partial.is_symlink() else ():
        path = folder / child.name
        if path.is_dir() and _has_name_too(path, child):
            _take_back(child, path)
            path.rmdir()
        elif _has_name_too(path, child):
            path.unlink()


def _clear_up(partial: Path, folder: Path) -> None:
    """Takes back what a killed process has named, and removes its hidden folder."""
    _take_back(partial, folder)
    _remove_partial(partial)


@contextlib.contextmanager
def _filled(partial: Path) -> Iterator[None]:
    """Makes a hidden folder, and removes it in the end."""
    partial.mkdir()
    try:
        yield
    finally:
        _remove_partial(partial)


def _remove_partial(partial: Path) -> None:
    """Removes what was being made. A link of that name is nobody's of ours, and what it leads to is not touched.

    It gets another name before: half of it would tell of half of what is ready that it is not.
    """
    removed = partial.with_name(partial.name.replace("-partial-", "-removed-"))
    for path in (partial, removed):
        if path.is_symlink():
            raise OccupiedError(f"{path} is a link: remove it")
    shutil.rmtree(removed, ignore_errors=True)
    with contextlib.suppress(OSError):
        partial.rename(removed)
    for path in (removed, partial):
        shutil.rmtree(path, ignore_errors=True)


def is_unfinished(path: Path) -> bool:
    """Whether it is what a process that was killed has left of making something."""
    return is_partial(path) or path.name.startswith((".facezoo-lock-", ".facezoo-removed-"))


def is_partial(path: Path) -> bool:
    """Whether it is what is being made, or was by a process that was killed."""
    return path.name.startswith(".facezoo-partial-")


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
        is_long = os.fstat(file.fileno()).st_size > most
        data = b"" if is_long else file.read(most + 1)
    if is_long or len(data) > most:
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


def keep_newest(folder: Path, pattern: str, most_bytes: int, spared: Collection[Path] = ()) -> None:
    """Removes files of a folder, the oldest first, while all take more than they may.

    Args:
      folder: a cache of facezoo's; nothing behind a link in it is touched.
      pattern: what the files are called.
      most_bytes: that all of them may take.
      spared: of them, those that stay in any case.
    """
    found: dict[Path, os.stat_result] = {}
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):  # another process has removed it
            if not path.is_symlink():
                found[path] = path.stat()
    total = sum(status.st_size for status in found.values())
    for path, status in sorted(found.items(), key=lambda item: item[1].st_mtime):
        if total > most_bytes and path not in spared:
            path.unlink(missing_ok=True)
            total -= status.st_size


def remove_abandoned(folder: Path) -> None:
    """Removes what killed processes have left of making files of a shared folder, which nobody has written for a day.

    Only regular files called as `whole_file` calls what is not ready.
    """
    for path in folder.glob(".facezoo-partial-*"):
        with contextlib.suppress(FileNotFoundError):
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode) and status.st_mtime < time.time() - ABANDONED_SECONDS:
                path.unlink(missing_ok=True)


# Names.


def name_result(name: str, ending: str = ".png") -> str:
    """What is made of the file `name` is called so, another ending after its own, see `name_results`.

    A name that would be longer than file systems take is shortened, and told from others by a digest.
    """
    folder, slash, last = name.rpartition("/")
    if len(os.fsencode(last + ending)) <= MOST_NAME_BYTES:
        return name + ending
    digest = hashlib.sha256(os.fsencode(last)).hexdigest()[:16]
    begin = os.fsencode(last)[: MOST_NAME_BYTES - len(digest) - len(ending) - 1].decode("utf-8", "ignore")
    return f"{folder}{slash}{begin}-{digest}{ending}"


def name_results(names: Iterable[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """By file, what its result is called but for its ending: `a` of a.jpg, so that it becomes a.png.

    Where files of one folder differ in their endings only, or the short name is taken, the ending is kept: a.jpg.png.

    Args:
      names: of files, as paths with `/` between their parts.
      known: what results of some are called already; it stays.
    """
    results = dict(known or {})
    names = sorted({*names, *results})
    stems = Counter(_stem(name).casefold() for name in names)
    used = {result.casefold() for result in results.values()}
    for name in names:
        if name in results:
            continue
        short = _stem(name)
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        choices = [*([short] if stems[short.casefold()] == 1 else []), name, f"{name}-{digest}"]
        results[name] = next(choice for choice in choices if choice.casefold() not in used)
        used.add(results[name].casefold())
    return results


def _stem(name: str) -> str:
    """A path without its ending, where it has one that begins with a letter: frames are called `film.0017`, too."""
    return re.sub(r"(?<=[^/])[.][A-Za-z][A-Za-z0-9]{1,4}$", "", name)


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
