"""Paths between codes, and where on a path the pictures look equally far apart."""

from collections.abc import Callable

import numpy as np

PATHS = ("linear", "normalized", "slerp", "uniform")
TRIALS_PER_STEP = 4
BISECTIONS = 40  # halves an interval to a part in 10^12


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


def alphas_of_equal_change(alphas: np.ndarray, features: np.ndarray, steps: int) -> np.ndarray:
    """The dynamic step: alphas between which the picture changes equally.

    Neighbours lie equally far apart as the crow flies, not along the way: where it turns sharply the two differ. The
    way between the trials is taken as straight; from each alpha on, the next is where the way first leaves the sphere
    whose radius is the smallest with which the end is reached. (On a way that turns back onto itself equal distances
    may not exist; then no distance is larger than that radius.)

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
    features = np.asarray(features, np.float64).reshape(len(features), -1)
    if len(features) != len(alphas) or not np.isfinite(features).all():
        raise ValueError(f"{len(alphas)} alphas need as many features of finite numbers, not {len(features)}")
    if not np.ptp(features, axis=0).any():
        return even_alphas(steps)
    return np.interp(_equal_places(_squared_distances(features), steps), np.arange(len(alphas)), alphas)


def alphas_of_equal_distance(
    features_at: Callable[[np.ndarray], np.ndarray],
    steps: int,
    closed: bool = False,
    tolerance: float = 0.02,
    rounds: int = 10,
) -> np.ndarray:
    """The same, tried where it is needed: places the alphas, looks at the pictures there, and places them again.

    Args:
      features_at: from alphas [N], rising from 0 to 1, to features [N, ...] as `alphas_of_equal_change` takes them.
      steps: how many alphas to give.
      closed: 0 and 1 are the same picture; 1 is left out, but its distance from the last counts.
      tolerance: by how much of their mean the distances of neighbours may differ from it.
      rounds: most placements; `features_at` is asked for at most (4 + rounds) (steps + 1) pictures in all.

    Returns:
      [steps], from 0 to 1 (below 1 where closed): of all that were tried, those with the smallest largest distance by
      their mean. On a way that turns back onto itself or jumps the tolerance may be out of reach.
    """
    count = steps + 1 if closed else steps
    alphas = even_alphas(TRIALS_PER_STEP * (count - 1) + 1)
    features = np.asarray(features_at(alphas))
    best, chords = even_alphas(count), _chords(features[::TRIALS_PER_STEP])
    for number in range(rounds):
        if np.ptp(chords) == 0 or np.abs(chords / chords.mean() - 1.0).max() <= tolerance:
            break
        # Where the way bends within a trial, chords are longer than it seems; then shares of the chords lead further.
        by_shares = number % 3 == 2
        placed = _shared(best, chords) if by_shares else alphas_of_equal_change(alphas, features, count)
        found = np.asarray(features_at(placed))
        if _unevenness(_chords(found)) < _unevenness(chords):
            best, chords = placed, _chords(found)
        alphas, chosen = np.unique(np.concatenate([alphas, placed]), return_index=True)
        features = np.concatenate([features, found])[chosen]
    return best[:steps]


def _chords(features: np.ndarray) -> np.ndarray:
    """Distances of neighbours: [N, ...] -> [N - 1]."""
    return np.linalg.norm(np.diff(features.reshape(len(features), -1).astype(np.float64), axis=0), axis=1)


def _unevenness(chords: np.ndarray) -> float:
    return float(chords.max() / max(chords.mean(), 1e-300))


def _shared(alphas: np.ndarray, chords: np.ndarray) -> np.ndarray:
    """Alphas that share the sum of the chords evenly, [N] and [N - 1] -> [N], if each is spread evenly over its way."""
    sums = np.concatenate([[0.0], np.cumsum(chords)])
    placed = np.interp(np.linspace(0.0, sums[-1], len(alphas)), sums, alphas)
    placed[0] = alphas[0]  # where the picture stands still at first, interp takes the end of the pause
    return placed


def _squared_distances(features: np.ndarray) -> np.ndarray:
    """Of all pairs, [N, F] -> [N, N]."""
    from threadpoolctl import threadpool_limits

    centered = features - features.mean(axis=0)
    with threadpool_limits(1):  # beside other work several threads mostly wait for each other
        distances = centered @ centered.T
    squares = np.diag(distances).copy()
    distances *= -2.0
    distances += squares
    distances += squares[:, None]
    return np.maximum(distances, 0.0, out=distances)


def _equal_places(squared: np.ndarray, steps: int) -> np.ndarray:
    """Places of equal distance, [steps], on the straight lines through points whose squared distances are given."""
    last = len(squared) - 1
    low, high = 0.0, np.sqrt(np.diag(squared, 1)).sum() / (steps - 1)  # no longer than along the way
    while (between := _places_at(high, squared, steps)) is None:
        high *= 2.0  # which rounding may need
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        shorter = _places_at(middle, squared, steps)
        if shorter is None:
            low = middle
        else:
            high, between = middle, shorter
    places = [0.0, *between, float(last)]
    while len(places) < steps:  # one step less takes it past a turn: the places left over go into the widest gaps
        widest = int(np.argmax(np.diff(places)))
        places.insert(widest + 1, (places[widest] + places[widest + 1]) / 2.0)
    return np.array(places)


def _places_at(distance: float, squared: np.ndarray, steps: int) -> list[float] | None:
    """The places between both ends for one distance; None where `steps` do not reach the end.

    A place i + t is the point (1 - t) p_i + t p_(i + 1), whose squared distance from any point q is, by Stewart's
    theorem, (1 - t) |p_i - q|^2 + t |p_(i + 1) - q|^2 - t (1 - t) |p_i - p_(i + 1)|^2.
    """
    places: list[float] = []
    before, t = 0, 0.0
    while True:
        edge = squared[before, before + 1]
        away = (1.0 - t) * squared[before] + t * squared[before + 1] - t * (1.0 - t) * edge
        outside = np.flatnonzero(away[before + 1 :] > distance**2)
        if not len(outside):
            return places
        if len(places) == steps - 2:
            return None
        before += int(outside[0])
        t = _where_it_leaves(away[before], away[before + 1], squared[before, before + 1], distance)
        places.append(before + t)


def _where_it_leaves(start: float, end: float, edge: float, distance: float) -> float:
    """The larger t with (1 - t) start + t end - t (1 - t) edge = distance^2, all squared distances; within 0 to 1."""
    slope = end - start - edge
    root = np.sqrt(max(slope**2 - 4.0 * edge * (start - distance**2), 0.0))
    return float(np.clip((root - slope) / max(2.0 * edge, 1e-300), 0.0, 1.0))


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
