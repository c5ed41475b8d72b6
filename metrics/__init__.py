"""How good a model is, over whole data sets."""

from .reconstruction import active_units, psnr

__all__ = ["active_units", "psnr"]
