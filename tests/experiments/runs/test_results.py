"""What was measured of a finished run, as a line of a table."""

import json
import os

import pytest
from facezoo.experiments.runs.results import is_measured, read_results, tell_minutes


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0.0"), (90, "1.5"), (598, "10"), (63 * 60, "63"), (104 * 60, "104"), (6000 * 60, "6000")]
)
def test_minutes_are_told_as_people_do(seconds, told):
    assert tell_minutes(seconds) == told


@pytest.mark.parametrize(
    ("asked", "is_known"),
    [
        ({"metrics": ["psnr"]}, True),
        ({"metrics": ["psnr"], "split": "validation"}, False),
        ({"metrics": ["psnr"], "count": 10}, False),
        ({"metrics": ["kid"], "kid_network": "inception_v3"}, False),
        ({"metrics": ["psnr"], "model": "run/checkpoints/best/model.keras"}, False),
        ({"metrics": ["psnr"], "data_dir": "others"}, False),
        ({"metrics": 3}, False),
        (None, False),  # of training's figures, or of an older version
    ],
)
def test_only_figures_of_the_last_model_and_the_whole_test_split_count(tmp_path, asked, is_known):
    (tmp_path / "model.keras").touch()
    (tmp_path / "metrics.json").write_text(json.dumps({"psnr": 20.0} | ({} if asked is None else {"asked": asked})))
    assert bool(read_results(tmp_path)) == is_known
    os.utime(tmp_path / "metrics.json", (1, 1))  # before the model
    assert not read_results(tmp_path)


@pytest.mark.parametrize(
    ("asked", "names", "expected"),
    [
        (["psnr"], ["psnr"], True),
        (["psnr"], ["psnr", "ssim"], False),
        (["psnr"], ["all"], False),
        (["all"], ["all"], True),  # though lpips gave no figure
        (["all"], ["psnr"], True),
        (["all"], ["lpips"], False),  # whose weights may be there now
        (["psnr", "lpips"], ["lpips"], True),
        (["psnr", "ssim", "lpips"], ["all"], True),
    ],
)
def test_what_was_asked_for_is_not_measured_again(asked, names, expected):
    measures = ["psnr", "ssim", "lpips"] if names == ["all"] else names
    assert is_measured({"psnr": 20.0, "asked": {"metrics": asked}}, names, measures) == expected
    assert not is_measured({}, names, measures)
