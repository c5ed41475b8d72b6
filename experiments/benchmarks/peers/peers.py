"""The contest of facezoo's recipes and others' models: who takes part, on which faces, and how they are measured."""

import functools
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .... import files, metrics
from ....datasets.source import Source
from ....latents import sampling
from ....losses import ssim
from ....losses.vgg import VGG16_FILE
from ....losses.weights import WeightsError, find_weights
from ...codes.encoding import BATCH_SIZE, floats
from ...codes.judging import trace
from ...errors import UsageError
from ...flags.groups import DataSettings
from ...flags.kinds import list_kinds
from ...flags.parsing import RECIPES, recipes
from ...flags.sources import open_source
from .contest import MOST_TEXT_BYTES, Contest
from .entrant import Entrant
from .keras_entrants import DocumentationVAE, RecipeEntrant, count_stages, read_recipe
from .settings import KERAS, LAYOUTS, PEER_SIZE, PEERS, PYTHAE, PeersSettings

DRAWN = ("normal", "mixture")
COMPONENTS = 10  # of the mixture
MOST_PICTURES = 100_000  # of training, which are held in memory


def hold_contests(
    settings: PeersSettings, data: DataSettings, image_size: int, batch_size: int
) -> list[dict[str, Any]]:
    """Trains, measures, and returns a row of figures for each contestant with codes of each length.

    Raises:
      UsageError: somebody is not known or cannot take part here, or networks for measuring are missing.
    """
    _check(settings, image_size)
    train, test = (open_source(data, split, image_size, 3) for split in ("train", "test"))
    if len(test) < 8:
        raise UsageError(f"{test.name} has fewer than 8 pictures: KID needs more")
    images = train.load(np.arange(min(len(train), MOST_PICTURES)))["image"]
    told = {name: value for name, value in vars(settings).items() if name not in ("contest_dir", "page")}
    told |= {"contestants": list(settings.contestants), "image_size": image_size, "batch_size": batch_size}
    told |= {"faces": f"{train.name}, {len(train)}", **_tell_data(data)}
    told["recipes"] = {name: _read_flags(name) for name in settings.contestants if name in recipes()}
    makers = {size: _find_makers(settings.contestants, size, train) for size in settings.latent_dim}
    contests = {
        size: Contest(
            Path(settings.contest_dir, str(size)),
            makers[size],
            images,
            batch_size=batch_size,
            seconds=60.0 * settings.minutes,
            turn_seconds=settings.turn_seconds,
            about=told | {"latent_dim": size},
        )
        for size in settings.latent_dim
    }
    find_figures = functools.partial(measure, images=_load_spread(test, settings.count), known=images)
    return [
        {"model": row.pop("model"), "latent_dim": size} | row
        for size, contest in contests.items()
        for row in contest.run(find_figures)
    ]


def _tell_data(data: DataSettings) -> dict[str, Any]:
    """The data settings that are not as by default, as JSON has them; a file or folder is the same from anywhere."""
    told: dict[str, Any] = {}
    for name, kind in list_kinds(DataSettings):
        value = getattr(data, name)
        if value != getattr(DataSettings(), name):
            is_place = kind.is_path and Path(value).exists()
            told[name] = str(Path(value).resolve()) if is_place else kind.write(value)
    return told


def _check(settings: PeersSettings, image_size: int) -> None:
    for name in settings.contestants:
        if name not in (*PEERS, *recipes()):
            raise UsageError(f"--contestants={name}: there are recipes, and {', '.join(PEERS)}")
    if len(set(settings.contestants)) < len(settings.contestants):
        raise UsageError(f"--contestants={','.join(settings.contestants)}: somebody is named twice")
    for size in settings.latent_dim:
        if size > image_size**2:
            raise UsageError(f"--latent_dim={size}: more than there are pixels")
    for name in settings.contestants:
        if name == KERAS:
            count_stages(image_size)
        elif name not in PEERS:
            read_recipe(name, settings.latent_dim[0], image_size)
    others = set(settings.contestants) & {*PYTHAE, *LAYOUTS}
    if others and image_size != PEER_SIZE:
        raise UsageError(f"--image_size={image_size}: {sorted(others)[0]} is for {PEER_SIZE} pixels")
    needed = {"torch": others, "pythae": set(settings.contestants) & set(PYTHAE)}
    for package, names in needed.items():
        if names and importlib.util.find_spec(package) is None:
            raise UsageError(
                f"--contestants={sorted(names)[0]}: {package} is not installed: pip install 'facezoo[peers]'"
            )
    try:
        for file in ("lpips_alex.npz", VGG16_FILE):
            find_weights(file)
    except WeightsError as error:
        raise UsageError(f"--measure=peers: {error}") from error


def _read_flags(recipe: str) -> list[str]:
    lines = files.read_text(RECIPES / f"{recipe}.flags", MOST_TEXT_BYTES).splitlines()
    return [line for line in lines if line.startswith("--")]


def _find_makers(names: Sequence[str], latent_dim: int, source: Source) -> dict[str, Callable[[], Entrant]]:
    makers = {name: _find_maker(name, latent_dim, source) for name in names}
    for name in names:
        if name in recipes():  # which may not fit the pictures: known before a folder is taken
            try:
                makers[name]()
            except UsageError as error:
                raise UsageError(f"--contestants={name}: {error}") from error
    return makers


def _find_maker(name: str, latent_dim: int, source: Source) -> Callable[[], Entrant]:
    """Makes a contestant when it is its turn."""
    size = source.image_shape[0]

    def make() -> Entrant:
        if name in PYTHAE or name in LAYOUTS:
            from . import torch_entrants

            if name in PYTHAE:
                return torch_entrants.make_pythae(PYTHAE[name], latent_dim)
            kind = torch_entrants.make_vanilla_vae if name == LAYOUTS[0] else torch_entrants.make_dfc_vae
            return kind(latent_dim, size)
        return DocumentationVAE(latent_dim, size) if name == KERAS else RecipeEntrant(name, latent_dim, source)

    return make


def _load_spread(source: Source, count: int) -> np.ndarray:
    places = np.unique(np.linspace(0, len(source) - 1, min(count, len(source))).astype(int))
    return floats(source.load(places)["image"])


def measure(entrant: Entrant, images: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """How near reconstructions are to pictures, and sets of pictures to each other.

    Args:
      entrant: who.
      images: of the test split, float32 [N, S, S, 3] in [0, 1].
      known: of the training split, uint8 [M, S, S, 3].

    Returns:
      `psnr`, `ssim`, `lpips` and `kid` of reconstructions, and, where codes are vectors, KID of as many pictures of
      codes from a mixture of Gaussians that is fitted to the codes of training pictures, and from N(0, 1) where a model
      has that prior.
    """
    size = images.shape[1]
    lpips, features = _networks(size)
    values: dict[str, list[np.ndarray]] = {"psnr": [], "ssim": [], "lpips": []}
    sets: dict[str, list[np.ndarray]] = {"real": [], "kid": [], **{f"kid of {kind}": [] for kind in DRAWN}}
    drawn = _draw_codes(entrant, known, len(images))
    for start in range(0, len(images), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        real, made = images[rows], np.clip(entrant.reconstruct(images[rows]), 0.0, 1.0)
        for name, distance in (("psnr", metrics.psnr), ("ssim", ssim), ("lpips", lpips)):
            values[name].append(np.asarray(distance(real, made), np.float64))
        samples = {f"kid of {kind}": np.clip(entrant.decode(codes[rows]), 0.0, 1.0) for kind, codes in drawn.items()}
        for name, shown in {"real": real, "kid": made, **samples}.items():
            sets[name].append(features(shown))
    found = {name: float(np.concatenate(parts).mean()) for name, parts in values.items()}
    real = np.concatenate(sets.pop("real"))
    for name, parts in sets.items():
        if parts:
            found[name] = metrics.kernel_distance(*metrics.standardise(real, np.concatenate(parts)))
    return found


def _draw_codes(entrant: Entrant, known: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """New codes by their kind of DRAWN, [N, D]; none where codes are no vectors."""
    parts = [entrant.encode(floats(known[start : start + BATCH_SIZE])) for start in range(0, len(known), BATCH_SIZE)]
    codes = [part for part in parts if part is not None]
    if not codes:
        return {}
    samplers = [sampling.fit_mixture(np.concatenate(codes), "", min(COMPONENTS, len(known) // 2))]
    if entrant.has_prior:
        samplers.insert(0, sampling.standard_normal(samplers[0].code_shape, ""))
    return {sampler.kind: sampler.draw(0, count) for sampler in samplers}


@functools.lru_cache(maxsize=1)
def _networks(size: int) -> Sequence[Callable]:
    return trace(metrics.LPIPS("alex", size)), trace(metrics.PooledFeatures(size))
