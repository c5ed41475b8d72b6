"""A trained model that a user names, and what it was trained with: what every other command reads."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from absl import logging

from ...datasets.packed import Origin, parse_origin
from ...datasets.source import Source
from ..backend import load_tensorflow
from ..errors import UsageError
from ..flags.sources import open_source
from ..flags.training import TrainingSettings
from .checkpoints import MODEL_FILE, Checkpoints
from .hub import is_hub, parse_place
from .model_files import PUBLISHED, describe_model, load_model, read_published
from .places import find_place, is_run, is_shipped
from .settings import FLAGS_FILE, make_settings, parse_settings, picture_shape, read_settings, with_data

NOTHING_GIVEN: Mapping[str, Any] = MappingProxyType({})
BEST = Path("checkpoints", "best", MODEL_FILE)


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained model and its settings.

    Attributes:
      folder: of its run; of a model without one, where what is made of it goes.
      settings: its training flags.
      model_path: the model file that was asked for.
      is_interim: the file is a state that training goes on from.
      origin: how its pictures were cut, where the model itself tells; else its data do.
      sampling_steps: in which a diffusion autoencoder draws; None are its own.
    """

    folder: Path
    settings: TrainingSettings
    model_path: Path
    is_interim: bool = False
    origin: Origin | None = None
    sampling_steps: int | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the pictures that the model takes."""
        return picture_shape(self.settings)

    @property
    def is_best(self) -> bool:
        """Whether it is the model of the run's best epoch."""
        return self.model_path == self.folder / BEST

    def source(self, split: str, given: Mapping[str, Any] = NOTHING_GIVEN) -> Source:
        """One split of the run's data, or of those that data settings given say, for its model's picture size."""
        return open_source(with_data(self.settings, given).data, split, self.image_shape[0], self.image_shape[2])

    def provenance(self, split: str, given: Mapping[str, Any] = NOTHING_GIVEN) -> dict[str, Any]:
        """What figures about such a split are kept with."""
        data = with_data(self.settings, given).data
        told = {"data_dir": data.data_dir, "crop": data.crop and [str(number) for number in data.crop]}
        return {"dataset": data.dataset, **{name: value for name, value in told.items() if value}, "split": split}

    @functools.cached_property
    def model_hash(self) -> str:
        """SHA-256 of the model file: what vectors and samplers of its codes are kept with."""
        with self.model_path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def model(self, kind: type | None = None):
        """The trained model, an `Autoencoder` unless another kind is asked for, loaded in Keras' safe mode.

        Raises:
          UsageError: the file is not there, is damaged, or holds another model than the run's flags speak of; or
            `sampling_steps` were asked of a model that has none.
        """
        model = load_model(self.model_path, kind)
        image_size, _, channels = self.image_shape
        if (model.image_size, model.channels) != (image_size, channels):
            raise UsageError(
                f"--run_dir={self.folder}: its {FLAGS_FILE} says image_size={image_size}, channels={channels}, "
                f"its {MODEL_FILE} takes image_size={model.image_size}, channels={model.channels}: one is another run's"
            )
        if self.is_interim and self.settings.optimizer.ema is not None and model.optimizer.iterations.numpy():
            model.optimizer.finalize_variable_values(model.learned_variables)  # as validated, and as a run ends
        if self.is_interim and self.settings.compression.quantise:
            from ...compressing import round_kernels

            round_kernels(model.network().decoder, self.settings.compression.bits)
        if self.sampling_steps is not None:
            network = model.network()
            if not hasattr(network, "sampling_steps"):
                raise UsageError(f"--sampling_steps does nothing here: a {type(network).__name__} draws in no steps")
            network.sampling_steps = self.sampling_steps
        return model


def open_run(named: str | Path, checkpoint: str | None = None, sampling_steps: int | None = None) -> Run:
    """A trained model by what a user calls it.

    Args:
      named: a run folder, a `.keras` file, published weights or their card, the name of one that ships, or
        hf://USER/NAME, published weights on a hub.
      checkpoint: "last" or "best", of a run that may be unfinished, of which a warning tells; None is the last model of
        a finished one.
      sampling_steps: in which a diffusion autoencoder draws; None are its own.

    Raises:
      UsageError: there is no such thing, or its training has not finished.
    """
    return dataclasses.replace(_open(named, checkpoint), sampling_steps=sampling_steps)


def _open(named: str | Path, checkpoint: str | None) -> Run:
    try:
        place = find_place(named)
    except UsageError as error:
        raise UsageError(f"--run_dir={error}") from error
    if is_run(place):
        return _run_in(place, checkpoint)
    if checkpoint == "best":
        raise UsageError(f"--checkpoint=best: {place} is one model, only a run folder has several")
    if is_hub(named):  # what is made of it goes beside nothing in the hub's cache
        return dataclasses.replace(_open_published(place), folder=Path(parse_place(str(named)).name))
    return _open_published(place) if place.suffix == PUBLISHED else _open_file(place)


def _run_in(folder: Path, checkpoint: str | None) -> Run:
    if (folder / MODEL_FILE).is_file():
        return Run(folder, read_settings(folder), folder / (BEST if checkpoint == "best" else MODEL_FILE))
    if checkpoint is None:
        there = (folder / BEST).is_file()
        hint = "; --checkpoint=best or --checkpoint=last takes what there is of it" if there else ""
        raise UsageError(f"--run_dir={folder}: its training has not finished, there is no {MODEL_FILE} yet{hint}")
    settings, checkpoints = read_settings(folder), Checkpoints(folder / "checkpoints", 1)
    place, state = checkpoints.newest_place(), checkpoints.newest()
    path = folder / BEST if checkpoint == "best" else place and place / MODEL_FILE
    if state is None or path is None or not path.is_file():
        raise UsageError(f"--run_dir={folder}: its training has not finished, and has no {checkpoint} model yet")
    total = settings.schedule.epochs * state.steps_per_epoch
    what = "the best model so far" if checkpoint == "best" else "its last model"
    logging.warning("%s has not finished: this is %s, after %d of %d steps", folder, what, state.step, total)
    return Run(folder, settings, path, is_interim=checkpoint == "last")


def _open_file(path: Path) -> Run:
    """A model file: of a run's best epoch or of a state, with its run; of one alone, which says little of itself."""
    for folder in path.parents[1:3]:
        if is_run(folder):
            return Run(folder, read_settings(folder), path)
    return Run(path.with_suffix(""), make_settings(path, *describe_model(path)), path)


def _open_published(weights: Path) -> Run:
    card = read_published(weights)
    settings = parse_settings(card.get("flags"), f"the card of {weights}")
    folder = Path(weights.stem) if is_shipped(weights) else weights.with_suffix("")
    return Run(folder, settings, weights, origin=_told_origin(card, weights))


def _told_origin(card: Mapping[str, Any], weights: Path) -> Origin | None:
    """How the pictures of published weights were cut; those of facezoo 0.1 do not tell."""
    if "origin" not in card:
        return None
    try:
        return parse_origin(card["origin"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"the card of {weights} does not say soundly how its pictures were cut") from error


def load(named: str | Path, checkpoint: str | None = None):
    """The model of a run folder, of a `.keras` file, of published weights or their card, one that ships or on a hub.

    Args:
      named: where it is, or what it is called; hf://USER/NAME is published weights on a hub.
      checkpoint: "best" or "last", of a run folder; a run that has not finished gives a model with one of them only.

    Raises:
      UsageError: nothing is there, the run has not finished, or the file is not one of facezoo's models.
    """
    place = find_place(named)
    load_tensorflow()
    from ...models import TrainableModel

    return _run_in(place, checkpoint).model(TrainableModel) if is_run(place) else load_model(place, TrainableModel)
