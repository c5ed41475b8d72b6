"""`facezoo morph` by a warp: without a run and with one, and what it is refused."""

import subprocess
import sys

import numpy as np
import pytest
from command_line import assert_refused, contents, drawn, drop_announcements, picture, read_png, reconstructed
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.codes.morphing import _choose_shown, _label, warp_and_code_through, warp_through
from facezoo.experiments.errors import UsageError
from facezoo.experiments.faces import framing
from facezoo.experiments.faces.landmarks.readers import READERS
from facezoo.latents.interpolation import meet_all
from facezoo.warping.shapes import SCHEMES
from PIL import Image

pytestmark = pytest.mark.usefixtures("empty_folder")
DRAWN = SCHEMES["drawn"]

NO_FACE = "no face found: take a photograph that shows one, large and from the front"


@pytest.fixture(scope="module")
def faces():
    """The drawn faces test:1 and test:2 as the finished run sees them, and their landmarks."""
    examples = procedural_faces("test", image_size=32).load(np.array([1, 2]))
    return examples["image"].astype(np.float32) / 255.0, examples["landmarks"].astype(np.float64)


def as_bytes(frames):
    return np.rint(frames * 255.0).astype(np.uint8)


def test_two_drawn_faces_are_morphed_without_a_run(command, empty_folder):
    done = command("morph", "--start=test:53", "--end=test:17", "--steps=3", "--size=64")
    assert done.code == 0, done.err
    assert done.err == ""
    assert {path.name for path in (empty_folder / "morphs").iterdir()} == {
        *("000.png", "001.png", "002.png", "row.png", "sheet.png", "morph.gif", "morph.mp4")
    }
    first, text = read_png(empty_folder / "morphs" / "000.png")
    face = procedural_faces("test", image_size=64).load(np.array([53]))["image"][0]
    np.testing.assert_array_equal(first, face)
    assert "morph from test:53 to test:17 by a warp, frame 1 of 3" in text["Description"]
    again = command("morph", "--start=test:53", "--end=test:17", "--steps=2", "--size=64")
    assert "morphs-2" in again.out


def test_every_file_says_that_it_is_a_morph_and_where_none_belongs(command, tmp_path):
    arguments = ("--start=test:1", "--end=test:2", "--steps=2", "--size=64", f"--out={tmp_path / 'out'}")
    assert command("morph", *arguments).code == 0
    for name in ("000.png", "row.png", "sheet.png"):
        assert "no place in an identity document" in read_png(tmp_path / "out" / name)[1]["Description"]
    with Image.open(tmp_path / "out" / "morph.gif") as animation:
        assert b"no place in an identity document" in animation.info["comment"]
    assert b"no place in an identity document" in (tmp_path / "out" / "morph.mp4").read_bytes()


def test_a_way_leads_through_faces_and_back(command, tmp_path):
    stops = ("--start=test:3", "--through=test:40", "--end=test:7", "--closed")
    done = command("morph", *stops, "--steps=6", "--size=32", f"--out={tmp_path / 'loop'}")
    assert done.code == 0, done.err
    frames = [read_png(tmp_path / "loop" / f"{number:03d}.png")[0] for number in range(6)]
    np.testing.assert_array_equal(frames[::2], as_bytes(drawn([3, 40, 7])))
    with Image.open(tmp_path / "loop" / "morph.gif") as animation:
        assert animation.n_frames == 6


def test_without_steps_every_face_is_met(command, tmp_path):
    stops = ("--start=test:3", "--through=test:40", "--end=test:7")
    done = command("morph", *stops, "--size=32", f"--out={tmp_path / 'out'}")
    assert done.code == 0, done.err
    frames = sorted((tmp_path / "out").glob("0*.png"))
    assert len(frames) == 25
    np.testing.assert_array_equal([read_png(frames[n])[0] for n in (0, 12, 24)], as_bytes(drawn([3, 40, 7])))
    refused = command("morph", *stops, *(f"--through=test:{number}" for number in range(1000)), "--size=32")
    assert_refused(refused, "1003 faces are more than 1000 pictures")


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("count", range(2, 16))
def test_a_sheet_names_every_face_that_is_met(count, closed):
    names = [f"{number}.png" for number in range(count)]
    for steps in (meet_all(10, count, closed), meet_all(24, count, closed), meet_all(300, count, closed)):
        shown = _choose_shown(steps, count, closed)
        labels = [_label(number, steps, names, closed) for number in shown]
        assert len(shown) <= 25 and [label for label in labels if label.endswith(".png") and " " not in label] == names


def test_seconds_and_fps_say_how_many_frames_there_are(command, tmp_path):
    arguments = ("--start=test:1", "--end=test:2", "--size=32", "--seconds=0.5", "--fps=8")
    assert command("morph", *arguments, f"--out={tmp_path / 'out'}").code == 0
    assert len(list((tmp_path / "out").glob("0*.png"))) == 4
    with Image.open(tmp_path / "out" / "morph.gif") as animation:
        assert animation.info["duration"] in (120, 125, 130)


def test_with_a_run_a_warp_has_its_size_and_its_data_s_landmarks(finished, command, faces, tmp_path):
    arguments = ("--start=test:1", "--end=test:2", "--steps=3", "--method=warp", f"--out={tmp_path / 'out'}")
    assert command("morph", f"--run_dir={finished}", *arguments).code == 0
    frames = [read_png(tmp_path / "out" / f"{number:03d}.png")[0] for number in range(3)]
    np.testing.assert_array_equal(frames, as_bytes(warp_through(*faces, DRAWN, 3)))


def test_warp_and_code_begins_and_ends_as_codes_do(finished, command, model, faces, tmp_path):
    arguments = ("--start=test:1", "--end=test:2", "--steps=3", "--method=warp+code", f"--out={tmp_path / 'out'}")
    assert command("morph", f"--run_dir={finished}", *arguments).code == 0
    first, middle, last = (read_png(tmp_path / "out" / f"{number:03d}.png")[0].astype(int) for number in range(3))
    np.testing.assert_allclose(first, reconstructed(model, faces[0][0]), atol=2)
    np.testing.assert_allclose(last, reconstructed(model, faces[0][1]), atol=2)
    expected = as_bytes(warp_and_code_through(model, *faces, DRAWN, 3)[1])
    np.testing.assert_allclose(middle, expected, atol=1)


def test_uniform_frames_are_more_even(faces):
    from facezoo.experiments.codes.face_network import face_features

    def unevenness(path):
        seen = face_features(warp_through(*faces, DRAWN, 6, path))
        steps = np.linalg.norm(np.diff(seen, axis=0), axis=1)
        return steps.max() / steps.mean()

    assert unevenness("uniform") < 0.9 * unevenness("linear")


class Centre:
    """Stands for a reader: takes every picture but a black one for a face in its middle."""

    scheme = "five"
    takes_lying_for_upright = False
    five = np.array([[0.4, 0.42], [0.6, 0.42], [0.5, 0.53], [0.42, 0.63], [0.58, 0.63]])

    def __init__(self, model=None):
        pass

    def faces(self, photograph, closely=False):
        return [self.five * photograph.size] if np.asarray(photograph).any() else []

    def close(self):
        pass


@pytest.fixture
def centre(monkeypatch):
    monkeypatch.setitem(READERS, "mtcnn", Centre)
    return "--landmarks=mtcnn"


def test_photographs_of_any_size_and_in_gray_are_morphed(command, centre, tmp_path):
    picture((300, 420)).save(tmp_path / "a.jpg")
    picture((900, 800), 1).convert("L").save(tmp_path / "b.png")
    files = (f"--start={tmp_path / 'a.jpg'}", f"--end={tmp_path / 'b.png'}")
    done = command("morph", *files, centre, "--steps=2", f"--out={tmp_path / 'out'}")
    assert done.code == 0, done.err
    assert read_png(tmp_path / "out" / "000.png")[0].shape == (286, 286, 3)  # what the smaller face fills
    assert read_png(tmp_path / "out" / "sheet.png")[0].shape[1] == 512


def test_a_photograph_without_a_face_is_named_in_a_line(command, centre, tmp_path):
    picture((300, 420)).save(tmp_path / "a.jpg")
    Image.new("RGB", (300, 300)).save(tmp_path / "nobody.png")
    files = (f"--start={tmp_path / 'a.jpg'}", f"--end={tmp_path / 'nobody.png'}")
    before = contents(tmp_path)
    done = command("morph", *files, centre, "--out=new")
    assert_refused(done, f"{tmp_path / 'nobody.png'}: {NO_FACE}")
    assert len(drop_announcements(done.err).splitlines()) == 1
    assert contents(tmp_path) == before


class Daylight(Centre):
    """Sees a face where the light comes from above: two side by side in wide pictures, one in profile in high ones."""

    def faces(self, photograph, closely=False):
        width, height = photograph.size
        light = np.asarray(photograph.convert("L").resize((1, 2)), float)[:, 0]
        if light[0] < light[1] + 20:
            return []
        five = self.five.copy()
        if height > width:
            five[2] = 0.6, 0.53  # the nose below an eye
        return [five * photograph.size] * (2 if width > height else 1)


def lit(size, mode="RGB"):
    return Image.linear_gradient("L").transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize(size).convert(mode)


PHOTOGRAPHS = {
    "without a face": (lambda: Image.new("RGB", (300, 300), "gray"), 2, f"facezoo: {{}}: {NO_FACE}"),
    "with two faces": (lambda: lit((420, 300)), 0, "WARNING: {} shows 2 faces: the largest is taken"),
    "in profile": (
        lambda: lit((300, 420)),
        0,
        "WARNING: {}: the face is turned far aside: half of it is not seen, and will be smeared",
    ),
    "of 50 megapixels": (lambda: lit((7100, 7100), "L"), 0, None),
    "upside down": (lambda: lit((300, 300)).transpose(Image.Transpose.ROTATE_180), 0, None),
    "gray": (lambda: lit((300, 300), "L"), 0, None),
    "gray with an alpha channel": (lambda: lit((300, 300), "LA"), 0, None),
}


@pytest.mark.parametrize("kind", PHOTOGRAPHS)
def test_each_photograph_is_answered_by_a_line_or_done_right(command, monkeypatch, tmp_path, kind):
    monkeypatch.setitem(READERS, "mtcnn", Daylight)
    make, code, line = PHOTOGRAPHS[kind]
    make().save(tmp_path / "a.png", compress_level=1)
    lit((300, 300)).save(tmp_path / "b.png")
    files = (f"--start={tmp_path / 'a.png'}", f"--end={tmp_path / 'b.png'}")
    done = command("morph", *files, "--landmarks=mtcnn", "--steps=2", "--size=64", f"--out={tmp_path / 'out'}")
    assert done.code == code, done.err
    expected = [line.format(tmp_path / "a.png")] if line else []
    assert drop_announcements(done.err).splitlines() == expected
    assert (tmp_path / "out").exists() == (code == 0)
    if code == 0:
        first = read_png(tmp_path / "out" / "000.png")[0].astype(float)
        assert first.shape == (64, 64, 3)
        assert first[:16].mean() > first[-16:].mean() + 20


class Blind(Centre):
    def faces(self, photograph, closely=False):
        return []


class Unfetched(Centre):
    def __init__(self, model=None):
        raise UsageError("its model cannot be downloaded")


@pytest.mark.parametrize(
    ("reader", "reason"), [(Blind, "{}: no face found"), (Unfetched, "its model cannot be downloaded")]
)
def test_where_the_best_reader_reads_nothing_the_next_one_is_asked(command, monkeypatch, tmp_path, reader, reason):
    monkeypatch.setitem(READERS, "mediapipe", reader)
    monkeypatch.setitem(READERS, "mtcnn", Centre)
    monkeypatch.setattr(framing, "list_readers", lambda: ["mediapipe", "mtcnn"])
    for name in ("a.png", "b.png"):
        picture((300, 300)).save(tmp_path / name)
    files = (f"--start={tmp_path / 'a.png'}", f"--end={tmp_path / 'b.png'}")
    done = command("morph", *files, "--steps=2", f"--out={tmp_path / 'out'}")
    assert done.code == 0, done.err
    reason = reason.format(tmp_path / "a.png")
    assert drop_announcements(done.err).splitlines() == [
        f"WARNING: mediapipe: {reason}; mtcnn is used instead, whose fit is weaker"
    ]


def test_photographs_that_hold_little_of_a_face_are_said_to_be_small(command, centre, tmp_path):
    for name in ("a.png", "b.png"):
        picture((100, 100)).save(tmp_path / name)
    files = (f"--start={tmp_path / 'a.png'}", f"--end={tmp_path / 'b.png'}")
    done = command("morph", *files, centre, "--steps=2", f"--out={tmp_path / 'out'}")
    assert done.code == 0, done.err
    assert "holds 90 pixels a side around its face: the frames of all have 256; --size sets another size" in done.err


MORPH = ("--start=test:0", "--end=test:1")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--method=code"], ["--method=code", "--run_dir"]),
        (["--method=warp+code"], ["--method=warp+code", "--run_dir"]),
        (["--path=slerp"], ["--path=slerp", "linear or uniform"]),
        (["--person=ann"], ["--person does nothing without --run_dir"]),
        (["--align"], ["--align does nothing without --run_dir"]),
        (["--steps=4", "--seconds=2"], ["--steps and --seconds"]),
        (["--seconds=1000"], ["--seconds=1000", "1000 pictures"]),
        (["--path=uniform", "--seconds=50"], ["--path=uniform", "500 of --seconds=50"]),
        (["--size=8"], ["--size", "16"]),
        (["--size=512"], ["32 to 256"]),
        (["--landmarks=mine"], ["--landmarks", "mediapipe|mtcnn"]),
        (["--landmarks=mediapipe", "--landmark_model=gone.task"], ["gone.task", "no such file"]),
        (["--landmark_model=gone.task"], ["gone.task", "no such file"]),
        (["--crop=", "--margin=0.2"], ["--margin does nothing with --crop"]),
        (["--start=test:4000"], ["test:4000", "test:0 to test:1999"]),
        (["--start=gone.jpg"], ["gone.jpg"]),
        (["--run_dir={run}", "--size=64"], ["--size does nothing with --run_dir"]),
        (["--run_dir={run}", "--landmarks=face"], ["--landmarks does nothing with --method=code"]),
        (["--run_dir={run}", "--method=warp", "--path=normalized"], ["--path=normalized leads through codes"]),
        (["--run_dir={run}", "--method=warp", "--person=ann"], ["--person does nothing with --method=warp"]),
        (["--run_dir={run}", "--method=warp", "--sampling_steps=5"], ["--sampling_steps", "--method=warp"]),
    ],
)
def test_what_a_warp_cannot_do_is_refused(finished, command, flags, words):
    if "--landmark_model=gone.task" in flags:
        pytest.importorskip("mediapipe")
    flags = [flag.format(run=finished) for flag in flags]
    assert_refused(command("morph", *MORPH, *flags, "--out=new"), *words)


def test_a_warp_of_drawn_faces_needs_no_tensorflow(tmp_path):
    code = (
        "import sys\nfrom facezoo.experiments import cli\n"
        f"code = cli.run(['morph', '--start=test:1', '--end=test:2', '--steps=2', '--out={tmp_path / 'out'}'])\n"
        "print(code, sorted({'tensorflow', 'keras', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


def test_a_warp_refuses_paths_through_codes(faces):
    with pytest.raises(ValueError, match="leads through codes"):
        warp_through(*faces, DRAWN, 3, "slerp")
