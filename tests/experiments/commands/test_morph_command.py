"""`facezoo morph`: what it leaves, and the faces that it starts from."""

import facezoo
import numpy as np
import pytest
from clutter import save_people
from command_line import (
    CAE_FLAGS,
    SOFTWARE,
    assert_refused,
    contents,
    drawn,
    folder_of_crops,
    mapping_run,
    photograph_files,
    photographs_in,
    picture,
    read_png,
    reconstructed,
    run_of,
    started,
    truncate,
)
from facezoo.datasets import photographs
from facezoo.datasets.alignment import TEMPLATES
from facezoo.datasets.manifest import Cut
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.codes.face_network import face_features
from facezoo.experiments.codes.morphing import morph_through
from facezoo.experiments.faces.origins import find_cut, find_data_cut
from facezoo.experiments.faces.reader import FaceReader
from facezoo.experiments.flags import parsing
from facezoo.experiments.flags.groups import AlignmentSettings
from facezoo.experiments.runs.run import open_run
from facezoo.latents.interpolation import PATHS
from facezoo.models import AutoencoderGAN, Discriminator, FaceMapping
from PIL import Image

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize("path", PATHS)
def test_morph_leaves_frames_a_row_and_an_animation(copied, command, model, path):
    done = command("morph", f"--run_dir={copied}", "--start=test:1", "--end=test:2", "--steps=5", f"--path={path}")
    assert done.code == 0
    folder = copied / "morphs"
    assert done.out.split() == [str(folder / name) for name in ("row.png", "sheet.png", "morph.gif", "morph.mp4")]
    names = [f"{number:03d}.png" for number in range(5)]
    assert {file.name for file in folder.iterdir()} == {*names, "row.png", "sheet.png", "morph.gif", "morph.mp4"}

    frames = []
    for number, name in enumerate(names):
        frame, text = read_png(folder / name)
        assert text["Software"] == SOFTWARE
        assert all(word in text["Description"] for word in ("test:1", "test:2", f"frame {number + 1} of 5"))
        frames.append(frame)
    first, last = drawn([1, 2])
    np.testing.assert_allclose(frames[0].astype(int), reconstructed(model, first), atol=1)
    np.testing.assert_allclose(frames[-1].astype(int), reconstructed(model, last), atol=1)
    np.testing.assert_array_equal(read_png(folder / "row.png")[0], np.concatenate(frames, axis=1))
    assert read_png(folder / "row.png")[1]["Software"] == SOFTWARE
    with Image.open(folder / "morph.gif") as animation:
        assert animation.info["comment"].decode().startswith(f"{SOFTWARE}: morph from test:1 to test:2")
        assert animation.size == (32, 32)
        assert animation.is_animated


def test_a_second_morph_does_not_overwrite_the_first(copied, command):
    arguments = ("morph", f"--run_dir={copied}", "--start=test:1", "--steps=2")
    assert command(*arguments, "--end=test:2").code == 0
    before = contents(copied / "morphs")
    second = command(*arguments, "--end=test:3")
    assert second.code == 0
    assert str(copied / "morphs-2" / "row.png") in second.out
    assert contents(copied / "morphs") == before
    assert contents(copied / "morphs-2").keys() == before.keys()


def test_morph_writes_where_it_is_told_but_over_nothing(finished, command, tmp_path):
    arguments = ("morph", f"--run_dir={finished}", "--start=train:0", "--end=validation:0", "--steps=2")
    assert command(*arguments, f"--out={tmp_path / 'new' / 'folder'}").code == 0
    before = contents(tmp_path / "new")
    assert len(before) == 6
    assert_refused(command(*arguments, f"--out={tmp_path / 'new'}"), "--out")
    assert contents(tmp_path / "new") == before
    assert not (finished / "morphs").exists()


def test_every_kind_of_picture_is_read_right(finished, tmp_path):
    reader = FaceReader(open_run(finished), AlignmentSettings())
    for path, expected in photograph_files(tmp_path / "pictures").items():
        wanted = photographs.fit(Image.fromarray(expected.astype(np.uint8)), 32) / 255
        tolerance = 0.03 if path.suffix == ".jpg" else 1e-6
        np.testing.assert_allclose(reader.read(str(path)), wanted, atol=tolerance, err_msg=path.name)


@pytest.mark.parametrize("name", ["large.jpg", "gray.png", "transparent.png"])
def test_a_morph_starts_from_any_picture(finished, command, model, tmp_path, name):
    files = photograph_files(tmp_path / "pictures")
    start = tmp_path / "pictures" / name
    arguments = ("--end=test:0", "--steps=2", f"--out={tmp_path / 'morph'}")
    assert command("morph", f"--run_dir={finished}", f"--start={start}", *arguments).code == 0
    image = photographs.fit(Image.fromarray(files[start].astype(np.uint8)), 32).astype(np.float32) / 255
    frame, text = read_png(tmp_path / "morph" / "000.png")
    np.testing.assert_allclose(frame.astype(int), reconstructed(model, image), atol=1)
    assert str(start) in text["Description"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--start=nowhere.png", "--end=test:0"], ["nowhere.png"]),
        (["--start=test:2000", "--end=test:0"], ["test:2000", "test:0 to test:1999"]),
        (["--start=test:x", "--end=test:0"], ["test:x", "test:0 to test:1999"]),
        (["--start=test:-1", "--end=test:0"], ["test:-1", "test:0 to test:1999"]),
        (["--start=test:0", "--end={broken}"], ["broken.png"]),
        (["--start=test:0", "--end={letter}"], ["letter.jpg", "not a JPEG, PNG, WebP"]),
        (["--start={sound}", "--end={sound}", "--crop=30,0,40,40"], ["sound.png", "crop", "48x40"]),
        (["--start=test:0", "--end=test:1", "--steps=1"], ["--steps", "2"]),
        (["--start=test:0", "--end=test:1", "--path=bent"], ["--path", "linear", "slerp"]),
        (["--start=test:0"], ["--end"]),
        (["--end=test:0"], ["--start"]),
    ],
)
def test_a_face_that_cannot_be_had_is_named(finished, command, tmp_path, flags, words):
    files = {name: tmp_path / name for name in ("broken.png", "letter.jpg", "sound.png")}
    picture().save(files["sound.png"])
    picture().save(files["broken.png"])
    truncate(files["broken.png"])
    files["letter.jpg"].write_text("dear")
    flags = [flag.format(**{path.stem: path for path in files.values()}) for flag in flags]
    before = contents(finished)
    assert_refused(command("morph", f"--run_dir={finished}", *flags), *words)
    assert contents(finished) == before


@pytest.mark.parametrize(("crop", "box"), [("5,2,20,20", (5, 2, 25, 22)), ("20", (10, 5, 30, 25))])
def test_a_crop_of_the_run_holds_for_its_faces(train, command, tmp_path, crop, box):
    folder = photographs_in(tmp_path / "photographs", 60, size=(40, 30))
    flags = ("--dataset=folder", f"--data_dir={folder}", f"--crop={crop}")
    run = train("run", *CAE_FLAGS, *flags)
    file = next(iter(sorted(folder.iterdir())))
    done = command("morph", f"--run_dir={run}", f"--start={file}", "--end=test:0", "--steps=2")
    assert done.code == 0
    cut = Image.open(file).crop(box).resize((32, 32), Image.Resampling.LANCZOS)
    expected = reconstructed(facezoo.load(run), np.asarray(cut).astype(np.float32) / 255)
    np.testing.assert_allclose(read_png(run / "morphs" / "000.png")[0].astype(int), expected, atol=1)


def test_a_gray_run_morphs_and_draws_in_gray(train, command):
    run = train("run", *CAE_FLAGS, "--dataset=digits")
    assert facezoo.load(run).channels == 1
    assert command("morph", f"--run_dir={run}", "--start=test:0", "--end=test:1", "--steps=2").code == 0
    assert read_png(run / "morphs" / "row.png")[0].shape == (32, 64)
    drawn = read_png(run / "images" / "morph-0001.png")[0]
    assert (drawn == drawn[..., :1]).all()  # a sheet with labels, without any colour


def test_a_closed_morph_goes_through_faces_and_back(finished, command, model, tmp_path):
    flags = ("--start=test:3", "--through=test:40", "--through=test:7", "--end=test:0", "--closed", "--steps=8")
    done = command("morph", f"--run_dir={finished}", *flags, f"--out={tmp_path / 'loop'}")
    assert done.code == 0, done.err
    frames = [read_png(tmp_path / "loop" / f"{number:03d}.png")[0] for number in range(8)]
    for number, face in enumerate(drawn([3, 40, 7, 0])):
        np.testing.assert_allclose(frames[2 * number].astype(int), reconstructed(model, face), atol=1)
    ends = model.encode(drawn([0, 3])).numpy()
    expected = np.rint(model.decode(ends.mean(axis=0, keepdims=True))[0].numpy() * 255)
    np.testing.assert_allclose(frames[7].astype(int), expected, atol=1)  # on the way back
    with Image.open(tmp_path / "loop" / "morph.gif") as animation:
        assert animation.n_frames == 8


def test_the_dynamic_step_is_even_to_the_face_network():
    """Twenty frames by the weights that ship."""
    model = facezoo.load_pretrained("vae")
    faces = procedural_faces("test").load(np.array([17, 53, 401]))["image"].astype(np.float32) / 255

    def unevenness(path):
        seen = face_features(morph_through(model, faces, 20, path))
        steps = np.linalg.norm(np.diff(seen, axis=0), axis=1)
        return steps.max() / steps.mean()

    assert unevenness("uniform") < 1.1 < 1.3 < unevenness("linear")


@pytest.mark.parametrize(("flags", "person"), [(["--person=ann"], "ann"), ([], "eve")])
def test_a_mapping_model_decodes_as_the_person_asked_for(command, tmp_path, flags, person):
    run = mapping_run(tmp_path / "mapping")
    done = command("morph", f"--run_dir={run}", "--start=test:1", "--end=test:2", "--steps=2", *flags)
    assert done.code == 0, done.err
    model = facezoo.load(run)
    frame, text = read_png(run / "morphs" / "001.png")
    found = [np.abs(frame - reconstructed(model, drawn([2])[0], name).astype(int)).max() for name in model.people]
    assert [name for name, difference in zip(model.people, found, strict=True) if difference <= 1] == [person]
    assert f"by mapping, as {person}, frame 2 of 2" in text["Description"]


def test_a_person_is_chosen_from_python_too(model):
    faces = drawn([1, 2])
    mapping = FaceMapping(image_size=32, filters=(4, 4), inter_dim=6, people=("ann", "bob"))
    judged = AutoencoderGAN(autoencoder=mapping, discriminator=Discriminator(image_size=32, filters=(4, 4)))
    frames = facezoo.visualize_interpolation(judged, *faces, steps=2, show=False, person="ann")
    np.testing.assert_allclose(frames, mapping.decode(mapping.encode(faces), "ann"), atol=1e-6)
    assert np.abs(frames - morph_through(judged, faces, 2)).max() > 1e-3
    with pytest.raises(ValueError, match="knows ann, bob"):
        morph_through(judged, faces, 2, person="eve")
    with pytest.raises(ValueError, match="a VAE maps nobody"):
        morph_through(model, faces, 2, person="ann")


# Aligned.


def test_faces_are_aligned_as_the_pictures_of_the_run_were(command, tmp_path):
    pytest.importorskip("mtcnn")
    save_people(tmp_path / "photographs")
    model = facezoo.ConvolutionalAutoencoder(image_size=32, filters=(4, 4))
    data = ("--dataset=folder", f"--data_dir={folder_of_crops(tmp_path / 'crops')}")
    run = run_of(tmp_path / "run", model, "cae", *data)
    files = [tmp_path / "photographs" / name for name in ("0.png", "1.png")]
    arguments = ("morph", f"--run_dir={run}", f"--start={files[0]}", f"--end={files[1]}", "--steps=2", "--align")
    for flags, cut in [((), {"template": "celeba", "margin": 0.25}), (("--template=facezoo", "--margin=0"), {})]:
        out = tmp_path / str(len(flags))
        done = command(*arguments, *flags, f"--out={out}")
        assert done.code == 0, done.err
        for number, file in enumerate(files):
            face = facezoo.read_face(file, model, **{"template": "facezoo", **cut})
            frame, _ = read_png(out / f"{number:03d}.png")
            np.testing.assert_allclose(frame.astype(int), reconstructed(model, face), atol=1)


def test_a_photograph_without_a_face_is_named_and_nothing_else_is_said(finished, tmp_path):
    pytest.importorskip("mtcnn")
    save_people(tmp_path / "photographs")
    files = tmp_path / "photographs" / "0.png", tmp_path / "photographs" / "nobody.png"
    done = started("morph", f"--run_dir={finished}", f"--start={files[0]}", f"--end={files[1]}", "--align")
    assert_refused(done, f"{files[1]}: no face found")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--template=celeba"], ["--template does nothing without --align"]),
        (["--margin=0"], ["--margin does nothing without --align"]),
        (["--align", "--crop=0,0,9,9"], ["--crop and --align"]),
        (["--align", "--template=mine"], ["--template", "facezoo|celeba"]),
        (["--align", "--margin=3"], ["--margin", "at most 2"]),
    ],
)
def test_flags_that_contradict_the_alignment_are_refused(finished, command, flags, words):
    assert_refused(command("morph", f"--run_dir={finished}", "--start=test:0", "--end=test:1", *flags), *words)


def test_without_the_detector_align_says_what_to_install(finished, command, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = command("morph", f"--run_dir={finished}", "--start=test:0", "--end=test:1", "--align")
    assert_refused(done, "pip install 'facezoo[align]'")


def test_the_data_of_a_run_tell_how_its_faces_lie(tmp_path, caplog):
    def cut(*flags):
        return find_data_cut(parsing.parse_training(["--model=vae", *flags]).data)

    assert cut("--dataset=procedural_faces") == Cut()
    assert cut("--dataset=celeb_a", "--crop=15,35,148,148") == Cut("celeba", size=148)
    assert cut("--dataset=celeb_a") == Cut("celeba", pytest.approx((178 - 148) / (2 * 148)), size=178)
    crops = folder_of_crops(tmp_path / "crops")
    assert cut("--dataset=folder", f"--data_dir={crops}") == Cut("celeba", 0.25)
    assert not caplog.text
    for data_dir in (photographs_in(tmp_path / "photographs", 1), tmp_path / "gone"):
        assert cut("--dataset=folder", f"--data_dir={data_dir}") == Cut()
        assert f"the run's pictures ({data_dir}): taken to be as in drawn ones" in caplog.text


@pytest.mark.parametrize("crop", [(0, 0, 178, 178), (40, 70, 74, 74), (15, 35, 148, 148)])
def test_faces_lie_in_a_crop_beside_the_middle_where_the_photograph_has_them(crop):
    """A face that lies in the whole picture as the template says is cut out by the crop's own box."""
    box = ",".join(map(str, crop))
    cut = find_data_cut(parsing.parse_training(["--model=vae", "--dataset=celeb_a", f"--crop={box}"]).data)
    points = np.array(TEMPLATES["celeba"]) * 148 + (15, 35)
    np.testing.assert_allclose(cut.matrix(points), [[crop[2], 0, crop[0]], [0, crop[3], crop[1]]], atol=1e-9)


def test_a_crop_of_crops_lies_where_it_was_taken(tmp_path):
    crops = folder_of_crops(tmp_path / "crops")
    data = ("--model=vae", "--dataset=folder", f"--data_dir={crops}")
    whole, part = (
        find_data_cut(parsing.parse_training([*data, *flags]).data) for flags in ((), ("--crop=8,40,64,64",))
    )
    points = np.array(TEMPLATES["facezoo"]) * 300  # a face in some photograph
    corner, pixel = whole.matrix(points), whole.matrix(points)[:, :2] / 128
    np.testing.assert_allclose(part.matrix(points)[:, :2], pixel * 64, atol=1e-9)
    np.testing.assert_allclose(part.matrix(points)[:, 2], corner[:, 2] + pixel @ (8, 40), atol=1e-9)


def test_the_shift_of_a_run_goes_with_its_own_template_only(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    flags = ["--model=vae", "--dataset=celeb_a", "--crop=40,70,74,74", "--image_size=32"]
    settings = parsing.parse_training(flags)
    for asked, template, is_shifted in [
        ({}, "celeba", True),
        ({"template": "facezoo"}, "facezoo", False),
        ({"margin": 0.5}, "celeba", False),
    ]:
        cut = find_cut(AlignmentSettings(align=True, **asked), {}, settings)
        assert (cut.template, cut.size, any(cut.shift)) == (template, 32, is_shifted)
