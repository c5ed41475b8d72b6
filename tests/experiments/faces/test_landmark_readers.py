"""Who finds landmarks, whichever way up, and what is said where nobody does."""

import sys

import numpy as np
import pytest
from facezoo.datasets.alignment import align_points
from facezoo.experiments.errors import UsageError
from facezoo.experiments.faces import framing
from facezoo.experiments.faces.framing import Stop, frame_face, frame_photographs, frame_stops, largest_face
from facezoo.experiments.faces.landmarks import face_mesh, readers
from facezoo.experiments.faces.landmarks.readers import READERS
from facezoo.experiments.flags.groups import LANDMARK_READERS, AlignmentSettings, LandmarkSettings
from facezoo.warping.shapes import SCHEMES, five_points
from PIL import Image

FIVE = np.array([[40.0, 50.0], [60.0, 50.0], [50.0, 62.0], [42.0, 72.0], [58.0, 72.0]])
ALIGNED = AlignmentSettings(align=True)
NOSES = {100: 60.0, 110: 50.0, 120: 45.0, 130: 55.0}  # across, by the width of the photograph


class Upright:
    """Stands for a reader: sees faces where a picture's first pixel is white, which it is the right way up."""

    scheme = "five"
    takes_lying_for_upright = False
    shown = (FIVE,)

    def __init__(self, model=None):
        self.looks = []

    def faces(self, photograph, closely=False):
        self.looks.append((photograph.size, closely))
        return list(self.shown) if photograph.getpixel((0, 0)) == (255, 255, 255) else []

    def close(self):
        pass


@pytest.fixture
def upright(monkeypatch):
    monkeypatch.setitem(READERS, "mtcnn", Upright)
    return LandmarkSettings(landmarks="mtcnn")


def photograph(size=(100, 120)):
    image = Image.new("RGB", size, "gray")
    image.putpixel((0, 0), (255, 255, 255))
    return image


def test_every_reader_can_be_asked_for_and_has_a_scheme():
    assert ("auto", *READERS) == LANDMARK_READERS
    assert {reader.scheme for reader in READERS.values()} == set(SCHEMES)


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (None, lambda x, y: (x, y)),
        (Image.Transpose.ROTATE_180, lambda x, y: (100 - x, 120 - y)),
        (Image.Transpose.ROTATE_90, lambda x, y: (y, 100 - x)),
        (Image.Transpose.ROTATE_270, lambda x, y: (120 - y, x)),
    ],
)
def test_a_face_is_found_whichever_way_up(turn, expected):
    image = photograph() if turn is None else photograph().transpose(turn)
    found = largest_face(Upright(), Stop("a.jpg", image))
    np.testing.assert_allclose(found, [expected(x, y) for x, y in FIVE])


def test_landmarks_that_a_closer_look_does_not_find_again_are_not_believed():
    """As of a small face upside down, which is read as if it were upright."""
    where = align_points(FIVE, framing.CLOSE.matrix(FIVE)) * framing.CLOSE.size

    class Hasty(Upright):
        takes_lying_for_upright = True

        def faces(self, photograph, closely=False):
            if photograph.size == (framing.CLOSE.size, framing.CLOSE.size):
                return [where if self.is_right else where + 40.0]
            self.is_right = bool(super().faces(photograph, closely))
            return [FIVE]

    found = largest_face(Hasty(), Stop("a.jpg", photograph().transpose(Image.Transpose.ROTATE_180)))
    np.testing.assert_allclose(found, [(100 - x, 120 - y) for x, y in FIVE])


def test_small_faces_are_looked_for_last():
    reader = Upright()
    with pytest.raises(framing.NoFaceError, match=r"a\.jpg: no face found"):
        largest_face(reader, Stop("a.jpg", Image.new("RGB", (30, 40))))
    assert [closely for _, closely in reader.looks] == [False, False, False, False, True]


def test_two_faces_and_one_turned_aside_are_told_in_a_line(caplog):
    class Two(Upright):
        shown = (FIVE + np.array([[0, 0], [0, 0], [9, 0], [0, 0], [0, 0]]), FIVE)

    largest_face(Two(), Stop("a.jpg", photograph()))
    first, second = caplog.messages
    assert first == "a.jpg shows 2 faces: the largest is taken"
    assert second.startswith("a.jpg: the face is turned far aside")


def test_of_faces_that_look_apart_five_points_are_followed(monkeypatch):
    class Mesh(Upright):
        scheme = "mediapipe"
        takes_lying_for_upright = False

        def faces(self, photograph, closely=False):
            nose = NOSES[photograph.width]
            points = np.tile((50.0, 62.0), (478, 1))
            for place, members in zip(FIVE, SCHEMES["mediapipe"].five, strict=True):
                points[list(members)] = place
            points[list(SCHEMES["mediapipe"].five[2])] = nose, 62.0
            return [points]

    monkeypatch.setitem(READERS, "mediapipe", Mesh)
    aside, ahead = Stop("aside.jpg", photograph()), Stop("ahead.jpg", photograph((110, 120)))
    for stops, expected in (((aside, ahead), SCHEMES["mediapipe"].aside), ((aside, aside), SCHEMES["mediapipe"])):
        told = []
        framed = frame_stops(stops, LandmarkSettings(landmarks="mediapipe"), ALIGNED, {}, 64, tell=told.append)
        assert framed.scheme is expected and framed.reader == "mediapipe"
        assert framed.points.shape == (2, expected.num_points, 2)
        assert "aside.jpg: the face is turned far aside" in told[0]
        assert not any("look to different sides" in line for line in told)
    half = [Stop(name, photograph((width, 120))) for name, width in (("left.jpg", 120), ("right.jpg", 130))]
    told = []
    assert frame_stops(half, LandmarkSettings(landmarks="mediapipe"), ALIGNED, {}, 64, tell=told.append).reader
    assert len(told) == 1 and told[0].startswith("left.jpg and right.jpg look to different sides")


def test_whoever_wants_to_know_is_told_instead_of_the_log(upright, caplog, monkeypatch):
    monkeypatch.setattr(framing, "announce", str)  # which a command before may have let into the log
    told = []
    small = Stop("a.jpg", photograph())
    framed = frame_stops([small, small], upright, ALIGNED, {}, most=320, tell=told.append)
    assert framed.pictures.shape == (2, 256, 256, 3)
    assert len(told) == 1 and "the frames of all have 256" in told[0]
    large = Stop("b.jpg", photograph((1000, 1200)))
    monkeypatch.setattr(Upright, "shown", (10 * FIVE,))
    assert frame_stops([large, large], upright, ALIGNED, {}, most=320, tell=told.append).pictures.shape[1] == 320
    assert len(told) == 1 and caplog.messages == []


def test_frames_hold_eyes_and_mouth_in_one_place(upright, tmp_path):
    photograph((100, 120)).save(tmp_path / "a.png")
    photograph((100, 120)).transpose(Image.Transpose.ROTATE_180).save(tmp_path / "b.png")
    names = [str(tmp_path / name) for name in ("a.png", "b.png")]
    pictures, points, scheme, reader = frame_photographs(names, upright, ALIGNED, {}, None)
    assert scheme is SCHEMES["five"] and reader == "mtcnn"
    assert pictures.shape == (2, 256, 256, 3)
    np.testing.assert_allclose(points[0], points[1], atol=1e-6)
    eyes = points[0, :2].mean(axis=0)
    assert eyes[0] == pytest.approx(0.5, abs=0.01) and 0.3 < eyes[1] < 0.55
    wider = frame_photographs(names, upright, AlignmentSettings(True, None, 1.0), {}, 64)
    assert wider.pictures.shape == (2, 64, 64, 3)
    assert np.ptp(wider.points[0, :2, 0]) < np.ptp(points[0, :2, 0])


def test_what_a_data_set_knows_is_taken():
    pictures, points, scheme, reader = frame_photographs(["test:1", "test:2"], LandmarkSettings(), ALIGNED, {}, 64)
    assert scheme is SCHEMES["drawn"] and reader is None and pictures.shape == (2, 64, 64, 3)
    read = frame_face(pictures, ["test:1", "test:2"], LandmarkSettings(landmarks="face"), [None, None])
    eyes = np.linalg.norm(np.diff(five_points(points[0], scheme)[:2], axis=0))
    assert np.linalg.norm(read.points - points, axis=-1).mean() < 0.15 * eyes


def test_without_any_reader_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'facezoo\[landmarks\]'"):
        readers.list_readers()
    with pytest.raises(UsageError, match=r"mediapipe is not installed: pip install 'facezoo\[landmarks\]'"):
        face_mesh.FaceMesh()


# The model file.


def test_the_model_file_is_the_one_given_or_named(monkeypatch, tmp_path):
    file = tmp_path / "a.task"
    file.write_bytes(b"model")
    monkeypatch.setenv(face_mesh.PLACE, str(tmp_path / "nowhere"))
    assert face_mesh.model_file(str(file)) == file
    with pytest.raises(UsageError, match=r"FACEZOO_FACE_LANDMARKER=.*nowhere: there is no such file"):
        face_mesh.model_file(None)
    monkeypatch.setenv(face_mesh.PLACE, str(file))
    assert face_mesh.model_file(None) == file
    with pytest.raises(UsageError, match="--landmark_model=gone: there is no such file"):
        face_mesh.model_file("gone")


def test_it_is_downloaded_once_and_held_against_its_hash(monkeypatch, tmp_path):
    served = tmp_path / "served"
    served.write_bytes(b"something else")
    monkeypatch.delenv(face_mesh.PLACE, raising=False)
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(face_mesh, "ADDRESS", served.as_uri())
    with pytest.raises(UsageError, match="SHA-256 differs"):
        face_mesh.model_file(None)
    assert not list(tmp_path.glob("cache/*"))
    monkeypatch.setattr(face_mesh, "SHA256", face_mesh.hashlib.sha256(b"something else").hexdigest())
    path = face_mesh.model_file(None)
    assert path.read_bytes() == b"something else"
    served.unlink()
    assert face_mesh.model_file(None) == path
    path.unlink()
    with pytest.raises(UsageError, match=r"cannot be downloaded.*--landmark_model or FACEZOO_FACE_LANDMARKER"):
        face_mesh.model_file(None)


def test_tensorflow_is_there_again_after_mediapipe_was_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow")
    with face_mesh._without_tensorflow(), pytest.raises(ImportError):
        import tensorflow  # noqa: F401
    assert "tensorflow" not in sys.modules


# A real face, by the real model.


def test_mediapipe_finds_an_astronaut_also_upside_down(tmp_path):
    pytest.importorskip("mediapipe")
    if not face_mesh.os.environ.get(face_mesh.PLACE):
        pytest.skip(f"{face_mesh.PLACE} names no model file")
    data = pytest.importorskip("skimage.data")
    image = Image.fromarray(data.astronaut())
    reader = face_mesh.FaceMesh()
    assert str(reader.path) == face_mesh.os.environ[face_mesh.PLACE]
    try:
        found = [
            largest_face(reader, Stop("a", turned)) for turned in (image, image.transpose(Image.Transpose.ROTATE_180))
        ]
    finally:
        reader.close()
    five = five_points(found[0], SCHEMES["mediapipe"])
    np.testing.assert_allclose(five, [[204, 102], [246, 104], [224, 131], [206, 140], [244, 141]], atol=6)
    np.testing.assert_allclose(512 - five_points(found[1], SCHEMES["mediapipe"]), five, atol=4)
