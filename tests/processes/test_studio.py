"""`facezoo studio`: from photographs to a model card, once, and on where it was stopped."""

import pytest
from command_line import assert_refused, photographs_with_points, started
from facezoo.experiments.training.launcher import Team

SMALL = ("--steps=1",)


@pytest.fixture
def photographs(tmp_path):
    """A folder of pictures, and a file of their points."""
    return photographs_with_points(tmp_path / "photographs", [f"{number:02d}.png" for number in range(60)])


def test_a_studio_is_made_stage_by_stage(photographs, tmp_path):
    root, points = photographs
    out = tmp_path / "studio"
    arguments = ("studio", str(root), f"--out={out}", f"--landmarks={points}", *SMALL)
    done = started(*arguments, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == [str(out / name) for name in ("model", "morph", "published")]
    for number, title in enumerate(("faces", "training", "measures", "morph", "card"), 1):
        assert f"stage {number} of 5, {title}: " in done.stderr
    assert "left for all" in done.stderr
    assert len([*(out / "crops").glob("*.png")]) == 60
    assert {path.name for path in (out / "published").iterdir()} == {"model.npz", "model.json", "model.md"}


def test_it_goes_on_with_what_is_missing(command, monkeypatch, photographs, tmp_path):
    root, points = photographs
    out = tmp_path / "studio"
    arguments = ("studio", str(root), f"--out={out}", f"--landmarks={points}", *SMALL)
    made = {
        "train": "model/model.keras",
        "evaluate": "model/metrics.json",
        "morph": "morph/sheet.png",
        "publish": "published/model.npz",
    }
    asked = []

    def work(team):
        name = team.arguments[0]
        asked.append(name)
        if name == "evaluate" and asked.count(name) == 1:
            return 0, 2  # it has said why
        if "--method=warp+code" in team.arguments:
            return 0, 2  # no face is found in these
        path = out / made.get(name, f"{name}/made")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return 0, 0

    monkeypatch.setattr(Team, "work", work)
    assert command(*arguments).code == 2
    assert asked == ["align", "train", "evaluate"]
    assert command(*arguments).code == 0
    assert asked[3:] == ["evaluate", "morph", "morph", "publish"]  # by a warp, and by codes alone
    assert command(*arguments).code == 0
    assert asked[7:] == []
    assert_refused(command(*arguments, "--size=128"), "other photographs or settings")


def test_what_is_no_folder_of_photographs_is_refused_before_anything_is_made(command, photographs, tmp_path):
    root, _ = photographs
    out = f"--out={tmp_path / 'studio'}"
    assert_refused(command("studio", out), "one folder of photographs")
    assert_refused(command("studio", str(root), str(root), out), "one folder of photographs")
    assert_refused(command("studio", str(tmp_path / "none"), out), "not there")
    assert_refused(command("studio", str(root), f"--out={root / 'new'}"), "choose another folder")
    assert_refused(command("studio", str(root), f"--out={tmp_path}"), str(tmp_path))
    assert not (tmp_path / "studio").exists()
