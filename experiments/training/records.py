"""What a run records as it goes: metrics.csv, TensorBoard, pictures."""

import csv
import io
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from tensorboard.compat.proto import event_pb2

from ... import files, pictures
from ...models import TrainableModel
from ..codes.morphing import interpolate_pictures
from ..runs.checkpoints import Row
from ..runs.epochs import VALIDATION
from ..runs.folder import find_logs
from .dashboard import begin_session, end_session, lay_out, name_curve
from .evaluation import Measurement
from .kl_history import KL_FILE, draw_history, make_row, read_history
from .loop import Epoch
from .perception import prior_samples

SHOWN = 8
SHOWN_CLIPS = 3
LEAST_PIXELS = 64  # of a picture on a sheet, so that its label has room
STEPS_OF_A_POINT = 50
EVENTS = "events.out.tfevents.*"


class Monitor:
    """Writes one run's records.

    Args:
      folder: the run folder.
      examples: a batch of examples to reconstruct after each epoch, pictures in [0, 1]; the first is morphed into the
        last.
      settings: the run's flags by name, for HParams and the text page; those that are not set are left out.
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
        kept = read_history(folder / KL_FILE, step)
        self.kl_rows, self._keeps_kl = kept or [], kept is not None
        if self._keeps_kl:
            _write_rows(folder / KL_FILE, self.kl_rows)
        else:
            logging.warning("%s is left as it is: it is none that this run wrote", folder / KL_FILE)
        events = folder / "tensorboard"
        logs = find_logs(folder)
        if not events.is_symlink():  # where it leads others may write, too
            for path in [*events.glob(EVENTS), *(path for log in logs for path in log.glob(EVENTS))]:
                if files.is_below(path, folder):
                    _cut_events(path, step)
        self.train, self.validation = (tf.summary.create_file_writer(str(log)) for log in logs)
        for log, writer in zip(logs, (self.train, self.validation), strict=True):
            writer.flush()
            for path in log.glob(f"{EVENTS}.{os.getpid()}.*"):
                files.note_made(path, grows=True)
        if step == 0:
            self._describe({name: value for name, value in settings.items() if value not in (None, (), "")})

    def _describe(self, settings: dict[str, object]) -> None:
        with self.validation.as_default(step=0):
            table = "\n".join(["| flag | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in settings.items())])
            tf.summary.text("flags", table)
            name = self.folder.absolute().name
            tf.summary.experimental.write_raw_pb(begin_session(settings, name))
        self.validation.flush()

    def record_step(self, step: int, terms: dict[str, float]) -> None:
        """A point of each term's curve: its mean since the epoch began."""
        with self.train.as_default(step=step):
            _write_scalars(terms)
        self.train.flush()  # a run that goes back cuts off what it finds on the disk

    def record(self, epoch: Epoch, validation: Measurement, learning_rate: float) -> None:
        """One row of metrics.csv and TensorBoard's scalars of an epoch."""
        speed = {"images_per_second": epoch.images_per_second, "learning_rate": learning_rate}
        row: dict[str, object] = {
            "epoch": epoch.number,
            "step": epoch.step,
            **epoch.terms,
            **{f"{VALIDATION}{name}": value for name, value in validation.values.items()},
            **speed,
        }
        known = dict.fromkeys(itertools.chain(*self.rows))
        self.rows = [*self.rows, row]
        _write_rows(self.folder / "metrics.csv", self.rows)
        if validation.kl is not None:
            self.kl_rows = [*self.kl_rows, make_row(epoch.number, epoch.step, validation.kl)]
            if self._keeps_kl:
                _write_rows(self.folder / KL_FILE, self.kl_rows)
        with self.train.as_default(step=epoch.step):
            _write_scalars({**epoch.terms, **speed})
        with self.validation.as_default(step=epoch.step):
            if row.keys() - known:
                names = [name.removeprefix(VALIDATION) for name in (*known, *row) if name not in ("epoch", "step")]
                tf.summary.experimental.write_raw_pb(lay_out(names))
            _write_scalars(validation.values)
            if validation.kl is not None:
                tf.summary.histogram("kl_per_dimension", validation.kl)
        self.train.flush()
        self.validation.flush()

    def draw(self, model: TrainableModel, epoch: Epoch) -> None:
        """Reconstructions, samples of the prior, a morph, KL by dimension, and the histogram of codes.

        Of a face network it draws nothing.
        """
        if not model.reconstructs:
            return
        images, outputs = self.examples["image"], model(self.examples, training=False)
        reconstructions = np.clip(outputs["reconstruction"], 0.0, 1.0)
        given, made = ([f"{what} {number + 1}" for number in range(len(images))] for what in ("picture", "made of"))
        sheets = {"reconstructions": _sheet(np.concatenate([images, reconstructions]), [*given, *made], len(images))}
        if "clip_reconstruction" in outputs:
            sheets["clips"] = _draw_clips(self.examples["clip"], np.clip(outputs["clip_reconstruction"], 0.0, 1.0))
        if model.has_prior:
            samples = prior_samples(model, SHOWN)
            sheets["samples"] = _sheet(samples, [f"drawn {number + 1}" for number in range(len(samples))], len(samples))
        way = interpolate_pictures(model, images[0], images[-1], steps=SHOWN)
        sheets["morph"] = _sheet(way, [f"{share:.0%}" for share in np.linspace(0.0, 1.0, SHOWN)], SHOWN)
        if self.kl_rows:
            sheets["kl_over_epochs"] = draw_history(self.kl_rows)
        with self.validation.as_default(step=epoch.step):
            tf.summary.histogram("codes", outputs["z"])
            for name, sheet in sheets.items():
                tf.summary.image(name, sheet[None])
                path = self.folder / "images" / f"{name}-{epoch.number:04d}.png"
                with files.whole_file(path) as partial:
                    pictures.save_png(partial, sheet, f"{name} of {self.folder.name} after epoch {epoch.number}")
        self.validation.flush()

    def finish(self, step: int) -> None:
        """Says that the run has come to its end, after so many steps."""
        with self.validation.as_default(step=step):
            tf.summary.experimental.write_raw_pb(end_session())
        self.validation.flush()


def _write_scalars(values: Mapping[str, float]) -> None:
    for name, value in values.items():
        tf.summary.scalar(name_curve(name), value)


def _sheet(images: np.ndarray, labels: list[str], columns: int) -> np.ndarray:
    """Pictures, small ones enlarged, with what they are below: uint8 [..., ..., 3]."""
    shown = pictures.to_uint8(np.asarray(images))
    if shown.shape[1] < LEAST_PIXELS:
        shown = pictures.resize(shown, LEAST_PIXELS)
    return pictures.draw_labelled_sheet(shown, labels, columns, 1)


def _draw_clips(clips: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Some frames of a few clips, [N, T, H, W, C], and what was made of them below: uint8 [..., ..., 3]."""
    numbers = np.unique(np.linspace(0, clips.shape[1] - 1, SHOWN).astype(int))
    rows, labels = [], []
    for number, (clip, of_it) in enumerate(zip(clips[:SHOWN_CLIPS], made, strict=False), 1):
        rows += [clip[numbers], of_it[numbers]]
        labels += [f"clip {number}, {frame + 1}" for frame in numbers]
        labels += [f"made of {frame + 1}" for frame in numbers]
    return _sheet(np.concatenate(rows), labels, len(numbers))


def _write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Writes a CSV file, if there is anything to write: the old file or the new one, never half.

    What a row does not have is empty in it.
    """
    if not rows:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(dict.fromkeys(itertools.chain(*rows))))
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
