"""Measures a model over a source, under any strategy, every example exactly once."""

import dataclasses

import numpy as np
import tensorflow as tf

from ...datasets.pipeline import evaluation_batches
from ...datasets.source import Source
from ...losses import ssim
from ...losses.kl import kl_per_dimension
from ...metrics import active_units, face_reading, psnr
from ...metrics.features import FeatureDistance
from ...models import TrainableModel
from .devices import distribute

READ = ("embedding", "attribute_logits", "landmarks", "factors")
KL = "whole/kl"
KNOWN = ("identity", "attributes", "landmarks", "factors")


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Means over the examples.

    Attributes:
      values: of an autoencoder `loss`, each loss term unweighted, `psnr` in dB, `ssim`, and `active_units` of a vector
        code; of a face network `loss`, its terms, and what `face_reading` says.
      count: examples measured.
      kl: mean KL divergence of each dimension of the code in nats, [D]; None where codes have no distribution.
    """

    values: dict[str, float]
    count: int
    kl: np.ndarray | None = None


class Measurer:
    """Measures one model as often as asked, tracing its step once.

    Args:
      model: an autoencoder or a face network.
      strategy: of tf.distribute.
      feature_distance: adds `vgg19_distance` where it is given.
    """

    def __init__(
        self,
        model: TrainableModel,
        strategy: tf.distribute.Strategy,
        feature_distance: FeatureDistance | None = None,
    ):
        self.model, self.strategy, self.feature_distance = model, strategy, feature_distance
        self._step = tf.function(self._measure_batch, autograph=False)

    def __call__(self, source: Source, batch_size: int, count: int | None = None) -> Measurement:
        """Measures the first `count` examples of a source, all of them by default."""
        dataset = distribute(
            self.strategy, lambda share: evaluation_batches(source, batch_size, count, share), batch_size
        )
        batches = [{name: value.numpy() for name, value in self._step(batch).items()} for batch in dataset]
        columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        is_example = columns.pop("padding") == 0
        columns = {name: column[is_example] for name, column in columns.items()}
        kl = columns.pop(KL, None)
        whole = self._whole_split({name: columns.pop(name) for name in list(columns) if "/" in name})
        means = {name: float(column.mean(dtype=np.float64)) for name, column in columns.items()}
        mean_kl = None if kl is None else kl.mean(axis=0, dtype=np.float64)
        return Measurement(means | whole, int(is_example.sum()), mean_kl)

    def _measure_batch(self, batch):
        per_replica = self.strategy.run(self._measure_examples, args=(batch,))
        return {name: self.strategy.gather(value, axis=0) for name, value in per_replica.items()}

    def _measure_examples(self, batch):
        """One value per example, and under a name with a slash what only the whole split can be measured by."""
        outputs = self.model(batch, training=False)
        values = self.model.evaluate_batch(batch, outputs) if self.model.compiled else {}
        if self.model.reconstructs:
            values |= self._reconstruction(batch, outputs)
        if self.model.reads_faces:
            values |= {f"read/{name}": outputs[name] for name in READ}
            values |= {f"known/{name}": batch[name] for name in KNOWN}
        return values | {"padding": tf.cast(batch["padding"], tf.int32)}  # workers cannot gather booleans

    def _reconstruction(self, batch, outputs):
        """How like the picture is; inside of the mask where the model was trained there only."""
        pictures = batch["image"], tf.clip_by_value(outputs["reconstruction"], 0.0, 1.0)
        if "mask" in batch and "mask" in self.model.batch_columns:
            pictures = tuple(batch["mask"] * images for images in pictures)
        values = {"psnr": psnr(*pictures), "ssim": ssim(*pictures)}
        if self.feature_distance is not None:
            values["vgg19_distance"] = self.feature_distance(*pictures)
        if outputs["z"].shape.rank == 2:
            values["whole/code"] = tf.cast(outputs["z"], tf.float32)
            if "log_var" in outputs:
                values[KL] = kl_per_dimension(outputs["mean"], outputs["log_var"])
        return values

    def _whole_split(self, columns: dict[str, np.ndarray]) -> dict[str, float]:
        if self.model.reads_faces:
            truth, read = ({name: columns[f"{kind}/{name}"] for name in of} for kind, of in _KINDS)
            choices = [int(choices) for _, _, choices in self.model.factor_ranges]
            return face_reading(truth, read, self.model.landmark_names, choices)
        return {"active_units": active_units(columns["whole/code"])} if columns else {}


_KINDS = (("known", KNOWN), ("read", READ))
