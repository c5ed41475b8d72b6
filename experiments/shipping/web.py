"""A page that morphs, edits and draws faces in a browser, with all that it needs in its folder."""

import base64
import functools
import gzip
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.alignment import template_points
from ...datasets.origins import is_drawn
from ...datasets.procedural import find_pair
from ...datasets.source import Source
from ...latents.attributes import find_attributes
from ..codes.encoding import encode_source, floats, list_attributes
from ..codes.kept import CodeKeeper
from ..errors import UsageError
from ..exporting.formats import FORMATS
from ..exporting.graphs import ExportError
from ..faces.origins import find_data_cut
from ..runs.run import Run
from ..runs.settings import with_data
from ..terminal import announce
from .card import describe, write_card
from .runtime import BINARY, GLUE, PAGE, SCRIPT
from .trial import Result, Trial, encode_all
from .vectors import choose_method, find_vectors

ONNX, MODEL = "onnx", "model.js"
PARTS = ("encoder", "decoder")
FACES = 1000  # whose codes say how new ones are drawn, and what attributes look like
MOST_NUMBERS = 2**18  # of all directions in which new faces are drawn
MOST_DIRECTIONS = 64


def write_page(
    run: Run,
    trial: Trial,
    given: Mapping[str, Any],
    precision: str,
    max_psnr_loss: float,
    runtime: Path,
    folder: Path,
) -> list[Result]:
    """Writes the page into a folder that is there.

    Args:
      run: whose model it is.
      trial: of the model.
      given: data settings that say which faces it is tried on, where they are not the run's.
      precision: of the model's files, ONNX.
      max_psnr_loss: in dB, that each may lose.
      runtime: folder of ONNX Runtime's files.
      folder: of the page.

    Raises:
      UsageError: a part cannot be written so, or loses too much.
    """
    mean, directions, vectors = _survey(run, trial.model, run.source("train", given))
    results, models = [], {}
    with tempfile.TemporaryDirectory() as place:
        for part in PARTS:
            announce(f"Writing the {part} in {precision}, and running it on {len(trial.tested)} faces ...")
            try:
                results.append(trial.write(part, ONNX, precision, Path(place), max_psnr_loss))
            except ExportError as error:
                raise UsageError(f"--format=web --precision={precision}: the {part} {error}") from error
            models[part] = _pack((Path(place) / f"{part}{FORMATS[ONNX].suffix}").read_bytes())
    cut = find_data_cut(run.settings.data, run.origin)
    about = describe(run, trial, list(vectors))
    told = {
        "about": {
            **about,
            "guide": template_points(cut.template, cut.margin, cut.shift).round(4).tolist(),
            "path": "slerp" if trial.model.network().has_prior else "linear",
        },
        "models": models,
        "mean": _numbers(mean),
        "directions": [_numbers(direction) for direction in directions],
        "starts": choose_starts(
            trial, with_data(run.settings, given).data.dataset, functools.partial(run.source, "test", given)
        ),
        "vectors": [{"name": name, "vector": _numbers(vector)} for name, vector in vectors.items()],
    }
    _write_script(folder / MODEL, "facezooModel", told)
    packed = {"glue": (runtime / GLUE).read_text("utf-8"), "wasm": _pack((runtime / BINARY).read_bytes())}
    _write_script(folder / "runtime.js", "facezooRuntime", packed)
    script = (runtime / SCRIPT).read_text("utf-8")
    (folder / "ort.js").write_text(re.sub(r"\n//# sourceMappingURL=.*", "", script), encoding="utf-8")
    for name in ("index.html", "page.css", "page.js"):
        (folder / name).write_text((PAGE / name).read_text("utf-8"), encoding="utf-8")
    start = "`index.html`: the page, which opens from a disk and from any static host, and needs all files beside it"
    write_card(folder, about, results, dict.fromkeys(PARTS, MODEL), start)
    return results


def _survey(run: Run, model: Any, source: Source) -> tuple[np.ndarray, np.ndarray, Mapping[str, np.ndarray]]:
    """The mean code, directions as long as codes differ along them, and attribute vectors by name."""
    kept = find_vectors(run, model.shape_of_code())
    is_known = bool(source.attribute_names) and not list_attributes(model)
    wanted = ("attributes",) if is_known and not kept else ()
    found = encode_source(model, source, wanted, FACES, keeper=CodeKeeper(run))
    mean, directions = find_directions(found["codes"])
    if kept:
        return mean, directions, dict(zip(kept.names, kept.vectors[choose_method(kept)], strict=True))
    if "attributes" not in found:
        return mean, directions, {}
    try:
        made = find_attributes(found["codes"], found["attributes"], source.attribute_names, "", ("mean",))
    except ValueError:  # too few faces have any
        return mean, directions, {}
    return mean, directions, dict(zip(made.names, made.vectors["mean"], strict=True))


def choose_starts(trial: Trial, dataset: str, open_test: Callable[[], Source]) -> list[str]:
    """Codes of two drawn faces to begin with, that lie alike or that the model shows best; none of people's."""
    if not is_drawn(dataset):
        return []
    test = open_test()
    if pair := find_pair(test):
        faces = floats(test.load(np.array(pair))["image"])
    else:
        contrast = 10.0 * np.log10(np.maximum(trial.tested.var(axis=(1, 2, 3)), 1e-6))  # dark ones have little to lose
        faces = trial.tested[np.argsort(trial.losses - contrast)[:2]]
    return [_numbers(code) for code in encode_all(trial.model, faces)]


def find_directions(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of codes, and the principal directions in which they differ, each times its standard deviation.

    Args:
      codes: [N, *code shape]; of large ones only the first are looked at.

    Returns:
      float32 [*code shape], and [K, *code shape].
    """
    size = int(np.prod(codes.shape[1:]))
    count = int(min(MOST_DIRECTIONS, size, max(1, MOST_NUMBERS // size), max(1, len(codes) - 1)))
    flat = codes.reshape(len(codes), -1)
    mean = flat.mean(axis=0)
    some = (flat if size <= len(flat) else flat[: 8 * count]) - mean
    _, deviations, directions = np.linalg.svd(some, full_matrices=False)
    scaled = deviations[:count, None] / np.sqrt(max(1, len(some) - 1)) * directions[:count]
    return mean.reshape(codes.shape[1:]).astype(np.float32), scaled.reshape(-1, *codes.shape[1:]).astype(np.float32)


def _numbers(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def _pack(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _write_script(path: Path, name: str, told: Mapping[str, Any]) -> None:
    """A script that sets a variable of the page: a file that is opened from a disk may fetch nothing."""
    path.write_text(f"window.{name} = {json.dumps(told)};\n", encoding="utf-8")
