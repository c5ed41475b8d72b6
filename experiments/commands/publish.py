"""Round a trained run's weights to float16, measure them again, and write them with a card."""

import re
from pathlib import Path

from absl import flags

from ... import __version__, files, pictures
from ...datasets.packed import describe_origin
from ...datasets.source import SPLITS
from ..backend import load_tensorflow
from ..codes.encoding import count_at_once
from ..codes.portrait import page, portrait
from ..errors import UsageError
from ..faces.origins import find_data_origin, recognise_square
from ..flags import groups, kinds
from ..flags.sources import for_model
from ..runs import hub
from ..runs.run import Run, open_run
from ..runs.settings import write_settings
from ..terminal import announce

ENDINGS = (".npz", ".json", ".md", ".png")
WORDS = ("run_dir",)  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    flags.DEFINE_string("name", None, "What the files are called; as the run if absent.", flag_values=values)
    text = "Folder for NAME.npz, the weights, NAME.json and NAME.md, their card, and NAME.png, what they do."
    kinds.define_path(values, "out", text, default=".")
    flags.DEFINE_string("of_recipe", None, "The recipe that the run followed, for the card.", flag_values=values)
    flags.DEFINE_enum("split", "test", SPLITS, "Split to measure, and to show pictures of.", flag_values=values)
    text = "Show pictures of the split on the card; if absent, those of drawn faces and public data sets alone."
    flags.DEFINE_bool("pictures", None, text, flag_values=values)
    text = "hf://USER/NAME, a repository on the Hugging Face hub that gets a copy with a card for it."
    flags.DEFINE_string("to", None, text, flag_values=values)
    text = "What others may do with it, as the hub names it: apache-2.0, cc-by-nc-4.0, other. --to wants it."
    flags.DEFINE_string("license", None, text, flag_values=values)
    flags.DEFINE_bool("public", False, "Anybody may see the repository; only you if absent.", flag_values=values)


def run(values: flags.FlagValues) -> None:
    place = _check_place(values)
    opened, out = open_run(values.run_dir, values.checkpoint), Path(values.out)
    name = _default_name(opened) if values.name is None else values.name
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise UsageError(f"--name={name} must be made of letters, digits, _ and -")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out={out} is no folder")
    own = opened.settings.data.data_dir
    has_pictures = own is None if values.pictures is None else values.pictures
    names = [f"{name}{ending}" for ending in ENDINGS if has_pictures or ending != ".png"]
    try:
        with files.whole_files(out / name, names) as partial:
            if place:
                hub.check_room(place, values.public)
            page_there = _publish(values, opened, name, partial, has_pictures, place)
            address = _upload(place, name, partial, page_there) if place else None  # where that fails nothing is left
    except files.OccupiedError as error:
        raise UsageError(f"--name={name}: {error}") from error
    print("\n".join(str(out / name) for name in names if (out / name).exists()))
    if values.pictures is None and own:
        print(f"without pictures, since they would show faces of {own}; --pictures shows them")
    if address:
        print(address)


def _upload(place: hub.Place, name: str, folder: Path, page_there: str) -> str:
    """Puts what is in a folder on a hub; returns its address."""
    contents: dict[str, Path | bytes] = {hub.PAGE: page_there.encode()}
    told = ((".npz", hub.WEIGHTS), (".json", hub.CARD), (".png", hub.SHEET))
    contents |= {there: folder / f"{name}{ending}" for ending, there in told if (folder / f"{name}{ending}").exists()}
    return hub.upload(place, contents, f"Publish {name} by facezoo {__version__}")


def _check_place(values: flags.FlagValues) -> hub.Place | None:
    """Where on a hub it goes, if anywhere."""
    if values.to is None:
        for name in ("license", "public"):
            if values[name].present:
                raise UsageError(f"--{name} does nothing without --to")
        return None
    if not hub.is_hub(values.to):
        raise UsageError(f"--to={values.to} is no place on a hub: hf://USER/NAME is one; --out names a folder here")
    place = hub.parse_place(values.to)
    if not values.license:
        raise UsageError("--to wants --license, what others may do with the weights: apache-2.0, cc-by-nc-4.0, other")
    return place


def _default_name(opened: Run) -> str:
    """The run's, as far as a file may be called so everywhere."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", opened.folder.absolute().name).strip("_") or "model"


def _publish(
    values: flags.FlagValues, opened: Run, name: str, folder: Path, has_pictures: bool, place: hub.Place | None
) -> str:
    """Writes all files; returns the page for a hub, if one gets them."""
    source = opened.source(values.split)
    tf = load_tensorflow()
    from ...models import TrainableModel
    from ...models.pretrained import round_weights, save_pretrained
    from ..codes.card_measures import measure_for_card
    from ..training.evaluation import Measurer

    trained = opened.model(TrainableModel)
    model = trained.network()
    try:
        round_weights(model)
    except ValueError as error:
        raise UsageError(f"--run_dir={opened.folder}: {error}") from error
    read = for_model(source, trained, opened.settings.objective.masks)
    announce(f"Measuring {len(read):,} faces of {read.name} ...")
    measured = Measurer(trained, tf.distribute.get_strategy())(read, count_at_once(read, trained.reads_clips))
    square = recognise_square(opened.settings.data, read)
    figures = measure_for_card(opened, trained, read, square) if trained.reconstructs else {}
    card = {
        "name": name,
        "recipe": values.of_recipe,
        "data": f"{opened.settings.data.dataset}, measured on its {values.split} split of {measured.count}",
        "seed": opened.settings.run.seed,
        "facezoo": __version__,
        "flags": write_settings(opened.settings, with_paths=False).splitlines(),
        "metrics": measured.values | figures,
    }
    if origin := opened.origin or find_data_origin(opened.settings.data):
        card["origin"] = {**describe_origin(origin), "size": opened.image_shape[0]}
    rows: list[str] = []
    if has_pictures and model.reconstructs:
        sheet, rows = portrait(model, read)
        pictures.save_png(folder / f"{name}.png", sheet, f"{name}: {'; '.join(rows)}")
    ships = Path(values.out).resolve() == files.WEIGHTS_FOLDER.resolve() and not place
    save_pretrained(model, name, card, folder, beside=files.WEIGHTS_FOLDER if ships else None)
    (folder / f"{name}.md").write_text(page(card, model, rows), encoding="utf-8")
    if not place:
        return ""
    metadata = hub.write_metadata(values.license, model.reconstructs, opened.settings.data.dataset)
    return metadata + page(card, model, rows, str(place))
