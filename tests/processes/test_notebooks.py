"""Every notebook runs from top to bottom, at tiny size, and is kept without outputs."""

from pathlib import Path

import facezoo
import nbformat
import pytest
from clutter import save_people
from command_line import folder_of_crops, run_of
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = {path.stem: path for path in sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))}
NEEDS = {"05_films": "mtcnn", "06_your_own_photograph": "mtcnn"}
TINY = {
    "FACEZOO_NOTEBOOK_STEPS": "2",
    "FACEZOO_NOTEBOOK_BATCH_SIZE": "4",
    "FACEZOO_NOTEBOOK_IMAGE_SIZE": "32",
    "FACEZOO_NOTEBOOK_FACES": "300",
    "FACEZOO_NOTEBOOK_FRAMES": "8",
}
SECONDS_FOR_A_CELL = 300  # only a hang takes longer

over_notebooks = pytest.mark.parametrize("path", NOTEBOOKS.values(), ids=NOTEBOOKS)


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


def printed_in(cells):
    return "".join(output.get("text", "") for cell in cells for output in cell.outputs)


def test_there_are_notebooks():
    assert [name[:2] for name in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06", "07"]


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
    pytest.importorskip(NEEDS.get(path.stem, "facezoo"))
    cells = execute(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    drawn = [cell for cell in cells if "plt.show()" in cell.source or cell.source.startswith("show(")]
    assert len(pictures_in(cells)) >= len(drawn) > 0


def test_first_morph_takes_a_model_of_ones_own(execute, tmp_path):
    model, file = facezoo.ConvolutionalAutoencoder(image_size=32, channels=1), tmp_path / "model.keras"
    model.compile()
    model.save(file)
    cells = execute(NOTEBOOKS["01_first_morph"], FACEZOO_NOTEBOOK_RUN_DIR=str(file))
    assert "ConvolutionalAutoencoder" in printed_in(cells)
    assert "Epoch" not in printed_in(cells)
    assert pictures_in(cells)


def test_faces_are_edited_by_a_model_of_ones_own(execute, tmp_path):
    model, file = facezoo.VAE(image_size=32, channels=1, latent_dim=32, filters=(4, 4)), tmp_path / "model.keras"
    model.compile()
    model.save(file)
    printed = printed_in(execute(NOTEBOOKS["03_editing_faces"], FACEZOO_NOTEBOOK_RUN_DIR=str(file)))
    assert f"VAE of {model.count_params():,} parameters, codes (32,)" in printed


def test_ones_own_photographs_are_aligned_as_the_pictures_of_ones_own_run(execute, tmp_path):
    pytest.importorskip("mtcnn")
    crops, photographs = folder_of_crops(tmp_path / "crops"), tmp_path / "photographs"
    model = facezoo.ConvolutionalAutoencoder(image_size=32, channels=1, filters=(4, 4))
    run = run_of(tmp_path / "run", model, "cae", "--channels=1", "--dataset=folder", f"--data_dir={crops}")
    save_people(photographs)
    (photographs / "letter.jpg").write_text("dear")
    variables = {"FACEZOO_NOTEBOOK_RUN_DIR": str(run), "FACEZOO_NOTEBOOK_PHOTOGRAPHS": str(photographs)}
    printed = printed_in(execute(NOTEBOOKS["06_your_own_photograph"], **variables))
    assert "ConvolutionalAutoencoder of 32 pixels; template celeba, margin 0.25" in printed
    assert "nobody.png: no face found" in printed
    assert "letter.jpg: not a JPEG, PNG, WebP, GIF, HEIC, AVIF, TIFF, BMP, PNM or JPEG 2000 picture" in printed


def test_without_the_detector_the_notebook_says_what_to_install(execute, tmp_path):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "without.py").write_text("import sys\nsys.modules['mtcnn'] = None\n")
    with pytest.raises(CellExecutionError, match=r"mtcnn, which is not installed: pip install 'facezoo\[align\]'"):
        execute(NOTEBOOKS["06_your_own_photograph"], IPYTHONDIR=str(tmp_path / "ipython"))
