"""The house keeps its shape: who imports whom, what is called what, and what is installed."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import facezoo
import pytest
from facezoo.datasets import DATASETS

ROOT = Path(facezoo.__file__).parent
# Which of our folders each folder may import besides itself.
ARROWS = {
    "losses": set(),
    "compressing": set(),
    "models": {"losses", "compressing", "warping"},
    "datasets": {"films"},
    "metrics": {"losses"},
    "latents": set(),
    "pictures": set(),
    "films": {"pictures"},
    "warping": set(),
    "experiments": {"losses", "compressing", "models"}
    | {"datasets", "metrics", "latents", "pictures", "films", "warping"},
}
GROUND = {"files"}  # modules of the root that every folder may import
OLD_PLACES = {"latents/pictures.py"}  # that lead to new ones
DOCUMENTED = ("losses", "compressing", "models", "datasets", "metrics", "latents", "pictures", "films", "warping")
# The floors of `experiments`, the ground first: a room imports from lower floors only, and from itself.
FLOORS = (
    {"ground"},
    {"flags", "machine"},
    {"runs", "exporting"},
    {"codes", "faces"},
    {"training", "explorer", "shipping", "films"},
    {"benchmarks"},
    {"commands"},
    {"cli"},
)
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}


def sources(*folders):
    """The modules of the package, or of some of its folders."""
    return [path for folder in folders or ARROWS for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path):
    """What a module imports, as absolute dotted names: `from ..losses import ssim` is facezoo.losses.ssim."""
    package = ["facezoo", *path.relative_to(ROOT).parent.parts]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def ours(path):
    """The first folder, or the root's name, of everything of facezoo's that a module imports."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("facezoo.")}


def public_definitions(path):
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return [node for node in body if isinstance(node, kinds) and not node.name.startswith("_")]


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_the_reader_of_imports_reads_them(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "models").mkdir()
    module = tmp_path / "models" / "new.py"
    module.write_text(
        "import a.b\ndef late():\n    from ..losses import ssim\nfrom . import vae\nfrom .. import datasets\n"
    )
    assert imported(module) == {"a.b", "facezoo.losses.ssim", "facezoo.models.vae", "facezoo.datasets"}
    assert ours(module) == {"losses", "models", "datasets"}


def test_there_is_something_to_look_at():
    assert len(sources()) > 20
    assert all(sources(folder) for folder in ARROWS)


@pytest.mark.parametrize("folder", ARROWS)
def test_arrows_point_one_way(folder):
    allowed = ARROWS[folder] | {folder, *GROUND, "__version__"}
    paths = [path for path in sources(folder) if path.relative_to(ROOT).as_posix() not in OLD_PLACES]
    wrong = {str(path.relative_to(ROOT)): names for path in paths if (names := ours(path) - allowed)}
    assert not wrong


def modules():
    """Every module of the package by its dotted name below the root."""
    paths = [path for path in [*ROOT.glob("*.py"), *sources()] if path.name != "setup.py"]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def arrows():
    """Which modules each module imports, anywhere in it."""
    known = modules()
    found = {}
    for name, path in known.items():
        names = {imported.removeprefix("facezoo.") for imported in imported(path) if imported.startswith("facezoo.")}
        targets = {target if target in known else target.rpartition(".")[0] for target in names}
        found[name] = {target for target in targets if target in known and target != name}
    return found


def circles(arrows):
    """The groups of modules that lead to each other: those that stay when all that lead nowhere are taken out."""
    left = {name: set(targets) for name, targets in arrows.items()}
    while ends := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in ends:
            del left[name]
    return left


def room(name):
    """The room of a module of `experiments`, or None of others."""
    first, *inner = name.split(".")
    if first != "experiments" or not inner:
        return None
    if (ROOT / "experiments" / inner[0]).is_dir():
        return inner[0]
    return "cli" if inner == ["cli"] else "ground"


def test_no_files_import_each_other_in_a_circle():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}).keys() == {"a", "b", "c", "d"}
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == {}
    assert circles(arrows()) == {}


def test_arrows_inside_of_experiments_point_down():
    floor_of = {name: number for number, rooms in enumerate(FLOORS) for name in rooms}
    back = [
        f"{name} -> {target}"
        for name, targets in arrows().items()
        for target in targets
        if room(name) and room(target) and room(name) != room(target)
        if floor_of[room(target)] >= floor_of[room(name)]
    ]
    assert back == []


def mentions(pattern, folder, *without):
    """Lines of code below a folder that match, but for some of its rooms."""
    paths = [path for path in sources(folder) if not set(path.relative_to(ROOT).parts) & set(without)]
    lines = [(path, line) for path in paths for line in path.read_text("utf-8").splitlines()]
    return [f"{path.relative_to(ROOT)}: {line.strip()}" for path, line in lines if re.search(pattern, line)]


def test_flags_stop_at_the_door():
    assert mentions(r"\bFlagValues\b", "experiments", "flags", "commands") == []


def test_nobody_but_the_models_asks_what_kind_of_model_or_term_it_is():
    asked = [
        line
        for folder in set(ARROWS) - {"models", "losses"}
        for line in mentions(r"isinstance\([^)]*([mM]odel|[tT]erm|[nN]etwork|Autoencoder)", folder)
    ]
    assert len(asked) <= 2, asked


def test_nobody_but_the_data_sets_knows_them_by_name():
    names = "|".join(DATASETS)
    pattern = rf"(==|!=|\bin\b|startswith\()\s*[\[(]?\s*[\"']({names}|procedural)[\"']"
    assert mentions(pattern, "experiments") == []


def test_what_removes_or_replaces_stands_in_the_list_of_security():
    """SECURITY.md says of each what it can reach; whatever else removes or renames files goes through `files`."""
    calls = r"\.(unlink|rmdir|rename|hardlink_to)\(|rmtree\(|os\.(remove|rename|replace|unlink)\("
    calls += r"|(partial|path|file)\.replace\("
    found = {line.partition(":")[0] for folder in ARROWS for line in mentions(calls, folder)}
    listed = (ROOT / "SECURITY.md").read_text("utf-8")
    rooms = ("runs/checkpoints", "runs/folder", "training/run", "training/records", "faces/crops")
    assert found == {f"experiments/{name}.py" for name in (*rooms, "explorer/page", "explorer/server")} | {
        "films/parts.py"
    }
    for name in found:
        assert f"`{name.removeprefix('experiments/').removesuffix('.py')}" in listed, name


def test_nobody_imports_commands_but_cli():
    guests = {name for name, targets in arrows().items() for target in targets if room(target) == "commands"}
    assert guests == {"experiments.cli"}


def test_the_root_and_the_ground_import_nothing_of_ours_at_once():
    assert ours(ROOT / "__init__.py") == set()
    assert [ours(ROOT / f"{name}.py") for name in GROUND] == [set()]


def test_experiments_are_reached_from_outside_by_the_root_s_lazy_names_only():
    outside = [ROOT / "__init__.py", *sources(*DOCUMENTED)]
    assert [path.name for path in outside if "experiments" in ours(path)] == []
    homes = {home.split(".")[0] for home in facezoo._HOMES.values()}
    assert "experiments" in homes
    assert homes <= set(ARROWS)


def test_our_own_folders_are_never_imported_without_a_prefix():
    wrong = {
        str(path.relative_to(ROOT)): names
        for path in [ROOT / "__init__.py", *sources(), *sorted((ROOT / "tests").rglob("*.py"))]
        if (names := {name for name in imported(path) if name.split(".")[0] in {*ARROWS, "tests"}})
    }
    assert not wrong


def test_inside_of_the_package_imports_are_relative():
    for path in sources():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        absolute = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
        plain = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        assert not [name for name in absolute + plain if name.split(".")[0] == "facezoo"], path


def test_no_module_has_a_name_that_says_nothing():
    paths = [path for path in ROOT.rglob("*.py") if ".venv" not in path.parts]
    assert not [path for path in paths if VAGUE & {path.stem, *path.relative_to(ROOT).parts[:-1]}]


def test_every_package_on_disk_is_installed():
    on_disk = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for folder in ARROWS
        for path in (ROOT / folder).rglob("__init__.py")
    }
    setup = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    assigned = {node.targets[0].id: node.value for node in setup.body if isinstance(node, ast.Assign)}
    assert set(ast.literal_eval(assigned["FOLDERS"])) == on_disk
    modules_without_package = [path for path in sources() if not (path.parent / "__init__.py").exists()]
    assert not modules_without_package


@pytest.mark.parametrize("module", ["facezoo", "facezoo.experiments.cli", "facezoo.datasets.folder"])
def test_importing_it_imports_neither_tensorflow_nor_keras(module):
    done = run(
        f"import sys, {module}\n"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'keras', 'matplotlib', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_every_lazy_name_of_the_root_is_there():
    assert {name for name in facezoo.__all__ if getattr(facezoo, name, None) is None} == set()
    assert set(facezoo.__all__) == set(dir(facezoo))
    with pytest.raises(AttributeError, match="no attribute 'no_such'"):
        _ = facezoo.no_such


def test_every_module_and_all_public_names_have_a_docstring():
    missing = [
        str(path.relative_to(ROOT)) for path in sources() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    for path in sources(*DOCUMENTED):
        names = [node.name for node in public_definitions(path) if not ast.get_docstring(node)]
        missing += [f"{path.relative_to(ROOT)}: {name}" for name in names]
    assert not missing


if __name__ == "__main__":
    inner = {name: {target for target in targets if room(target)} for name, targets in arrows().items() if room(name)}
    print(f"{len(inner)} files in experiments, {sum(map(len, inner.values()))} arrows between them, ", end="")
    print(f"{len(circles(inner))} files in circles")
