"""What the terminal is shown: names from files and models come to it escaped and shortened, never as they are."""

import logging
import os
import sys
import textwrap
import unicodedata
from typing import Any, TextIO

from .. import files

MAKE_ROOM = "make room, or choose a place on another disk"
WIDTH = 100
MOST_LINES = 6
MOST_CHARACTERS = 1000  # of a line
# Of what has no shape: controls, which steer a terminal, marks that turn text around, halves of characters, and
# characters that are none. The joiners are part of words and pictures.
_SHAPELESS = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_JOINERS = "\u200c\u200d"


def printable(text: str, kept: str = "") -> str:
    """A text whose characters without a shape are written out, as `\\x1b`.

    Args:
      text: from anywhere.
      kept: characters that stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in kept + _JOINERS or unicodedata.category(character) not in _SHAPELESS
        # A byte of a name that is no UTF-8 stands in it as half a character.
        else character.encode("unicode_escape").decode()
        for character in text
    )


def shorten(text: str, most: int = MOST_CHARACTERS) -> str:
    """A text without its middle if it is long."""
    half = (most - 5) // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"


def find_message(error: BaseException) -> str:
    """An error in at most MOST_LINES lines: those that it was given as arguments, each escaped and shortened."""
    lines = [str(argument) for argument in error.args] if _has_lines(error) else [_said_by(error)]
    return "\n".join(shorten(printable(line)) for line in lines[:MOST_LINES])


def _has_lines(error: BaseException) -> bool:
    return not isinstance(error, OSError) and all(isinstance(argument, str) for argument in error.args)


def _said_by(error: BaseException) -> str:
    """An error of the system without its number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    said = f"{' and '.join(names)}: {error.strerror}" if names else error.strerror
    return f"{said}; {MAKE_ROOM}" if files.is_of_full_disk(error) else said


_ANNOUNCEMENTS = logging.getLogger("facezoo.announcements")


def announce(text: str) -> None:
    """Says what is being done that takes a while, or what has been spared: commands show it, `logging` gets it."""
    _ANNOUNCEMENTS.info("%s", text)


def show_announcements() -> None:
    """Has what is announced come to stderr from now on, a line each."""
    _ANNOUNCEMENTS.handlers = [_Announcer()]
    _ANNOUNCEMENTS.setLevel(logging.INFO)
    _ANNOUNCEMENTS.propagate = False


class _Announcer(logging.Handler):
    """Writes to what is stderr at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        print(shorten(printable(record.getMessage())), file=sys.stderr, flush=True)


def wrapped(text: str, indent: int = 0, first_indent: int | None = None) -> str:
    """A text in lines of at most WIDTH characters, which are broken between words.

    Args:
      text: in one line.
      indent: spaces before each line.
      first_indent: before the first one, where that is another number.
    """
    begin = " " * (indent if first_indent is None else first_indent)
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=begin,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


class PrintableStream:
    """A text stream that gets lines, and nothing else that steers a terminal.

    Args:
      stream: where they go.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(printable(text, "\n\t"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
