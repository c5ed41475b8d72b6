"""List the architectures, what their constructors take, and the weights that ship."""

import ast
import json
from pathlib import Path

from absl import flags

from ... import files
from ..errors import UsageError
from ..runs.model_files import CARD
from ..runs.places import list_shipped
from ..terminal import wrapped

# Read as text, and not imported, which would wait for TensorFlow.
FOLDER = Path(files.__file__).parent / "models"
TABLES = ("MODELS", "FACE_NETWORKS", "PRIORS")
INDENT = 4
UNBROKEN = "\xa0"  # a space at which no line ends


def define_flags(values: flags.FlagValues) -> None:
    """None: the whole list is short."""


def run(values: flags.FlagValues) -> None:
    for name, (summary, arguments) in list_models().items():
        print(f"{name}: {summary}")
        text = ", ".join(argument.replace(" ", UNBROKEN) for argument in arguments)
        print(wrapped(text, INDENT).replace(UNBROKEN, " "))
    print()
    for name in list_shipped():
        card = _card(name)
        recipe = "" if card["recipe"] == name else f"by {card['recipe']}, "
        data = card["data"].replace("measured", "tested")
        print(f"--init_from={name}: {recipe}{card['image_size']} px, {data}")


def list_homes() -> dict[str, tuple[str, str]]:
    """Returns the module below `models` and the class of each architecture."""
    homes = {
        part.name: path.stem
        for path in sorted(FOLDER.glob("*.py"))
        for part in ast.parse(path.read_text("utf-8")).body
        if isinstance(part, ast.ClassDef)
    }
    return {name: (homes[kind], kind) for name, kind in _list_classes().items()}


def list_models() -> dict[str, tuple[str, list[str]]]:
    """Returns the first line of each architecture's description, and its constructor's arguments with defaults."""
    parts = [part for path in sorted(FOLDER.glob("*.py")) for part in ast.parse(path.read_text("utf-8")).body]
    classes = {part.name: part for part in parts if isinstance(part, ast.ClassDef)}
    listed = {}
    for key, kind in _list_classes().items():
        summary = (ast.get_docstring(classes[kind]) or "").splitlines()[0]
        arguments = _arguments(classes[kind], classes)
        listed[key] = summary, [f"{name}={value}" for name, value in arguments.items()]
    return listed


def _list_classes() -> dict[str, str]:
    """The class of each architecture, by what --model calls it."""
    parts = [part for path in sorted(FOLDER.glob("*.py")) for part in ast.parse(path.read_text("utf-8")).body]
    named = [part for part in parts if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)]
    tables = {ast.unparse(part.target): part.value for part in named if isinstance(part.value, ast.Dict)}
    pairs = (pair for table in TABLES for pair in zip(tables[table].keys, tables[table].values, strict=True))
    return {str(key and ast.literal_eval(key)): ast.unparse(value) for key, value in pairs}


def _arguments(model: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> dict[str, str]:
    """Names and defaults; where a class takes `**options`, those of the class that it extends follow."""
    [made] = [part for part in model.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
    told = zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)
    own = {argument.arg: ast.unparse(default) for argument, default in told if default is not None}
    above = _arguments(classes[ast.unparse(model.bases[0])], classes) if made.args.kwarg else {}
    return own | {name: default for name, default in above.items() if name not in own}


def _card(name: str) -> dict[str, str]:
    path = files.WEIGHTS_FOLDER / f"{name}{CARD}"
    try:
        card = json.loads(files.read_text(path))
        told = {"image_size": card["model"]["config"]["image_size"], "recipe": card["recipe"], "data": card["data"]}
        return {field: str(value) for field, value in told.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"the card {path} is damaged: install facezoo again") from error
