"""`facezoo benchmark --measure=morph`: pairs, methods, and the table."""

import json
import os

import numpy as np
import pytest
from command_line import assert_refused
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.benchmarks import morphs
from facezoo.experiments.benchmarks.morphs import Quality, find_pairs
from facezoo.experiments.errors import UsageError
from facezoo.experiments.flags.groups import LandmarkSettings
from facezoo.models import CodePrior
from facezoo.warping.shapes import SCHEMES


@pytest.fixture(scope="module")
def pairs():
    return find_pairs(procedural_faces("test", image_size=32), 3, LandmarkSettings())


def test_pairs_are_always_the_same_and_others_are_others(pairs):
    again = find_pairs(procedural_faces("test", image_size=32), 3, LandmarkSettings())
    for first, second in zip(pairs[:4], again[:4], strict=True):
        np.testing.assert_array_equal(first, second)
    assert pairs.start.shape == pairs.end.shape == (3, 32, 32, 3)
    assert pairs.start_points.shape == (3, 70, 2)
    assert len(pairs.others) == morphs.MOST_OTHERS
    for face in (*pairs.start, *pairs.end):
        assert np.abs(pairs.others - face).mean(axis=(1, 2, 3)).min() > 0


def test_more_pairs_than_there_are_are_refused():
    with pytest.raises(UsageError, match="--pairs=1001: procedural_faces/test has 2000 faces"):
        find_pairs(procedural_faces("test", image_size=32), 1001, LandmarkSettings())


def test_methods_go_half_way(pairs, model):
    prior = CodePrior(autoencoder=model, width=8, depth=1)
    prior.build()
    made = {name: make(pairs) for name, make in morphs._methods(model, prior).items()}
    assert list(made)[-3:] == ["code", "warp+code", "code, by its prior"]
    assert {midpoints.shape for midpoints in made.values()} == {(3, 32, 32, 3)}
    np.testing.assert_allclose(made["cross-fade"], (pairs.start + pairs.end) / 2, atol=1e-6)
    corner = np.s_[:, :3, :3]  # far from the faces
    for name in ("warped, in the oval", "the same, energy given back", "warp"):  # in colours half-way to the end's
        near, far = (np.abs(made[name] - ends)[corner].mean() for ends in (pairs.start, pairs.end))
        assert near < 0.6 * far


def test_points_are_followed_as_the_product_follows_them():
    mesh = np.zeros((2, 2, 478, 2))
    for members, place in zip(SCHEMES["mediapipe"].five, ((0.4, 0.4), (0.6, 0.4), (0.5, 0.55)), strict=False):
        mesh[:, :, list(members)] = place
    mesh[0, 1, 1] = 0.6, 0.55  # the end of the first pair looks aside, its start does not
    faces = np.zeros((2, 8, 8, 3), np.float32)
    aside, ahead = morphs.Pairs(faces, faces, *mesh.swapaxes(0, 1), SCHEMES["mediapipe"], faces).warped()
    assert aside[4] is SCHEMES["five"] and aside[2].shape == aside[3].shape == (5, 2)
    assert ahead[4] is SCHEMES["mediapipe"] and ahead[3].shape == (478, 2)


def test_the_table_has_a_line_for_each():
    text = morphs.table([Quality("real faces", -0.01, 1.0), Quality("warp", 0.1, 0.9, 1.1, 0.25)])
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["real", "faces", "-0.010", "1.000"],
        ["warp", "0.100", "0.900", "1.100", "0.250"],
    ]


def test_the_command_measures_and_shows_midpoints(command, tmp_path):
    if not os.environ.get("FACEZOO_WEIGHTS"):
        pytest.skip("FACEZOO_WEIGHTS names no folder of networks")
    arguments = ("--measure=morph", "--image_size=32", "--pairs=4")
    kept = (f"--out={tmp_path / 'figures.json'}", f"--sheet={tmp_path / 'sheet.png'}")
    done = command("benchmark", *arguments, *kept)
    assert done.code == 0, done.err
    found = {row["method"]: row for row in json.loads((tmp_path / "figures.json").read_text())["morphs"]}
    assert found["cross-fade"]["sharpness"] < found["warp"]["sharpness"]
    assert "cross-fade" in done.out and (tmp_path / "sheet.png").is_file()
    assert_refused(command("benchmark", *arguments, kept[1]), "sheet.png exists")
