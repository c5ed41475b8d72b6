"""What a published model shows of itself: a sheet of pictures, and its card as a page of Markdown."""

from typing import Any

import numpy as np

from ... import pictures
from ...datasets.source import Source
from ...latents.sampling import fit_gaussian
from ..runs import hub
from .encoding import (
    NOTHING,
    Columns,
    choose_conditions,
    decode_codes,
    encode_batch,
    encode_source,
    floats,
    list_people,
    tell_person,
)
from .morphing import interpolate_pictures

SHOWN = 8  # pictures in a row
FITTED = 512  # faces whose codes say how new ones are drawn
TYPICAL = 0.8  # share of the noise that is kept
MOST_PEOPLE = 4
LEAST_PIXELS = 128  # of a picture on the sheet, which is enlarged by a whole number


def portrait(model, source: Source) -> tuple[np.ndarray, list[str]]:
    """Rows of pictures that show what an autoencoder does, and what each row is.

    Args:
      model: an `Autoencoder`.
      source: pictures as the model reads them.

    Returns:
      uint8 [rows * S, columns * S, C], and a phrase for each row.
    """
    chosen = np.unique(np.linspace(0, len(source) - 1, min(SHOWN, len(source))).astype(int))
    examples = source.load(chosen)
    images = floats(examples["image"])
    rows = {"pictures that it has not seen": images, **_remade(model, images, choose_conditions(model, examples))}
    if not list_people(model) and len(images) > 1:
        rows["from the first to the last"] = interpolate_pictures(model, images[0], images[-1], steps=len(images))
    if len(model.shape_of_code()) == 1 and not list_people(model) and len(source) >= 2 * SHOWN:
        codes = encode_source(model, source, count=FITTED)["codes"]
        drawn = fit_gaussian(codes, "").draw(0, len(images), TYPICAL)
        rows["new faces"] = decode_codes(model, drawn.astype(np.float32))
    enlarged = max(1, LEAST_PIXELS // images.shape[1])
    sheet = pictures.grid(np.concatenate(list(rows.values())), len(images))
    return sheet.repeat(enlarged, axis=0).repeat(enlarged, axis=1), list(rows)


def _remade(model, images: np.ndarray, told: Columns) -> dict[str, np.ndarray]:
    """Reconstructions; of a mapping model the same faces as each of some people."""
    people = list_people(model)
    if not people:
        return {"what it makes of their codes": decode_codes(model, encode_batch(model, images, told), told)}
    codes = encode_batch(model, images, NOTHING)
    return {f"as {person}": decode_codes(model, codes, tell_person(model, person)) for person in people[:MOST_PEOPLE]}


def page(card: dict[str, Any], model, rows: list[str], place: str | None = None) -> str:
    """The card as Markdown.

    Args:
      card: as it is published.
      model: the network.
      rows: of the sheet NAME.png beside it; none where there is no sheet.
      place: on a hub, where the files have names of their own; files beside it if absent.
    """
    name = card["name"]
    weights = place or f"{name}.npz"
    sheet, description = (hub.SHEET, hub.CARD) if place else (f"{name}.png", f"{name}.json")
    recipe = f" by the recipe `{card['recipe']}`" if card["recipe"] else ""
    shape = f"{model.image_size}x{model.image_size}, {model.channels} channels"
    shown = [f"![{'; '.join(rows)}]({sheet})", "", f"From above: {'; '.join(rows)}.", ""] if rows else []
    return "\n".join(
        [
            f"# {name}",
            "",
            f"A `{type(model).__name__}` of facezoo {card['facezoo']} with {model.count_params():,} parameters, for "
            f"pictures of {shape}; trained{recipe} with seed {card['seed']}. Data: {card['data']}.",
            "",
            *shown,
            "## How good it is",
            "",
            "| measured | value |",
            "|---|---|",
            *(f"| {measure} | {value:.5g} |" for measure, value in card["metrics"].items()),
            "",
            "## How to use it",
            "",
            "```",
            *_uses(model, weights),
            "```",
            "",
            "```python",
            "import facezoo",
            f'model = facezoo.load("{weights}")',
            "```",
            "",
            f"Weights are float16; `{description}` holds their SHA-256 and the flags of the training.",
            "",
        ]
    )


def _uses(model, weights: str) -> list[str]:
    """Commands that use a network."""
    if model.reconstructs:
        return [
            f"facezoo morph --run_dir={weights} --start=FACE.jpg --end=FACE.jpg",
            f"facezoo train --init_from={weights} --dataset=folder --data_dir=PHOTOGRAPHS",
        ]
    if model.draws_codes:
        return [
            f"facezoo sample --run_dir=AUTOENCODER --sampler=flow --prior={weights}",
            f"facezoo morph --run_dir=AUTOENCODER --path=flow --prior={weights} --start=FACE.jpg --end=FACE.jpg",
        ]
    return [f"facezoo train --init_from={weights}"]
