"""LPIPS and KID as a training goes on: of few validation pictures, always the same ones, and only now and then."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from absl import logging

from ...losses.vgg import VGG16_FILE
from ...losses.weights import MissingWeightsError, WeightsError, find_weights
from ...metrics import LPIPS, PooledFeatures, kernel_distance, standardise
from ...models import Autoencoder, TrainableModel
from ..codes.judging import trace
from ..runs.checkpoints import Row
from ..runs.epochs import VALIDATION

STEPS_BETWEEN = 500  # at least, so that a training is hardly slower
LEAST_PICTURES = 32  # that a KID is told of
BATCH_SIZE = 32
LPIPS_NAME, KID, KID_OF_SAMPLES = MEASURES = ("lpips", "kid", "kid_of_samples")


class Perception:
    """Measures LPIPS of reconstructions, KID of them, and KID of samples, as far as the networks are there.

    KID by few pictures is higher than by many, and comparable with what is measured of as many only.

    Args:
      model: an autoencoder.
      examples: validation examples, pictures in [0, 1].
    """

    def __init__(self, model: TrainableModel, examples: Mapping[str, np.ndarray]):
        self.model, self.examples, self.pictures = model, examples, examples["image"]
        size = self.pictures.shape[1]
        self.lpips = _find("LPIPS", lambda: LPIPS("alex", size))
        self.features = None
        if len(self.pictures) >= LEAST_PICTURES:
            self.features = _find("KID", lambda: PooledFeatures(size, str(find_weights(VGG16_FILE))))  # no download
        self.has_masks = "mask" in examples and "mask" in model.batch_columns
        self._real: list[np.ndarray] = []  # features, which stay the same

    def measure(self) -> dict[str, float]:
        """What can be measured of the model as it is now."""
        found: dict[str, float] = {}
        if self.lpips is None and self.features is None:
            return found
        pairs = list(self._make_pairs())
        if self.lpips is not None:
            found[LPIPS_NAME] = float(np.concatenate([self.lpips(*pair) for pair in pairs]).mean(dtype=np.float64))
        if self.features is not None:
            self._real = self._real or [self.features(real) for real, _ in pairs]
            found[KID] = self._kid([self.features(made) for _, made in pairs])
            if self.model.has_prior:
                samples = prior_samples(self.model, len(self.pictures))
                found[KID_OF_SAMPLES] = self._kid([self.features(samples[rows]) for rows in self._slices()])
        return found

    def _make_pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pictures and their reconstructions; inside of the mask where the model was trained there only."""
        network = self.model.network()
        for rows in self._slices():
            batch = {name: column[rows] for name, column in self.examples.items()}
            made = np.asarray(network(batch, training=False)["reconstruction"], np.float32)
            pictures = batch["image"], np.clip(made, 0.0, 1.0)
            yield tuple(batch["mask"] * images for images in pictures) if self.has_masks else pictures

    def _slices(self) -> Iterator[slice]:
        for start in range(0, len(self.pictures), BATCH_SIZE):
            yield slice(start, start + BATCH_SIZE)

    def _kid(self, made: list[np.ndarray]) -> float:
        return kernel_distance(*standardise(np.concatenate(self._real), np.concatenate(made)))


def is_due(rows: Sequence[Row], step: int, is_last: bool) -> bool:
    """Whether it is time to measure, after the epochs of some rows of metrics.csv."""
    measured = [row["step"] for row in rows if any(f"{VALIDATION}{name}" in row for name in MEASURES)]
    since = step - max(measured, default=0)
    return since >= STEPS_BETWEEN or (is_last and step >= STEPS_BETWEEN)


def prior_samples(model: Autoencoder, count: int, seed: int = 0) -> np.ndarray:
    """Pictures of codes drawn from N(0, 1), always the same codes: [count, H, W, C]."""
    codes = np.random.default_rng(seed).standard_normal((count, *model.network().shape_of_code()), np.float32)
    parts = [np.asarray(model.decode(codes[start : start + BATCH_SIZE])) for start in range(0, count, BATCH_SIZE)]
    return np.concatenate(parts)


def _find(name: str, make: Callable[[], Callable]) -> Callable | None:
    """A network as a graph, or None; where it is not missing but cannot be had otherwise, a warning says why."""
    try:
        return trace(make())
    except MissingWeightsError:
        return None
    except (WeightsError, ValueError) as error:
        logging.warning("%s is not measured: %s", name, error)
        return None
