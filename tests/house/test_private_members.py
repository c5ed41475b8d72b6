"""Private members of Keras and TensorFlow: which are used, that they are there, and that they are still needed.

A test that fails with a new Keras says which of them can go.
"""

import ast
import importlib
from pathlib import Path

import facezoo
import keras
import pytest
from facezoo.experiments.runs import checkpoints
from facezoo.models import pretrained

ROOT = Path(facezoo.__file__).parent
# Each import with a comment where it stands, and a test below or, of Slurm's, in tests/processes/test_workers.py.
PRIVATE = {
    ("experiments/runs/checkpoints.py", "keras.src.backend.common", "global_state"),
    ("experiments/runs/checkpoints.py", "keras.src.saving.saving_lib", "get_attr_skipset"),
    (
        "experiments/training/devices.py",
        "tensorflow.python.distribute.cluster_resolver.slurm_cluster_resolver",
        "expand_hostlist",
    ),
    (
        "experiments/training/devices.py",
        "tensorflow.python.distribute.cluster_resolver.slurm_cluster_resolver",
        "expand_tasks_per_node",
    ),
    ("models/pretrained.py", "keras.src.backend.common", "global_state"),
}


def is_private(dotted: str) -> bool:
    root, *rest = dotted.split(".")
    return root in ("keras", "tensorflow", "tf") and any(name in ("src", "python") or name[0] == "_" for name in rest)


def found_imports():
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT)
        if place.parts[0] in ("tests", "build", "docs") or place.parts[0].startswith("."):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and is_private(node.module or ""):
                yield from ((place.as_posix(), node.module, name.name) for name in node.names)
            elif isinstance(node, ast.Import):
                yield from ((place.as_posix(), name.name, "") for name in node.names if is_private(name.name))
            elif isinstance(node, ast.Attribute) and is_private(ast.unparse(node)) and "__" not in node.attr:
                yield place.as_posix(), ast.unparse(node), ""


def test_no_other_private_members_are_used():
    assert set(found_imports()) == PRIVATE


@pytest.mark.parametrize(("module", "name"), sorted({(module, name) for _, module, name in PRIVATE}))
def test_what_is_private_is_there(module, name):
    assert hasattr(importlib.import_module(module), name), f"{name} is gone from {module}: see who imports it"


@pytest.fixture
def global_state():
    """Keras' own, in which nothing stands that these tests look for."""
    from keras.src.backend.common import global_state

    names = ["uninitialized_variables", *(f"saving_attr_{kind}_Optimizer" for kind in ("skiplist", "skipset"))]
    before = {name: global_state.get_global_attribute(name) for name in names}
    for name in names:
        global_state.set_global_attribute(name, None)
    yield global_state
    for name, there in before.items():
        global_state.set_global_attribute(name, there)


def test_keras_still_keeps_variables_without_values_until_they_are_forgotten(global_state):
    with keras.StatelessScope(initialize_variables=False):
        keras.layers.Dense(2).build((None, 2))
    kept = global_state.get_global_attribute("uninitialized_variables")
    assert kept, "Keras keeps none any more: models/pretrained.py need not forget them"
    pretrained._forget_variables()
    assert global_state.get_global_attribute("uninitialized_variables") == []


def test_keras_still_makes_an_optimizer_at_each_save_but_for_ours(global_state, monkeypatch, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(), "mse")
    made = []
    begin = keras.optimizers.Optimizer.__init__
    monkeypatch.setattr(
        keras.optimizers.Optimizer, "__init__", lambda self, *args, **more: made.append(1) or begin(self, *args, **more)
    )

    def count_made(save) -> int:
        save(tmp_path / "once.keras")
        made.clear()
        save(tmp_path / "again.keras")
        return len(made)

    assert count_made(model.save), "Keras makes none any more: checkpoints._write can be model.save"
    assert count_made(lambda path: checkpoints._write(model, path)) == 0
