"""What metrics.csv of a run says of its epochs."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

VALIDATION = "val_"  # before the name of what was measured in validation


def read_epochs(folder: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv; none of a model without a run."""
    path = folder / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def find_pace(epochs: list[dict[str, str]], batch_size: int) -> dict[str, Any]:
    """Steps, the seconds that all epochs took, and the median of their pictures a second; nothing of no epochs."""
    if not epochs:
        return {}
    speeds = np.array([float(row["images_per_second"]) for row in epochs])
    steps = np.diff([0, *(int(row["step"]) for row in epochs)])
    return {
        "steps": int(epochs[-1]["step"]),
        "seconds": round(float(np.sum(steps * batch_size / speeds))),
        "pictures/s": round(float(np.median(speeds))),
    }
