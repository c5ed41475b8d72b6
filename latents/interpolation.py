"""Paths between codes."""

import numpy as np

PATHS = ("linear", "normalized", "slerp", "uniform")


def interpolate(start: np.ndarray, end: np.ndarray, alphas: np.ndarray, path: str = "linear") -> np.ndarray:
    """Codes on the way from `start` to `end`.

    Args:
      start: code of any shape.
      end: code of the same shape.
      alphas: [N], 0 gives `start` and 1 gives `end`.
      path: "linear", z = (1 - alpha) start + alpha end; "normalized", the same between L2-normalised codes, the norm
        interpolated apart, so that a difference of scale does not bend the path; "slerp", along the great circle
        (White, "Sampling generative networks", 2016), the norm interpolated apart. ("uniform" differs from "linear"
        in its alphas only: see `alphas_of_equal_change`.)

    Returns:
      float32 [N, *code shape].

    Raises:
      ValueError: shapes differ or the path is unknown.
    """
    if start.shape != end.shape:
        raise ValueError(f"codes of shapes {start.shape} and {end.shape} cannot be interpolated")
    if path not in PATHS:
        raise ValueError(f"path={path!r} must be one of {', '.join(PATHS)}")
    if path in ("linear", "uniform"):
        return _blend(start, end, 1.0 - alphas, alphas)
    (start_unit, start_norm), (end_unit, end_norm) = _unit(start), _unit(end)
    weights = (1.0 - alphas, alphas) if path == "normalized" else _slerp_weights(start_unit, end_unit, alphas)
    directions = [_unit(direction)[0] for direction in _blend(start_unit, end_unit, *weights)]
    norms = (1.0 - alphas) * start_norm + alphas * end_norm
    return _scaled(np.stack(directions), norms)


def even_alphas(steps: int) -> np.ndarray:
    """`steps` numbers from 0 to 1, both included: [steps]."""
    if steps < 2:
        raise ValueError(f"steps={steps} must be at least 2, the two ends")
    return np.linspace(0.0, 1.0, steps)


def alphas_of_equal_change(alphas: np.ndarray, pictures: np.ndarray, steps: int) -> np.ndarray:
    """The dynamic step: alphas between which the picture changes equally.

    Args:
      alphas: [N], rising from 0 to 1, where the path was tried.
      pictures: [N, H, W, C] there.
      steps: how many alphas to give, both ends included.

    Returns:
      [steps], from 0 to 1.
    """
    differences = np.diff(pictures.reshape(len(pictures), -1).astype(np.float64), axis=0)
    change = np.concatenate([[0.0], np.cumsum(np.linalg.norm(differences, axis=1))])
    if change[-1] == 0:
        return even_alphas(steps)
    placed = np.interp(even_alphas(steps) * change[-1], change, alphas)
    placed[0] = alphas[0]  # where the picture stands still at first, interp takes the end of the pause
    return placed


def _unit(code: np.ndarray) -> tuple[np.ndarray, float]:
    norm = float(np.linalg.norm(code))
    return code / max(norm, 1e-12), norm


def _slerp_weights(start_unit, end_unit, alphas) -> tuple[np.ndarray, np.ndarray]:
    angle = np.arccos(np.clip(np.vdot(start_unit, end_unit), -1.0, 1.0))
    if np.sin(angle) < 1e-6:  # parallel: the limit of slerp is the straight line
        return 1.0 - alphas, alphas
    return np.sin((1.0 - alphas) * angle) / np.sin(angle), np.sin(alphas * angle) / np.sin(angle)


def _blend(start, end, start_weights, end_weights) -> np.ndarray:
    return _scaled(np.stack([start] * len(start_weights)), start_weights) + _scaled(
        np.stack([end] * len(end_weights)), end_weights
    )


def _scaled(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """[N, ...] times [N], float32."""
    return (codes * factors.reshape(-1, *[1] * (codes.ndim - 1))).astype(np.float32)
