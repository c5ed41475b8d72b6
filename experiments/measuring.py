"""Measures a model over a source, under any strategy, every example exactly once."""

import dataclasses

import numpy as np
import tensorflow as tf

from ..datasets.pipeline import evaluation_batches
from ..datasets.source import Source
from ..losses import ssim
from ..metrics import active_units, psnr
from ..models import Autoencoder


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Means over the examples.

    Attributes:
      values: `loss`, each loss term unweighted, `psnr` in dB, `ssim`, and `active_units` of a vector code.
      count: examples measured.
    """

    values: dict[str, float]
    count: int


class Measurer:
    """Measures one model as often as asked, tracing its step once."""

    def __init__(self, model: Autoencoder, strategy: tf.distribute.Strategy):
        self.model, self.strategy = model, strategy
        self._step = tf.function(self._measure_batch, autograph=False)

    def __call__(self, source: Source, batch_size: int, count: int | None = None) -> Measurement:
        """Measures the first `count` examples of a source, all of them by default."""
        dataset = self.strategy.experimental_distribute_dataset(evaluation_batches(source, batch_size, count))
        batches = [{name: value.numpy() for name, value in self._step(batch).items()} for batch in dataset]
        columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        is_example = ~columns.pop("padding")
        codes = columns.pop("code", None)
        means = {name: float(column[is_example].mean(dtype=np.float64)) for name, column in columns.items()}
        if codes is not None:
            means["active_units"] = active_units(codes[is_example])
        return Measurement(means, int(is_example.sum()))

    def _measure_batch(self, batch):
        per_replica = self.strategy.run(self._measure_examples, args=(batch,))
        return {
            name: tf.concat(self.strategy.experimental_local_results(value), axis=0)
            for name, value in per_replica.items()
        }

    def _measure_examples(self, batch):
        outputs = self.model(batch, training=False)
        values = self.model.objective.measured(batch, outputs) if self.model.compiled else {}
        pictures = batch["image"], tf.clip_by_value(outputs["reconstruction"], 0.0, 1.0)
        values |= {"psnr": psnr(*pictures), "ssim": ssim(*pictures), "padding": batch["padding"]}
        if outputs["z"].shape.rank == 2:
            values["code"] = tf.cast(outputs["z"], tf.float32)
        return values
