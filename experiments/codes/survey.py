"""The first examples of a split with all that a model says of their codes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...datasets.source import Source
from ...pictures.sheets import thumbnails
from ..flags.sources import for_model
from ..terminal import announce
from .encoding import BATCH_SIZE, NOTHING, Columns, batches, choose_conditions, floats, join_examples, list_attributes
from .kept import COLUMNS, CodeKeeper


class Survey(NamedTuple):
    """The first N examples of a source, encoded, with all that the model says of their codes.

    Attributes:
      codes: float32 [N, *code shape], the means where the model is variational.
      log_var: of a variational model the logarithm of their variance, the same shape.
      known: `attributes` [N, A] and `factors` [N, F] as the source has them.
      images: uint8 [P, S, S, C] of the first P, no larger than thumbnails.
      told: the one row of what the model is told of the first.
    """

    codes: np.ndarray
    log_var: np.ndarray | None
    known: Columns
    images: np.ndarray
    told: Columns

    def draw(self, seed: int = 0) -> np.ndarray:
        """Codes as a variational model draws them, mean + exp(log_var / 2) e; of others the codes themselves."""
        if self.log_var is None:
            return self.codes
        epsilon = np.random.default_rng(seed).standard_normal(self.codes.shape, np.float32)
        return self.codes + np.exp(0.5 * self.log_var) * epsilon


def survey(
    model, source: Source, masks: bool | None, count: int, shown: int = 0, keeper: CodeKeeper | None = None
) -> Survey:
    """Encodes the first examples of a source and keeps thumbnails of some.

    Args:
      model: an `Autoencoder`.
      source: a split.
      masks: as in the model's training, to tell it what it was told there; None tells it nothing.
      count: N at most; of spatial codes, which are large, no more batches than hold P where there is one.
      shown: P.
      keeper: of vector codes that the model has found before; it keeps those that are found now.

    Raises:
      DatasetError: the data set does not have what the model was trained with.
    """
    as_told = source if masks is None else for_model(source, model, masks)
    is_told = masks is not None and bool(list_attributes(model)) and bool(source.attribute_names)
    if is_told and as_told.attribute_names != source.attribute_names:
        keeper = None  # which keeps either what the model was told or what is known
    total = min(count, len(source))
    if keeper and (kept := _kept(keeper, model, source, is_told, total)):
        keeper.tell(source, is_told, total)
        known = {name: kept[name] for name in COLUMNS if name in kept}
        told = NOTHING if masks is None else choose_conditions(model, as_told.load(np.array([0])))
        return Survey(kept["codes"], kept.get("log_var"), known, _thumbnails(source, min(shown, total)), told)
    if total > BATCH_SIZE:
        announce(f"Encoding {total:,} faces of {source.name} ...")
    first: Columns = {}
    parts: list[Columns] = []
    for rows, examples in batches(source, "encoding", count):
        read = examples if as_told is source else as_told.load(np.arange(rows.start, rows.stop))
        told = NOTHING if masks is None else choose_conditions(model, read)
        outputs = _find_codes(model, {"image": floats(examples["image"]), **told})
        found = {"codes": outputs["z"], "log_var": _find_log_var(outputs)}
        found |= {name: examples.get(name) for name in COLUMNS}
        if rows.start < shown:
            found["images"] = thumbnails(examples["image"][: shown - rows.start])
        parts.append({name: np.asarray(value) for name, value in found.items() if value is not None})
        first = first or {name: column[:1] for name, column in told.items()}
        if outputs["z"].shape.rank > 2 and 0 < shown <= rows.stop:
            break
    whole = join_examples(parts)
    if keeper and whole["codes"].ndim == 2 and total > BATCH_SIZE:
        keeper.keep(source, is_told, whole)
    known = {name: whole[name] for name in COLUMNS if name in whole}
    images = whole.get("images", np.empty(0, np.uint8))
    return Survey(whole["codes"].astype(np.float32), whole.get("log_var"), known, images, first)


def _find_codes(model, batch: Columns) -> dict[str, Any]:
    """All that a model says of pictures; without drawing them, where that takes it many steps."""
    if model.network().noise_shape is None:
        return model.network()(batch, training=False)
    return {"z": model.encode(batch["image"])}


def _find_log_var(outputs: Mapping[str, Any]) -> np.ndarray | None:
    """Of all numbers of a code, [N, D]; those that are read and not drawn are told as spread as the prior is."""
    if "log_var" not in outputs:
        return None
    known, size = np.asarray(outputs["log_var"]), outputs["z"].shape[1]
    return np.pad(known, ((0, 0), (0, size - known.shape[1])))


def _kept(keeper: CodeKeeper, model, source: Source, is_told: bool, total: int) -> Columns:
    """What a survey needs of vector codes that are kept; nothing where they are fewer, or say less."""
    kept = keeper.find(source, is_told)
    codes = kept.get("codes", np.empty(0))
    if codes.ndim != 2 or len(codes) < total or (model.network().has_prior and "log_var" not in kept):
        return {}
    return {name: column[:total] for name, column in kept.items()}


def _thumbnails(source: Source, count: int) -> np.ndarray:
    parts = [thumbnails(examples["image"]) for _, examples in batches(source, "reading", count)]
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)
