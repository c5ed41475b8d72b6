"""`facezoo swap`, and faces put back into photographs."""

import shutil
from pathlib import Path

import facezoo
import numpy as np
import pytest
from clutter import save_people
from command_line import run_of, started
from facezoo.datasets import detection, photographs
from facezoo.datasets.alignment import align_points
from facezoo.datasets.detection import Face
from facezoo.datasets.manifest import Cut
from facezoo.experiments.codes.encoding import ask_person
from facezoo.experiments.commands import swap
from facezoo.experiments.faces.reader import align_photograph
from facezoo.experiments.runs.run import Run, open_run
from facezoo.models import VAE, FaceMapping
from facezoo.pictures import pasting
from facezoo.pictures.pasting import crop_matrix, paste, seam_mask, transfer_colour
from PIL import Image
from skimage import color

pytestmark = pytest.mark.usefixtures("empty_folder")

SIZE = 16


def smooth(size, seed=0):
    """A smooth picture in colour, uint8 [H, W, 3]."""
    numbers = np.random.default_rng(seed).integers(40, 216, (4, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(numbers).resize(size, Image.Resampling.BICUBIC))


def read_png(path):
    with Image.open(path) as image:
        image.load()
        return np.asarray(image), image.text


# Pasting.


def test_a_face_comes_back_where_it_was_cut_out():
    photograph = smooth((80, 60))
    face = photographs.fit(Image.fromarray(photograph), 30, (20, 10, 30, 30)) / 255.0
    pasted = paste(photograph, face, crop_matrix((20, 10, 30, 30), 30), match_colour=False)
    np.testing.assert_allclose(pasted.astype(int), photograph, atol=1)


@pytest.mark.parametrize("size", [16, 64, 256])
def test_a_resized_face_comes_back_in_its_place(size):
    photograph = smooth((128, 128))
    face = photographs.fit(Image.fromarray(photograph), size, (0, 0, 128, 128)) / 255.0
    pasted = paste(photograph, face, crop_matrix((0, 0, 128, 128), size), match_colour=False)
    assert np.abs(pasted.astype(int) - photograph).mean() < 0.5  # half a pixel off would be 0.9 at least
    shifted = paste(photograph, face, crop_matrix((2, 0, 128, 128), size), match_colour=False)
    assert np.abs(shifted.astype(int) - photograph).mean() > 3 * np.abs(pasted.astype(int) - photograph).mean()


def test_outside_of_the_mask_not_a_bit_changes():
    photograph, face = smooth((70, 50)), np.ones((20, 20, 3), np.float32)
    mask = np.zeros((20, 20))
    mask[8:12, 8:12] = 1.0
    for given in (None, mask, np.ones((20, 20, 1), np.float32)):
        pasted = paste(photograph, face, crop_matrix((10, 5, 40, 40), 20), given, match_colour=False)
        changed = (pasted != photograph).any(axis=-1)
        assert changed[25, 30]
        assert not changed[:5].any()
        assert not changed[45:].any()
        assert not changed[:, :10].any()
        assert not changed[:, 50:].any()


def test_no_seam_shows():
    photograph, white = np.full((60, 60, 3), 100, np.uint8), np.ones((16, 16, 3))
    matrix = crop_matrix((10, 10, 40, 40), 16)
    for mask in (None, np.ones((16, 16))):
        pasted = paste(photograph, white, matrix, mask, match_colour=False).astype(int)[..., 0]
        assert pasted.max() == 255
        steps = np.maximum(np.abs(np.diff(pasted, axis=0)).max(), np.abs(np.diff(pasted, axis=1)).max())
        assert steps < 90  # of 155 from the photograph to the face
        assert pasted[30, 10] == pasted[10, 30] == 100


@pytest.mark.parametrize("size", [8, 16, 64])
def test_masks_fade_to_nothing_at_the_border(size):
    for mask in (None, np.ones((size, size)), np.ones((size, size, 1), np.float32)):
        seen = seam_mask(size, mask)
        assert seen.shape == (size, size)
        assert seen.min() == 0
        assert seen.max() == pytest.approx(1.0, abs=0.1)
        assert not np.concatenate([seen[0], seen[-1], seen[:, 0], seen[:, -1]]).any()
        np.testing.assert_allclose(seen, seen[:, ::-1], atol=1e-9)


def test_a_turned_face_lies_turned():
    photograph, face = np.zeros((60, 60, 3), np.uint8), np.zeros((20, 20, 3))
    face[5:8, 10:13] = 1.0  # its centre is (11.5, 6.5)
    quarter = np.array([[0.0, -2.0, 50.0], [2.0, 0.0, 10.0]])  # twice as large, turned by 90 degrees
    pasted = paste(photograph, face, quarter, np.ones((20, 20)), match_colour=False)[..., 0].astype(float)
    y, x = (np.average(axis, weights=pasted) for axis in np.mgrid[0:60, 0:60] + 0.5)
    np.testing.assert_allclose([x, y], quarter @ [11.5, 6.5, 1.0], atol=0.1)


def test_a_face_that_shrinks_does_not_alias():
    stripes = np.zeros((96, 96, 3))
    stripes[:, ::2] = 1.0
    pasted = paste(np.zeros((40, 40, 3), np.uint8), stripes, crop_matrix((4, 4, 32, 32), 96), match_colour=False)
    middle = pasted[15:25, 15:25]
    assert middle.min() > 105
    assert middle.max() < 150


def lab_statistics(picture, weight):
    """Weighed mean and standard deviation of each channel in Lab."""
    pixels, weight = color.rgb2lab(picture).reshape(-1, 3), weight.ravel()
    mean = np.average(pixels, axis=0, weights=weight)
    return mean, np.sqrt(np.average((pixels - mean) ** 2, axis=0, weights=weight))


def test_colours_become_those_of_the_photograph():
    numbers = np.random.default_rng(0)
    face, photograph = numbers.uniform(0.3, 0.5, (12, 12, 3)), numbers.uniform(0.4, 0.7, (9, 15, 3))
    face_weight, weight = numbers.uniform(0, 1, (12, 12)), numbers.uniform(0, 1, (9, 15))
    face[:3], face_weight[:3] = 1.0, 0.0  # what has no weight has no part in it
    mean, deviation = lab_statistics(transfer_colour(face, face_weight, photograph, weight), face_weight)
    wanted_mean, wanted_deviation = lab_statistics(photograph, weight)
    np.testing.assert_allclose(mean, wanted_mean, atol=0.05)
    np.testing.assert_allclose(deviation, wanted_deviation, rtol=0.01)


@pytest.mark.parametrize("size", [16, 48, 150])
def test_a_pasted_face_has_the_colours_of_what_it_covers(size):
    photograph = smooth((96, 96), seed=1)
    face = np.asarray(Image.fromarray(smooth((96, 96), seed=2) // 3).resize((size, size))) / 255.0
    pasted = paste(photograph, face, crop_matrix((0, 0, 96, 96), size))
    weight = np.zeros((96, 96))
    weight[30:66, 34:62] = 1.0
    seen = lab_statistics(pasted / 255.0, weight)[0]
    assert abs(seen[0] - lab_statistics(photograph / 255.0, weight)[0][0]) < 12
    assert (
        seen[0]
        - lab_statistics(np.asarray(Image.fromarray((255 * face).astype(np.uint8)).resize((96, 96))) / 255.0, weight)[
            0
        ][0]
        > 15
    )


def test_a_flat_face_takes_the_mean_colour_without_a_warning():
    photograph = smooth((40, 40))
    for gray in (np.zeros((10, 10, 1), np.float32), np.ones((10, 10, 3))):
        pasted = paste(photograph, gray, crop_matrix((0, 0, 40, 40), 10))
        assert abs(pasted[15:25, 15:25].mean() - photograph[5:35, 8:32].mean()) < 15


@pytest.mark.parametrize(
    ("left", "top", "is_seen"), [(-20, -10, True), (50, 30, True), (200, 0, False), (-90, -90, False)]
)
def test_a_face_may_reach_outside_of_the_photograph(left, top, is_seen):
    photograph = smooth((70, 50))
    pasted = paste(photograph, np.ones((8, 8, 3)), crop_matrix((left, top, 40, 40), 8), match_colour=False)
    assert pasted.shape == photograph.shape
    assert (pasted != photograph).any() == is_seen


def test_the_photograph_given_is_not_written_to():
    photograph = smooth((40, 40))
    copy = photograph.copy()
    assert (paste(photograph, np.ones((8, 8, 3)), crop_matrix((0, 0, 40, 40), 8), match_colour=False) != copy).any()
    np.testing.assert_array_equal(photograph, copy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"photograph": np.zeros((9, 9), np.uint8)}, "photograph must be uint8"),
        ({"photograph": np.zeros((9, 9, 3))}, "photograph must be uint8"),
        ({"face": np.zeros((8, 9, 3))}, "face must be"),
        ({"mask": np.zeros((7, 7))}, "mask must be as large as the face"),
        ({"matrix": np.zeros((2, 3))}, "invertible"),
    ],
)
def test_pictures_of_other_shapes_are_refused(arguments, message):
    given = {"photograph": np.zeros((9, 9, 3), np.uint8), "face": np.zeros((8, 8, 3)), "matrix": np.eye(2, 3)}
    with pytest.raises(ValueError, match=message):
        paste(**{**given, **arguments})


# The command.


@pytest.fixture(scope="module", params=[False, True], ids=["", "mask head"])
def mapping(request, tmp_path_factory):
    model = FaceMapping(
        image_size=SIZE, filters=(4, 4), inter_dim=4, people=("ann", "bob", "eve"), mask_head=request.param
    )
    return run_of(tmp_path_factory.mktemp("runs") / "mapping", model)


@pytest.fixture
def faces(tmp_path):
    """Three photographs, two in sub-folders, one of the same name but another ending."""
    for number, name in enumerate(["a.png", "deep/a.png", "deep/er/b.jpg", "deep/er/b.png"]):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(smooth((40, 30), number)).save(path)
    return tmp_path / "faces"


def names_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def assert_refused(done, out, *words):
    """Exit code 2, a message of at most 6 lines that holds the words, and nothing left behind."""
    assert done.code == 2, done.err
    assert done.err.startswith("facezoo: ")
    assert len(done.err.strip().splitlines()) <= 6
    for word in words:
        assert word in done.err
    assert not out.exists()
    assert not list(out.parent.glob(".*"))


def test_every_face_is_mapped_onto_the_person(mapping, faces, command, tmp_path):
    out = tmp_path / "new" / "out"
    done = command("swap", f"--run_dir={mapping}", f"--in={faces}", "--to=bob", f"--out={out}")
    assert done.code == 0, done.err
    assert "4 faces mapped onto bob" in done.out
    results = {"a.png": "a.png", "deep/a.png": "deep/a.png"}
    results |= {name: f"{name}.png" for name in ("deep/er/b.jpg", "deep/er/b.png")}  # which would collide
    assert names_below(out) == sorted(results.values())
    assert not list(out.parent.glob(".*"))
    model = facezoo.load(mapping)
    for name, result in results.items():
        image = photographs.fit(photographs.read(faces / name), SIZE)[None].astype(np.float32) / 255.0
        pixels, text = read_png(out / result)
        np.testing.assert_allclose(pixels / 255.0, model.map_faces(image, "bob")[0], atol=0.01)
        assert text["Software"] == f"facezoo {facezoo.__version__}"
        assert text["Description"] == "face mapped onto bob by mapping"


def test_nothing_but_ours_is_said(mapping, faces, tmp_path):
    done = started("swap", f"--run_dir={mapping}", f"--in={faces}", "--to=nobody", f"--out={tmp_path / 'out'}")
    loading, refused = done.stderr.splitlines()  # TensorFlow would speak between them
    assert loading == "Loading TensorFlow ..."
    assert refused.startswith("facezoo: --to=nobody")


def test_faces_are_pasted_into_the_whole_photograph(mapping, faces, command, tmp_path):
    crop = ("--crop=12,4,20,20",)
    done = command(
        "swap", f"--run_dir={mapping}", f"--in={faces}", "--to=ann", f"--out={tmp_path / 'out'}", "--paste", *crop
    )
    assert done.code == 0, done.err
    photograph = np.asarray(photographs.read(faces / "deep" / "a.png"))
    pixels, _ = read_png(tmp_path / "out" / "deep" / "a.png")
    assert pixels.shape == photograph.shape
    changed = (pixels != photograph).any(axis=-1)
    assert changed[4:24, 12:32].any()
    changed[4:24, 12:32] = False
    assert not changed.any()


def test_the_crop_of_the_run_holds_unless_another_is_given(faces, command, tmp_path):
    model = FaceMapping(image_size=SIZE, filters=(4, 4), inter_dim=4)
    run = run_of(tmp_path / "run", model, "face_mapping", "--crop=12,4,20,20")
    pictures = {}
    for name, flags in (("run", ()), ("same", ("--crop=12,4,20,20",)), ("centre", ("--crop=",))):
        out = tmp_path / name / "out"
        assert command("swap", f"--run_dir={run}", f"--in={faces}", "--to=target", f"--out={out}", *flags).code == 0
        pictures[name] = read_png(out / "a.png")[0]
    np.testing.assert_array_equal(pictures["run"], pictures["same"])
    assert (pictures["run"] != pictures["centre"]).any()


def test_aligned_faces_are_pasted_where_they_were_found(command, tmp_path):
    pytest.importorskip("mtcnn")
    people = save_people(tmp_path / "people")
    model = FaceMapping(image_size=SIZE, filters=(4, 4), inter_dim=4)
    run, out = run_of(tmp_path / "run", model), tmp_path / "out"
    arguments = ("swap", f"--run_dir={run}", f"--in={tmp_path / 'people'}", "--to=target", "--align")
    done = command(*arguments, f"--out={out}", "--paste")
    assert done.code == 0, done.err
    assert "2 faces mapped onto target" in done.out
    assert names_below(out) == ["0.png", "1.png", "nobody.png"]  # the last as it is
    for number, placed in enumerate(people):
        changed = (read_png(out / f"{number}.png")[0] != np.asarray(placed.picture)).any(axis=-1)
        for x, y in placed.eyes:
            assert changed[int(y) - 8 : int(y) + 8, int(x) - 8 : int(x) + 8].mean() > 0.9
        rows, columns = np.nonzero(changed)
        _, matrix = align_photograph(placed.picture, Cut(size=SIZE), 3)
        places = align_points(np.stack([columns, rows], axis=1) + 0.5, matrix)
        assert places.min() > -1
        assert places.max() < SIZE + 1


def test_a_gray_model_pastes_too(faces, command, tmp_path):
    model = FaceMapping(image_size=SIZE, channels=1, filters=(4, 4), inter_dim=4)
    run = run_of(tmp_path / "run", model, "face_mapping", "--channels=1")
    out = tmp_path / "out"
    done = command("swap", f"--run_dir={run}", f"--in={faces}", "--to=source", f"--out={out}", "--paste")
    assert done.code == 0, done.err
    assert read_png(out / "a.png")[0].shape == (30, 40, 3)


@pytest.mark.parametrize(("people", "asked", "meant"), [(("ann", "bob"), "BOB", "bob"), (("Bob", "bob"), "bob", "bob")])
def test_a_person_is_found_in_other_letters_unless_there_is_another(people, asked, meant):
    model = FaceMapping(image_size=32, filters=(4, 4), inter_dim=6, people=people)
    assert ask_person(model, asked, "to") == meant


def test_an_unknown_person_is_answered_with_the_known_ones(mapping, faces, command, tmp_path):
    out = tmp_path / "out"
    done = command("swap", f"--run_dir={mapping}", f"--in={faces}", "--to=joe", f"--out={out}")
    assert_refused(done, out, "--to=joe", "ann, bob, eve")


def test_another_model_cannot_map(faces, command, tmp_path):
    run, out = run_of(tmp_path / "run", VAE(image_size=SIZE, filters=(4,)), "vae"), tmp_path / "out"
    done = command("swap", f"--run_dir={run}", f"--in={faces}", "--to=bob", f"--out={out}")
    assert_refused(done, out, f"--run_dir={run}", "a vae cannot map faces", "--model=face_mapping")


def test_an_adversarially_trained_one_can(mapping, monkeypatch):
    class Holder:
        autoencoder = facezoo.load(mapping)

        def network(self):
            return self.autoencoder

    opened = open_run(mapping)
    monkeypatch.setattr(Run, "model", lambda self, kind=None: Holder())
    assert swap._mapping_model(opened) is Holder.autoencoder


def test_nothing_is_written_over(mapping, faces, command, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    done = command("swap", f"--run_dir={mapping}", f"--in={faces}", "--to=bob", f"--out={tmp_path / 'taken'}")
    assert done.code == 2
    assert "--out" in done.err
    assert names_below(tmp_path / "taken") == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    done = command("swap", f"--run_dir={mapping}", f"--in={faces}", "--to=bob", f"--out={tmp_path / 'empty'}")
    assert done.code == 0, done.err


def test_an_error_leaves_nothing_behind(mapping, faces, command, tmp_path, monkeypatch):
    arguments = ("swap", f"--run_dir={mapping}", "--to=bob", "--paste")
    for below in ("out", "new/deep/out"):
        out = tmp_path / below
        gone = shutil.copytree(faces, tmp_path / f"of {Path(below).parts[0]}")
        with monkeypatch.context() as patch:
            patch.setattr(pasting, "paste", lambda *_, gone=gone: shutil.rmtree(gone) or smooth((8, 8)))
            assert_refused(command(*arguments, f"--in={gone}", f"--out={out}"), out, "deep/a.png", "has changed")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("missing", ["run_dir", "in", "to", "out"])
def test_what_is_needed_is_asked_for(command, missing):
    given = {"run_dir": "a", "in": "b", "to": "c", "out": "d"}
    done = command("swap", *(f"--{name}={value}" for name, value in given.items() if name != missing))
    assert done.code == 2
    assert f"--{missing}" in done.err


def test_pictures_that_are_not_there_are_named(mapping, command, tmp_path):
    out = tmp_path / "out"
    arguments = ("swap", f"--run_dir={mapping}", "--to=bob", f"--out={out}")
    assert_refused(command(*arguments, f"--in={tmp_path / 'nowhere'}"), out, "nowhere")


def test_faces_are_fitted_by_their_landmarks(faces, command, tmp_path):
    model = FaceMapping(image_size=SIZE, filters=(4, 4), inter_dim=4)
    run = run_of(tmp_path / "run", model)
    arguments = ("swap", f"--run_dir={run}", f"--in={faces}", "--to=target", "--paste", "--landmarks=face")
    pasted = {}
    for colour in ("match", "none"):
        done = command(*arguments, f"--colour={colour}", f"--out={tmp_path / colour}")
        assert done.code == 0, done.err
        pasted[colour] = read_png(tmp_path / colour / "deep" / "a.png")[0].astype(int)
    assert np.abs(pasted["match"] - pasted["none"]).max() > 2


def found_in():
    """A detector for two faces in a.png, one in b.png and none in c.png, by their sizes."""
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])

    def find(photograph):
        sides = {120: ((92, 22), (12, 22)), 121: ((50, 22),), 122: ()}[photograph.width]  # the largest first
        return [Face((left, top, 16.0, 16.0), points * 16.0 + (left, top), 1.0) for left, top in sides]

    return find


@pytest.fixture
def film(tmp_path, monkeypatch):
    monkeypatch.setattr(detection, "find_faces", found_in())
    for name, width in (("a", 120), ("b", 121), ("c", 122)):
        (tmp_path / "film").mkdir(exist_ok=True)
        Image.fromarray(smooth((width, 60), width)).save(tmp_path / "film" / f"{name}.png")
    return tmp_path / "film"


def changed_columns(film, out, name):
    """The first and the last column in which a photograph is another than before."""
    changed = (read_png(out / name)[0] != np.asarray(Image.open(film / name))).any(axis=(0, 2))
    return (int(changed.argmax()), len(changed) - 1 - int(changed[::-1].argmax())) if changed.any() else None


@pytest.mark.parametrize(
    ("faces", "of_a", "of_b"),
    [("largest", "right", True), ("all", "both", True), ("1", "left", True), ("2", "right", False)],
)
def test_a_film_stays_in_step_and_the_face_is_chosen(film, command, tmp_path, faces, of_a, of_b):
    run, out = run_of(tmp_path / "run", FaceMapping(image_size=SIZE, filters=(4, 4), inter_dim=4)), tmp_path / "out"
    arguments = ("swap", f"--run_dir={run}", f"--in={film}", "--to=target", "--align", f"--faces={faces}")
    done = command(*arguments, "--paste", f"--out={out}")
    assert done.code == 0, done.err
    assert names_below(out) == ["a.png", "b.png", "c.png"]
    assert changed_columns(film, out, "c.png") is None
    assert (changed_columns(film, out, "b.png") is not None) == of_b
    first, last = changed_columns(film, out, "a.png")
    assert ("left" if last < 60 else "right" if first > 60 else "both") == of_a
    assert f"{1 if of_b else 2} photographs stay as they are: {'c.png' if of_b else 'b.png, c.png'}" in done.out


def test_all_faces_have_names_of_their_own(film, command, tmp_path):
    run, out = run_of(tmp_path / "run", FaceMapping(image_size=SIZE, filters=(4, 4), inter_dim=4)), tmp_path / "out"
    flags = (f"--in={film}", "--to=target", "--align", "--faces=all", f"--out={out}")
    assert command("swap", f"--run_dir={run}", *flags).code == 0
    assert names_below(out) == ["a.0.png", "a.1.png", "b.0.png"]


@pytest.mark.parametrize("faces", ["0", "-1", "some", "1.5"])
def test_another_choice_of_faces_is_refused(command, faces):
    done = command("swap", "--run_dir=a", "--in=b", "--to=c", "--out=d", f"--faces={faces}")
    assert (done.code, "--faces" in done.err) == (2, True)


@pytest.mark.parametrize("flag", ["--colour=none", "--landmarks=face"])
def test_flags_of_pasting_do_nothing_without_it(mapping, faces, command, tmp_path, flag):
    done = command("swap", f"--run_dir={mapping}", f"--in={faces}", "--to=bob", f"--out={tmp_path / 'out'}", flag)
    assert_refused(done, tmp_path / "out", flag, "without --paste")
