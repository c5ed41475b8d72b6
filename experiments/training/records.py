"""What a run records as it goes: metrics.csv, TensorBoard, pictures."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.hparams import api as hparams

from ... import files, pictures
from ...models import Autoencoder, TrainableModel
from ..codes.morphing import interpolate_pictures
from ..runs.checkpoints import Row
from .evaluation import Measurement
from .loop import Epoch

SHOWN = 8


class Monitor:
    """Writes one run's records.

    Args:
      folder: the run folder.
      examples: a batch of examples to reconstruct after each epoch, pictures in [0, 1]; the first is morphed into the
        last.
      settings: the run's flags by name, for HParams and the text page.
      rows: of the epochs that the run has behind it.
      step: that the run stands at; what the records say of later ones is taken out of them, since it comes again.
    """

    def __init__(
        self,
        folder: Path,
        examples: dict[str, np.ndarray],
        settings: dict[str, object],
        rows: Sequence[Row] = (),
        step: int = 0,
    ):
        self.folder, self.examples, self.rows = folder, examples, list(rows)
        _write_rows(folder / "metrics.csv", self.rows)
        events = folder / "tensorboard"
        if not events.is_symlink():  # where it leads others may write, too
            for path in events.glob("events.out.tfevents.*"):
                _cut_events(path, step)
        self.writer = tf.summary.create_file_writer(str(events))
        self.writer.flush()
        for path in events.glob(f"events.out.tfevents.*.{os.getpid()}.*"):
            files.note_made(path, grows=True)
        if step == 0:
            self._describe(settings)

    def _describe(self, settings: dict[str, object]) -> None:
        with self.writer.as_default(step=0):
            table = "\n".join(["| flag | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in settings.items())])
            tf.summary.text("flags", table)
            hparams.hparams({name: _plain(value) for name, value in settings.items()})
        self.writer.flush()

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
        self.rows = [*self.rows, row]
        _write_rows(self.folder / "metrics.csv", self.rows)
        with self.writer.as_default(step=epoch.step):
            self._scalars("train", epoch.terms)
            self._scalars("validation", validation.values)
            self._scalars("speed", speed)
        self.writer.flush()

    def draw(self, model: TrainableModel, epoch: Epoch) -> None:
        """Reconstructions, samples of the prior, a morph, and the histogram of codes; nothing of a face network."""
        if not model.reconstructs:
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
                with files.whole_file(path) as partial:
                    pictures.save_png(partial, sheet, f"{name} of {self.folder.name} after epoch {epoch.number}")
        self.writer.flush()

    def _scalars(self, group: str, values: dict[str, float]) -> None:
        for name, value in values.items():
            tf.summary.scalar(f"{group}/{name}", value)


def prior_samples(model: Autoencoder, count: int = SHOWN, seed: int = 0) -> np.ndarray:
    """Pictures of codes drawn from N(0, 1), always the same codes: [count, H, W, C]."""
    codes = np.random.default_rng(seed).standard_normal((count, model.latent_dim), np.float32)
    return np.asarray(model.decode(codes))


def _write_rows(path: Path, rows: Sequence[Row]) -> None:
    """metrics.csv, if there is anything to write: the old file or the new one, never half."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(path, text.getvalue())


def _cut_events(path: Path, step: int) -> None:
    """Takes the events after a step, and what a killed writer has left of one, out of a file of TensorBoard's.

    Of step 0 nothing is left at all: it is told again.
    """
    if step == 0:
        path.unlink()
        return
    kept, is_whole = [], True
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            event = event_pb2.Event.FromString(record.numpy())
            is_whole &= event.step <= step
            if event.step <= step:
                kept.append(record.numpy())
    except tf.errors.DataLossError:
        is_whole = False
    if is_whole:
        return
    with files.whole_file(path) as partial, tf.io.TFRecordWriter(str(partial)) as writer:
        for record in kept:
            writer.write(record)


def _plain(value: object) -> bool | float | str:
    """HParams takes numbers, strings and booleans."""
    return value if isinstance(value, (bool, int, float, str)) else str(value)
