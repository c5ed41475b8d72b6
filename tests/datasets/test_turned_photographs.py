"""Photographs on their side, upside down or tilted: the face is found as it lies, and what was turned is told."""

import os
from pathlib import Path

import numpy as np
import pytest
from command_line import photographs_in
from facezoo.datasets import detection
from facezoo.datasets.alignment import POINT_NAMES, TEMPLATES, NoFaceError
from facezoo.datasets.detection import Face, describe_turns, largest_face, tilts
from facezoo.datasets.manifest import Cut, Row, read_manifest
from facezoo.experiments.faces.crops import sort_by_doubt
from PIL import Image
from skimage import data

FACES = os.environ.get("FACEZOO_EVAL_DATA")
TEMPLATE = np.array(TEMPLATES["celeba"])


def rotation(degrees):
    """[x, y] @ this turns clockwise."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cosine, sine], [-sine, cosine]])


def turned_back(points, degrees, size, before):
    """Points in a picture turned anticlockwise -> in the picture before."""
    return (points - np.array(size) / 2) @ rotation(degrees) + np.array(before) / 2


def points_of(degrees, middle=(100, 90), side=60):
    return (TEMPLATE - TEMPLATE.mean(axis=0)) * side @ rotation(degrees) + middle


@pytest.mark.parametrize("degrees", [0, 30, -60, 90, 135, -90])
def test_a_tilt_is_told_by_the_points(degrees):
    assert tilts(points_of(degrees)) == pytest.approx(degrees, abs=1e-6)
    assert Face((0, 0, 9, 9), points_of(degrees), 1.0).tilt == pytest.approx(degrees, abs=1e-6)


def test_what_was_turned_is_told():
    assert describe_turns(np.array([0.0, 20.0, -44.0])) == ""
    assert describe_turns(np.array([90.0, -100.0, 10.0])) == "2 lay on the side, and were turned"
    assert describe_turns(np.array([-170.0, 0.0])) == "1 lay upside down, and was turned"
    assert describe_turns(np.array([-170.0, 90.0])) == "1 lay on the side and 1 lay upside down, and were turned"


@pytest.mark.parametrize(("times", "turn"), [(1.3, 0.0), (1.5, 180.0)])
def test_an_upright_face_is_turned_only_where_another_is_much_surer(times, turn):
    upright, lying = (Face((0, 0, 9, 9), points_of(degrees), 1.0) for degrees in (0, 180))
    hits = [detection._Hit(upright, 0.5), detection._Hit(lying, 0.5 * times)]
    assert abs(detection._surest_turn(hits)) == pytest.approx(turn)


def test_the_sheet_begins_with_what_was_turned():
    """A photograph that was turned without need is seen nowhere else."""
    cut = Cut(size=32)
    degrees = {"upright.png": (0, 0.99), "unsure.png": (10, 0.85), "turned.png": (170, 0.97), "": (0, 0.1)}
    rows = [
        Row("in", "a.jpg", 1, 1, cut, name, "", confidence, (0, 0, 9, 9), points_of(tilt))
        for name, (tilt, confidence) in degrees.items()
    ]
    assert [row.output for row in sort_by_doubt(rows)] == ["turned.png", "unsure.png", "upright.png"]


@pytest.mark.parametrize("turn", [37.0, 90.0, 180.0])
def test_a_face_of_a_turned_picture_is_brought_back(turn):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (180, 200, 3), np.uint8))
    turned = picture.rotate(turn, expand=True)
    face = Face((80.0, 70.0, 40.0, 40.0), points_of(0), 1.0)
    back = detection._turn_back(face, turn, turned.size, picture.size)
    assert np.allclose(back.points, turned_back(face.points, turn, turned.size, picture.size))
    assert back.tilt == pytest.approx(turn)
    assert np.allclose(np.array(back.box[:2]) + 20, turned_back(np.array([[100, 90]]), turn, turned.size, picture.size))


def test_a_larger_but_unsure_face_is_not_taken(monkeypatch):
    unsure = Face((0, 0, 200, 200), points_of(0, (100, 90), 120), 0.89)
    sure = Face((300, 0, 90, 90), points_of(4, (340, 40), 60), 0.999)
    monkeypatch.setattr(detection, "find_faces", lambda photograph: [unsure, sure])
    assert largest_face(None) is sure
    surer = unsure._replace(confidence=0.98)
    monkeypatch.setattr(detection, "find_faces", lambda photograph: [surer, sure])
    assert largest_face(None) is surer


def test_the_turn_that_sees_the_face_most_often_and_surely_is_taken(monkeypatch):
    """A face upside down: as it lies a detector sees another one, surely; turned about, the true one, three times."""
    photograph = Image.new("RGB", (320, 320))
    true, false = Face((60, 50, 80, 80), points_of(180), 0.99), Face((150, 150, 80, 80), points_of(0, (200, 200)), 0.98)

    def seen(picture, turn):
        found = [true] if abs((turn + 360) % 360 - 180) <= 45 else [false] if turn == 0 else []
        return [detection._scale(face, picture.width / 320) for face in found]

    monkeypatch.setattr(detection, "_detect", seen)
    assert largest_face(photograph).tilt == pytest.approx(180, abs=1e-6)
    upright = Face((60, 50, 80, 80), points_of(0), 0.99)
    monkeypatch.setattr(detection, "_detect", lambda picture, turn: [upright] if turn == 0 else [])
    assert np.array_equal(largest_face(photograph).points, upright.points)
    monkeypatch.setattr(detection, "_detect", lambda picture, turn: [])
    with pytest.raises(detection.NoFaceError):
        largest_face(photograph)


@pytest.mark.parametrize("degrees", [60, 180, 270])
def test_a_face_is_found_however_the_photograph_lies(degrees):
    pytest.importorskip("mtcnn")
    astronaut = Image.fromarray(data.astronaut()).resize((320, 320))
    turned = astronaut.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    eyes = turned_back(largest_face(turned).points, degrees, turned.size, astronaut.size)[:2] * 512 / 320
    np.testing.assert_allclose(eyes, [[204, 101], [246, 103]], atol=8)


@pytest.mark.long
@pytest.mark.skipif(not FACES, reason="reads real photographs")
def test_sixty_photographs_turned_five_ways():
    pytest.importorskip("mtcnn")
    true = (TEMPLATE * 74 + (8, 18)) * 4
    right = 0
    for number in range(70, 8000, 133):
        small = Image.open(Path(FACES) / "celeba" / f"{number:06d}.jpg").convert("RGB")
        photograph = small.resize((small.width * 4, small.height * 4), Image.Resampling.BICUBIC)
        for degrees in (30, 60, 90, 180, 270):
            turned = photograph.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
            try:
                points = turned_back(largest_face(turned).points, degrees, turned.size, photograph.size)
            except NoFaceError:
                continue
            right += np.sqrt(((points - true) ** 2).sum(axis=1).mean()) < 0.35 * np.linalg.norm(true[1] - true[0])
    assert right >= 290


def test_align_says_what_it_turned(command, tmp_path):
    root = photographs_in(tmp_path / "photographs", 3, size=(200, 180))
    columns = ",".join(f"{name}_{axis}" for name in POINT_NAMES for axis in "xy")
    rows = [
        f"{number:03d}.jpg," + ",".join(f"{value:.3f}" for value in points_of(degrees).reshape(-1))
        for number, degrees in enumerate([0, 90, 180])
    ]
    (tmp_path / "points.csv").write_text("\n".join([f"file,{columns}", *rows]))
    done = command("align", f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={tmp_path / 'points.csv'}")
    assert done.code == 0, done.err
    assert "of the photographs 1 lay on the side and 1 lay upside down, and were turned: 001.jpg, 002.jpg\n" in done.out
    assert len(read_manifest(tmp_path / "out")) == 3
