"""Soft steps, soft spots and signed distances (below 0 inside): what the layers cut their shapes from."""

import numpy as np


def step(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 at `low`, 1 at `high`, smooth between and level beyond; `low` may be the higher one."""
    share = np.clip((value - low) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def spot(x: np.ndarray, y: np.ndarray, radius_x: np.ndarray | float, radius_y: np.ndarray | float) -> np.ndarray:
    """A soft round spot: 1 in its middle, 1/e at the radii."""
    across, down = x / radius_x, y / radius_y
    return np.exp(-(across * across + down * down))


def ellipse(x: np.ndarray, y: np.ndarray, radius_x: np.ndarray | float, radius_y: np.ndarray | float) -> np.ndarray:
    """Signed distance to an ellipse, exact on its edge and right to first order near it."""
    across, down = x / radius_x, y / radius_y
    inside = across * across + down * down
    slope = np.sqrt((across / radius_x) ** 2 + (down / radius_y) ** 2) + 1e-3
    return 0.5 * (inside - 1.0) / slope


def box(x: np.ndarray, y: np.ndarray, half_x: float, half_y: float, corner: float) -> np.ndarray:
    """Signed distance to a box with round corners."""
    across, down = np.abs(x) - (half_x - corner), np.abs(y) - (half_y - corner)
    outside = np.sqrt(np.maximum(across, 0.0) ** 2 + np.maximum(down, 0.0) ** 2)
    return outside + np.minimum(np.maximum(across, down), 0.0) - corner


def segment(x: np.ndarray, y: np.ndarray, start: tuple, end: tuple) -> np.ndarray:
    """Distance to a straight line between two points."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    length = along_x * along_x + along_y * along_y + 1e-6
    share = np.clip(((x - start[0]) * along_x + (y - start[1]) * along_y) / length, 0.0, 1.0)
    return np.sqrt((x - start[0] - share * along_x) ** 2 + (y - start[1] - share * along_y) ** 2)
