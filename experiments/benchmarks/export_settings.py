"""The settings of a measurement of exports."""

import dataclasses

from ..flags.kinds import Settings, number, words


@dataclasses.dataclass(frozen=True)
class ExportsSettings(Settings):
    """Exports that are measured."""

    exported: tuple[str, ...] = words(
        ("cae", "vae", "vae_perceptual", "appearance_vae", "appearance_vae_128", "face_mapping"),
        "Models as --run_dir takes them, with --measure=export.",
    )
    max_psnr_loss: float = number(
        0.5, "dB of PSNR above which an export is refused, with --measure=export.", kind=float
    )
