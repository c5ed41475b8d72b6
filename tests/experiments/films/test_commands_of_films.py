"""Commands take films: `align`, `encode`, `edit` and `morph` follow faces in them and make films as `swap` does."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import run_of
from facezoo.datasets import alignment, detection
from facezoo.datasets.manifest import Cut, read_manifest
from facezoo.experiments.commands import encode, morph, swap
from facezoo.experiments.errors import UsageError
from facezoo.experiments.faces import origins
from facezoo.experiments.faces.fitting import FaceFitter
from facezoo.experiments.films import encoding, following, making
from facezoo.experiments.films.changing import add_to_codes, lead_codes, lead_shapes, make_amount
from facezoo.experiments.films.following import Choice
from facezoo.experiments.films.making import FilmTask, parse_ramp
from facezoo.films import probe, read_frames
from facezoo.films.probing import find_ffmpeg
from facezoo.latents.attributes import AttributeVectors, save_attributes
from facezoo.models import VAE, FaceMapping
from PIL import Image
from squares import BLUE, RED, draw_squares, save_film

pytestmark = pytest.mark.usefixtures("empty_folder")

SIZE = 16
FIVE = np.array(alignment.TEMPLATES["celeba"])


def save_crossing(count=12):
    """Red and blue go past each other, the blue one in front."""
    step = 220 // (count - 1)
    return save_film(draw_squares((50 + step * k, RED), (270 - step * k, BLUE)) for k in range(count))


def read_film(name):
    return np.stack(list(read_frames(probe(Path(name))))).astype(int)


def measure_changes(name, other):
    """By how much the frames of two films differ."""
    return np.abs(read_film(name) - read_film(other)).mean(axis=(1, 2, 3))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    model = VAE(image_size=SIZE, filters=(4, 4), latent_dim=4)
    model.set_weights([3.0 * weight for weight in model.get_weights()])
    folder = run_of(tmp_path_factory.mktemp("runs") / "vae", model, "vae", "--latent_dim=4", "--set=filters=4,4")
    from facezoo.experiments.runs.run import open_run

    vectors = {"mean": np.array([[1.0, 0, 0, 0], [0, 2.0, 0, 0]], np.float32)}
    counts = np.full((2, 2), 50)
    kept = AttributeVectors(("smiling", "young"), vectors, np.eye(2), counts, {}, open_run(folder).model_hash)
    save_attributes(folder / "attributes.npz", kept)
    return folder


def test_align_makes_a_film_of_one_person(squares, command):
    save_crossing()
    done = command("align", "--in=in.mp4", "--out=out.mp4", "--size=32", "--person=2", "--template=celeba")
    assert done.code == 0, done.err
    assert "out.mp4: 12 frames, aligned to 32 pixels" in done.out
    made = read_film("out.mp4")
    assert made.shape == (12, 32, 32, 3)
    blue = made[:, 16, 16, 2] - made[:, 16, 16, 0]
    assert (blue > 80).all()
    assert sorted(path.name for path in Path().iterdir()) == ["in.mp4", "out.mp4"]


def test_align_makes_a_folder_of_everybody_in_which_each_is_known(squares, command):
    save_crossing()
    given = ("align", "--in=in.mp4", "--out=crops", "--size=32", "--faces=all")
    done = command(*given)
    assert done.code == 0, done.err
    rows = read_manifest(Path("crops"))
    assert {row.source for row in rows} == {f"{number:06d}" for number in range(12)}
    for person, channel in (("person_1", 0), ("person_2", 2)):
        files = sorted(Path("crops", person).iterdir())
        assert files[0].name == "in-000000.png"
        assert len(files) >= 9
        for file in files:
            middle = np.asarray(Image.open(file)).astype(int)[16, 16]
            assert middle[channel] - middle[2 - channel] > 80, file
    again = command(*given)
    assert again.code == 0, again.err
    assert "nothing was new" in again.out


def test_a_folder_of_crops_is_gone_on_with(squares, command, monkeypatch):
    save_crossing()
    given = ("align", "--in=in.mp4", "--out=crops", "--size=32", "--person=1")
    assert command(*given).code == 0
    whole = {path.name: path.read_bytes() for path in Path("crops").glob("*.png")}
    manifest = Path("crops/manifest.csv")
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:6]))
    Path("crops/in-000011.png").unlink()
    assert command(*given).code == 0
    assert len(read_manifest(Path("crops"))) == 12
    assert {path.name: path.read_bytes() for path in Path("crops").glob("*.png")} == whole


def test_a_folder_of_one_persons_crops_takes_no_other_person(squares, command):
    save_crossing(4)
    given = ("align", "--in=in.mp4", "--out=crops", "--size=32")
    assert command(*given, "--person=1").code == 0
    before = {path.name: path.read_bytes() for path in Path("crops").iterdir()}
    for other in ("--person=2", "--faces=largest", "--faces=all"):
        done = command(*given, other)
        assert (done.code, "--person=1: give the same, or choose a new folder" in done.err) == (2, True), done.err
    assert {path.name: path.read_bytes() for path in Path("crops").iterdir()} == before
    anna, eve = (Choice(identity=np.full(4, number), name="--person=anna.jpg").describe() for number in (0.1, 0.2))
    assert anna.startswith("person=anna.jpg (")
    assert anna != eve


def test_a_wrong_number_does_not_cost_the_search(squares, command, monkeypatch):
    monkeypatch.setattr(following, "KEPT_FRAMES", 2)
    save_crossing(6)
    given = ("align", "--in=in.mp4", "--out=out.mp4", "--size=32")
    done = command(*given, "--person=3")
    assert "it shows 2 people, counted from the left from 1, not --person=3" in done.err
    (kept,) = Path().glob(".out.mp4.*.parts")
    assert f"Who is seen is kept in {kept.absolute()} for the next try" in done.err
    for name in ("find_faces", "find_near", "find_upright_faces"):
        monkeypatch.setattr(detection, name, None)  # nobody is looked for
    done = command(*given, "--person=2")
    assert (done.code, "is left of" in done.err) == (0, False), done.err
    assert sorted(path.name for path in Path().iterdir()) == ["in.mp4", "out.mp4"]


def test_a_film_without_anybody_leaves_no_folders(squares, command, monkeypatch):
    monkeypatch.setattr(following, "KEPT_FRAMES", 2)
    save_film(draw_squares() for _ in range(4))
    done = command("align", "--in=in.mp4", "--out=new/deep/out.mp4")
    assert (done.code, "no face found" in done.err) == (2, True), done.err
    assert [path.name for path in Path().iterdir()] == ["in.mp4"]


def test_two_commands_that_make_one_film_are_told_of_before_they_look(squares, command, monkeypatch):
    film = save_crossing(3)
    monkeypatch.setattr(detection, "find_faces", None)
    with make_task(film).seen.hold():
        done = command("align", "--in=in.mp4", "--out=out.mp4", "--person=2")
    assert (done.code, "out.mp4: another facezoo is making it" in done.err) == (2, True), done.err
    assert "parts" not in done.err
    assert [path.name for path in Path().iterdir()] == ["in.mp4"]


def test_encode_gives_a_code_of_every_frame_with_a_face(squares, command, run):
    frames = [draw_squares((100 + 2 * k, RED)) if k not in range(4, 14) else draw_squares() for k in range(20)]
    save_film(frames)
    done = command("encode", f"--run_dir={run}", "--in=in.mp4", "--out=codes.npz", "--align", "--reconstructions=seen")
    assert done.code == 0, done.err
    with np.load("codes.npz") as found:
        assert found["frames"].tolist() == [0, 1, 2, 3, 14, 15, 16, 17, 18, 19]
        assert found["names"].tolist() == [f"{number:06d}" for number in found["frames"]]
        assert found["codes"].shape == (10, 4)
        assert found["frames_per_second"] == 10
    assert "10 frames are left out: 4 to 13" in done.out
    assert len(list(Path("seen").iterdir())) == 10


def test_encode_keeps_what_it_has_found_until_its_results_have_their_names(command, run, monkeypatch):
    save_film(draw_squares((60 + k, RED)) for k in range(5))
    monkeypatch.setattr(encoding, "BATCH_SIZE", 2)
    given = ("encode", f"--run_dir={run}", "--in=in.mp4", "--out=codes.npz", "--reconstructions=seen")

    def fail(*arguments):
        raise UsageError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(encode, "_save_pictures", fail)
        assert command(*given).code != 0
    (kept,) = Path().glob(".codes.npz.*.parts")
    assert sorted(path.name for path in kept.iterdir()) == ["codes-000000.npz", "codes-000002.npz"]
    assert command(*given).code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["codes.npz", "in.mp4", "seen"]


def test_edit_moves_the_code_of_every_frame(command, run):
    save_film(draw_squares((40 + 8 * k, RED)) for k in range(5))
    given = ("edit", f"--run_dir={run}", "--in=in.mp4", "--attribute=smiling,young")
    done = command(*given, "--strength=0:2", "--out=out.mp4")
    assert done.code == 0, done.err
    assert "out.mp4: 5 frames, with smiling, young at 0:2" in done.out
    assert read_film("out.mp4").shape == (5, SIZE, SIZE, 3)
    assert command(*given, "--strength=0", "--out=still.mp4").code == 0
    changes = measure_changes("out.mp4", "still.mp4")
    assert changes[0] < changes[4] > 1
    assert command(*given, "--crop=0,0,80,80", "--paste", "--landmarks=face", "--out=pasted.mp4").code == 0
    assert read_film("pasted.mp4").shape == (5, 80, 320, 3)


def test_morph_leads_a_film_to_a_face(command, run):
    save_film(draw_squares((40 + 8 * k, RED)) for k in range(5))
    Image.fromarray(draw_squares((160, BLUE))).save("to.png")
    done = command("morph", f"--run_dir={run}", "--video=in.mp4", "--to=to.png", "--out=out.mp4")
    assert done.code == 0, done.err
    assert "out.mp4: 5 frames, led to to.png" in done.out
    assert read_film("out.mp4").shape == (5, SIZE, SIZE, 3)
    for strength in (0, 1):
        again = command(
            *MORPH.split(), f"--run_dir={run}", "--to=to.png", f"--strength={strength}", f"--out={strength}.mp4"
        )
        assert again.code == 0, again.err
    changes = np.stack([measure_changes("out.mp4", name) for name in ("0.mp4", "1.mp4")])
    assert changes[0, 0] < changes[0, 4]
    assert changes[1, 4] < changes[1, 0]


def test_the_crop_of_a_films_frames_is_not_its_targets(command, run, monkeypatch):
    save_film(draw_squares((60, RED)) for _ in range(2))
    Image.fromarray(np.full((20, 20, 3), 200, np.uint8)).save("small.png")  # which such a crop does not fit
    targets = []

    def lead(task, places, model, target, *rest):
        targets.append(target)
        return add_to_codes(model, np.zeros(4, np.float32), make_amount(0.0, 0.0, task.film))

    monkeypatch.setattr(morph, "lead_codes", lead)
    given = (*MORPH.split(), f"--run_dir={run}", "--to=small.png", "--crop=20,0,80,80", "--out=out.mp4")
    done = command(*given)
    assert done.code == 0, done.err
    np.testing.assert_allclose(targets[0], 200 / 255.0, atol=0.01)


def test_a_warp_follows_a_films_people_without_a_run(squares, command):
    save_crossing(4)
    Image.fromarray(draw_squares((160, BLUE))).save("to.png")
    done = command(*MORPH.split(), "--to=to.png", "--person=3", "--landmarks=face", "--size=32", "--out=out.mp4")
    assert (done.code, "it shows 2 people" in done.err) == (2, True), done.err


def test_a_target_without_landmarks_is_refused_before_the_film_is_looked_at(squares, command, monkeypatch):
    save_crossing(2)
    Image.fromarray(draw_squares((160, BLUE))).save("to.png")
    monkeypatch.setattr(FaceFitter, "find_one", lambda self, name, face: None)
    monkeypatch.setattr(detection, "find_near", None)
    done = command(*MORPH.split(), "--to=to.png", "--landmarks=face", "--size=32", "--out=out.mp4")
    assert (done.code, "--to=to.png: no landmarks are found in its face" in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    "line",
    [
        "edit --run_dir={run} --attribute=smiling --in=in.mp4",
        "encode --run_dir={run} --in=in.mp4",
        "morph --run_dir={run} --video=in.mp4 --to=to.png --strength=1",
        "swap --run_dir={run} --to=bob --in=in.mp4",
    ],
)
def test_how_a_runs_faces_lie_is_found_once(squares, command, run, monkeypatch, line):
    save_crossing(2)
    Image.fromarray(draw_squares((160, BLUE))).save("to.png")
    found = []
    monkeypatch.setattr(origins, "find_data_cut", lambda *arguments: found.append(arguments) or Cut())
    monkeypatch.setattr(swap, "_mapping_model", lambda opened: FaceMapping(image_size=SIZE, people=("ann", "bob")))
    done = command(*line.format(run=run).split(), "--align", "--person=3", "--out=out.mp4")
    assert (done.code, "it shows 2 people" in done.err, len(found)) == (2, True, 1), done.err


class Plane:
    """A model whose codes are its pictures' colours."""

    noise_shape = None

    def network(self):
        return self

    def encode(self, images):
        return images.mean(axis=(1, 2))

    def decode(self, codes):
        return np.broadcast_to(codes[:, None, None], (len(codes), SIZE, SIZE, 3)).astype(np.float32)


def make_task(film, out="out.mp4"):
    return FilmTask(film, Path(out), (SIZE, SIZE, 3), None, (0, 0, 32, 32), Choice(), [])


def test_codes_keep_their_motion_while_they_become_the_other_face():
    shades = [60, 90, 120, 90, 60]
    film = save_film(np.full((32, 32, 3), shade, np.uint8) for shade in shades)
    target, model, task = np.full((SIZE, SIZE, 3), 0.7, np.float32), Plane(), make_task(film)
    with task.find_places() as places:
        map_faces = lead_codes(task, places, model, target, make_amount(1.0, 1.0, film))
        frames = [np.full((1, SIZE, SIZE, 3), shade / 255.0, np.float32) for shade in shades]
        made = [float(map_faces(number, face)[0].mean()) for number, face in enumerate(frames)]
    moved = (np.array(shades) - np.mean(shades)) / 255.0
    np.testing.assert_allclose(made, 0.7 + moved, atol=0.01)
    half = add_to_codes(model, np.ones(3, np.float32), make_amount(0.0, 1.0, film))
    assert float(half(2, np.zeros((1, SIZE, SIZE, 3), np.float32))[0].mean()) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("long_sound.mp4", ("-f", "lavfi", "-i", "sine=440:d=3", "-c:v", "copy")),
        ("no_length.webm", ("-c:v", "libvpx", "-f", "webm", "-live", "1")),
    ],
)
def test_a_strength_rises_from_the_first_frame_to_the_last_whatever_length_a_film_tells(name, options):
    save_film(draw_squares() for _ in range(5))
    subprocess.run((find_ffmpeg(), "-v", "error", "-i", "in.mp4", *options, name), check=True)
    film = probe(Path(name))
    assert film.num_frames != 5
    amount = make_amount(0.0, 1.0, film)
    assert [amount(number) for number in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]


class Reader:
    scheme = "five"

    def close(self):
        pass


class Fitter(FaceFitter):
    """Finds the landmarks where the brightest pixel says how far aside they are."""

    def __init__(self):
        self.reader, self.match_colour, self.num_unfitted = Reader(), True, 0

    def find_one(self, name, face):
        return FIVE + (float(face.max()) - 0.5) * np.array([0.2, 0.0])


def test_a_warp_keeps_the_motion_of_landmarks():
    shades = [100, 128, 156]
    film = save_film(np.full((32, 32, 3), shade, np.uint8) for shade in shades)
    task, target = make_task(film), np.full((SIZE, SIZE, 3), 0.5, np.float32)
    with task.find_places() as places:
        bend = lead_shapes(task, places, Fitter(), target, FIVE, make_amount(1.0, 1.0, film))
        for number, shade in enumerate(shades):
            face = np.full((SIZE, SIZE, 3), shade / 255.0, np.float32)
            own = Fitter().find_one("", face)
            made, points = bend(number, face, own)
            np.testing.assert_allclose(points, FIVE + (shade - 128) / 255.0 * np.array([0.2, 0.0]), atol=0.01)
            np.testing.assert_allclose(made, target, atol=0.02)


def test_what_was_looked_at_is_not_looked_at_again():
    film = save_film(np.full((32, 32, 3), shade, np.uint8) for shade in (60, 90))
    task, seen = make_task(film), []

    def measure(number, faces):
        seen.append(number)
        return faces.mean(axis=(1, 2))

    with pytest.raises(KeyboardInterrupt), task.find_places() as places:
        first = task.average(places, measure)
        raise KeyboardInterrupt
    with make_task(film).find_places() as places:
        np.testing.assert_array_equal(make_task(film).average(places, measure), first)
    assert seen == [0, 1]
    assert [path.name for path in Path().iterdir()] == ["in.mp4"]


def test_a_mean_that_was_begun_is_gone_on_with(monkeypatch):
    monkeypatch.setattr(making, "KEPT_FRAMES", 2)
    film = save_film(np.full((32, 32, 3), shade, np.uint8) for shade in (60, 90, 120, 150, 180))
    seen = []

    def measure(number, faces):
        seen.append(number)
        if seen == [0, 1, 2]:
            raise KeyboardInterrupt
        return faces.mean(axis=(1, 2))

    with pytest.raises(KeyboardInterrupt), make_task(film).find_places() as places:
        make_task(film).average(places, measure)
    with make_task(film).find_places() as places:
        mean = make_task(film).average(places, measure)
    assert seen == [0, 1, 2, 2, 3, 4]
    np.testing.assert_allclose(mean, 120 / 255.0, atol=0.01)


def test_what_is_left_of_another_try_is_told(caplog):
    film = save_film(draw_squares() for _ in range(2))
    other = Path(f".out.mp4.{'a' * 16}.parts")
    other.mkdir()
    with make_task(film).find_places():
        pass
    assert f"{other.absolute()} is left of a command that was stopped" in caplog.text
    assert other.is_dir()


@pytest.mark.parametrize(("text", "numbers"), [("1", (1, 1)), ("0:1", (0, 1)), ("-2:2.5", (-2, 2.5))])
def test_strengths_of_films_are_read(text, numbers):
    assert parse_ramp("strength", text) == numbers


@pytest.mark.parametrize("text", ["", "a", "0:1:2", "nan", "0:inf", ":"])
def test_other_strengths_are_refused(text):
    with pytest.raises(UsageError, match="--strength="):
        parse_ramp("strength", text)


def save_frames(colours, sizes=((80, 320),)):
    Path("frames").mkdir()
    for number, colour in enumerate(colours):
        frame = draw_squares((60 + 10 * number, colour))[: sizes[number % len(sizes)][0]]
        Image.fromarray(frame).save(f"frames/{number + 7}.png")


def test_a_folder_of_frames_is_a_film_in_the_order_of_its_numbers(squares, command):
    save_frames([RED] * 5)  # 7 to 11
    done = command("align", "--in=frames", "--out=out.mp4", "--size=32", "--fps=12.5", "--template=celeba")
    assert done.code == 0, done.err
    made = probe(Path("out.mp4"))
    assert (float(made.frames_per_second), made.has_sound) == (12.5, False)
    shown = read_film("out.mp4")
    assert (shown[:, 16, 16, 0] - shown[:, 16, 16, 2] > 80).all()
    done = command("align", "--in=frames", "--out=crops", "--size=32", "--fps=12")
    assert (done.code, "--fps=12 is of a folder of frames that a film is made of" in done.err) == (2, True), done.err


def test_frames_of_two_sizes_are_no_film(squares, command):
    save_frames([RED] * 3, ((80, 320), (70, 320)))
    done = command("align", "--in=frames", "--out=out.mp4")
    assert (done.code, "8.png has 320x70 pixels, others before it 320x80" in done.err) == (2, True), done.err
    assert [path.name for path in Path().iterdir()] == ["frames"]


EDIT = "edit --run_dir={run} --attribute=smiling"
MORPH = "morph --video=in.mp4"
REFUSED = [
    ("align --in=in.mp4 --out=out.mp4 --faces=all", "for all --out is a folder"),
    ("align --in=in.mp4 --out=out.mp4 --faces=all --person=1", "--faces=all and --person=1: either"),
    ("align --in=in.mp4 --out=out.mp4 --person=0", "counted from 1"),
    ("align --in=in.mp4 --out=out.mp4 --person=eve", "--person=eve"),
    ("align --in=in.mp4 --out=out.mp4 --person=3", "it shows 2 people"),
    ("align --in=in.mp4 --out=crops --processes=2", "--processes does nothing with a film"),
    ("align --in=in.mp4 --out=in.mp4", "--out=in.mp4 exists"),
    ("align --in=in.mp4 --out=crops.webm", "films are written as MP4: call it crops.mp4"),
    ("encode --run_dir={run} --in=in.mp4 --person=1", "--person=1 does nothing without --align"),
    ("encode --run_dir={run} --in=in.mp4 --out=in.mp4", "--out=in.mp4 exists"),
    (f"{EDIT} --in=in.mp4 --out=out", "call it out.mp4"),
    (f"{EDIT} --in=in.mp4 --out=anna_2024.05", "call it anna_2024.05.mp4"),
    (f"{EDIT} --in=in.mp4 --out=film.webm", "call it film.mp4"),
    (f"{EDIT} --in=in.mp4 --out=.", "call it film.mp4"),
    (f"{EDIT} --in=in.mp4", "--out is required: a new .mp4 file"),
    (f"{MORPH} --to=in.mp4", "--out is required: a new .mp4 file"),
    (f"{MORPH} --to=in.mp4 --out=out", "--out=out: --video is a film"),
    (f"morph --to=in.mp4 --out=out.mp4 --video={__file__}", f"--video={__file__} is no film"),
    (f"{EDIT} --in=in.mp4 --out=out.mp4 --image=test:0", "either a face or a film"),
    (f"{EDIT} --in=in.mp4 --out=out.mp4 --strength=0:1:3", "--strength=0:1:3"),
    (f"{EDIT} --in=in.mp4 --out=out.mp4 --colour=none", "--colour=none does nothing without --paste"),
    (f"{EDIT} --in=in.mp4 --out=out.mp4 --person=2", "--person=2 does nothing without --align"),
    (f"{EDIT} --in=nowhere.mp4 --out=out.mp4", "nowhere.mp4 is not there"),
    (f"{EDIT} --image=test:0 --paste", "--paste is of a film"),
    (f"{EDIT} --image=test:0 --strength=0:1", "from:to is of a film"),
    ("align --in=in.mp4 --out=out.mp4 --fps=12", "in.mp4 has its own rate"),
    (MORPH, "--to is required with --video"),
    (f"{MORPH} --to=test:0 --start=test:1 --out=out.mp4", "--start does nothing with --video"),
    (f"{MORPH} --to=test:0 --steps=5 --out=out.mp4", "--steps does nothing with --video"),
    (f"{MORPH} --to=nowhere.jpg --out=out.mp4", "nowhere.jpg: no such file"),
    (f"{MORPH} --to=test:0 --method=code --out=out.mp4", "--method=code needs a model"),
    (f"{MORPH} --to=test:0 --method=warp+code --run_dir={{run}} --out=out.mp4", "--method=warp+code"),
    (f"{MORPH} --to=test:0 --run_dir={{run}} --out=out.mp4 --paste", "--paste wants --align"),
    (f"{MORPH} --to=in.mp4 --crop=0,0,80,80 --out=out.mp4", "--crop does nothing with --video without --run_dir"),
    ("morph --start=test:0 --end=test:1 --strength=1", "--strength does nothing without --video"),
    ("swap --run_dir={run} --in=in.mp4 --to=bob --out=out.mp4", "cannot map faces"),
]


@pytest.mark.parametrize(("line", "words"), REFUSED, ids=[line for line, _ in REFUSED])
def test_what_cannot_be_is_refused_and_leaves_nothing(squares, command, run, line, words):
    save_crossing(6)
    done = command(*line.format(run=run).split())
    assert (done.code, words in done.err) == (2, True), done.err
    assert [path.name for path in Path().iterdir()] == ["in.mp4"]
