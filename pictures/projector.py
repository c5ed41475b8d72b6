"""Files that TensorBoard's embedding projector reads: vectors, what they are, and a small picture of each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .files import save_png
from .sheets import grid, thumbnails

MOST_SPRITE = 8192  # pixels of the sheet's side: a graphics card takes it as one texture


def save_projector(
    folder: Path,
    vectors: np.ndarray,
    labels: dict[str, Sequence[object]],
    images: np.ndarray,
    description: str,
) -> None:
    """Writes a folder that `tensorboard --logdir` shows.

    Args:
      folder: to make.
      vectors: [N, D].
      labels: what is known of each vector, columns of N by name.
      images: uint8 [N, S, S, C].
      description: of the sheet of pictures.
    """
    from tensorboard.plugins.projector import ProjectorConfig

    folder.mkdir()
    np.savetxt(folder / "vectors.tsv", vectors, fmt="%.6g", delimiter="\t")
    (folder / "metadata.tsv").write_text(_table(labels), encoding="utf-8", errors="backslashreplace", newline="")
    columns = int(np.ceil(np.sqrt(len(images))))
    small = thumbnails(images, MOST_SPRITE // columns)
    save_png(folder / "sprite.png", grid(small, columns), description)

    config = ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="codes", tensor_path="vectors.tsv", metadata_path="metadata.tsv")
    embedding.tensor_shape.extend(vectors.shape)
    embedding.sprite.image_path = "sprite.png"
    embedding.sprite.single_image_dim.extend(small.shape[1:3])
    (folder / "projector_config.pbtxt").write_text(str(config), encoding="utf-8")


def _table(labels: dict[str, Sequence[object]]) -> str:
    """Rows of a TSV file under a head, which one column alone must not have."""
    head = [] if len(labels) == 1 else [tuple(labels)]
    rows = [*head, *zip(*labels.values(), strict=True)]
    return "".join("\t".join(" ".join(str(cell).split()) for cell in row) + "\n" for row in rows)
