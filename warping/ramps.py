"""Smooth ways from 0 to 1."""

import numpy as np


def smooth_step(places):
    """From 0 at 0 and below to 1 at 1 and above, without a kink."""
    places = np.clip(places, 0.0, 1.0)
    return places * places * (3.0 - 2.0 * places)


def rising(places: np.ndarray, low: float, high: float) -> np.ndarray:
    """From 0 at `low` and below to 1 at `high` and above, without a kink."""
    return smooth_step((places - low) / (high - low))
