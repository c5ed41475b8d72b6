"""The codes of a source, and what they say of its true factors."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from tqdm import tqdm

from ..datasets.picture_index import PROGRESS_AFTER_SECONDS
from ..datasets.procedural import ATTRIBUTE_NAMES, draw_faces, face_attributes, gray
from ..datasets.source import Source
from ..metrics import disentanglement as measures
from ..models import ConditionalVAE, FaceMapping
from .data import for_model
from .projector import thumbnails

BATCH_SIZE = 64
GROUP_SIZE = 32
READ = ("image", "attributes", "identity")  # by a model that encodes and decodes
KEPT = ("attributes", "factors")

Examples = dict[str, np.ndarray]


class Encoded(NamedTuple):
    """The first N examples of a source, encoded.

    Attributes:
      codes: float32 [N, *code shape], the means where the model is variational.
      log_var: of a variational model the logarithm of their variance, the same shape.
      known: `attributes` [N, A] and `factors` [N, F] as the source has them.
      images: uint8 [P, S, S, C] of the first P, no larger than thumbnails.
      first: the first example as the model reads it.
    """

    codes: np.ndarray
    log_var: np.ndarray | None
    known: dict[str, np.ndarray]
    images: np.ndarray
    first: Examples

    def drawn(self, seed: int = 0) -> np.ndarray:
        """Codes as a variational model draws them, mean + exp(log_var / 2) e; of others the codes themselves."""
        if self.log_var is None:
            return self.codes
        epsilon = np.random.default_rng(seed).standard_normal(self.codes.shape, np.float32)
        return self.codes + np.exp(0.5 * self.log_var) * epsilon


def encoded(model, source: Source, settings: flags.FlagValues, count: int, shown: int) -> Encoded:
    """Encodes the first examples of a source and keeps thumbnails of some.

    Args:
      model: an `Autoencoder`.
      source: a split.
      settings: of the model's training.
      count: N; of spatial codes, which are large, no more batches than hold P.
      shown: P.

    Raises:
      DatasetError: the data set does not have what the model was trained with.
    """
    told = for_model(source, model, settings)
    columns: dict[str, list[np.ndarray]] = {}
    first: Examples = {}
    for start in tqdm(range(0, count, BATCH_SIZE), desc="encoding", delay=PROGRESS_AFTER_SECONDS, leave=False):
        positions = np.arange(start, min(start + BATCH_SIZE, count))
        examples = source.load(positions)
        read = _read(examples if told is source else told.load(positions))
        outputs = model(read, training=False)
        found = {"codes": outputs["z"], "log_var": outputs.get("log_var")}
        found |= {name: examples.get(name) for name in KEPT}
        found["images"] = thumbnails(examples["image"][: shown - start]) if start < shown else None
        for name, value in found.items():
            if value is not None:
                columns.setdefault(name, []).append(np.asarray(value))
        first = first or {name: value[:1] for name, value in read.items()}
        if outputs["z"].shape.rank > 2 and start + BATCH_SIZE >= shown:
            break
    whole = {name: np.concatenate(parts) for name, parts in columns.items()}
    known = {name: whole[name] for name in KEPT if name in whole}
    return Encoded(whole["codes"].astype(np.float32), whole.get("log_var"), known, whole["images"], first)


def decoder(model, example: Examples) -> Callable[[np.ndarray], np.ndarray]:
    """From codes to pictures of the face that an example shows: with its attributes, as its person."""
    kinds = {ConditionalVAE: "attributes", FaceMapping: "identity"}
    column = next((column for kind, column in kinds.items() if isinstance(model, kind)), "")

    def decode(codes: np.ndarray) -> np.ndarray:
        told = [example[column].repeat(len(codes), axis=0)] if column in example else []
        return np.asarray(model.decode(codes, *told))

    return decode


class Disentanglement(NamedTuple):
    """How the codes hold the true factors.

    Attributes:
      values: `mig`, `sap`, DCI's three and `factor_vae_score`.
      factors: of each factor that varies, the dimension that tells most of it, the normalised mutual information, and
        how much more that is than the next dimension's.
      constant: names of the factors that do not vary, which nothing can be said of.
    """

    values: dict[str, float]
    factors: dict[str, dict[str, Any]]
    constant: tuple[str, ...]


def disentanglement(model, source: Source, codes: np.ndarray, factors: np.ndarray, groups: int) -> Disentanglement:
    """All measures of `metrics.disentanglement`, the FactorVAE score on groups that are drawn for it.

    Args:
      model: an `Autoencoder`.
      source: of drawn faces.
      codes: of its first examples, [N, D].
      factors: of the same, [N, F].
      groups: how many the FactorVAE score takes.
    """
    varies = np.ptp(factors, axis=0) > 0
    table, choices = factors[:, varies], [source.factor_ranges[number][2] for number in np.flatnonzero(varies)]
    names = np.array(source.factor_names)
    information = measures.mutual_information(codes, table, choices)
    gaps = measures.gaps(information)
    values = {"mig": float(gaps.mean())}
    with tqdm(total=2, desc="SAP", delay=PROGRESS_AFTER_SECONDS, leave=False) as progress:
        values["sap"] = measures.sap(codes, table, choices)
        progress.set_description("DCI")
        progress.update()
        values |= {f"dci_{name}": value for name, value in measures.dci(codes, table, choices).items()}
    drawn = _encoded_groups(model, source, factors, np.flatnonzero(varies), groups)
    values["factor_vae_score"] = measures.factor_vae_score(codes, drawn)
    found = {
        str(name): {"dimension": int(column.argmax()), "mutual_information": float(column.max()), "gap": float(gap)}
        for name, column, gap in zip(names[varies], information.T, gaps, strict=True)
    }
    return Disentanglement(values, found, tuple(names[~varies].tolist()))


def factor_groups(
    factors: np.ndarray, numbers: Sequence[int] | np.ndarray, count: int, seed: int = 0
) -> Iterator[tuple[int, np.ndarray]]:
    """Rows to draw faces from that are the same in one factor, and else as different as rows of the table.

    Args:
      factors: [N, F].
      numbers: of the factors that are held in turn, equally often, in random order.
      count: of groups.
      seed: of the draws.

    Yields:
      Number of the factor and factors [32, F].
    """
    rng = np.random.default_rng(seed)
    rounds = -(-count // len(numbers))
    for number in np.concatenate([rng.permutation(numbers) for _ in range(rounds)])[:count].tolist():
        group = factors[rng.choice(len(factors), GROUP_SIZE)]
        group[:, number] = group[0, number]
        yield number, group


def _encoded_groups(
    model, source: Source, factors: np.ndarray, numbers: np.ndarray, count: int
) -> Iterator[tuple[int, np.ndarray]]:
    groups = tqdm(
        factor_groups(factors, numbers, count), "drawing groups", count, delay=PROGRESS_AFTER_SECONDS, leave=False
    )
    for number, group in groups:
        yield number, _codes_of_drawn(model, source, group)


def _codes_of_drawn(model, source: Source, factors: np.ndarray) -> np.ndarray:
    """Codes of faces that are drawn from factors [n, F] in the shape of a source: [n, D]."""
    image_size, _, channels = source.image_shape
    faces = draw_faces(factors, image_size)
    images = (faces if channels == 3 else gray(faces)).astype(np.float32) / 255.0
    if not isinstance(model, ConditionalVAE):
        return np.asarray(model.encode(images))
    columns = [ATTRIBUTE_NAMES.index(name) for name in model.attributes]
    return np.asarray(model.encode(images, face_attributes(factors)[:, columns]))


def _read(examples: Examples) -> Examples:
    """What a model reads of examples, pictures as floats in [0, 1]."""
    read = {name: examples[name] for name in READ if name in examples}
    return {**read, "image": examples["image"].astype(np.float32) / 255.0}
