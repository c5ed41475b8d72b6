"""What a run records as it goes: metrics.csv, TensorBoard, pictures."""

import csv
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from ..latents import pictures
from ..models import Autoencoder, TrainableModel
from .measuring import Measurement
from .morph import interpolate_pictures
from .training import Epoch

SHOWN = 8


class Monitor:
    """Writes one run's records.

    Args:
      folder: the run folder.
      examples: a batch of examples to reconstruct after each epoch, pictures in [0, 1]; the first is morphed into the
        last.
      settings: the run's flags by name, for HParams and the text page.
    """

    def __init__(self, folder: Path, examples: dict[str, np.ndarray], settings: dict[str, object]):
        self.folder, self.examples = folder, examples
        self.writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
        with self.writer.as_default(step=0):
            table = "\n".join(["| flag | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in settings.items())])
            tf.summary.text("flags", table)
            hparams.hparams({name: _plain(value) for name, value in settings.items()})

    def record(self, epoch: Epoch, validation: Measurement, learning_rate: float) -> None:
        """One row of metrics.csv and TensorBoard's scalars of an epoch."""
        speed = {"images_per_second": epoch.images_per_second, "learning_rate": learning_rate}
        row: dict[str, object] = {
            "epoch": epoch.number,
            "step": epoch.step,
            **epoch.terms,
            **{f"val_{name}": value for name, value in validation.values.items()},
            **speed,
        }
        _append_row(self.folder / "metrics.csv", row)
        with self.writer.as_default(step=epoch.step):
            self._scalars("train", epoch.terms)
            self._scalars("validation", validation.values)
            self._scalars("speed", speed)
        self.writer.flush()

    def draw(self, model: TrainableModel, epoch: Epoch) -> None:
        """Reconstructions, samples of the prior, a morph, and the histogram of codes; nothing of a face network."""
        if not isinstance(model, Autoencoder):
            return
        images, outputs = self.examples["image"], model(self.examples, training=False)
        reconstructions = np.clip(outputs["reconstruction"], 0.0, 1.0)
        sheets = {"reconstructions": pictures.grid(np.concatenate([images, reconstructions]), len(images))}
        if model.has_prior:
            sheets["samples"] = pictures.row(prior_samples(model))
        sheets["morph"] = pictures.row(interpolate_pictures(model, images[0], images[-1], steps=SHOWN))
        with self.writer.as_default(step=epoch.step):
            tf.summary.histogram("codes", outputs["z"])
            for name, sheet in sheets.items():
                tf.summary.image(name, sheet[None])
                path = self.folder / "images" / f"{name}-{epoch.number:04d}.png"
                pictures.save_png(path, sheet, f"{name} of {self.folder.name} after epoch {epoch.number}")
        self.writer.flush()

    def _scalars(self, group: str, values: dict[str, float]) -> None:
        for name, value in values.items():
            tf.summary.scalar(f"{group}/{name}", value)


def prior_samples(model: Autoencoder, count: int = SHOWN, seed: int = 0) -> np.ndarray:
    """Pictures of codes drawn from N(0, 1), always the same codes: [count, H, W, C]."""
    codes = np.random.default_rng(seed).standard_normal((count, model.latent_dim), np.float32)
    return np.asarray(model.decode(codes))


def _append_row(path: Path, row: dict[str, object]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def _plain(value: object) -> bool | float | str:
    """HParams takes numbers, strings and booleans."""
    return value if isinstance(value, (bool, int, float, str)) else str(value)
