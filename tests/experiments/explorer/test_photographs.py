"""What is explored without a run: two photographs, warped onto each other."""

import io
import subprocess
import sys

import numpy as np
import pytest
from command_line import SOFTWARE, assert_refused, picture, read_png
from facezoo import pictures
from facezoo.datasets.photographs import fit
from facezoo.datasets.procedural import PAIR, procedural_faces
from facezoo.experiments.codes.morphing import NOTICE
from facezoo.experiments.errors import UsageError
from facezoo.experiments.explorer import photographs, warps
from facezoo.experiments.explorer.explored import Explored
from facezoo.experiments.explorer.looks import Look
from facezoo.experiments.explorer.photographs import WarpExplorer
from facezoo.experiments.explorer.warps import Warp
from facezoo.experiments.faces.framing import Framed, frame_photographs
from facezoo.experiments.faces.landmarks import readers
from facezoo.experiments.flags.groups import AlignmentSettings, LandmarkSettings
from facezoo.warping.shapes import SCHEMES
from PIL import Image

ALIGNED = AlignmentSettings(align=True)


class Centre:
    """Stands for a reader: sees a face in the middle of every picture but a black one, and two where it is wide."""

    scheme = "five"
    takes_lying_for_upright = False
    five = np.array([[0.4, 0.42], [0.6, 0.42], [0.5, 0.53], [0.42, 0.63], [0.58, 0.63]])
    num_looks = 0

    def __init__(self, model=None):
        pass

    def faces(self, photograph, closely=False):
        Centre.num_looks += 1
        count = 2 if photograph.width > 2 * photograph.height else 1
        return [self.five * min(photograph.size)] * count if np.asarray(photograph).any() else []

    def close(self):
        pass


@pytest.fixture
def explorer(monkeypatch):
    monkeypatch.setitem(readers.READERS, "mtcnn", Centre)
    made = WarpExplorer(ALIGNED, LandmarkSettings(landmarks="mtcnn"))
    yield made
    made.close()


def uploaded(explorer, image, name="a.png"):
    file = io.BytesIO()
    image.save(file, "PNG")
    file.seek(0)
    return explorer.photograph(file, name)


def seen(png):
    return read_png(io.BytesIO(png))


def test_it_begins_with_two_drawn_faces_whose_landmarks_are_known():
    explorer = WarpExplorer(ALIGNED)
    examples = procedural_faces("test", image_size=256).load(np.array(PAIR))
    assert explorer.methods == ("warp",) and explorer.sliders == ()
    look = explorer.first_look()
    assert look.warp.note == "70 landmarks of drawn faces"
    for is_end, expected in enumerate(examples["image"]):
        np.testing.assert_array_equal(explorer.show_face(look.start, bool(is_end), look.warp), expected)
        at_end = Look(look.start, look.end, float(is_end), method="warp", warp=look.warp)
        np.testing.assert_array_equal(seen(explorer.picture(at_end))[0], expected)
    assert seen(explorer.strip(look))[0].shape == (128, 1280, 3)


@pytest.mark.parametrize(("count", "places"), [(1, (0, 0)), (7, (0, 1)), (max(PAIR), (0, 1)), (max(PAIR) + 1, PAIR)])
def test_a_small_test_split_begins_with_two_faces_too(count, places):
    explorer = Explored(range(count))
    explorer.at = int
    assert explorer._first_two() == places


def test_a_photograph_s_landmarks_are_found_once_for_all_of_the_way(explorer):
    start = uploaded(explorer, picture((900, 700)))
    end = uploaded(explorer, picture((1200, 500), 1), "b.png")
    before = Centre.num_looks
    warp = explorer.find_warp(start, end)
    assert Centre.num_looks == before + 2
    assert warp.note == "5 landmarks, found by MTCNN, whose fit is weak; b.png shows 2 faces: the largest is taken"
    for alpha in (0.3, 0.7):
        look = Look(start, end, alpha, method="warp", warp=warp)
        pixels, text = seen(explorer.picture(look))
        assert pixels.shape == (256, 256, 3)
        assert text == {"Software": SOFTWARE, "Description": f"warp from a.png to b.png at {alpha:.2f}: {NOTICE}"}
    sharp = seen(explorer.sharp_picture(look))[0]
    assert 256 < sharp.shape[0] <= 512
    assert Centre.num_looks == before + 2


@pytest.mark.parametrize(
    ("reader", "scheme", "words"),
    [
        (None, SCHEMES["drawn"], "70 landmarks of drawn faces"),
        ("face", SCHEMES["drawn"], "70 landmarks, found by the face network, which knows drawn faces"),
        ("mediapipe", SCHEMES["mediapipe"], "478 landmarks, found by MediaPipe"),
        ("mediapipe", SCHEMES["mediapipe"].aside, "5 of 478 landmarks, found by MediaPipe"),
        ("mtcnn", SCHEMES["five"], "5 landmarks, found by MTCNN, whose fit is weak"),
    ],
)
def test_who_found_the_landmarks_is_told(reader, scheme, words):
    assert Warp(Framed(np.zeros(()), np.zeros(()), scheme, reader), ["b.png"]).note == f"{words}; b.png"
    assert set(warps.FOUND_BY) == {None, *readers.READERS}


def test_pictures_have_the_size_that_is_asked_for(monkeypatch):
    monkeypatch.setitem(readers.READERS, "mtcnn", Centre)
    explorer = WarpExplorer(ALIGNED, LandmarkSettings(landmarks="mtcnn"), size=64)
    look = explorer.first_look()
    assert seen(explorer.sharp_picture(look))[0].shape == (64, 64, 3)
    face = uploaded(explorer, picture((900, 700)))
    assert explorer.find_warp(face, look.end).framed.pictures.shape == (2, 64, 64, 3)


def test_large_photographs_are_held_small(explorer):
    assert uploaded(explorer, picture((3000, 1500))).picture.shape == (1024, 2048, 3)


CROP = (1500, 100, 1000, 1000)


def test_a_crop_is_in_pixels_of_the_photograph_and_taken_once(monkeypatch):
    monkeypatch.setitem(readers.READERS, "mtcnn", Centre)
    explorer = WarpExplorer(ALIGNED, LandmarkSettings(landmarks="mtcnn"), {"crop": CROP}, 64)
    large = picture((3000, 1500))
    face = uploaded(explorer, large)
    np.testing.assert_array_equal(face.picture, np.asarray(large.crop((1500, 100, 2500, 1100))))
    start, end = explorer.find_warp(face, explorer.first_faces[1]).ends(64)
    np.testing.assert_array_equal(start, fit(large, 64, CROP))
    np.testing.assert_array_equal(end, explorer.first_faces[1].picture)
    with pytest.raises(UsageError, match=r"^a\.png: crop=.* reaches outside a picture of 300x300"):
        uploaded(explorer, picture((300, 300)))
    explorer.close()


def test_a_crop_is_taken_of_the_files_of_a_data_set(monkeypatch, tmp_path):
    monkeypatch.setitem(readers.READERS, "mtcnn", Centre)
    for number in range(30):
        picture((40, 30), number).save(tmp_path / f"{number}.png")
    given = {"dataset": "folder", "data_dir": str(tmp_path), "crop": (20, 5, 20, 20)}
    settings = LandmarkSettings(landmarks="mtcnn")
    cut = [fit(picture((40, 30), number), 64, (20, 5, 20, 20)) for number in range(30)]
    explorer = WarpExplorer(ALIGNED, settings, given, 64)
    framed = frame_photographs(["test:0", "test:1"], settings, ALIGNED, given, 64)
    for one in (*explorer.first_warp.ends(64), *pictures.to_uint8(framed.pictures)):
        assert any(np.array_equal(one, expected) for expected in cut)


def test_a_film_says_what_it_is(explorer, monkeypatch):
    monkeypatch.setattr("facezoo.experiments.explorer.explored.FILM_STEPS", 3)
    film = explorer.film(explorer.first_look())
    assert film[4:8] == b"ftyp"
    assert b"no place in an identity document" in film


def test_a_photograph_without_a_face_is_answered_in_a_kind_line(explorer):
    nobody = uploaded(explorer, Image.new("RGB", (300, 300)), "nobody.png")
    with pytest.raises(UsageError, match=r"^nobody\.png: no face found: take a photograph that shows one.*front$"):
        explorer.find_warp(explorer.first_faces[0], nobody)


def test_without_a_reader_drawn_faces_are_warped_and_what_to_install_is_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    explorer = WarpExplorer(ALIGNED)
    first, second = explorer.list_hints()
    assert first.startswith("Drawn faces only: ") and "pip install 'facezoo[landmarks]'" in first
    assert "no place in an identity document" in second
    face = uploaded(explorer, picture((300, 300)))
    with pytest.raises(UsageError, match=r"neither is installed: pip install 'facezoo\[landmarks\]'"):
        explorer.find_warp(face, explorer.first_faces[1])
    explorer.find_warp(explorer.anybody(0), explorer.anybody(1))
    monkeypatch.setattr(photographs, "list_readers", lambda: ["mtcnn"])
    assert "MediaPipe, which is not installed, fits better" in photographs._suggest_reader()


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--checkpoint=best"], ["--checkpoint does nothing without --run_dir"]),
        (["--noalign"], ["--align does nothing without --run_dir"]),
        (["--size=8"], ["--size", "16"]),
        (["--landmarks=mine"], ["--landmarks", "mediapipe|mtcnn"]),
        (["--dataset=folder"], ["--data_dir"]),
        (["--run_dir={run}", "--size=64"], ["--size does nothing with --run_dir"]),
    ],
)
def test_what_does_nothing_is_refused(finished, command, flags, words):
    assert_refused(command("explore", "--port=0", *(flag.format(run=finished) for flag in flags)), *words)


def test_it_needs_no_tensorflow():
    code = (
        "import sys\nfrom facezoo.experiments.explorer.photographs import WarpExplorer\n"
        "from facezoo.experiments.flags.groups import AlignmentSettings\n"
        "explorer = WarpExplorer(AlignmentSettings(align=True))\nexplorer.picture(explorer.first_look())\n"
        "print(sorted({'tensorflow', 'keras', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
