"""What is timed, and the figures as a table."""

import contextlib
import dataclasses
import importlib.util
import itertools
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..flags import groups
from ..flags.kinds import Settings, number, one_of, several_of, words
from ..processes import command_line
from ..runs.environment import environment
from ..tables import align_columns
from .contestants import Contestant, Timing, alternate

TIMED = ("train", "input", "align", "latency", "startup")
MEASURES = (*TIMED, "morph", "peers", "export")  # the last three measure pictures, and only if they are asked for
R_LOSS_FACTOR, PERCEPTUAL_FACTOR = 1000.0, 500.0  # they only have to be the peer's too
PERCEPTUAL = ("--perceptual_network=vgg16", f"--perceptual_factor={PERCEPTUAL_FACTOR}")
TERMS = {
    "plain": (),
    "perceptual": (*PERCEPTUAL, "--cache_gb=0"),  # the target's features are computed in every step
    "perceptual-cached": (*PERCEPTUAL, "--cache_gb=64"),  # of 20,000 pictures; only a batch is ever filled in
    "adversarial": ("--adversarial_factor=0.1",),
}
# What a model needs besides its name, to train on drawn faces.
MODEL_FLAGS = {
    "conditional_vae": ("--attributes=smiling,eyeglasses",),
    "dfc_vae": ("--perceptual_factor=0", f"--r_loss_factor={R_LOSS_FACTOR}"),  # by pixels, as the others
    "face_mapping": ("--dataset=procedural_people",),
    "video_autoencoder": ("--dataset=procedural_clips",),
}
CONVOLUTION = "convolution"
PEER_SIZE, PEER_PRECISIONS = 64, ("float32", "mixed_bfloat16")
PEER_TERMS = {"dfc_vae": ("plain", "perceptual"), "diffusion_autoencoder": ("plain",)}
LATENCIES = ("encode", "decode", "morph")
PIPELINES = {
    "as they are": (),
    "flipped": ("--flip",),
    "moved and coloured": ("--flip", "--rotation=10", "--scale=1.1", "--shift=0.05", "--colour=0.2"),
}
ON_DISK = 2048  # faces: few enough for the system to keep their files in memory


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings(Settings):
    """What is timed, and how long."""

    measure: tuple[str, ...] | None = several_of(
        MEASURES,
        None,
        "What to time, all of it if absent; or, with morph, how good morphs are, with peers, how good others' models, "
        "with export, what exports lose.",
    )
    models: tuple[str, ...] | None = words(None, "Keys of models; all if absent.")
    terms: tuple[str, ...] = several_of(tuple(TERMS), ("plain",), "Loss terms of the training steps.")
    precision: tuple[str, ...] = several_of(groups.PRECISIONS, ("mixed_bfloat16",), "Precisions of the training steps.")
    peer: str | None = one_of(
        ("torch",), None, "Times PyTorch's DFC-VAE and diffusion autoencoder, too: pip install 'facezoo[peers]'."
    )
    image_size: int = number(64, "Height and width in pixels.", groups.MIN_IMAGE_SIZE, groups.MAX_IMAGE_SIZE)
    batch_size: int = number(64, "Pictures in a batch.", 1)
    alternations: int = number(5, "How often each is timed, in turn.", 1)
    seconds: float = number(3.0, "Seconds of each turn.", 0.0, kind=float, above=True)


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
      what: of MEASURES.
      case: what exactly.
      timing: of one repetition.
      images: that a repetition goes through; 0 where it is about none.
      gigaflops: of a repetition, where they are counted.
      share_of_best: of the machine's best convolution rate.
      peak_megabytes: of the process, with what it needed to get ready.
    """

    what: str
    case: str
    timing: Timing
    images: int = 0
    gigaflops: float | None = None
    share_of_best: float | None = None
    peak_megabytes: float | None = None

    @property
    def images_per_second(self) -> float:
        return self.images / self.timing.median


def has_peer(model: str, terms: str, precision: str) -> bool:
    return terms in PEER_TERMS.get(model, ()) and precision in PEER_PRECISIONS


def _train(settings: BenchmarkSettings, models: Sequence[str]) -> Iterator[Row]:
    """Each step alternates with its peers, and with the convolution that says what this machine could do."""
    from .convolutions import BestConvolution
    from .training_steps import TrainingStep

    for precision, model, terms in itertools.product(settings.precision, models, settings.terms):
        case = f"{model} {terms} {precision}"
        ours = f"facezoo {case}"
        works: dict[str, tuple] = {
            CONVOLUTION: (BestConvolution, settings.batch_size, precision.removeprefix("mixed_")),
            ours: (TrainingStep, step_flags(settings, model, terms, precision)),
        }
        if settings.peer and has_peer(model, terms, precision):
            works |= _peers(settings, model, terms, precision)
        with _contestants(works) as contestants:
            timings = alternate(contestants, settings.alternations, settings.seconds)
            best = contestants[CONVOLUTION].ask(_flops) / timings[CONVOLUTION].median
            flops = contestants[ours].ask(_flops)
            for name in list(works)[1:]:
                counted = flops if name == ours else None  # a peer takes another way to the same numbers
                yield Row(
                    what="train",
                    case=name,
                    timing=timings[name],
                    images=settings.batch_size,
                    gigaflops=counted and counted / 1e9,
                    share_of_best=counted and counted / timings[name].median / best,
                    peak_megabytes=contestants[name].peak_megabytes(),
                )


def step_flags(settings: BenchmarkSettings, model: str, terms: str, precision: str) -> list[str]:
    """What `facezoo train` is told for one of the steps."""
    return [
        *(f"--model={model}", f"--image_size={settings.image_size}", f"--batch_size={settings.batch_size}"),
        *(f"--precision={precision}", *MODEL_FLAGS.get(model, ()), *TERMS[terms]),
    ]


def _peers(settings: BenchmarkSettings, model: str, terms: str, precision: str) -> dict[str, tuple]:
    from .torch_dfc_vae import DFCVAELoss
    from .torch_diffusion import DiffusionLoss
    from .torch_peer import MODES, TorchStep

    half = precision != "float32"
    factors = R_LOSS_FACTOR, PERCEPTUAL_FACTOR if terms == "perceptual" else 0.0
    loss = (DFCVAELoss, *factors, half) if model == "dfc_vae" else (DiffusionLoss,)
    names = {mode: f"PyTorch {mode} {model} {terms} {precision}" for mode in MODES}
    return {name: (TorchStep, mode, settings.batch_size, half, *loss) for mode, name in names.items()}


def _input(settings: BenchmarkSettings, models: Sequence[str]) -> Iterator[Row]:
    from .usage import Pipeline, faces_on_disk

    shared = ["--model=vae", f"--image_size={settings.image_size}", f"--batch_size={settings.batch_size}"]
    with faces_on_disk(settings.image_size, ON_DISK) as on_disk:
        ways = itertools.product(({"drawn faces from memory": ()} | on_disk).items(), PIPELINES.items())
        works = {f"{place}, {name}": (Pipeline, [*shared, *where, *more]) for (place, where), (name, more) in ways}
        with _contestants(works) as contestants:
            for name, timing in alternate(contestants, settings.alternations, settings.seconds).items():
                yield Row("input", name, timing, settings.batch_size)


def _align(settings: BenchmarkSettings, models: Sequence[str]) -> Iterator[Row]:
    from .usage import PHOTOGRAPH_SIZE, PHOTOGRAPHS, Aligning

    with _contestants({f"{count} processes": (Aligning, count) for count in (1, 2)}) as contestants:
        for name, timing in alternate(contestants, settings.alternations, settings.seconds).items():
            yield Row("align", f"photographs of {PHOTOGRAPH_SIZE} pixels, {name}", timing, PHOTOGRAPHS)


def _latency(settings: BenchmarkSettings, models: Sequence[str]) -> Iterator[Row]:
    from .usage import Latency

    for model in models:
        cases = {f"{model} {what}": (Latency, model, settings.image_size, what) for what in LATENCIES}
        with _contestants(cases) as contestants:
            for name, timing in alternate(contestants, settings.alternations, settings.seconds).items():
                yield Row("latency", name, timing, 1)


def _startup(settings: BenchmarkSettings, models: Sequence[str]) -> Iterator[Row]:
    """Help, and a morph from nothing to its pictures."""
    with tempfile.TemporaryDirectory() as folder:
        run_dir = f"--run_dir={Path(folder) / 'run'}"
        short = ("--epochs=1", "--steps_per_epoch=1", "--validation_steps=1", f"--image_size={settings.image_size}")
        _time_command("train", "--model=vae", *short, run_dir)
        commands = {
            "--help": ("--help",),
            "train --help": ("train", "--help"),
            "morph": ("morph", run_dir, "--start=test:3", "--end=test:10"),
        }
        turns = [[_time_command(*arguments) for arguments in commands.values()] for _ in range(settings.alternations)]
        for name, seconds in zip(commands, zip(*turns, strict=True), strict=True):
            yield Row("startup", f"facezoo {name}", Timing(seconds))


def _time_command(*arguments: str) -> float:
    start = time.perf_counter()
    done = subprocess.run(command_line(*arguments), capture_output=True, text=True)
    if done.returncode:
        raise UsageError(f"facezoo {arguments[0]} fails: {done.stderr.strip().splitlines()[-1]}")
    return time.perf_counter() - start


MEASURE = {"train": _train, "input": _input, "align": _align, "latency": _latency, "startup": _startup}


@contextlib.contextmanager
def _contestants(works: Mapping[str, tuple]) -> Iterator[dict[str, Contestant]]:
    """Contestants by name, of (what makes the work, its arguments ...), until the end of the block."""
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(contextlib.closing(Contestant(make, *arguments)))
            for name, (make, *arguments) in works.items()
        }


def _flops(work: Any) -> int | None:
    return work.flops()


def table(rows: Sequence[Row]) -> str:
    """A line for each row: what, milliseconds, spread, images/s, share of the best convolution rate, megabytes."""
    lines = [("", "median ms", "spread", "images/s", "of best rate", "peak MB")]
    for row in rows:
        lines.append(
            (
                f"{row.what}: {row.case}",
                f"{1000 * row.timing.median:.4g}",
                f"{row.timing.spread:.0%}",
                f"{row.images_per_second:.4g}" if row.images else "",
                "" if row.share_of_best is None else f"{row.share_of_best:.0%}",
                "" if row.peak_megabytes is None else f"{row.peak_megabytes:.0f}",
            )
        )
    return align_columns(lines)


def as_json(settings: BenchmarkSettings, rows: Sequence[Row]) -> dict[str, Any]:
    """The figures, and all that they depend on."""
    ran_on = environment(0, ",".join(settings.precision), []) | {
        "cpus": os.cpu_count(),
        "torch": importlib.metadata.version("torch") if settings.peer else None,
    }
    found = [
        dataclasses.asdict(row) | {"median": row.timing.median, "images_per_second": row.images_per_second}
        for row in rows
    ]
    return {"environment": ran_on, "flags": dataclasses.asdict(settings), "rows": found}
