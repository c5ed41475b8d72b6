"""Figures as text."""

from .terminal import printable


def table(metrics: dict[str, object]) -> str:
    """Two columns: what, and how much."""
    width = max(map(len, metrics))
    return "\n".join(f"{printable(name):{width}}  {_shown(value)}" for name, value in metrics.items())


def _shown(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else printable(str(value))
