"""Which measures there are, and of what each is, for whoever asks before TensorFlow is loaded."""

from collections.abc import Sequence

from ..errors import UsageError
from ..flags.groups import MADE

RECONSTRUCTIONS, SAMPLES, MORPHS, EDITS = MADE
OF_PAIRS = (RECONSTRUCTIONS, MORPHS, EDITS)
KINDS = {
    "psnr": (RECONSTRUCTIONS,),
    "ssim": (RECONSTRUCTIONS,),
    "ms_ssim": (RECONSTRUCTIONS,),
    "lpips": OF_PAIRS,
    "lpips_squeeze": OF_PAIRS,
    "vgg19_distance": OF_PAIRS,
    "identity": OF_PAIRS,
    "landmark_error": (RECONSTRUCTIONS,),
    "kid": MADE,
    "frechet": MADE,
    "precision": MADE,
    "recall": MADE,
    "sharpness": MADE,
    "lattice": MADE,
    "path_length": (MORPHS,),
}


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
