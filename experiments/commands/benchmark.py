"""Time training steps, input, latency and start-up, against PyTorch if asked; medians over alternations."""

import contextlib
import importlib.util
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ... import files
from ..backend import load_tensorflow
from ..benchmarks.measures import (
    MEASURE,
    MEASURES,
    PEER_MODEL,
    PEER_PRECISIONS,
    PEER_SIZE,
    PEER_TERMS,
    BenchmarkSettings,
    as_json,
    has_peer,
    table,
)
from ..errors import UsageError
from ..flags.kinds import define, define_path, read


def define_flags(values: flags.FlagValues) -> None:
    define(values, BenchmarkSettings)
    define_path(values, "out", "JSON file for all figures.")


def run(values: flags.FlagValues) -> None:
    """Raises UsageError for a model or size that there is not, a peer that cannot be, or a place that is taken."""
    load_tensorflow()
    settings = read(values, BenchmarkSettings)
    models, measures = _models(settings), settings.measure or MEASURES
    if settings.peer:
        _check_peer(settings, models, measures)
    if values.out and Path(values.out).exists():
        raise UsageError(f"--out={values.out} exists: choose another file")
    with files.whole_file(Path(values.out), is_new=True) if values.out else contextlib.nullcontext() as partial:
        rows = [row for measure in MEASURES if measure in measures for row in MEASURE[measure](settings, models)]
        print(table(rows))
        if partial:
            partial.write_text(json.dumps(as_json(settings, rows), indent=2) + "\n", encoding="utf-8")


def _models(settings: BenchmarkSettings) -> Sequence[str]:
    from ...models import MODELS

    for name in settings.models or ():
        if name not in MODELS:
            raise UsageError(f"--models={name} must be some of {', '.join(MODELS)}")
    return settings.models or list(MODELS)


def _check_peer(settings: BenchmarkSettings, models: Sequence[str], measures: Sequence[str]) -> None:
    if importlib.util.find_spec("torch") is None:
        raise UsageError("--peer=torch: PyTorch is not installed: pip install 'facezoo[peers]'")
    if settings.image_size != PEER_SIZE:
        raise UsageError(f"--peer=torch: its network is for --image_size={PEER_SIZE}, not {settings.image_size}")
    wanted = itertools.product(models, settings.terms, settings.precision)
    if "train" not in measures or not any(has_peer(*case) for case in wanted):
        raise UsageError(
            f"--peer=torch does nothing here: it trains {PEER_MODEL} with --terms={' or '.join(PEER_TERMS)} in "
            f"--precision={' or '.join(PEER_PRECISIONS)}"
        )
