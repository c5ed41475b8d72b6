"""Codes of many pictures, and pictures of many codes."""

from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from ..datasets.picture_index import PROGRESS_AFTER_SECONDS
from ..datasets.source import Source

BATCH_SIZE = 64


def encoded(
    model, source: Source, columns: Sequence[str] = (), count: int | None = None, told: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """The codes of a source's pictures, and what is known of them.

    Args:
      model: an `Autoencoder`.
      source: at least one picture.
      columns: of the source's examples, to be kept too.
      count: only the first pictures; all if absent.
      told: columns that the model is told, too, as a conditional one its attributes.

    Returns:
      `codes` float32 [N, *code shape], and the columns [N, ...].
    """
    total = len(source) if count is None else min(count, len(source))
    batches = []
    for positions in _portions(total, "encoding"):
        examples = source.load(positions)
        images = examples["image"].astype(np.float32) / 255.0
        kept = {name: examples[name] for name in columns}
        batches.append(kept | {"codes": np.asarray(model.encode(images, *(examples[name] for name in told)))})
    return {name: np.concatenate([batch[name] for batch in batches]) for name in ("codes", *columns)}


def decoded(model, codes: np.ndarray, *known: np.ndarray) -> np.ndarray:
    """Pictures of codes [N, *code shape], float32 [N, H, W, C] in [0, 1]; `known` are further rows that it is told."""
    return np.concatenate(
        [
            np.asarray(model.decode(*(rows[positions] for rows in (codes, *known))))
            for positions in _portions(len(codes), "decoding")
        ]
    )


def _portions(total: int, what: str) -> Iterator[np.ndarray]:
    starts = range(0, total, BATCH_SIZE)
    for start in tqdm(starts, desc=what, unit="batch", delay=PROGRESS_AFTER_SECONDS, leave=False):
        yield np.arange(start, min(start + BATCH_SIZE, total))
