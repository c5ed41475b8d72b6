"""Every notebook runs from top to bottom, at tiny size, and is kept without outputs."""

from pathlib import Path

import facezoo
import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
TINY = {"FACEZOO_NOTEBOOK_STEPS": "2", "FACEZOO_NOTEBOOK_BATCH_SIZE": "4", "FACEZOO_NOTEBOOK_IMAGE_SIZE": "32"}
SECONDS_FOR_A_CELL = 300  # only a hang takes longer

over_notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture
def execute(monkeypatch, tmp_path):
    """Runs a notebook in a folder of its own, in this environment's Python, with variables; gives its code cells."""

    def run(path: Path, **variables: str) -> list[nbformat.NotebookNode]:
        for name, value in {**TINY, **variables}.items():
            monkeypatch.setenv(name, value)
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, timeout=SECONDS_FOR_A_CELL, kernel_name="python3", resources=resources).execute()
        return code_cells(notebook)

    return run


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures_in(cells):
    return [output for cell in cells for output in cell.outputs if "image/png" in output.get("data", {})]


def test_there_are_notebooks():
    assert {"01_first_morph", "02_variational_latent_space"} <= {path.stem for path in NOTEBOOKS}


@over_notebooks
def test_is_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in code_cells(notebook):
        assert cell.outputs == [], cell.source
        assert cell.execution_count is None, cell.source


@over_notebooks
def test_runs_from_top_to_bottom(path, execute):
    cells = execute(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    drawn = [cell for cell in cells if "plt.show()" in cell.source or cell.source.startswith("show(")]
    assert len(pictures_in(cells)) >= len(drawn) > 0


def test_first_morph_takes_a_model_of_ones_own(execute, tmp_path):
    model, file = facezoo.ConvolutionalAutoencoder(image_size=32, channels=1), tmp_path / "model.keras"
    model.compile()
    model.save(file)
    [path] = [path for path in NOTEBOOKS if path.stem == "01_first_morph"]
    cells = execute(path, FACEZOO_NOTEBOOK_RUN_DIR=str(file))
    printed = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert "ConvolutionalAutoencoder" in printed
    assert "Epoch" not in printed
    assert pictures_in(cells)
