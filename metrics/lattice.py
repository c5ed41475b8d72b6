"""Lattices: the woven grids that upsampling leaves in pictures, plain to the eye where they are flat."""

import numpy as np
from scipy.ndimage import gaussian_filter

TILE = 16  # pixels
STEP = 8  # between tiles
FLAT_SHARE = 0.5  # of the tiles, those with the least variance after blurring
BLUR = 2.0  # pixels, the deviation of it
ROUNDING = (1.0 / 255.0) ** 2 / 12.0  # the variance that eight bits leave in a pixel


def lattice(real: np.ndarray, made: np.ndarray) -> float:
    """How much more of a lattice made pictures have than real ones: 1 as much, more is seen.

    Args:
      real: `log_lattices` of real pictures, [N, P].
      made: of made ones, [M, P].

    Returns:
      The ratio of their geometric means, of that plane in which it is largest.
    """
    return float(np.exp(np.max(made.mean(axis=0) - real.mean(axis=0))))


def log_lattices(images: np.ndarray) -> np.ndarray:
    """How much more of the fine detail in flat parts lies along rows and columns than elsewhere.

    A spectrum averaged over directions does not tell a lattice from detail, and a blurred picture hides one in it. But
    a lattice is horizontal and vertical, hair and grain are not: in tiles of 16x16 pixels, of the gray picture and of
    two colour differences, the power at a period along an axis (the other frequency 0) is divided by that at the same
    period in other directions, both summed over the flatter half of the tiles. What eight bits leave in a pixel is
    added to both, so that a lattice too faint to be shown does not count.

    Args:
      images: [B, H, W, C] in [0, 1], C is 3 or 1, at least 16 pixels a side.

    Returns:
      The logarithm, averaged over periods of 2 to 5.3 pixels, in gray, red less green, and blue less yellow: [B, 3];
      of gray pictures [B, 1].
    """
    planes = _planes(np.asarray(images, np.float64))  # [B, H, W, P]
    tiles = _tiles(planes)  # [B, T, P, 16, 16]
    blurred = _tiles(gaussian_filter(planes[..., :1], (0, BLUR, BLUR, 0)))
    flatness = blurred.var(axis=(2, 3, 4))  # [B, T]
    flattest = np.argsort(flatness, axis=1)[:, : max(1, round(FLAT_SHARE * flatness.shape[1]))]
    tiles = np.take_along_axis(tiles, flattest[..., None, None, None], axis=1)
    along, across = (power.mean(axis=1) for power in _powers(tiles))  # [B, P, rings]
    return np.log(along / across).mean(axis=-1)


def _planes(images: np.ndarray) -> np.ndarray:
    """Gray, red less green, and blue less yellow."""
    if images.shape[-1] == 1:
        return images
    red, green, blue = np.moveaxis(images, -1, 0)
    return np.stack([(red + green + blue) / 3.0, red - green, blue - (red + green) / 2.0], axis=-1)


def _tiles(planes: np.ndarray) -> np.ndarray:
    """[B, H, W, P] -> [B, T, P, 16, 16]."""
    windows = np.lib.stride_tricks.sliding_window_view(planes, (TILE, TILE), axis=(1, 2))[:, ::STEP, ::STEP]
    return windows.reshape(len(planes), -1, *windows.shape[3:])


def _powers(tiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The power along the axes and elsewhere, means in rings of one period each: two [..., rings]."""
    window = np.hanning(TILE + 2)[1:-1]
    weights = np.outer(window, window)
    power = np.square(np.abs(np.fft.fft2(_without_slope(tiles) * weights)))
    power += ROUNDING * np.square(weights).sum()
    frequencies = np.abs(np.fft.fftfreq(TILE, 1.0 / TILE))
    lower = np.minimum.outer(frequencies, frequencies)
    ring = np.rint(np.hypot.outer(frequencies, frequencies))
    rings = range(3, TILE // 2 + 1)
    along, across = (
        np.stack([power[..., (ring == number) & place].mean(axis=-1) for number in rings], axis=-1)
        for place in (lower == 0, lower >= 2)
    )
    return along, across


def _without_slope(tiles: np.ndarray) -> np.ndarray:
    """Tiles less the plane that lies nearest to them: [..., 16, 16]."""
    places = np.arange(TILE) - (TILE - 1) / 2.0
    spread = TILE * np.square(places).sum()
    tiles = tiles - tiles.mean(axis=(-2, -1), keepdims=True)
    across = (tiles * places).sum(axis=(-2, -1), keepdims=True) / spread * places
    down = (tiles * places[:, None]).sum(axis=(-2, -1), keepdims=True) / spread * places[:, None]
    return tiles - across - down
