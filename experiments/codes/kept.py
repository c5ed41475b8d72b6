"""Codes that a run's model has found once, kept with the run: the same pictures are not encoded again."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from absl import logging

from ... import files
from ...datasets.source import Source
from ...latents.archives import load_arrays, save_arrays
from ..runs.places import is_run
from ..runs.run import Run
from ..terminal import announce

FOLDER = "codes"
KIND = "codes of pictures"
COLUMNS = ("attributes", "factors")  # that are kept beside the codes, so that pictures need not be read for them
MOST_BYTES = 256_000_000  # of one file; more, as spatial codes take, are not kept
MOST_FOLDER_BYTES = 512_000_000  # of all in one folder; then the oldest go
PROBES = 5  # pictures that are looked at to see whether they are the same still

Columns = Mapping[str, np.ndarray]


class CodeKeeper:
    """Keeps the codes of a run's model in the run's folder; of a model without a run in the user's cache.

    Args:
      run: whose codes they are.

    Attributes:
      model_hash: of the run's model.
    """

    def __init__(self, run: Run):
        self.model_hash = run.model_hash
        self._state = "interim" if run.is_interim else "finished"
        self.folder = (run.folder if is_run(run.folder) else files.cache_folder()) / FOLDER

    def find(self, source: Source, is_told: bool) -> dict[str, np.ndarray]:
        """Codes that are kept of a source's first pictures, and what is known of them.

        Args:
          source: at least one picture.
          is_told: the model was told the source's attributes.

        Returns:
          `codes` [N, *code shape], `log_var` of the same shape where it is kept, and the source's own COLUMNS; nothing
          where nothing is kept that fits.
        """
        path = self._path(source, is_told)
        try:
            if path.stat().st_size > MOST_BYTES:
                return {}
            kept = load_arrays(path, KIND, self.model_hash)
            names = [str(name) for name in kept["attribute_names"]]
            found = {name: kept[name] for name in ("codes", "log_var", *COLUMNS) if name in kept}
            if source.attribute_names:
                found["attributes"] = found["attributes"][:, [names.index(name) for name in source.attribute_names]]
            if not found["codes"].size or {len(column) for column in found.values()} != {len(found["codes"])}:
                raise ValueError(f"{path} is damaged")
        except (OSError, ValueError, KeyError, IndexError, TypeError):  # as if it were not there
            return {}
        return found

    def tell(self, source: Source, is_told: bool, count: int) -> None:
        """Says that so many codes were found."""
        announce(f"codes of {count:,} faces of {source.name} read from {self._path(source, is_told)}")

    def keep(self, source: Source, is_told: bool, found: Columns) -> None:
        """Keeps codes of a source's first pictures instead of what was kept of them, and says so.

        Args:
          source: the pictures.
          is_told: the model was told the source's attributes.
          found: as `find` gives it.
        """
        path = self._path(source, is_told)
        kept = {name: column for name, column in found.items() if name in ("codes", "log_var", *COLUMNS)}
        is_sound = np.isfinite(kept["codes"]).all()
        if not is_sound or sum(column.nbytes for column in kept.values()) > MOST_BYTES * 0.9:
            return
        try:
            if self.folder.is_symlink():
                raise OSError("it is a link")
            self.folder.mkdir(exist_ok=True, parents=True)
            names = np.array(source.attribute_names, dtype=str)
            save_arrays(path, KIND, self.model_hash, {**kept, "attribute_names": names}, is_shared=True)
            files.keep_newest(self.folder, "*-" + "[0-9a-f]" * 16 + ".npz", MOST_FOLDER_BYTES, (path,))
        except OSError as error:  # a run that may only be read, or a disk that is full
            logging.warning("codes are not kept in %s: %s", self.folder, error.strerror or error)
            return
        announce(f"codes of {len(kept['codes']):,} faces of {source.name} kept in {path}")

    def _path(self, source: Source, is_told: bool) -> Path:
        """Where they are kept: a name for this state of the model, these pictures, and what was told of them."""
        told = repr(source.attribute_names) if is_told else ""
        about = (self.model_hash, self._state, told, source.name, source.image_shape, len(source), source.digest())
        sums = hashlib.sha256(repr(about).encode("utf-8", "surrogateescape"))
        chosen = np.unique(np.linspace(0, len(source) - 1, PROBES).astype(int))
        examples = source.load(chosen)
        for name in ("image", *COLUMNS):
            if name == "image" or (name in examples and (is_told or name != "attributes")):
                sums.update(np.ascontiguousarray(examples[name]).tobytes())
        return self.folder / f"{source.name.replace('/', '-')}-{sums.hexdigest()[:16]}.npz"
