"""New faces: codes drawn as those of the training faces are spread, and decoded."""

import csv
import dataclasses
import functools
from pathlib import Path

import numpy as np

from ... import pictures
from ...datasets.source import Source
from ...latents import sampling
from ..errors import UsageError
from ..flags.kinds import Settings, number, one_of, path, words
from .encoding import BATCH_SIZE, batches, decode_codes, draw_noise, encode_source, list_attributes, tell_person
from .kept import CodeKeeper
from .priors import FLOW, SHIPPED_PRIORS, check_prior, load_prior

LABELS_FILE = "labels.csv"
SHARD_BYTES = 128_000_000


@dataclasses.dataclass(frozen=True)
class SamplingSettings(Settings):
    """Which new faces."""

    count: int = number(64, "Faces to draw.", 1, 1_000_000)
    sampler: str = one_of(
        (*sampling.KINDS, FLOW),
        "mixture",
        "Distribution of codes: the prior, what is fitted to the codes of the run's training faces, or a trained flow.",
    )
    prior: str | None = path(
        None,
        "Run, model file or pretrained name of the code prior that --sampler=flow draws by; if absent the one that "
        "ships of such codes, as of appearance_vae and what holds it.",
    )
    attributes: tuple[str, ...] | None = words(
        None, "Attributes of the faces that a flow draws; a minus before a name asks for faces without it."
    )
    guidance: float = number(
        1.0, "How much a flow exaggerates attributes; 1 draws as the data are.", 0, 100, kind=float
    )
    components: int = number(10, "Gaussians of the mixture.", 1, 1000)
    truncation: float = number(
        1.0,
        "Share of the noise that is kept: less than 1 gives more typical and less various faces.",
        0,
        1,
        kind=float,
    )
    fit_count: int | None = number(None, "Only the first training faces are fitted to; all if absent.", 1)
    seed: int = number(0, "Seed of what is drawn.", 0, 2**31 - 1)


def sample_source(
    model, source: Source, settings: SamplingSettings, keeper: CodeKeeper, person: str | None = None
) -> Source:
    """New faces as a source, decoded when they are asked for.

    A conditional model is told the attributes of a training face each, so that they come together as they do there.

    Args:
      model: an `Autoencoder`.
      source: the training faces, as the model reads them.
      settings: which.
      keeper: of the model's codes.
      person: whom a mapping model decodes faces as.

    Raises:
      UsageError: too few training faces for the sampler.
    """
    columns = ("attributes",) if list_attributes(model) and source.attribute_names else ()
    _check(settings)
    is_shape_enough = settings.sampler in ("normal", FLOW) and not columns
    count = 1 if is_shape_enough else settings.fit_count
    drawn = _draw_by_flow(model, settings) if settings.sampler == FLOW else None
    known = encode_source(model, source, columns, count, told=True, keeper=None if is_shape_enough else keeper)
    if drawn is not None:
        codes = drawn
    else:
        fitted = _fit(known["codes"], settings, keeper.model_hash)
        codes = fitted.draw(settings.seed, settings.count, settings.truncation)
    rows = np.random.default_rng(settings.seed).integers(0, len(known["codes"]), settings.count)
    told = {name: known[name][rows] for name in columns}
    told_of_person = tell_person(model, person)

    @functools.lru_cache(maxsize=4)  # one after the other is asked for, by several threads
    def portion(number: int) -> np.ndarray:
        rows = slice(BATCH_SIZE * number, BATCH_SIZE * (number + 1))
        told_here = {**{name: told[name][rows] for name in told}, **told_of_person}
        noise = draw_noise(model, len(codes[rows]), (settings.seed, number))
        return pictures.to_uint8(decode_codes(model, codes[rows], {**told_here, **noise}))

    def load(positions: np.ndarray) -> dict[str, np.ndarray]:
        images = [portion(position // BATCH_SIZE)[position % BATCH_SIZE] for position in positions.tolist()]
        return {"image": np.stack(images)} | {name: column[positions] for name, column in told.items()}

    return Source(
        name="samples/all",
        names=[f"{number:06d}.png" for number in range(settings.count)],
        load=load,
        image_shape=source.image_shape,
        attribute_names=source.attribute_names if columns else (),
    )


def describe_sampling(settings: SamplingSettings) -> str:
    """How faces are drawn, for descriptions."""
    if not settings.attributes:
        return f"{settings.sampler} sample"
    return f"{settings.sampler} sample ({', '.join(settings.attributes)}; guidance {settings.guidance:g})"


def _fit(codes: np.ndarray, settings: SamplingSettings, model_hash: str) -> sampling.Sampler:
    try:
        if settings.sampler == "normal":
            return sampling.standard_normal(codes.shape[1:], model_hash)
        if settings.sampler == "gaussian":
            return sampling.fit_gaussian(codes, model_hash)
        return sampling.fit_mixture(codes, model_hash, settings.components)
    except ValueError as error:
        raise UsageError(f"--sampler={settings.sampler}: {error}") from error


def _check(settings: SamplingSettings) -> None:
    """Raises UsageError for settings that do not go together."""
    if settings.sampler != FLOW:
        for name in ("attributes", "guidance"):
            if getattr(settings, name) != getattr(SamplingSettings(), name):
                raise UsageError(f"--{name} does nothing with --sampler={settings.sampler}: --sampler=flow takes it")
    asked = settings.attributes or ()
    if not asked and settings.guidance != SamplingSettings().guidance:
        raise UsageError("--guidance does nothing without --attributes, which it exaggerates")
    for name in asked:
        if f"-{name}" in asked:
            raise UsageError(f"--attributes={name},-{name}: faces cannot be with it and without it")
    check_prior(settings.prior, settings.sampler, "sampler")


def _draw_by_flow(model, settings: SamplingSettings) -> np.ndarray:
    """Codes [N, *code shape] by a code prior of this model."""
    prior = load_prior(model, settings.prior, "--sampler=flow")
    wanted = _choose_attributes(settings, prior)
    parts = []
    for start in range(0, settings.count, BATCH_SIZE):
        count = min(BATCH_SIZE, settings.count - start)
        numbers = np.random.default_rng((settings.seed, start))
        noise = settings.truncation * numbers.standard_normal((count, *prior.code_shape))
        parts.append(np.asarray(prior.draw(noise, np.tile(wanted, (count, 1)), settings.guidance)))
    return np.concatenate(parts)


def _choose_attributes(settings: SamplingSettings, prior) -> np.ndarray:
    """1 for each attribute that is asked for, 0 for each that is asked away, 0.5 for all others: float32 [1, A]."""
    known = prior.attributes
    wanted = np.full((1, len(known)), 0.5, np.float32)
    for text in settings.attributes or ():
        name = text.removeprefix("-")
        if name not in known:
            knows = f"knows only {', '.join(known)}" if known else "was told no attributes"
            place = settings.prior or SHIPPED_PRIORS[prior.image_size]
            raise UsageError(f"--attributes={text}: the prior {place} {knows}")
        wanted[0, known.index(name)] = 0.0 if text.startswith("-") else 1.0
    return wanted


def save_pictures(samples: Source, folder: Path, description: str) -> None:
    """One PNG for each face, and their attributes as `--labels` reads them."""
    rows = []
    for where, examples in batches(samples, "drawing"):
        names = samples.names[where]
        for name, picture in zip(names, examples["image"], strict=True):
            pictures.save_png(folder / name, picture, description)
        if samples.attribute_names:
            rows += [[name, *row] for name, row in zip(names, examples["attributes"].astype(int).tolist(), strict=True)]
    if rows:
        with (folder / LABELS_FILE).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["file", *samples.attribute_names], *rows])
