"""What every distance of two sets of features asks of them."""

import numpy as np


def check_feature_sets(first: np.ndarray, second: np.ndarray) -> None:
    """Raises ValueError unless both are finite features [N, D] of at least two pictures, of as many dimensions."""
    for features in (first, second):
        if features.ndim != 2 or len(features) < 2 or not np.isfinite(features).all():
            raise ValueError(f"features [N, D] of at least 2 pictures must be finite numbers, not {features.shape}")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"features of {first.shape[1]} and of {second.shape[1]} dimensions cannot be compared")
