"""Two drawn people cross in front of clutter, found by the true detector: each is followed, and steadily."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clutter import clutter
from facezoo.datasets import detection
from facezoo.datasets.clips import PACE, sample_paths
from facezoo.datasets.procedural import FACTOR_NAMES, draw_faces, procedural_people
from facezoo.experiments.films.choosing import choose
from facezoo.experiments.films.following import find_film_faces
from facezoo.experiments.runs.run import open_run
from facezoo.films import Film, FilmWriter, probe, read_frames
from PIL import Image, ImageDraw, ImageFilter

pytest.importorskip("mtcnn")
pytestmark = [pytest.mark.long, pytest.mark.usefixtures("empty_folder")]

FRAMES, SIDE, WIDTH, HEIGHT = 30, 128, 416, 176
AWAY = 25.0  # pixels from the middle of a face, at most


def draw_person(who, people):
    """Frames of one of the people, whose head hardly turns: uint8 [T, S, S, 3]."""
    factors = sample_paths(np.array([5 + 4 * who]), FRAMES)[0]
    person = people["factors"][people["identity"] == who][0]
    for number, name in enumerate(FACTOR_NAMES):
        if name not in PACE or name.startswith("light"):
            factors[:, number] = person[number]
        if name in ("yaw", "pitch", "roll"):
            factors[:, number] *= 0.4
    return draw_faces(factors, SIDE)


@pytest.fixture
def crossing():
    """The film, and where both faces are, the one in front first: [T, 2, 2]."""
    people = procedural_people("test", image_size=64).load(np.arange(8))
    faces = [draw_person(who, people) for who in (0, 1)]
    back = clutter(np.random.default_rng(3), WIDTH).crop((0, 0, WIDTH, HEIGHT)).filter(ImageFilter.GaussianBlur(1.0))
    head = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(head).ellipse((0.14 * SIDE, 0.08 * SIDE, 0.86 * SIDE, SIDE), fill=255)
    head = head.filter(ImageFilter.GaussianBlur(2))
    frames, places = [], []
    for number in range(FRAMES):
        way = number / (FRAMES - 1) * (WIDTH - SIDE - 20)
        corners = ((10 + way, 18), (WIDTH - SIDE - 10 - way, 30))
        frame = back.copy()
        for who in (1, 0):
            frame.paste(Image.fromarray(faces[who][number]), (round(corners[who][0]), corners[who][1]), head)
        frames.append(np.asarray(frame))
        places.append([(left + SIDE / 2, top + 0.56 * SIDE) for left, top in corners])
    FilmWriter(Path("cross.mp4"), Film(Path("none"), Fraction(15), None, False), "test").write(iter(frames), "a test")
    return probe(Path("cross.mp4")), np.array(places)


def test_each_is_the_right_one_in_every_frame(crossing):
    film, places = crossing
    asked = ["1", "2"]
    if (Path(os.environ.get("FACEZOO_WEIGHTS", "")) / "face_recognition.npz").is_file():
        asked += ["person_0", "person_1"]
    for number, person in enumerate(asked):
        faces = find_film_faces(film, choose("largest", person, open_run("face_mapping")))
        without = []
        for frame in range(FRAMES):
            at = faces.at(frame)
            without += [frame] if not at else []
            for points in at.values():
                assert np.linalg.norm(points.mean(axis=0) - places[frame, number % 2]) < AWAY, (person, frame)
        hidden = np.flatnonzero(np.abs(np.diff(places[..., 0], axis=1)[:, 0]) < 0.5 * SIDE)
        assert set(without) <= (set(hidden.tolist()) if number % 2 else set()), person


def test_followed_points_jitter_at_most_half_as_much_as_those_found_anew(crossing):
    film, places = crossing
    (track,) = find_film_faces(film, "1").tracks
    found = []
    for frame, place in zip(read_frames(film), places[:, 0], strict=True):
        faces = detection.find_upright_faces(Image.fromarray(frame))
        found.append(min((face.points for face in faces), key=lambda points: np.abs(points.mean(axis=0) - place).sum()))

    def measure_jitter(points):
        return np.abs(np.diff(points, n=2, axis=0)).mean()

    assert measure_jitter(track.points) < 0.5 * measure_jitter(np.stack(found))
