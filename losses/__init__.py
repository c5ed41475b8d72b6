"""What "good" means: loss terms that give one value per example, and the objective that weighs and reduces them."""

from .adversarial import ADVERSARIAL_LOSSES, AdversarialTerm, FeatureMatching, r1_penalty
from .clips import ClipKLDivergence, OfFrames, TemporalError
from .detail import DetailError
from .diffusion import DetailDivergence, OfOutput, VelocityError
from .distillation import CodeError, TaughtError
from .expression import ExpressionCode
from .kl import KLDivergence, vae_kl_loss
from .landmark import LandmarkConsistency, LandmarkWeightedError
from .objective import MissingTerm, Objective
from .perceptual import PerceptualLoss, feature_scales, perceptual_loss
from .pixel import AbsoluteError, Masked, SquaredError, SquaredMaskError, vae_r_loss
from .ssim import DSSIM, ssim
from .texture import TextureError
from .vgg import vgg_features
from .weights import WeightsError

__all__ = [
    "ADVERSARIAL_LOSSES",
    "DSSIM",
    "AbsoluteError",
    "AdversarialTerm",
    "ClipKLDivergence",
    "CodeError",
    "DetailDivergence",
    "DetailError",
    "ExpressionCode",
    "FeatureMatching",
    "KLDivergence",
    "LandmarkConsistency",
    "LandmarkWeightedError",
    "Masked",
    "MissingTerm",
    "Objective",
    "OfFrames",
    "OfOutput",
    "PerceptualLoss",
    "SquaredError",
    "SquaredMaskError",
    "TaughtError",
    "TemporalError",
    "TextureError",
    "VelocityError",
    "WeightsError",
    "feature_scales",
    "perceptual_loss",
    "r1_penalty",
    "ssim",
    "vae_kl_loss",
    "vae_r_loss",
    "vgg_features",
]
