"""Pages of Markdown that commands write tables into."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import files
from .errors import UsageError
from .tables import BEGIN, END, markdown_table, replace_table


def write_table(page: Path, rows: Sequence[Mapping[str, Any]], flag: str) -> str:
    """Writes a table into a page, and says where; without rows it only looks whether that can be.

    Args:
      page: has the marks around a table, or is not there yet.
      rows: of the table.
      flag: that has named the page.

    Raises:
      UsageError: the page has no marks, or cannot be read or written.
    """
    try:
        if not page.parent.is_dir():
            raise ValueError(f"there is no folder {page.parent}")
        text = files.read_text(page) if page.exists() else f"{BEGIN}\n{END}\n"
        text = replace_table(text, markdown_table(align(rows)))
        if rows:
            files.write_text(page, text)
    except (OSError, ValueError) as error:
        raise UsageError(f"{flag}={page}: {getattr(error, 'strerror', None) or error}") from error
    return str(page)


def align(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same with the columns of the fullest row first, so that one with few of them changes no order."""
    first = max(rows, key=len, default={})
    return [dict.fromkeys(first, "") | dict(row) for row in rows]
