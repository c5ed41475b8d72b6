"""Put runs side by side: settings that differ, figures, curves, pictures of a split, new ones and morphs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from ... import files, pictures
from ...datasets.source import SPLITS
from ...pictures import charts
from ..errors import UsageError
from ..flags import groups, kinds
from ..folders import new_folder
from ..runs.checkpoints import MODEL_FILE
from ..runs.epochs import VALIDATION, find_pace, read_epochs
from ..runs.results import read_measured
from ..runs.run import Run, open_run
from ..tables import markdown_table
from ..terminal import announce

ITEM = "run"  # words without dashes are its values
FACES, DRAWN, STEPS = 4, 3, 5  # pictures of a row: reconstructions, new ones, a morph
SIDE, FONT = 128, 14
FITTED = 1000  # training faces that new ones are drawn like
NO_SETTINGS = (
    "run_dir",
    "seed",
    "keep_checkpoints",
    "save_every",
    "draw_every",
    "measure_every",
    "cache_gb",
    "perception_count",
)
MEASURES = ("psnr", "ssim")  # of validation


def define_flags(values: flags.FlagValues) -> None:
    text = "A run folder, or whatever else --run_dir takes; two or more: facezoo compare runs/a runs/b."
    kinds.define_paths(values, "run", text)
    flags.DEFINE_enum("split", "test", SPLITS, "Split whose pictures are shown.", flag_values=values)
    flags.DEFINE_enum("checkpoint", None, groups.CHECKPOINTS, "Which model of each run.", flag_values=values)
    kinds.define_path(values, "out", "New folder for the table, the chart and the sheet (comparison).")


def run(values: flags.FlagValues) -> None:
    if len(values.run) < 2:
        raise UsageError("compare needs two runs or more: facezoo compare runs/a runs/b")
    runs = [open_run(name, values.checkpoint) for name in values.run]
    names = _distinct([each.folder.name for each in runs])
    out = new_folder(values.out, Path("comparison"))
    announce(f"Loading and drawing by {len(runs)} models ...")
    models = [each.model() for each in runs]
    rows = [
        {
            "run": name,
            **about,
            **_figures(each),
            **(read_measured(each.folder) if each.model_path == each.folder / MODEL_FILE else {}),
            "parameters": f"{model.count_params():,}",
        }
        for name, about, each, model in zip(names, _find_differing(runs), runs, models, strict=True)
    ]
    said = f"comparison of {', '.join(names)}"
    with files.whole_folder(out) as partial:
        table = markdown_table(_transposed(rows))
        files.write_text(partial / "table.md", table + "\n")
        drawn = _save_curves(partial, names, runs, said)
        shown = [_make_pictures(each, model, values.split) for each, model in zip(runs, models, strict=True)]
        pictures.save_png(partial / "sheet.png", _sheet(names, shown, values.split), said)
    print(f"{table}\n\n" + "\n".join(str(out / name) for name in ("table.md", *drawn, "sheet.png")))


def _transposed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A column for each run instead of a row, so that many settings make a table long and not wide."""
    names = list(dict.fromkeys(name for row in rows for name in row if name != "run"))
    return [{"": name} | {row["run"]: row.get(name, "") for row in rows} for name in names]


def _save_curves(folder: Path, names: list[str], runs: list[Run], said: str) -> list[str]:
    """A chart for each data set, whose figures tell nothing beside those of another; returns what they are called."""
    by_data: dict[tuple[str, str], dict[str, tuple[list[float], list[float]]]] = {}
    for name, each in zip(names, runs, strict=True):
        data = each.settings.data
        by_data.setdefault((data.dataset, str(data.data_dir or "")), {})[name] = _curve(each)
    drawn = []
    for number, ((dataset, data_dir), curves) in enumerate(by_data.items(), 1):
        drawn.append(f"curves-{number}.png" if len(by_data) > 1 else "curves.png")
        of = f"{dataset} in {Path(data_dir).name}" if data_dir else dataset
        axis = f"PSNR in validation on {of}, dB"
        charts.save_curves(folder / drawn[-1], curves, "pictures seen", axis, said)
    return drawn


def _distinct(names: list[str]) -> list[str]:
    """Names of which none stands twice."""
    return [
        f"{name} ({names[:place].count(name) + 1})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _find_differing(runs: list[Run]) -> list[dict[str, Any]]:
    """Returns for each run the settings in which they are not all alike."""
    values = [kinds.make_flags(each.settings) for each in runs]
    settings = [{name: each[name].value for name in each} for each in values]
    names = [name for name in settings[0] if name not in NO_SETTINGS and len({str(one[name]) for one in settings}) > 1]
    return [{name: _as_text(one[name]) for name in names} for one in settings]


def _as_text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)


def _figures(each: Run) -> dict[str, Any]:
    """Returns the last epoch's measures of validation, and how long all epochs took and how fast."""
    epochs = read_epochs(each.folder)
    last = epochs[-1] if epochs else {}
    measures = {f"validation {name}": float(last[key]) for name in MEASURES if (key := f"{VALIDATION}{name}") in last}
    return measures | find_pace(epochs, each.settings.schedule.batch_size)


def _curve(each: Run) -> tuple[list[float], list[float]]:
    """How many pictures were seen after each epoch, and the PSNR then."""
    known = [row for row in read_epochs(each.folder) if row.get("val_psnr")]
    seen = [float(row["step"]) * each.settings.schedule.batch_size for row in known]
    return seen, [float(row["val_psnr"]) for row in known]


def _make_pictures(each: Run, model, split: str) -> tuple[np.ndarray, ...]:
    """Faces of a split, what the model makes of them, new ones or none, and the way from the first to the second."""
    from ..codes.encoding import choose_conditions, decode_codes, encode_batch, floats, tell_person
    from ..codes.morphing import morph_through
    from ..flags.sources import for_model

    source = for_model(each.source(split), model, each.settings.objective.masks)
    if len(source) < FACES:
        raise UsageError(f"{source.name} of {each.folder} has fewer than {FACES} pictures")
    examples = source.load(np.linspace(0, len(source) - 1, FACES).astype(int))  # neighbours may show one person
    faces, told = floats(examples["image"]), choose_conditions(model, examples)
    made = decode_codes(model, encode_batch(model, faces, told), told or tell_person(model, None))
    return faces, made, _draw_new(each, model), morph_through(model, faces[:2], STEPS)


def _draw_new(each: Run, model) -> np.ndarray:
    """Faces as `facezoo sample` draws them; none of codes that are maps or of given people."""
    from ..codes.encoding import floats, list_people
    from ..codes.kept import CodeKeeper
    from ..codes.sampling import SamplingSettings, sample_source
    from ..flags.sources import for_model

    none = np.empty((0, *each.image_shape), np.float32)
    if len(model.shape_of_code()) > 1 or list_people(model):
        return none
    try:
        train = for_model(each.source("train"), model, each.settings.objective.masks)
        components = min(SamplingSettings().components, len(train) // 2)
        asked = SamplingSettings(count=DRAWN, fit_count=FITTED, components=components)
        return floats(sample_source(model, train, asked, CodeKeeper(each)).load(np.arange(DRAWN))["image"])
    except UsageError as error:
        announce(f"{each.folder}: no new faces, {error}")
        return none


def _sheet(names: list[str], shown: Sequence[tuple[np.ndarray, ...]], split: str) -> np.ndarray:
    """A row for each run, below the faces where those are other ones: uint8 [H, W, 3]."""
    most_drawn = max(len(drawn) for _, _, drawn, _ in shown)
    columns = FACES + most_drawn + STEPS
    blank = np.full((columns, SIDE, SIDE, 3), 255, np.uint8)
    rows, labels, above = [], [], None
    for name, each in zip(names, shown, strict=True):
        faces, made, drawn, way = map(_enlarge, each)
        if above is None or not np.array_equal(faces, above):
            rows += [faces, blank[FACES:]]
            labels += [f"{split} faces", *[""] * (columns - 1)]
        rows += [made, drawn, blank[len(drawn) : most_drawn], way]
        labels += [name, *[""] * (FACES - 1), *["new faces" if len(drawn) else ""] * (most_drawn > 0)]
        labels += [*[""] * (most_drawn - 1), "morph of the first two", *[""] * (STEPS - 1)]
        above = faces
    return pictures.draw_labelled_sheet(np.concatenate(rows), labels, columns, 1, FONT, is_above=True)


def _enlarge(made: np.ndarray) -> np.ndarray:
    """[N, H, W, C] in [0, 1] -> uint8 [N, SIDE, SIDE, 3]."""
    if not len(made):
        return np.empty((0, SIDE, SIDE, 3), np.uint8)
    return np.broadcast_to(pictures.resize(pictures.to_uint8(made), SIDE), (len(made), SIDE, SIDE, 3))
