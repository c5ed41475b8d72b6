"""Files of flags, one a line: what a command line includes by --flagfile, and what a run was trained with."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ... import files
from ..errors import UsageError

NAMES = ("-flagfile", "--flagfile")
COMMENTS = ("#", "//")
MOST_BYTES = 2**20  # of a file
MOST_FILES = 100  # that one command line may include
MOST_LINES = 2_000  # absl takes a time that grows with their square


def expand(arguments: Sequence[str]) -> list[str]:
    """Puts the flags of each file in the place where --flagfile names it; a file may name others.

    Raises:
      UsageError: a file is not there, is none of flags, or includes itself; or they are very many.
    """
    expanded = list(_expand(arguments, (), [MOST_FILES]))
    if len(expanded) > MOST_LINES + len(arguments):
        raise UsageError(f"--flagfile: more than {MOST_LINES} flags in all files together")
    return expanded


def _expand(arguments: Sequence[str], within: tuple[str, ...], left: list[int]) -> Iterator[str]:
    waiting = list(reversed(arguments))
    while waiting:
        argument = waiting.pop()
        name, equals, file = argument.partition("=")
        if name not in NAMES:
            yield argument
            continue
        if not equals:
            file = waiting.pop() if waiting else ""
        if not file.strip():
            raise UsageError("--flagfile= names no file")
        if "\0" in file:
            raise UsageError(f"--flagfile={file}: a name cannot hold a NUL")
        named = os.path.expanduser(file.strip())  # noqa: PTH111 (Path's may raise)
        path = os.path.realpath(named)
        if path in within:
            raise UsageError(f"--flagfile={file} includes itself")
        left[0] -= 1
        if left[0] < 0:
            raise UsageError(f"--flagfile={file}: more than {MOST_FILES} files of flags")
        yield from _expand(_read_lines(Path(named), f"--flagfile={file}"), (*within, path), left)


def read_flags(path: Path) -> list[str]:
    """The flags in a run's flags.txt, which includes no other file: it may be somebody else's.

    Raises:
      UsageError: it is not there, is none of flags, or names another.
    """
    return refuse_files(_read_lines(path, str(path)), str(path))


def refuse_files(lines: list[str], what: str) -> list[str]:
    """The flags that somebody has written down, as they are; a UsageError for one that names a file of flags."""
    for line in lines:
        if line.partition("=")[0].split(" ")[0] in NAMES:
            raise UsageError(f"{what}: {line}: the flags of a run include no other file: take the line out")
    if len(lines) > MOST_LINES:
        raise UsageError(f"{what}: more than {MOST_LINES} flags")
    return lines


def _read_lines(path: Path, what: str) -> list[str]:
    try:
        text = files.read_text(path, MOST_BYTES, "utf-8-sig")  # as some editors write it
    except UnicodeDecodeError as error:
        raise UsageError(f"{what}: the file is not a text of flags") from error
    except OSError as error:
        raise UsageError(f"{what}: {(error.strerror or str(error)).lower()}") from error
    lines = (line.strip() for line in text.splitlines())
    kept = [line for line in lines if line and not line.startswith(COMMENTS)]
    if len(kept) > MOST_LINES:
        raise UsageError(f"{what}: more than {MOST_LINES} flags")
    return kept
