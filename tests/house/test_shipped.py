"""What ships, by setup.py's own data: nothing is forgotten, and nothing too large."""

from shipped import ROOT, list_shipped, read_setup

FOLDERS = (
    "losses",
    "compressing",
    "models",
    "datasets",
    "metrics",
    "latents",
    "pictures",
    "films",
    "warping",
    "experiments",
)
# Files in the package's folders that only a checkout needs.
OF_CHECKOUTS = {"experiments/recipes/zoo.toml"}
MOST_BYTES = 40e6  # of the weights that ship


def test_every_file_of_the_package_ships():
    there = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()}
    names = {path.relative_to(ROOT).as_posix() for path in there if "__pycache__" not in path.parts}
    assert names - OF_CHECKOUTS == {name.removeprefix("facezoo/") for name in list_shipped() if name.count("/") > 1}


def test_nothing_but_the_package_ships():
    shipped = list_shipped()
    top = {name for name in shipped if name.count("/") == 1}
    assert top == {"facezoo/__init__.py", "facezoo/__main__.py", "facezoo/files.py", "facezoo/py.typed"}
    assert {name.split("/")[1] for name in shipped - top} == set(FOLDERS)
    assert not [name for name in shipped if name.endswith((".keras", ".h5", ".task", ".jpg"))]


def test_weights_and_cards_ship_in_pairs_and_stay_small():
    weights = {name for name in list_shipped() if name.startswith("facezoo/models/weights/")}
    assert {name.removesuffix(".npz") for name in weights if name.endswith(".npz")} == {
        name.removesuffix(".json") for name in weights if name.endswith(".json")
    }
    assert sum((ROOT / name.removeprefix("facezoo/")).stat().st_size for name in weights) < MOST_BYTES


def test_the_command_and_the_page_of_the_package_are_there():
    told = read_setup()
    assert told["entry_points"] == {"console_scripts": ["facezoo=facezoo.experiments.cli:main"]}
    assert told["long_description"] == (ROOT / "README.md").read_text("utf-8")
