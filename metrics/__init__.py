"""How good a model is, over whole data sets."""

from .clips import find_added_flicker, find_drift, find_flicker, find_jitter, find_ratio
from .face_reading import face_reading
from .features import FeatureDistance
from .frechet import frechet_distance
from .identity import IdentityDistance
from .inception_features import InceptionFeatures
from .intervals import bootstrap_interval, half_sample_interval
from .kernel import kernel_distance
from .lattice import lattice, log_lattices
from .lpips import LPIPS
from .manifold import precision_and_recall
from .noise import noise_deviation, noise_kurtosis
from .path_length import path_lengths
from .pooled_features import PooledFeatures, standardise
from .reconstruction import active_units, ms_ssim, psnr
from .sharpness import laplacian_variance
from .streams import AgainstReal, Figure, OfEach, OfSets, Stream

__all__ = [
    "LPIPS",
    "AgainstReal",
    "FeatureDistance",
    "Figure",
    "IdentityDistance",
    "InceptionFeatures",
    "OfEach",
    "OfSets",
    "PooledFeatures",
    "Stream",
    "active_units",
    "bootstrap_interval",
    "face_reading",
    "find_added_flicker",
    "find_drift",
    "find_flicker",
    "find_jitter",
    "find_ratio",
    "frechet_distance",
    "half_sample_interval",
    "kernel_distance",
    "laplacian_variance",
    "lattice",
    "log_lattices",
    "ms_ssim",
    "noise_deviation",
    "noise_kurtosis",
    "path_lengths",
    "precision_and_recall",
    "psnr",
    "standardise",
]
