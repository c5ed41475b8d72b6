"""One training step, repeated on one batch, as `facezoo train` takes it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras

from ..flags.parsing import parse_training
from ..training.arguments import open_sources
from ..training.loop import step_function
from ..training.setup import Session
from .flops import count_flops


class TrainingStep:
    """The step that some flags of `facezoo train` ask for; calling it takes so many.

    Args:
      flags: of `facezoo train`; a VGG without a weights file gets random ones, which cost the same.
    """

    def __init__(self, flags: Sequence[str]):
        with tempfile.TemporaryDirectory() as folder:
            settings = parse_training([*flags, "--schedule_steps=1000000", *_stand_in_weights(flags, Path(folder))])
            self.session = Session(settings, *open_sources(settings))
        strategy = self.session.strategy
        self._batch = next(iter(self.session.distribute_batches()))
        self._step = step_function(self.session.model, strategy)

    def __call__(self, count: int) -> None:
        for _ in range(count):
            logs = self._step(self._batch)
        float(logs["loss"])  # waits for the last one

    def flops(self) -> int | None:
        """Returns those of one step; None where it depends on the batch, as of people who each have a decoder."""
        try:
            return count_flops(self._step.get_concrete_function(self._batch).graph)
        except ValueError:
            return None


def _stand_in_weights(flags: Sequence[str], folder: Path) -> list[str]:
    """A weights flag for a VGG that has none."""
    given = dict(flag.removeprefix("--").partition("=")[::2] for flag in flags)
    network = given.get("perceptual_network", "")
    if not network.startswith("vgg") or "perceptual_weights" in given:
        return []
    path = folder / f"{network}.weights.h5"
    getattr(keras.applications, network.upper())(weights=None, include_top=False).save_weights(path)
    return [f"--perceptual_weights={path}"]
