"""How good a model is, over whole data sets."""

from .face_reading import face_reading
from .features import FeatureDistance
from .frechet import frechet_distance
from .kernel import kernel_distance
from .lpips import LPIPS
from .pooled_features import PooledFeatures, standardised
from .reconstruction import active_units, psnr

__all__ = [
    "LPIPS",
    "FeatureDistance",
    "PooledFeatures",
    "active_units",
    "face_reading",
    "frechet_distance",
    "kernel_distance",
    "psnr",
    "standardised",
]
