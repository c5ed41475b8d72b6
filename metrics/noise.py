"""Whether noise that was found in pictures is what would be drawn: normal, of deviation 1."""

import numpy as np


def noise_deviation(noise: np.ndarray) -> np.ndarray:
    """The standard deviation of each example's numbers, [B, ...] -> [B]; of noise that is drawn it is 1.

    >>> noise_deviation(np.array([[1.0, -1.0], [2.0, -2.0]])).tolist()
    [1.0, 2.0]
    """
    return _rows(noise).std(axis=1)


def noise_kurtosis(noise: np.ndarray) -> np.ndarray:
    """The fourth moment over the squared variance of each example's numbers, [B, ...] -> [B]; of normal noise it is 3.

    More says that a picture hides in a few large numbers: then ways between two noises show both pictures.

    >>> noise_kurtosis(np.array([[1.0, -1.0, 1.0, -1.0]])).tolist()
    [1.0]
    """
    rows = _rows(noise)
    apart = rows - rows.mean(axis=1, keepdims=True)
    return (apart**4).mean(axis=1) / np.maximum((apart**2).mean(axis=1) ** 2, 1e-24)


def _rows(noise: np.ndarray) -> np.ndarray:
    return np.asarray(noise, np.float64).reshape(len(noise), -1)
