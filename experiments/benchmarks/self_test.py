"""Some seconds of what facezoo does, each part by itself, to see whether it runs here at all."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...datasets.procedural import procedural_faces
from ..codes.morphing import warp_through
from ..faces.framing import frame_photographs
from ..flags.groups import AlignmentSettings, LandmarkSettings
from ..machine.diagnosis import FAULT, OK, Finding
from ..machine.trial import Trial, TrialError
from ..terminal import announce

FACES, SIZE, FRAMES = ("test:53", "test:17"), 128, 6
SHIPPED, LEAST_PSNR = "cae", 20.0  # decibels: of weights that are read rightly it is far above
STEPS = 3
TRAINING = (
    *("--dataset=procedural_faces", "--image_size=32", "--model=cae", "--set=filters=8,8", "--batch_size=8"),
    *("--steps_per_epoch=3", "--epochs=1"),
)
REPORT = "please report it with these lines"


class Part(NamedTuple):
    """What is tried.

    Attributes:
      subject: of its line.
      says: what is about to be done.
      run: does it, and returns what to tell of it.
    """

    subject: str
    says: str
    run: Callable[[], str]


def warp_two_faces() -> str:
    """Warps one drawn face into another, without TensorFlow."""
    faces = frame_photographs(FACES, LandmarkSettings(), AlignmentSettings(), {"dataset": "procedural_faces"}, SIZE)
    frames = warp_through(*faces.material, FRAMES)
    return f"{len(frames)} pictures of {SIZE} pixels"


def write_film() -> str:
    """Writes a film of noise."""
    from ... import pictures

    frames = np.random.default_rng(0).random((FRAMES, 64, 64, 3))
    with tempfile.TemporaryDirectory(prefix="facezoo-doctor-") as folder:
        path = Path(folder) / "film.mp4"
        pictures.save_mp4(path, frames, "a test")
        return f"{path.stat().st_size:,} bytes"


def code_faces() -> str:
    """Encodes and decodes drawn faces by weights that ship."""
    from ...metrics import psnr
    from ...models import load_pretrained

    model = load_pretrained(SHIPPED)
    faces = procedural_faces("test", image_size=model.image_size).load(np.arange(8))["image"].astype(np.float32) / 255
    reached = float(np.mean(psnr(faces, model.decode(model.encode(faces)))))
    if not reached > LEAST_PSNR:
        raise ArithmeticError(f"{SHIPPED} reaches {reached:.1f} dB instead of more than {LEAST_PSNR:g}")
    return f"{SHIPPED} reaches {reached:.1f} dB"


def take_steps() -> str:
    """Trains a small model for some steps, in the precision that --precision=auto takes here."""
    from ..training.devices import best_precision
    from .training_steps import TrainingStep

    step = TrainingStep([*TRAINING, f"--precision={best_precision()}"])
    step(STEPS)
    return f"{STEPS} steps on {', '.join(step.session.devices)} in {step.session.settings.run.precision}"


PARTS = (
    Part("warp", "Warping two faces", warp_two_faces),
    Part("film", "Writing a film", write_film),
    Part("codes", "Encoding faces", code_faces),
    Part("training", "Training for some steps", take_steps),
)


def try_parts(trial: Trial, parts: tuple[Part, ...] = PARTS) -> Iterator[Finding]:
    """A line for each part, as it is done; what follows one that has ended the process is not tried."""
    for part in parts:
        announce(f"{part.says} ...")
        begun = time.monotonic()
        try:
            told = trial.run(part.run)
        except TrialError as error:
            yield Finding(FAULT, f"test {part.subject}", f"{error}: {REPORT}")
            if error.has_ended:
                return
        else:
            yield Finding(OK, f"test {part.subject}", f"{told}, {time.monotonic() - begun:.1f} s")
