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
from ..backend import load_tensorflow, use_one_thread
from ..benchmarks.export_settings import ExportsSettings
from ..benchmarks.measures import (
    MEASURE,
    PEER_PRECISIONS,
    PEER_SIZE,
    PEER_TERMS,
    TIMED,
    BenchmarkSettings,
    as_json,
    has_peer,
    table,
)
from ..benchmarks.morphs import MorphBenchmarkSettings, Quality
from ..benchmarks.peers.settings import PeersSettings
from ..errors import UsageError
from ..flags import groups
from ..flags.groups import DataSettings, LandmarkSettings
from ..flags.kinds import define, define_path, list_names, read
from ..pages import align, write_table
from ..runs.run import open_run
from ..tables import markdown_table

# Of which measures flags are; those that are not among them are of all.
OF_MEASURES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(set(list_names(DataSettings)).difference(groups.NOT_DATA), ("morph", "peers")),
    **dict.fromkeys([*list_names(MorphBenchmarkSettings), *list_names(LandmarkSettings)], ("morph",)),
    **dict.fromkeys(list_names(PeersSettings), ("peers",)),
    **dict.fromkeys(list_names(ExportsSettings), ("export",)),
    "page": ("peers", "export"),
    **dict.fromkeys(("models", "terms", "precision", "alternations", "seconds"), TIMED),
    "batch_size": (*TIMED, "peers"),
}


def define_flags(values: flags.FlagValues) -> None:
    define(values, BenchmarkSettings)
    define(values, MorphBenchmarkSettings)
    define(values, LandmarkSettings)
    define(values, PeersSettings)
    define(values, ExportsSettings)
    groups.define_data_flags(values, groups.NOT_DATA)
    define_path(values, "out", "JSON file for all figures.")


def run(values: flags.FlagValues) -> None:
    """Times and measures what is asked for.

    Raises:
      UsageError: a model or size that there is not, a peer that cannot be, a place that is taken, or a flag of another
        measure.
    """
    settings = read(values, BenchmarkSettings)
    measures = settings.measure or TIMED
    for name, of in OF_MEASURES.items():
        if values[name].present and not set(measures) & set(of):
            raise UsageError(f"--{name} does nothing without --measure={' or '.join(of)}")
    if values.out and Path(values.out).exists():
        raise UsageError(f"--out={values.out} exists: choose another file")
    if values.page:
        write_table(Path(values.page), [], "--page")  # or it says what is wrong with it
    if "export" in measures:
        for name in read(values, ExportsSettings).exported:
            open_run(name)  # or it says that there is none
    tf = load_tensorflow()
    models = _models(settings)
    if tuple(measures) == ("export",):
        use_one_thread(tf)
    if settings.peer:
        _check_peer(settings, models, measures)
    with files.whole_file(Path(values.out), is_new=True) if values.out else contextlib.nullcontext() as partial:
        rows = [row for measure in TIMED if measure in measures for row in MEASURE[measure](settings, models)]
        if rows:
            print(table(rows))
        qualities = _measure_morphs(values, settings) if "morph" in measures else []
        peers = _hold_contests(values, settings) if "peers" in measures else []
        exports = _measure_exports(values) if "export" in measures else []
        if partial:
            made = {"morphs": [quality._asdict() for quality in qualities], "peers": peers, "exports": exports}
            figures = as_json(settings, rows) | made
            partial.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _measure_morphs(values: flags.FlagValues, settings: BenchmarkSettings) -> Sequence[Quality]:
    from ...losses.weights import WeightsError
    from ..benchmarks.morphs import measure_morphs
    from ..benchmarks.morphs import table as table_of_morphs

    data = DataSettings(**groups.read_given_data(values, groups.NOT_DATA))
    landmarks = read(values, LandmarkSettings)
    try:
        qualities = measure_morphs(read(values, MorphBenchmarkSettings), data, landmarks, settings.image_size)
    except WeightsError as error:
        raise UsageError(f"--measure=morph: {error}") from error
    print(table_of_morphs(qualities))
    return qualities


def _hold_contests(values: flags.FlagValues, settings: BenchmarkSettings) -> Sequence[dict[str, Any]]:
    from ..benchmarks.peers.peers import hold_contests

    contest = read(values, PeersSettings)
    data = DataSettings(**groups.read_given_data(values, groups.NOT_DATA))
    rows = hold_contests(contest, data, settings.image_size, settings.batch_size)
    print(write_table(Path(contest.page), rows, "--page") if contest.page else markdown_table(rows))
    return rows


def _measure_exports(values: flags.FlagValues) -> Sequence[dict[str, Any]]:
    """Rows of all models; what there is of them is written into the page after each."""
    from ..benchmarks.exports import measure_exports

    page, rows = read(values, PeersSettings).page, []
    for found in measure_exports(read(values, ExportsSettings)):
        rows += found
        if page:
            print(write_table(Path(page), rows, "--page"))
    if not page:
        print(markdown_table(align(rows)))
    return rows


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
        raise UsageError(f"--peer=torch: its networks are for --image_size={PEER_SIZE}, not {settings.image_size}")
    wanted = itertools.product(models, settings.terms, settings.precision)
    if "train" not in measures or not any(has_peer(*case) for case in wanted):
        raise UsageError(
            "--peer=torch does nothing here: it trains "
            + ", ".join(f"{model} with --terms={' or '.join(terms)}" for model, terms in PEER_TERMS.items())
            + f" in --precision={' or '.join(PEER_PRECISIONS)}"
        )
