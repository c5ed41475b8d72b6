"""Paths between codes, and where on a path the pictures look equally far apart."""

from collections.abc import Callable

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
        in its alphas only: see `equalise_change`.)

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
    return _scale(np.stack(directions), norms)


def interpolate_through(
    codes: np.ndarray, alphas: np.ndarray, path: str = "linear", closed: bool = False
) -> np.ndarray:
    """Codes on the way through any number of codes, one after the other.

    Args:
      codes: [K, *code shape], at least two.
      alphas: [N]; each stretch between neighbours takes an equal share of 0 to 1.
      path: of each stretch, as in `interpolate`.
      closed: the last code leads back to the first; the way repeats itself for alphas beyond 0 to 1.

    Returns:
      float32 [N, *code shape].

    Raises:
      ValueError: fewer than two codes, or the path is unknown.
    """
    if len(codes) < 2:
        raise ValueError(f"a way needs at least 2 codes, not {len(codes)}")
    stops = np.concatenate([codes, codes[:1]]) if closed else codes
    places = (np.mod(alphas, 1.0) if closed else np.asarray(alphas)) * (len(stops) - 1)
    stretches = np.clip(np.floor(places), 0, len(stops) - 2).astype(int)
    way = np.empty((len(places), *codes.shape[1:]), np.float32)
    for stretch in np.unique(stretches):
        here = stretches == stretch
        way[here] = interpolate(stops[stretch], stops[stretch + 1], places[here] - stretch, path)
    return way


def even_alphas(steps: int, closed: bool = False) -> np.ndarray:
    """`steps` numbers from 0 to 1, both included; without 1, which is 0 again, on a closed way: [steps].

    >>> even_alphas(3).tolist()
    [0.0, 0.5, 1.0]
    """
    if steps < 2:
        raise ValueError(f"steps={steps} must be at least 2, the two ends")
    return np.linspace(0.0, 1.0, steps, endpoint=not closed)


def meet_all(steps: int, faces: int, closed: bool = False) -> int:
    """At least so many steps, with which `even_alphas` meets each of the faces that a way leads through.

    >>> meet_all(24, 3), meet_all(10, 4, closed=True)
    (25, 12)
    """
    stretches, ends = count_stretches(faces, closed), 0 if closed else 1
    return -(-(steps - ends) // stretches) * stretches + ends


def count_stretches(faces: int, closed: bool) -> int:
    """How many stretches a way through faces has, each from one to the next."""
    return faces if closed else faces - 1


def equalise_change(alphas: np.ndarray, features: np.ndarray, steps: int) -> np.ndarray:
    """Returns alphas between which the picture changes equally: the dynamic step.

    Distances are taken along the way, which is taken as straight between the places where it was tried.

    Args:
      alphas: [N], rising from 0 to 1, where the path was tried.
      features: [N, ...] there, whose Euclidean distance says how different two pictures look: the pictures themselves,
        or what a network sees in them.
      steps: how many alphas to give, both ends included.

    Returns:
      [steps], from 0 to 1.

    Raises:
      ValueError: features that are not finite, or not one for each alpha.
    """
    features = np.asarray(features, np.float64)
    if len(features) != len(alphas) or not np.isfinite(features).all():
        raise ValueError(f"{len(alphas)} alphas need as many features of finite numbers, not {len(features)}")
    sums = np.concatenate([[0.0], np.cumsum(_measure_distances(features))])
    if sums[-1] == 0.0:
        return even_alphas(steps)
    placed = np.interp(np.linspace(0.0, sums[-1], steps), sums, alphas)
    placed[0] = alphas[0]  # where the picture stands still at first, interp takes the end of the pause
    return placed


def find_equal_change(
    features_at: Callable[[np.ndarray], np.ndarray],
    steps: int,
    closed: bool = False,
    tolerance: float = 0.02,
    rounds: int = 10,
) -> np.ndarray:
    """Returns alphas between which the picture changes equally, and looks at the pictures to find them.

    Evenly placed at first, they share the sum of their distances evenly, and once more until the distances are even.

    Args:
      features_at: from alphas [N], rising from 0 to 1, to features [N, ...] as `equalise_change` takes them.
      steps: how many alphas to give.
      closed: 0 and 1 are the same picture; 1 is left out, but its distance from the last counts.
      tolerance: by how much of their mean the distances of neighbours may differ from it.
      rounds: most placements; `features_at` is asked for at most (1 + rounds) (steps + 1) pictures in all.

    Returns:
      [steps], from 0 to 1 (below 1 where closed): of all that were tried, those with the smallest largest distance by
      their mean. On a way that turns back onto itself or jumps the tolerance may be out of reach.
    """
    count = steps + 1 if closed else steps
    best = placed = even_alphas(count)
    least = np.inf
    for _ in range(rounds + 1):
        features = np.asarray(features_at(placed))
        distances = _measure_distances(features)
        mean = distances.mean()
        if np.ptp(distances) == 0 or np.abs(distances / mean - 1.0).max() <= tolerance:
            return placed[:steps]
        if distances.max() / mean < least:
            best, least = placed, distances.max() / mean
        placed = equalise_change(placed, features, count)
    return best[:steps]


def _measure_distances(features: np.ndarray) -> np.ndarray:
    """Returns the distances of neighbours: [N, ...] -> [N - 1]."""
    return np.linalg.norm(np.diff(features.reshape(len(features), -1).astype(np.float64), axis=0), axis=1)


def _unit(code: np.ndarray) -> tuple[np.ndarray, float]:
    norm = float(np.linalg.norm(code))
    return code / max(norm, 1e-12), norm


def _slerp_weights(start_unit, end_unit, alphas) -> tuple[np.ndarray, np.ndarray]:
    angle = np.arccos(np.clip(np.vdot(start_unit, end_unit), -1.0, 1.0))
    if np.sin(angle) < 1e-6:  # parallel: the limit of slerp is the straight line
        return 1.0 - alphas, alphas
    return np.sin((1.0 - alphas) * angle) / np.sin(angle), np.sin(alphas * angle) / np.sin(angle)


def _blend(start, end, start_weights, end_weights) -> np.ndarray:
    return _scale(np.stack([start] * len(start_weights)), start_weights) + _scale(
        np.stack([end] * len(end_weights)), end_weights
    )


def _scale(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """[N, ...] times [N], float32."""
    return (codes * factors.reshape(-1, *[1] * (codes.ndim - 1))).astype(np.float32)
