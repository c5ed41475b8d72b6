"""Figures as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from .terminal import printable

BEGIN, END = "<!-- table of runs -->", "<!-- end of the table -->"  # on a page that a command writes a table into


def table(metrics: Mapping[str, object]) -> str:
    """Two columns: what, and how much."""
    width = max(map(len, metrics))
    return "\n".join(f"{printable(name):{width}}  {_show(value)}" for name, value in metrics.items())


def align_columns(lines: Sequence[Sequence[str]]) -> str:
    """Lines of as many cells each below each other, the first cells on the left and all others on the right.

    >>> print(align_columns([("", "with"), ("beard", "7")]))
           with
    beard     7
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    return "\n".join(map("  ".join, padded))


def figures_table(figures: Mapping[str, Any], better: Mapping[str, str]) -> str:
    """What, how much, the interval of 95 %, of how many, and what is better: a line for each figure."""
    width = max(map(len, figures))
    return "\n".join(
        f"{name:{width}}  {_show(figure.value):>8}  [{_show(figure.interval[0])}, {_show(figure.interval[1])}]"
        f"  of {figure.num_pictures}, {better[name]} is better"
        for name, figure in figures.items()
    )


def markdown_row(about: Mapping[str, object], values: Mapping[str, object]) -> str:
    """A table of one row, as pages show it: what it is about, and figures."""
    return markdown_table([{**about, **values}])


def markdown_table(rows: Sequence[Mapping[str, object]]) -> str:
    """A table as pages show it, with a column for each name that any row has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_show(row.get(name, "")).replace("|", "\\|") for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in (names, ["---"] * len(names), *cells))


def replace_table(page: str, table: str) -> str:
    """A page with another table between its two marks.

    Raises:
      ValueError: it does not have both, one after the other.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"it has no place for a table: {BEGIN} and, below it, {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _show(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else printable(str(value))
