"""The settings of a contest with others' models."""

import dataclasses

from ...flags.kinds import Settings, are_digits, number, path, words

OURS = ("vae_folder", "vae_perceptual_folder")
KERAS = "keras"
PYTHAE = {f"pythae_{kind.lower()}": kind for kind in ("VAE", "BetaVAE", "VAEGAN", "VQVAE")}
LAYOUTS = ("pytorch_vae_vanilla", "pytorch_vae_dfc")
PEERS = (*PYTHAE, *LAYOUTS, KERAS)
PEER_SIZE = 64  # pixels, of pythae's networks
MOST_MINUTES = 10_000


@dataclasses.dataclass(frozen=True)
class PeersSettings(Settings):
    """A contest with others' models."""

    contestants: tuple[str, ...] = words(
        (*OURS, *PEERS), f"Who trains, with --measure=peers: recipes, and of others {', '.join(PEERS)}."
    )
    minutes: float = number(
        20.0, "Training of each, with --measure=peers.", highest=MOST_MINUTES, kind=float, above=True
    )
    turn_seconds: float = number(
        60.0, "Training of each until it is the next one's turn, with --measure=peers.", kind=float, above=True
    )
    latent_dim: tuple[int, ...] = words(
        ("64",),
        "Dimensions of the codes, of a contest each, with --measure=peers.",
        lambda found: all(are_digits(text) and int(text) for text in found),
        "must be whole numbers of at least 1, with commas between them",
        int,
    )
    count: int = number(2000, "Pictures of the test split that are measured, with --measure=peers.", 8)
    contest_dir: str = path("peers", "Folder of the states, where contests go on, with --measure=peers.")
    page: str | None = path(
        None, "Page of Markdown whose table is written anew, or a new one, with --measure=peers or export."
    )
