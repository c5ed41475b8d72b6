"""Progress bars of what may take long."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

PROGRESS_AFTER_SECONDS = 2
UNKNOWN_WIDTH = 100
WITHOUT_RATE = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"  # "2.61s/" would lack a word


def progress_bar(
    what: str, items: Iterable[Any] | None = None, total: int | None = None, unit: str | None = None
) -> tqdm:
    """A bar on stderr that comes when its work has taken two seconds, and goes with it.

    Args:
      what: is done, as the bar calls it.
      items: to go through; without them the caller tells of each by `update`.
      total: how many, where the items do not know.
      unit: of them, by which the bar tells their rate; it tells none if absent.
    """
    return tqdm(
        items,
        what,
        total,
        leave=False,
        unit=unit or "",
        bar_format=None if unit else WITHOUT_RATE,
        delay=PROGRESS_AFTER_SECONDS,
        ncols=width_unless_known(),
    )


def width_unless_known() -> int | None:
    """Columns of a bar where the terminal says that it has none, which would leave empty lines; else tqdm asks it."""
    try:
        return None if os.get_terminal_size(sys.stderr.fileno()).columns else UNKNOWN_WIDTH
    except (OSError, ValueError, AttributeError):  # no terminal
        return None
