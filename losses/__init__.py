"""What "good" means: loss terms that give one value per example, and the objective that weighs and reduces them."""

from .kl import KLDivergence, vae_kl_loss
from .objective import MissingTerm, Objective
from .pixel import AbsoluteError, SquaredError, vae_r_loss
from .ssim import DSSIM, ssim

__all__ = [
    "DSSIM",
    "AbsoluteError",
    "KLDivergence",
    "MissingTerm",
    "Objective",
    "SquaredError",
    "ssim",
    "vae_kl_loss",
    "vae_r_loss",
]
