"""Time training steps, input, latency and start-up, against PyTorch if asked; medians over alternations."""

import contextlib
import importlib.util
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    TERMS,
    as_json,
    has_peer,
    table,
)
from ..errors import UsageError
from ..flags import groups, kinds


def define_flags(values: flags.FlagValues) -> None:
    where: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_multi_enum("measure", None, MEASURES, "What to time; all of it if absent.", **where)
    flags.DEFINE_list("models", None, "Keys of models; all if absent.", **where)
    flags.DEFINE_multi_enum("terms", ["plain"], list(TERMS), "Loss terms of the training steps.", **where)
    flags.DEFINE_multi_enum(
        "precision", ["mixed_bfloat16"], groups.PRECISIONS, "Precisions of the training steps.", **where
    )
    flags.DEFINE_enum("peer", None, ["torch"], "Times PyTorch's DFC-VAE, too: pip install 'facezoo[peers]'.", **where)
    groups.define_image_size(values, 64)
    kinds.define_number(values, "batch_size", 64, "Pictures in a batch.", 1)
    kinds.define_number(values, "alternations", 5, "How often each is timed, in turn.", 1)
    kinds.define_number(values, "seconds", 3.0, "Seconds of each turn.", 0.0, kind=float, above=True)
    kinds.define_path(values, "out", "JSON file for all figures.")


def run(values: flags.FlagValues) -> None:
    """Raises UsageError for a model or size that there is not, a peer that cannot be, or a place that is taken."""
    load_tensorflow()
    models, measures = _models(values), values.measure or MEASURES
    if values.peer:
        _check_peer(values, models, measures)
    if values.out and Path(values.out).exists():
        raise UsageError(f"--out={values.out} exists: choose another file")
    with files.whole_file(Path(values.out), is_new=True) if values.out else contextlib.nullcontext() as partial:
        rows = [row for measure in MEASURES if measure in measures for row in MEASURE[measure](values, models)]
        print(table(rows))
        if partial:
            partial.write_text(json.dumps(as_json(values, rows), indent=2) + "\n", encoding="utf-8")


def _models(values: flags.FlagValues) -> list[str]:
    from ...models import MODELS

    for name in values.models or ():
        if name not in MODELS:
            raise UsageError(f"--models={name} must be some of {', '.join(MODELS)}")
    return values.models or list(MODELS)


def _check_peer(values: flags.FlagValues, models: Sequence[str], measures: Sequence[str]) -> None:
    if importlib.util.find_spec("torch") is None:
        raise UsageError("--peer=torch: PyTorch is not installed: pip install 'facezoo[peers]'")
    if values.image_size != PEER_SIZE:
        raise UsageError(f"--peer=torch: its network is for --image_size={PEER_SIZE}, not {values.image_size}")
    wanted = itertools.product(models, values.terms, values.precision)
    if "train" not in measures or not any(has_peer(*case) for case in wanted):
        raise UsageError(
            f"--peer=torch does nothing here: it trains {PEER_MODEL} with --terms={' or '.join(PEER_TERMS)} in "
            f"--precision={' or '.join(PEER_PRECISIONS)}"
        )
