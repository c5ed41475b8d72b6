"""The KL divergence of each dimension of the code, epoch by epoch."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ... import files
from ...pictures import charts
from ..runs.checkpoints import Row

KL_FILE = "kl_per_dimension.csv"
MOST_BYTES = 2**28


def read_history(path: Path, step: int) -> list[Row] | None:
    """Returns the rows of the file up to a step; none where it is not there, and None where it is not one of ours."""
    try:
        rows = list(csv.DictReader(files.read_text(path, MOST_BYTES).splitlines()))
        kept = [
            {"epoch": int(row.pop("epoch")), "step": int(row.pop("step"))}
            | {name: float(value) for name, value in row.items()}
            for row in rows
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError, AttributeError, csv.Error):
        return None
    names = ["epoch", "step", *map(str, range(len(kept[0]) - 2))] if kept else []
    is_ours = len(names) > 2 and all(list(row) == names for row in kept)
    return [row for row in kept if row["step"] <= step] if is_ours else None


def make_row(epoch: int, step: int, kl: np.ndarray) -> Row:
    """A row of the file: the mean of each dimension, in nats, under its number from 0."""
    return {"epoch": epoch, "step": step} | {str(number): float(value) for number, value in enumerate(kl)}


def draw_history(rows: Sequence[Row]) -> np.ndarray:
    """All epochs beside each other as a picture of heat, and the last one as bars: uint8 [H, W, 3]."""
    numbers = np.array([list(row.values()) for row in rows], np.float64)
    return charts.draw_heat(
        numbers[:, 2:],
        numbers[:, 0],
        ("epoch", "dimension of the code", "KL divergence, nats"),
        f"after epoch {numbers[-1, 0]:.0f}",
    )
