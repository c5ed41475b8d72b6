"""Trained models in every format and precision: how large, how far from the original, how fast."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..exporting.format import PRECISIONS
from ..exporting.formats import FORMATS
from ..exporting.graphs import ExportError
from ..runs.run import open_run
from ..shipping.card import as_rows
from ..shipping.trial import Result, Trial, make_trial
from ..terminal import announce
from .export_settings import ExportsSettings

PARTS = ("decoder", "autoencoder")


def measure_exports(settings: ExportsSettings) -> Iterator[list[dict[str, Any]]]:
    """The rows of each model: a file in each format and precision that goes with it, or why there is none."""
    for name in settings.exported:
        opened = open_run(name)
        trial = make_trial(opened.model(), opened.source)
        every = itertools.product(PARTS, FORMATS, PRECISIONS)
        cases = [case for case in every if case[2] in FORMATS[case[1]].precisions]
        yield [{"model": name, **_measure(trial, *case, settings.max_psnr_loss)} for case in cases]


def _measure(trial: Trial, part: str, name: str, precision: str, max_psnr_loss: float) -> dict[str, Any]:
    announce(f"{part} as {name} in {precision} ...")
    with tempfile.TemporaryDirectory() as folder:
        try:
            (row,) = as_rows([trial.write(part, name, precision, Path(folder), max_psnr_loss)])
        except ExportError as error:
            (row,) = as_rows([Result(part, name, precision)])
            return {column: row[column] for column in ("part", "format", "precision")} | {"refused": str(error)}
    return row
