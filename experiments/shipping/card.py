"""What is written beside exported files: export.json, which programs read, and README.md, which people do."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ... import __version__
from ...datasets.packed import describe_origin
from ..faces.origins import find_data_origin
from ..runs.run import Run
from ..tables import markdown_table
from .parts import CODE, PICTURE
from .trial import Result, Trial

VECTORS = "attributes.npz"


def describe(run: Run, trial: Trial, attributes: Sequence[str]) -> dict[str, Any]:
    """What one needs to know to use the files.

    Args:
      run: whose model it is.
      trial: of the model.
      attributes: names of the vectors beside it, if any.
    """
    size, _, channels = run.image_shape
    origin = run.origin or find_data_origin(run.settings.data)
    return {
        "facezoo": __version__,
        "model": type(trial.model.network()).__name__,
        "name": run.folder.absolute().name,
        "model_sha256": run.model_hash,
        PICTURE: {
            "shape": [1, size, size, channels],
            "type": "float32",
            "range": [0.0, 1.0],
            "layout": "batch, row from the top, column from the left, channel (red, green, blue)",
        },
        CODE: {"shape": [1, *trial.model.shape_of_code()], "type": "float32"},
        "crop": {**describe_origin(origin), "size": size},
        "attributes": list(attributes),
        "trained_on": run.settings.data.dataset,
        "tested_on": len(trial.tested),
        "psnr": round(trial.own_psnr, 3),
    }


def as_rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """A line of a table for each file."""
    return [
        {
            "part": result.part,
            "format": result.format,
            "precision": result.precision,
            "KB": f"{result.bytes / 1000:.0f}",
            "largest difference": f"{result.largest_difference:.2g}",
            "PSNR loss, dB": f"{round(result.psnr_loss, 2) + 0.0:.2f}",
            "ms": f"{result.milliseconds:.2f}",
        }
        for result in results
    ]


def write_card(
    folder: Path, told: Mapping[str, Any], results: Sequence[Result], names: Mapping[str, str], start: str = ""
) -> None:
    """Writes export.json and README.md beside the files.

    Args:
      folder: of the files.
      told: as `describe` gives it.
      results: of the files.
      names: of them, by part.
      start: what to do with the folder, a line of a list; files alone tell it themselves.
    """
    about = {**told, "files": [{"file": names[result.part], **_figures(result)} for result in results]}
    (folder / "export.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    lines = [f"- {start}"] if start else []
    lines += [f"- `{names[result.part]}`: {GIVES[result.part]}" for result in results]
    if (folder / VECTORS).exists():
        lines.append(_tell_vectors(told["attributes"]))
    (folder / "README.md").write_text(_make_page(told, results, lines), encoding="utf-8")


def _figures(result: Result) -> dict[str, object]:
    return {name: value for name, value in result._asdict().items() if name != "refused"}


def _tell_vectors(names: Sequence[str]) -> str:
    return (
        f"- `{VECTORS}`: for NumPy, `names` and `vectors`; what to add to a code for "
        f"{', '.join(names)}, at strength 1 as much as faces with it differ from others"
    )


def _make_page(told: Mapping[str, Any], results: Sequence[Result], lines: Sequence[str]) -> str:
    """The model card, as Markdown."""
    picture, code = told[PICTURE], told[CODE]
    return "\n".join(
        [
            f"# {told['name']}",
            "",
            f"A `{told['model']}` of facezoo {told['facezoo']}, trained on {told['trained_on']}. Nothing of facezoo is "
            "needed to run it.",
            "",
            *lines,
            "- `export.json`: all of this for programs",
            "",
            f"A picture is float32 {picture['shape']} in [0, 1]: {picture['layout']}. A code is float32 "
            f"{code['shape']}; a morph is the pictures of codes between two. {_tell_crop(told['crop'])}",
            "",
            "## What the files lose",
            "",
            f"Each was run in its own runtime on {told['tested_on']} faces that the model has not seen, of which it "
            f"makes reconstructions of {told['psnr']:.2f} dB. The loss is that of reconstructions with this part "
            "instead of the original's, the time is the processor's for one face, in one thread.",
            "",
            markdown_table(as_rows(results)),
            "",
            "## Responsible use",
            "",
            "Use pictures of people who have agreed to it, and label generated pictures as generated.",
            "",
        ]
    )


GIVES = {
    "encoder": "a picture to its code",
    "decoder": "a code to its picture",
    "autoencoder": "a picture to what is left of it by its code",
}


def _tell_crop(crop: Mapping[str, Any]) -> str:
    """How a photograph is cut for the model, in a sentence."""
    cut, square = crop.get("cut"), crop.get("crop")
    if cut:
        right, down = cut["shift"]
        beside = f", but for a middle {right:.3g} further right and {down:.3g} further down, in sides without margin"
        command = f"facezoo align --template={cut['template']} --margin={cut['margin']:g}"
        return f"Faces lie in it as `{command}` cuts them{beside if right or down else ''}."
    return f"Of a photograph it shows {f'the crop {square}' if square else 'the largest square in the centre'}."
