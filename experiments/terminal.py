"""What the terminal is shown: names from files and models come to it escaped and shortened, never as they are."""

import unicodedata
from typing import Any, TextIO

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
    lines = [str(argument) for argument in error.args] if _has_lines(error) else [str(error)]
    return "\n".join(shorten(printable(line)) for line in lines[:MOST_LINES])


def _has_lines(error: BaseException) -> bool:
    return not isinstance(error, OSError) and all(isinstance(argument, str) for argument in error.args)


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
