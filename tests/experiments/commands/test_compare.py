"""`facezoo compare`: the table, the chart and the sheet that it leaves."""

import json

import pytest
from command_line import CAE_FLAGS
from facezoo.experiments.commands import compare
from facezoo.experiments.runs.run import open_run
from PIL import Image


def test_runs_stand_side_by_side(train, command, finished, empty_folder):
    other = train("other", *CAE_FLAGS, "--dataset=procedural_faces", "--learning_rate=0.01")
    done = command("compare", finished, other)
    assert done.code == 0, done.err
    head, _, *lines = (empty_folder / "comparison" / "table.md").read_text().splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")] == ["", "finished", "other"]
    table = {name.strip(): cells for name, *cells in (line.strip("|").split("|") for line in lines)}
    assert {"model", "learning_rate", "validation psnr", "steps", "parameters"} <= set(table)
    assert "dataset" not in table  # the same of both
    assert [table[name][1].strip() for name in ("model", "learning_rate", "steps")] == ["cae", "0.01", "2"]
    with Image.open(empty_folder / "comparison" / "sheet.png") as sheet:
        assert sheet.width == (compare.FACES + compare.DRAWN + compare.STEPS) * compare.SIDE
        assert sheet.height == 3 * (compare.SIDE + compare.FONT + 6)  # the faces once, and a row for each run
    assert (empty_folder / "comparison" / "curves.png").exists()
    assert "comparison-2/table.md" in command("compare", finished, finished).out


def test_what_was_measured_of_the_test_split_stands_in_the_table(copied, command, finished, empty_folder):
    for asked in (["--metrics=psnr"], ["--what=samples", "--metrics=sharpness", "--count=8"]):
        assert command("evaluate", f"--run_dir={copied}", *asked).code == 0
    assert command("compare", copied, finished).code == 0
    found = json.loads((copied / "metrics.json").read_text())
    table = (empty_folder / "comparison" / "table.md").read_text()
    assert f"| test psnr | {found['psnr']:.5g} |  |" in table
    assert "of samples" not in table  # of eight only


def test_new_faces_are_shown_of_models_that_have_some(train, command, finished, empty_folder):
    other = train("other", *CAE_FLAGS, "--dataset=procedural_faces")
    for folder, count in ((finished, compare.DRAWN), (other, 0)):
        opened = open_run(folder)
        assert len(compare._draw_new(opened, opened.model())) == count
    assert command("compare", other, other).code == 0
    with Image.open(empty_folder / "comparison" / "sheet.png") as sheet:
        assert sheet.width == (compare.FACES + compare.STEPS) * compare.SIDE


def test_figures_of_clips_stand_in_the_table(copied, command, finished, empty_folder):
    flags = ("--what=clips", "--dataset=procedural_clips", "--frames=3", "--count=2", "--metrics=flicker,added_flicker")
    assert command("evaluate", f"--run_dir={copied}", *flags).code == 0
    assert command("compare", copied, finished).code == 0
    lines = (empty_folder / "comparison" / "table.md").read_text().splitlines()
    table = {
        name.strip(): [cell.strip() for cell in cells]
        for name, *cells in (line.strip("|").split("|") for line in lines)
    }
    assert table["clips"] == ["2 procedural_clips test", ""]
    assert float(table["clips flicker"][0]) > 0 and table["clips flicker"][1] == ""
    assert "clips added_flicker" in table


def test_a_model_that_ships_has_no_epochs(command, finished, empty_folder):
    done = command("compare", "vae", finished, "--out=new")
    assert done.code == 0, done.err
    assert "| vae |" in done.out


def test_runs_on_other_data_have_a_chart_of_their_own(train, command, finished, empty_folder):
    other = train("other", *CAE_FLAGS, "--dataset=digits")
    done = command("compare", finished, other)
    assert done.code == 0, done.err
    assert {path.name for path in (empty_folder / "comparison").glob("curves*")} == {"curves-1.png", "curves-2.png"}


@pytest.mark.parametrize("runs", [[], ["one"]])
def test_one_is_not_compared(command, empty_folder, runs):
    done = command("compare", *runs)
    assert (done.code, "two runs or more" in done.err) == (2, True)
    assert not list(empty_folder.iterdir())
