"""Files that TensorBoard's embedding projector reads: vectors, what they are, and a small picture of each."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import files
from .files import save_png
from .sheets import grid, thumbnails

CONFIG_FILE = "projector_config.pbtxt"
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
    (folder / CONFIG_FILE).write_text(str(config), encoding="utf-8")


def link_projector(log: Path, folder: Path) -> None:
    """Has a log of TensorBoard's show what `save_projector` has written into a folder elsewhere.

    Args:
      log: where events lie.
      folder: as `save_projector` made it.
    """
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    config = text_format.Parse((folder / CONFIG_FILE).read_text("utf-8"), ProjectorConfig())
    place = Path(os.path.relpath(folder, log))
    for embedding in config.embeddings:
        embedding.tensor_path, embedding.metadata_path, embedding.sprite.image_path = (
            (place / name).as_posix()
            for name in (embedding.tensor_path, embedding.metadata_path, embedding.sprite.image_path)
        )
    files.write_text(log / CONFIG_FILE, str(config))


def _table(labels: dict[str, Sequence[object]]) -> str:
    """Rows of a TSV file under a head, which one column alone must not have."""
    head = [] if len(labels) == 1 else [tuple(labels)]
    rows = [*head, *zip(*labels.values(), strict=True)]
    return "".join("\t".join(" ".join(str(cell).split()) for cell in row) + "\n" for row in rows)
