"""How good a model is, over whole data sets."""

from .face_reading import face_reading
from .features import FeatureDistance
from .frechet import frechet_distance
from .reconstruction import active_units, psnr

__all__ = ["FeatureDistance", "active_units", "face_reading", "frechet_distance", "psnr"]
