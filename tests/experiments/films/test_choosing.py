"""Whom a command means of a film's people: by number, by pictures, by a name in a run's data."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
from facezoo.datasets import detection
from facezoo.datasets.alignment import NoFaceError
from facezoo.datasets.source import Source
from facezoo.experiments.errors import UsageError
from facezoo.experiments.films import choosing, following, looks
from facezoo.experiments.films.choosing import choose, choose_for, is_of_film
from facezoo.experiments.films.following import Choice
from facezoo.losses import weights
from facezoo.metrics import identity
from facezoo.models import FaceMapping
from PIL import Image
from squares import BLUE, RED, draw_squares, find_squares, save_film

pytestmark = pytest.mark.usefixtures("empty_folder")


class ByColour:
    """Knows people by the colour in the middle of their faces."""

    def see(self, image, faces):
        return [np.asarray(image)[tuple(points.mean(axis=0).astype(int)[::-1])] / 255.0 for points in faces]


@pytest.fixture
def known(monkeypatch, squares):
    monkeypatch.setattr(choosing, "find_recogniser", ByColour)
    monkeypatch.setattr(following, "find_recogniser", ByColour)
    monkeypatch.setattr(detection, "largest_face", lambda image: find_squares(image)[0])


def save_face(colour, name):
    Image.fromarray(draw_squares((160, colour))).save(name)


@pytest.mark.parametrize(("colour", "channel"), [(RED, 0), (BLUE, 2)])
def test_a_person_is_known_by_a_picture_wherever_they_go(known, colour, channel):
    film = save_film(draw_squares((50 + 20 * k, RED), (270 - 20 * k, BLUE)) for k in range(12))
    save_face(colour, "who.png")
    faces = following.find_film_faces(film, choose("largest", "who.png"))
    for number in range(12):
        x = 50 + 20 * number if colour is RED else 270 - 20 * number
        for points in faces.at(number).values():
            assert abs(points[:, 0].mean() - x) < 8
    assert sum(bool(faces.at(number)) for number in range(12)) >= 10


def test_somebody_who_is_not_there_is_told_of(known):
    film = save_film(draw_squares((50, RED)) for _ in range(4))
    save_face(BLUE, "who.png")
    with pytest.raises(NoFaceError, match=r"nobody in it is like --person=who.png: the nearest is 1\.\d\d away"):
        following.find_film_faces(film, choose("largest", "who.png"))


def test_a_folder_of_pictures_shows_who_is_meant(known, tmp_path):
    (tmp_path / "who").mkdir()
    for number in range(2):
        save_face(RED, tmp_path / "who" / f"{number}.png")
    identity = choose("largest", str(tmp_path / "who")).identity
    np.testing.assert_allclose(identity, np.array(RED) / 255.0, atol=0.02)


def test_a_number_counts_from_the_left():
    assert choose("largest", "2") == Choice("2")
    assert choose("all", None) == Choice("all")
    assert [is_of_film(person) for person in (None, "2", "ann", "0")] == [False, True, False, True]


def test_a_name_that_a_model_knows_is_meant_where_a_folder_is_called_so(known, tmp_path):
    (tmp_path / "here" / "ann").mkdir()
    save_face(RED, "ann/0.png")
    model = FaceMapping(image_size=16, filters=(4, 4), inter_dim=4, people=("ann", "bob"))
    assert choose_for(model, "ann", align=False) == (Choice(), "ann")
    choice, person = choose_for(model, "./ann", align=True)
    assert (choice.name, person) == ("--person=./ann", "bob")
    with pytest.raises(UsageError, match=r"--person=./ann does nothing without --align"):
        choose_for(model, "./ann", align=False)


def test_nobody_is_meant_by_an_empty_name():
    assert not is_of_film("")
    with pytest.raises(UsageError, match="--person= names nobody"):
        choose("largest", "")


def test_without_the_recogniser_a_number_is_asked_for(monkeypatch):
    monkeypatch.setattr(choosing, "find_recogniser", lambda: None)
    save_face(RED, "who.png")
    with pytest.raises(UsageError, match=r"face_recognition\.npz, which is not in FACEZOO_WEIGHTS; a number counts"):
        choose("largest", "who.png")


def test_a_name_is_known_by_the_run_s_pictures(known):
    identities = np.array([0, 1, 0, 1])

    def load(positions):
        own = identities[positions]
        return {"identity": own, "image": np.broadcast_to(own[:, None, None, None], (len(own), 4, 4, 3))}

    source = Source("people", list("abcd"), load, (4, 4, 3), identity_names=("ann", "bob"))
    assert (choosing._find_pictures(source, 1) == 1).all()
    assert len(choosing._find_pictures(source, 2)) == 0
    run = SimpleNamespace(source=lambda split: source)
    with pytest.raises(UsageError, match="--person=eve: no such file, and the run's pictures know ann, bob"):
        choose("largest", "eve", run)
    with pytest.raises(UsageError, match="--person=eve: no such file; a number counts"):
        choose("largest", "eve")


def test_somebody_whose_pictures_are_all_in_another_split_is_known(known, monkeypatch):
    def load_from(own):
        return lambda positions: {"identity": own[positions], "image": np.zeros((len(positions), 4, 4, 3), np.uint8)}

    def open_split(split):
        own = np.array([0, 0] if split == "train" else [1, 0])
        return Source("people", list("ab"), load_from(own), (4, 4, 3), identity_names=("ann", "bob", "eve"))

    class Network:
        def __init__(self, size, square):
            pass

        def people(self, pictures):
            return SimpleNamespace(numpy=lambda: np.full((len(pictures), 2), 0.5))

    monkeypatch.setattr(identity, "IdentityDistance", Network)
    monkeypatch.setattr(choosing, "recognise_square", lambda data, source: (0.0, 0.0, 1.0))
    run = SimpleNamespace(source=open_split, settings=SimpleNamespace(data=None))
    np.testing.assert_array_equal(choose("largest", "bob", run).identity, [0.5, 0.5])
    with pytest.raises(UsageError, match="--person=eve: none of the run's pictures shows them"):
        choose("largest", "eve", run)


def test_a_recogniser_is_built_once(monkeypatch):
    built = []
    monkeypatch.setattr(looks, "_load", functools.lru_cache(lambda weights: built.append(weights) or ByColour()))
    monkeypatch.setattr(weights, "find_weights", lambda name: f"somewhere/{name}")
    assert looks.find_recogniser() is looks.find_recogniser()
    assert built == ["somewhere/face_recognition.npz"]
