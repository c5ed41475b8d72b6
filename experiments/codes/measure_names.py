"""Which measures there are, and of what each is, for whoever asks before TensorFlow is loaded."""

from collections.abc import Sequence

from ..errors import UsageError
from ..flags.groups import MADE

RECONSTRUCTIONS, SAMPLES, MORPHS, EDITS, INVERSIONS, CLIPS = MADE
OF_ITSELF = (RECONSTRUCTIONS, INVERSIONS, CLIPS)
OF_PAIRS = (*OF_ITSELF, MORPHS, EDITS)
KINDS = {
    "psnr": OF_ITSELF,
    "ssim": OF_ITSELF,
    "ms_ssim": OF_ITSELF,
    "lpips": OF_PAIRS,
    "lpips_squeeze": OF_PAIRS,
    "vgg19_distance": OF_PAIRS,
    "identity": OF_PAIRS,
    "landmark_error": OF_ITSELF,
    "kid": MADE,
    "frechet": MADE,
    "precision": MADE,
    "recall": MADE,
    "sharpness": MADE,
    "lattice": MADE,
    "path_length": (MORPHS,),
    "noise_deviation": (INVERSIONS,),
    "noise_kurtosis": (INVERSIONS,),
    "flicker": (CLIPS,),
    "added_flicker": (CLIPS,),
    "lpips_step": (CLIPS,),
    "landmark_jitter": (CLIPS,),
    "identity_drift": (CLIPS,),
}
OF_SETS = ("kid", "frechet", "precision", "recall")  # by the features of a network


def chosen(names: Sequence[str], kind: str) -> list[str]:
    """The measures that are asked for, or all there are for a kind.

    Raises:
      UsageError: there is no such measure, or not of this kind.
    """
    fitting = [name for name, kinds in KINDS.items() if kind in kinds]
    if list(names) == ["all"]:
        return fitting
    for name in names:
        if name not in fitting:
            raise UsageError(f"--metrics={name}: of {kind} there are all, {', '.join(fitting)}")
    return list(names)
