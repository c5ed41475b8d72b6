"""The contest of facezoo's recipes and others' models: who takes part, on which faces, and how they are measured."""

import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .... import metrics
from ....datasets.source import Source
from ....losses import ssim
from ....losses.weights import WeightsError, find_weights
from ....metrics.pooled_features import WEIGHTS_FILE
from ...codes.encoding import BATCH_SIZE, floats
from ...codes.judging import trace
from ...errors import UsageError
from ...flags.groups import DataSettings
from ...flags.kinds import list_kinds
from ...flags.parsing import recipes
from ...flags.sources import open_source
from .contest import Contest
from .entrant import Entrant
from .keras_entrants import DocumentationVAE, RecipeEntrant, count_stages, read_recipe
from .settings import KERAS, LAYOUTS, PEER_SIZE, PEERS, PYTHAE, PeersSettings

MOST_PICTURES = 100_000  # of training, which are held in memory


def hold_contest(settings: PeersSettings, data: DataSettings, image_size: int, batch_size: int) -> list[dict[str, Any]]:
    """Trains, measures, and returns a row of figures for each contestant.

    Raises:
      UsageError: somebody is not known or cannot take part here, or networks for measuring are missing.
    """
    _check(settings, image_size)
    train, test = (open_source(data, split, image_size, 3) for split in ("train", "test"))
    if settings.latent_dim > image_size**2:
        raise UsageError(f"--latent_dim={settings.latent_dim}: more than there are pixels")
    if len(test) < 8:
        raise UsageError(f"{test.name} has fewer than 8 pictures: KID needs more")
    makers = {name: _find_maker(name, settings.latent_dim, train) for name in settings.contestants}
    for name in set(makers) & set(recipes()):
        makers[name] = _make_now(name, makers[name])
    about = {name: value for name, value in vars(settings).items() if name not in ("contest_dir", "page")}
    about |= {"contestants": list(settings.contestants), "image_size": image_size, "batch_size": batch_size}
    about |= {"faces": f"{train.name}, {len(train)}", **_tell_data(data)}
    contest = Contest(
        Path(settings.contest_dir),
        makers,
        train.load(np.arange(min(len(train), MOST_PICTURES)))["image"],
        batch_size=batch_size,
        seconds=60.0 * settings.minutes,
        turn_seconds=settings.turn_seconds,
        about=about,
    )
    return contest.run(functools.partial(measure, images=_load_spread(test, settings.count)))


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
    for name in settings.contestants:
        if name == KERAS:
            count_stages(image_size)
        elif name not in PEERS:
            read_recipe(name, settings.latent_dim, image_size)
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
        for file in ("lpips_alex.npz", WEIGHTS_FILE):
            find_weights(file)
    except WeightsError as error:
        raise UsageError(f"--measure=peers: {error}") from error


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


def _make_now(name: str, make: Callable[[], Entrant]) -> Callable[[], Entrant]:
    """The same, of an entrant that is made before a folder is taken: its recipe may not fit the pictures."""
    try:
        entrant = make()
    except UsageError as error:
        raise UsageError(f"--contestants={name}: {error}") from error
    return lambda: entrant


def _load_spread(source: Source, count: int) -> np.ndarray:
    places = np.unique(np.linspace(0, len(source) - 1, min(count, len(source))).astype(int))
    return floats(source.load(places)["image"])


def measure(entrant: Entrant, images: np.ndarray) -> dict[str, float]:
    """PSNR, SSIM, LPIPS and KID of reconstructions, and KID of as many samples of N(0, 1) where there can be some."""
    size = images.shape[1]
    lpips, features = _networks(size)
    values: dict[str, list[np.ndarray]] = {"psnr": [], "ssim": [], "lpips": []}
    sets: dict[str, list[np.ndarray]] = {"real": [], "kid": [], "kid of samples": []}
    for seed, start in enumerate(range(0, len(images), BATCH_SIZE)):
        real = images[start : start + BATCH_SIZE]
        made = np.clip(entrant.reconstruct(real), 0.0, 1.0)
        for name, distance in (("psnr", metrics.psnr), ("ssim", ssim), ("lpips", lpips)):
            values[name].append(np.asarray(distance(real, made), np.float64))
        drawn = entrant.sample(len(real), seed)
        pictures: Mapping[str, np.ndarray | None] = {"real": real, "kid": made, "kid of samples": drawn}
        for name, shown in pictures.items():
            if shown is not None:
                sets[name].append(features(np.clip(shown, 0.0, 1.0)))
    found = {name: float(np.concatenate(parts).mean()) for name, parts in values.items()}
    known = np.concatenate(sets.pop("real"))
    for name, parts in sets.items():
        if parts:
            found[name] = metrics.kernel_distance(*metrics.standardise(known, np.concatenate(parts)))
    return found


@functools.lru_cache(maxsize=1)
def _networks(size: int) -> Sequence[Callable]:
    return trace(metrics.LPIPS("alex", size)), trace(metrics.PooledFeatures(size, str(find_weights(WEIGHTS_FILE))))
