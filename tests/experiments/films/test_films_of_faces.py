"""Faces are followed through a film and mapped in it, steadily, and going on where it was stopped."""

import dataclasses
import itertools
import types
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command_line import run_of
from facezoo.datasets import alignment, detection
from facezoo.datasets.alignment import NoFaceError
from facezoo.experiments.faces.fitting import describe_fitter
from facezoo.experiments.films import following
from facezoo.experiments.films.making import FilmTask, list_numbers, make_key
from facezoo.experiments.films.mapping import FilmMapper
from facezoo.films import Film, Parts, probe, read_frames, writing
from facezoo.models import FaceMapping
from facezoo.pictures.pasting import crop_matrix
from facezoo.warping.shapes import SCHEMES
from squares import BLUE, EYES_AND_MOUTH, RED, draw_squares, save_film

pytestmark = pytest.mark.usefixtures("empty_folder")

SIZE = 16


def test_two_that_cross_are_each_followed(squares):
    film = save_film(draw_squares((50 + 10 * frame, RED), (270 - 10 * frame, BLUE)) for frame in range(22))
    red, blue = (following.find_film_faces(film, place) for place in ("1", "2"))
    hidden = [frame for frame in range(22) if not red.at(frame)]  # behind the blue one
    assert 11 in hidden
    assert set(hidden) <= set(range(10, 13))
    assert all(blue.at(frame) for frame in range(22))
    for frame in range(22):
        for faces, x in ((red, 50 + 10 * frame), (blue, 270 - 10 * frame)):
            if faces is red and frame in hidden:
                continue
            (points,) = faces.at(frame).values()
            assert points.mean(axis=0)[0] == pytest.approx(EYES_AND_MOUTH.mean(axis=0)[0] + x - 20, abs=6.0)
    everybody = following.find_film_faces(film, "all")
    assert [len(everybody.at(frame)) for frame in (5, 11, 18)] == [2, 1, 2]
    with pytest.raises(NoFaceError, match="it shows 2 people"):
        following.find_film_faces(film, "3")


def test_the_largest_is_followed_and_nobody_is_told(squares):
    film = save_film(
        draw_squares((60, RED)) if frame > 20 else draw_squares((60, RED), (200, BLUE)) for frame in range(30)
    )
    (points,) = following.find_film_faces(film).at(25).values()
    assert points.mean(axis=0)[0] < 100
    with pytest.raises(NoFaceError, match="no face found"):
        following.find_film_faces(save_film([draw_squares()] * 3, "empty.mp4"))


@pytest.mark.parametrize("away", [range(9, 14), range(12, 14), range(2, 4), range(26, 28)], ids=str)
@pytest.mark.parametrize("x", [60, 100])
def test_who_goes_and_comes_back_is_away_in_just_those_frames(squares, away, x):
    frames = [draw_squares((60 if frame < away[0] else x, RED)) for frame in range(30)]
    film = save_film(draw_squares() if frame in away else picture for frame, picture in enumerate(frames))
    faces = following.find_film_faces(film)
    assert [frame for frame in range(30) if not faces.at(frame)] == list(away)


class Fitter:
    """Finds landmarks that tremble, as readers do."""

    match_colour = True
    scheme = SCHEMES["five"]

    def __init__(self, jitter=0.02):
        self.draws, self.jitter = np.random.default_rng(0), jitter

    def find(self, name, face, covered):
        five = np.array(alignment.TEMPLATES["celeba"])
        return np.stack([five, five]) + self.jitter * self.draws.normal(size=(2, 5, 2))


def make_mapper(fitter):
    matrix = crop_matrix((24, 8, 32, 32), SIZE)
    return FilmMapper(
        lambda number, pixels: {0: matrix}, lambda number, faces: (1.0 - faces, None), (SIZE, SIZE, 3), fitter
    )


def draw_moving(count):
    x, y = np.meshgrid(np.arange(80), np.arange(48))
    for frame in range(count):
        yield np.stack([(3 * x + 2 * frame) % 256, (5 * y + frame) % 256, (x + y) % 256], axis=-1).astype(np.uint8)


def test_landmarks_that_tremble_are_steadied():
    film = save_film([next(draw_moving(1))] * 24)
    flicker = {}
    for name, jitter in (("steady", 0.0), ("trembling", 0.02)):
        made = list(make_mapper(Fitter(jitter))._make(enumerate(read_frames(film)), [], []))
        flicker[name] = np.abs(np.diff(np.stack(made).astype(float), n=2, axis=0)).mean()
    alone = list(make_mapper(Fitter(0.02))._make(enumerate([next(draw_moving(1))] * 1), [], []))
    assert alone[0].shape == (48, 80, 3)
    assert flicker["steady"] < 0.5
    raw = []
    for _ in range(24):
        fitter = Fitter()
        fitter.draws = np.random.default_rng(len(raw))
        raw += make_mapper(fitter)._make(enumerate(read_frames(film, 23)), [], [])
    assert flicker["trembling"] < 0.4 * np.abs(np.diff(np.stack(raw).astype(float), n=2, axis=0)).mean()


def test_a_mapped_film_goes_on_where_it_was_stopped(monkeypatch):
    monkeypatch.setattr(writing, "PART_FRAMES", 15)
    film = save_film(draw_moving(40))
    still = Fitter(0.0)
    assert make_mapper(still).write(film, Path("whole.mp4"), "key", "a test") == (40, [], [])

    class Stopping(FilmMapper):
        def _make(self, *arguments):
            yield from itertools.islice(super()._make(*arguments), 20)
            raise KeyboardInterrupt

    def place(number, pixels):
        return {} if number in (3, 16, 35) else make_mapper(still).places(number, pixels)

    given = vars(make_mapper(still)) | {"places": place}
    assert FilmMapper(**given).write(film, Path("without.mp4"), "key", "a test").without == [3, 16, 35]
    with pytest.raises(KeyboardInterrupt):
        Stopping(**given).write(film, Path("stopped.mp4"), "key", "a test")
    assert FilmMapper(**given).write(film, Path("stopped.mp4"), "key", "a test") == (40, [3, 16, 35], [])
    stopped = Stopping(**vars(make_mapper(still)))
    with pytest.raises(KeyboardInterrupt):
        stopped.write(film, Path("out.mp4"), "key", "a test")
    make_mapper(still).write(film, Path("out.mp4"), "key", "a test")
    for one, other in zip(*(read_frames(probe(Path(name))) for name in ("whole.mp4", "out.mp4")), strict=True):
        np.testing.assert_array_equal(one, other)


def test_frames_without_a_face_stay_and_are_told():
    mapper = make_mapper(Fitter())
    places = mapper.places
    mapper = dataclasses.replace(
        mapper, places=lambda number, pixels: {} if number in (3, 4) else places(number, pixels)
    )
    film = save_film(draw_moving(8))
    assert mapper.write(film, Path("out.mp4"), "key", "a test") == (8, [3, 4], [])
    before, after = (list(read_frames(probe(Path(name)))) for name in ("in.mp4", "out.mp4"))
    changes = [np.abs(one.astype(int) - other).max() for one, other in zip(before, after, strict=True)]
    assert max(changes[3], changes[4]) < 0.5 * min(changes[2], changes[5])


class Forgetful(Fitter):
    """Finds no landmarks in some frames."""

    reader = "some"

    def __init__(self, forgotten):
        super().__init__(0.0)
        self.forgotten = forgotten

    def find(self, name, face, covered):
        return None if int(name.split()[1]) in self.forgotten else super().find(name, face, covered)

    def find_one(self, name, face):
        found = self.find(name, face, face)
        return None if found is None else found[0]


def make_frames(mapper, count):
    unfitted = []
    made = np.stack(list(mapper._make(enumerate(draw_moving(count)), [], unfitted))).astype(int)
    return made, unfitted


def test_landmarks_that_are_missing_for_a_moment_are_bridged():
    (whole, none), (made, unfitted) = (make_frames(make_mapper(Forgetful(each)), 12) for each in ((), (0, 5, 6)))
    assert (none, unfitted) == ([], [0])
    changes = np.abs(made - whole).max(axis=(1, 2, 3))
    assert changes[1:].max() < 4 < changes[0]  # colours are a mean of those around


def test_a_frame_that_cannot_be_warped_keeps_its_own_face(capsys):
    film = save_film(draw_moving(3))
    bent = dataclasses.replace(make_mapper(Forgetful((0,))), bend_face=lambda number, face, own: (1.0 - face, own))
    made, unfitted = make_frames(bent, 3)
    assert unfitted == [0]
    np.testing.assert_array_equal(made[0], next(draw_moving(1)))
    assert np.abs(made[1] - list(draw_moving(2))[1]).max() > 50
    task = FilmTask(film, Path("out.mp4"), (SIZE, SIZE, 3), None, (24, 8, 32, 32), following.Choice(), [])
    for is_pasted in (True, False):
        task.write(bent.places, bent.fitter, bent.map_faces, "a test", "a test", bent.bend_face, is_pasted)
        told = "1 frames show the face as it is, since no landmarks are found: 0"
        assert told in capsys.readouterr().out
        Path("out.mp4").unlink()


def test_what_is_made_of_a_folder_depends_on_its_frames_and_their_rate():
    Path("frames").mkdir()
    Path("frames/0.png").write_bytes(b"one")
    film = Film(Path("frames"), Fraction(25), None, None)
    keys = [make_key(film, []), make_key(dataclasses.replace(film, frames_per_second=Fraction(10)), [])]
    Path("frames/0.png").write_bytes(b"another")
    keys.append(make_key(film, []))
    assert len(set(keys)) == 3


def test_what_is_made_depends_on_the_file_of_the_landmarks_model():
    path = Path("face.task")
    fitter = types.SimpleNamespace(reader=types.SimpleNamespace(path=path), match_colour=True)
    told = []
    for content in (b"one", b"another"):
        path.write_bytes(content)
        told.append(describe_fitter(fitter))
    assert told[0] != told[1] == describe_fitter(fitter)
    assert describe_fitter(types.SimpleNamespace(reader=None, match_colour=True))[-1] is None


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    model = FaceMapping(image_size=SIZE, filters=(4, 4), inter_dim=4, people=("ann", "bob"))
    return run_of(tmp_path_factory.mktemp("runs") / "mapping", model)


def test_the_command_maps_a_film(run, command):
    save_film(draw_moving(7))
    given = ("swap", f"--run_dir={run}", "--in=in.mp4", "--to=bob")
    done = command(*given, "--out=out.mp4", "--paste")
    assert done.code == 0, done.err
    assert "out.mp4: 7 frames, mapped onto bob" in done.out
    assert next(read_frames(probe(Path("out.mp4")))).shape == (48, 80, 3)
    assert command(*given, "--out=faces.mp4").code == 0
    assert next(read_frames(probe(Path("faces.mp4")))).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("--out=out",),
            "--in is a film, and what is made of it another one; films are written as MP4: call it out.mp4",
        ),
        (("--out=in.mp4",), "--out=in.mp4 exists"),
        (("--out=out.mp4", "--align", "--faces=all"), "--faces=all of a film wants --paste"),
        (("--out=out.mp4", "--align", "--crop=8"), "--crop and --align"),
    ],
)
def test_what_cannot_be_is_refused(run, command, flags, words):
    save_film(draw_moving(2))
    done = command("swap", f"--run_dir={run}", "--in=in.mp4", "--to=bob", *flags)
    assert (done.code, words in done.err) == (2, True), done.err
    assert [path.name for path in Path().iterdir()] == ["in.mp4"]


def test_a_damaged_film_is_refused(run, command):
    Path("in.mp4").write_bytes(b"no film")
    done = command("swap", f"--run_dir={run}", "--in=in.mp4", "--to=bob", "--out=out.mp4")
    assert (done.code, "is no film that ffmpeg can read" in done.err) == (2, True), done.err


def test_numbers_are_listed_shortly():
    assert list_numbers([3, 7, 8, 9]) == "3, 7 to 9"
    assert list_numbers(range(0, 40, 2)) == "0, 2, 4, 6, 8 and 15 more"


def test_a_film_that_was_followed_half_way_is_followed_on(squares, monkeypatch):
    monkeypatch.setattr(following, "KEPT_FRAMES", 8)
    film = save_film(draw_squares((50 + 10 * frame, RED), (270 - 10 * frame, BLUE)) for frame in range(22))
    seen = []
    most = [None]  # of looks, before the interruption

    def find_near(image, points):
        seen.append(points)
        if len(seen) == most[0]:
            raise KeyboardInterrupt
        return find(image, points)

    find = detection.find_near
    monkeypatch.setattr(detection, "find_near", find_near)
    whole, all_looks = following.find_film_faces(film, "all"), len(seen)
    parts = Parts(Path("out.mp4"), "0" * 16)
    most[0] = all_looks + 3 * all_looks // 4
    with pytest.raises(KeyboardInterrupt):
        following.find_film_faces(film, "all", parts)
    before = len(seen)
    again = following.find_film_faces(film, "all", parts)
    assert len(seen) - before < 0.6 * all_looks
    for one, other in zip(whole.tracks, again.tracks, strict=True):
        np.testing.assert_array_equal(one.points, other.points)
    parts.clear()
    assert [path.name for path in Path().iterdir()] == ["in.mp4"]


def test_a_part_that_is_damaged_is_seen_anew(squares):
    film = save_film(draw_squares((60 + frame, RED)) for frame in range(4))
    parts = Parts(Path("out.mp4"), "0" * 16)
    parts.open()
    (parts.folder / "sightings-000000.npz").write_bytes(b"PK no arrays")
    assert len(following.find_film_faces(film, parts=parts).tracks) == 1
