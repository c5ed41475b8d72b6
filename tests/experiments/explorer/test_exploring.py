"""What the sliders of `facezoo explore` show, without a page and in a notebook."""

import copy
import dataclasses
import functools
import io
import zlib

import numpy as np
import pytest
from clutter import clutter, placed_faces
from command_line import SOFTWARE, picture, read_png
from facezoo.datasets.procedural import PAIR, procedural_faces
from facezoo.experiments import backend
from facezoo.experiments.codes.morphing import NOTICE, warp_and_code_through, warp_through
from facezoo.experiments.commands import explore
from facezoo.experiments.errors import UsageError
from facezoo.experiments.explorer import explored, looks
from facezoo.experiments.explorer import explorer as exploring
from facezoo.experiments.explorer import widgets as explore_widgets
from facezoo.experiments.explorer.explorer import Explorer
from facezoo.experiments.explorer.looks import Look
from facezoo.experiments.explorer.photographs import WarpExplorer
from facezoo.experiments.faces import framing
from facezoo.experiments.faces.landmarks import readers
from facezoo.experiments.flags import groups, kinds, parsing
from facezoo.experiments.runs.run import Run
from facezoo.latents.attributes import AttributeVectors, save_attributes
from facezoo.latents.interpolation import interpolate
from facezoo.models import (
    VAE,
    AutoencoderGAN,
    ConditionalVAE,
    ConvolutionalAutoencoder,
    DiffusionAutoencoder,
    Discriminator,
    FaceMapping,
)

SIZE = 32
ALIGNED = groups.AlignmentSettings(align=True)


def judged(autoencoder):
    return AutoencoderGAN(autoencoder=autoencoder, discriminator=Discriminator(image_size=SIZE, filters=(4, 4)))


MODELS = {
    "vae": lambda: VAE(image_size=SIZE, latent_dim=5, filters=(4, 4)),
    "spatial": lambda: ConvolutionalAutoencoder(image_size=SIZE, filters=(4, 4)),
    "vector": lambda: ConvolutionalAutoencoder(image_size=SIZE, filters=(4, 4), latent_dim=30),
    "told": lambda: ConditionalVAE(image_size=SIZE, latent_dim=5, filters=(4, 4), attributes=("smiling", "beard")),
    "people": lambda: FaceMapping(image_size=SIZE, filters=(4, 4), inter_dim=6, people=("ann", "bob")),
    "refined": lambda: DiffusionAutoencoder(
        autoencoder=VAE(image_size=SIZE, latent_dim=5, filters=(4, 4)), width=16, depth=1, sampling_steps=2
    ),
    "judged": lambda: judged(VAE(image_size=SIZE, latent_dim=5, filters=(4, 4))),
    "judged people": lambda: judged(FaceMapping(image_size=SIZE, filters=(4, 4), inter_dim=6, people=("ann", "bob"))),
}


class Untrained(Run):
    """A run whose model is one of MODELS."""

    model_hash = "hash"

    def model(self, kind=None):
        return MODELS[self.model_path.name]()


@pytest.fixture(scope="module", autouse=True)
def small_survey():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exploring, "SURVEYED", 24)
        patch.setattr(exploring, "FITTED", 60)
        yield


def made(folder, kind, *flags):
    """A new explorer of one of MODELS."""
    settings = parsing.parse_training(["--model=vae", "--dataset=procedural_faces", f"--image_size={SIZE}"])
    values = parsing.parse(explore.define_flags, [f"--run_dir={folder}", *flags])
    return Explorer(
        Untrained(folder, settings, folder / kind),
        kinds.read(values, groups.AlignmentSettings),
        kinds.read_given(values, groups.DataSettings),
    )


@pytest.fixture(scope="module")
def explorer_of(tmp_path_factory):
    """An explorer of one of MODELS, without attributes; each is made once, since it keeps nothing of its users."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return functools.cache(functools.partial(made, folder))


def look_of(explorer, **changes):
    """What is seen when one slider is moved: `latent_3=1.5`."""
    settings = {name: changes.pop(name) for name in ("alpha", "path", "person") if name in changes}
    names = [f"{slider.group}_{slider.name}" for slider in explorer.sliders]
    strengths = [0.0] * len(names)
    for name, strength in changes.items():
        strengths[names.index(name)] = strength
    return Look(*explorer.first_faces, strengths=strengths, **settings)


def seen(png):
    return read_png(io.BytesIO(png))[0].astype(int)


def decoded(model, code, *conditions):
    return np.rint(np.asarray(model.decode(np.asarray(code, np.float32)[None], *conditions))[0] * 255).astype(int)


def assert_seen(png, expected):
    np.testing.assert_allclose(seen(png), expected, atol=1)


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_model_can_be_explored(explorer_of, kind):
    explorer = explorer_of(kind)
    groups = {"told": ["told"] * 2 + ["latent"] * 5, "spatial": [], "vector": ["latent"] * exploring.MOST_LATENTS}
    groups |= {"people": ["latent"] * 6, "judged people": ["latent"] * 6}
    assert [slider.group for slider in explorer.sliders] == groups.get(kind, ["latent"] * 5)
    people = ("ann", "bob") if "people" in kind else ()
    look = look_of(explorer, alpha=0.4, person=people[0] if people else None)
    assert seen(explorer.picture(look)).shape == (SIZE, SIZE, 3)
    strip = seen(explorer.strip(look))
    assert strip.shape == (SIZE, SIZE * explored.STRIP_STEPS, 3)
    assert_seen(explorer.picture(look_of(explorer, person=look.person)), strip[:, :SIZE])
    copy.deepcopy(look)  # as the page does
    face = explorer.invented(3)
    assert face.picture.shape == (SIZE, SIZE, 3)
    assert np.array_equal(face.code, explorer.invented(3).code)
    assert not np.array_equal(face.code, explorer.invented(4).code)
    assert explorer.people == people
    assert explorer.note == ""


def test_a_random_face_is_drawn_like_training_faces(explorer_of):
    explorer = explorer_of("vector")
    assert explorer._sampler.kind in ("gaussian", "mixture")
    assert np.isfinite(explorer.invented(0).code).all()
    assert "facezoo attributes --run_dir=" in explorer.hint


def test_a_film_goes_there_and_back(explorer_of):
    film = explorer_of("vae").film(look_of(explorer_of("vae")))
    assert film[4:8] == b"ftyp"
    assert b"linear morph from" in film


def test_small_pictures_are_enlarged_smoothly_and_say_what_they_show():
    png = looks.as_png(np.eye(20)[..., None].repeat(3, axis=2), "a diagonal")
    pixels, text = read_png(io.BytesIO(looks.enlarged(png)))
    assert (pixels.shape, text["Description"]) == ((260, 260, 3), "a diagonal")
    assert len(np.unique(pixels)) > 20
    large = looks.as_png(np.zeros((256, 256, 1)), "")
    assert looks.enlarged(large) is large
    assert seen(looks.enlarged(looks.as_png(np.zeros((8, 80, 1)), ""), 16)).shape[:2] == (16, 160)


def test_a_row_is_folded_for_narrow_windows():
    row = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(2, 12, 3)
    pixels, text = read_png(io.BytesIO(looks.folded(looks.as_png(row, "four pictures"))))
    np.testing.assert_array_equal(pixels, np.concatenate([row[:, :6], row[:, 6:]]))
    assert text["Description"] == "four pictures"


@pytest.mark.parametrize("path", looks.PATHS)
def test_the_morph_goes_along_the_path(explorer_of, path):
    explorer = explorer_of("vae")
    start, end = explorer.first_faces
    [code] = interpolate(start.code, end.code, np.array([0.3]), path)
    png = explorer.picture(look_of(explorer, alpha=0.3, path=path))
    assert_seen(png, decoded(explorer._model, code))
    _, text = read_png(io.BytesIO(png))
    assert text == {
        "Software": SOFTWARE,
        "Description": f"{path} morph from test:1145 to test:1040 by run at 0.30: {NOTICE}",
    }


def warped(explorer, method, alpha, **changes):
    """What is seen when a method is chosen, and one slider moved."""
    look = look_of(explorer, alpha=alpha, **changes)
    return dataclasses.replace(look, method=method, warp=explorer.find_warp(look.start, look.end))


@pytest.mark.parametrize("kind", ["vae", "spatial", "people", "refined"])
def test_a_warp_before_codes_is_that_of_the_command(explorer_of, kind):
    explorer = explorer_of(kind)
    look = warped(explorer, "warp+code", 0.5)
    framed = look.warp.framed
    expected = warp_and_code_through(explorer._model, *framed.material, 3)[1]
    [shown] = explorer._frames(look, np.array([0.5]), SIZE)
    np.testing.assert_allclose(shown, expected, atol=1e-4)
    assert_seen(explorer.picture(look), np.rint(expected * 255))
    text = read_png(io.BytesIO(explorer.picture(look)))[1]
    assert text["Description"] == f"warp+code from test:1145 to test:1040 by run at 0.50: {NOTICE}"


def test_a_warp_shows_the_run_s_pictures_and_no_slider_s_change(explorer_of):
    explorer = explorer_of("vae")
    expected = np.rint(warp_through(*warped(explorer, "warp", 0.5).warp.framed.material, 3)[1] * 255)
    moved = warped(explorer, "warp", 0.5, **{f"latent_{explorer.sliders[0].name}": 2.0})
    assert_seen(explorer.picture(moved), expected)
    assert seen(explorer.strip(moved)).shape == (SIZE, SIZE * explored.STRIP_STEPS, 3)
    text = read_png(io.BytesIO(explorer.picture(moved)))[1]
    assert text["Description"] == f"warp from test:1145 to test:1040 at 0.50: {NOTICE}"


@pytest.mark.parametrize("kind", ["vae", "told"])
def test_sliders_move_codes_of_warped_faces(explorer_of, kind):
    explorer = explorer_of(kind)
    name = explorer.sliders[0].name
    change = {f"told_{name}": 900.0} if kind == "told" else {f"latent_{name}": 900.0}  # of a model without training
    at_rest, moved = (warped(explorer, "warp+code", 0.0, **changes) for changes in ({}, change))
    codes = dataclasses.replace(moved, method="code")
    assert_seen(explorer.picture(moved), seen(explorer.picture(codes)))
    middle = [seen(explorer.picture(dataclasses.replace(look, alpha=0.5))) for look in (at_rest, moved)]
    assert np.abs(middle[0] - middle[1]).max() > 10


def test_where_no_landmarks_are_found_it_is_said_of_which_face(explorer_of, monkeypatch):
    class Blind:
        scheme = "five"
        takes_lying_for_upright = False

        def __init__(self, model=None):
            pass

        def faces(self, photograph, closely=False):
            return []

        def close(self):
            pass

    monkeypatch.setitem(readers.READERS, "mediapipe", Blind)
    monkeypatch.setattr(framing, "list_readers", lambda: ["mediapipe"])
    explorer = explorer_of("vae")
    with pytest.raises(UsageError, match=r"^drawn:3: no face found: take a photograph"):
        explorer.find_warp(explorer.invented(3), explorer.first_faces[1])


def test_sliders_of_the_code_move_what_carries_most_by_its_deviation(explorer_of):
    explorer = explorer_of("vector")
    images = np.stack([explorer._test.load(np.array(PAIR[:1]))["image"][0]])
    assert np.array_equal(explorer.first_faces[0].picture, images[0])
    validation = procedural_faces("validation", image_size=SIZE)
    codes = np.asarray(explorer._model.encode(validation.load(np.arange(24))["image"].astype(np.float32) / 255.0))
    order = np.argsort(-codes.var(axis=0))[: exploring.MOST_LATENTS]
    assert [slider.name for slider in explorer.sliders] == [str(dimension) for dimension in order]
    code = explorer.first_faces[0].code.copy()
    code[order[1]] += 2.5 * codes[:, order[1]].std()
    png = explorer.picture(look_of(explorer, **{f"latent_{order[1]}": 2.5}))
    assert_seen(png, decoded(explorer._model, code))
    assert read_png(io.BytesIO(png))[1]["Description"].endswith(f"latent {order[1]} +2.50 at 0.00: {NOTICE}")


def attribute_vectors(shape, model_hash="hash"):
    vectors = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    counts = np.full((2, 2), 20)
    return AttributeVectors(("smiling", "eyeglasses"), {"mean": vectors}, np.eye(2), counts, {}, model_hash)


@pytest.mark.parametrize(("kind", "shape"), [("vae", (5,)), ("spatial", (8, 8, 4))])
def test_sliders_of_attributes_move_along_their_vectors(tmp_path, kind, shape):
    found = attribute_vectors(shape)
    save_attributes(tmp_path / "attributes.npz", found)
    explorer = made(tmp_path, kind)
    assert [slider.name for slider in explorer.sliders[:2]] == ["smiling", "eyeglasses"]
    code = explorer.first_faces[0].code - 1.5 * found.vector("eyeglasses")
    assert_seen(explorer.picture(look_of(explorer, attribute_eyeglasses=-1.5)), decoded(explorer._model, code))


@pytest.mark.parametrize("content", ["another model", "no archive"])
def test_attributes_that_do_not_fit_are_left_out_with_a_line(tmp_path, content):
    file = tmp_path / "attributes.npz"
    save_attributes(file, attribute_vectors((5,), "another"))
    if content == "no archive":
        file.write_text("dear diary")
    explorer = made(tmp_path, "vae")
    assert {slider.group for slider in explorer.sliders} == {"latent"}
    assert "no attribute sliders" in explorer.note
    assert "\n" not in explorer.note


def test_a_conditional_decoder_is_told(explorer_of):
    explorer = explorer_of("told")
    code = explorer.first_faces[0].code
    for strengths, told in (((0.0, 0.0), (0.5, 0.5)), ((1.0, -1.0), (1.0, 0.0))):
        look = look_of(explorer, told_smiling=strengths[0], told_beard=strengths[1])
        assert_seen(explorer.picture(look), decoded(explorer._model, code, np.array([told], np.float32)))


def test_a_face_is_decoded_as_either_person(explorer_of):
    explorer = explorer_of("people")
    for person in ("ann", "bob"):
        png = explorer.picture(look_of(explorer, person=person))
        assert_seen(png, decoded(explorer._model, explorer.first_faces[0].code, person))
        assert f"as {person}" in read_png(io.BytesIO(png))[1]["Description"]


def test_faces_by_chance_come_from_the_test_split(explorer_of):
    explorer = explorer_of("vae")
    faces = [explorer.anybody(seed) for seed in range(8)]
    places = {int(face.name.removeprefix("test:")) for face in faces}
    assert len(places) > 5
    assert all(0 <= place < 2000 for place in places)
    assert np.array_equal(explorer.at(min(places)).picture, explorer._test.load(np.array([min(places)]))["image"][0])


# Uploads.


def test_the_face_of_a_photograph_is_found_and_cut_out_as_the_model_knows_faces(explorer_of, tmp_path):
    pytest.importorskip("mtcnn")
    explorer = explorer_of("vae")
    [placed] = placed_faces([30], degrees=10, scales=(0.9, 1.0))
    placed.picture.save(tmp_path / "a.png")
    face = explorer.photograph(tmp_path / "a.png", "a.png")
    known = explorer.at(30).picture.astype(int)
    middle = explorer.photograph(tmp_path / "a.png", "a.png", align=False).picture
    assert np.abs(face.picture - known).mean() < np.abs(middle - known).mean() / 2
    clutter(np.random.default_rng(1)).save(tmp_path / "nobody.png")
    with pytest.raises(UsageError, match=r"nobody.png: no face found; untick"):
        explorer.photograph(tmp_path / "nobody.png", "nobody.png")
    assert explorer.photograph(tmp_path / "nobody.png", "nobody.png", align=False).picture.shape == (SIZE, SIZE, 3)


def large_png(width, height):
    """A file that begins as a picture of that size does."""
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + zlib.crc32(header).to_bytes(4, "big") + b"\0\0\0\x09IDAT" + b"\0" * 9


UPLOADS = {
    "text": (b"dear diary", "not a JPEG, PNG, WebP"),
    "empty": (b"", "empty file"),
    "50 megapixels": (large_png(8200, 6100), "8200x6100 is more than 40 megapixels"),
    "a billion pixels": (large_png(2**16, 2**16), "more than 40 megapixels"),
    "broken": (large_png(20, 20), "broken"),
}


@pytest.mark.parametrize("upload", UPLOADS)
def test_what_is_no_picture_is_answered_in_one_line(explorer_of, upload):
    content, reason = UPLOADS[upload]
    with pytest.raises(UsageError) as caught:
        explorer_of("vae", "--noalign").photograph(io.BytesIO(content), "<b>${1+1}/x.png")
    message = str(caught.value)
    assert message.startswith("_b___1_1__x.png: ")
    assert upload == "broken" or reason in message
    assert "\n" not in message


def test_without_alignment_the_crop_of_the_run_is_taken(explorer_of):
    explorer = explorer_of("vae", "--noalign")
    assert not explorer.finds_faces
    file = io.BytesIO()
    picture((40, 30)).save(file, "PNG")
    file.seek(0)
    face = explorer.photograph(file, "a.png")
    expected = np.asarray(picture((40, 30)).crop((5, 0, 35, 30)).resize((SIZE, SIZE), 1, reducing_gap=3.0))
    assert np.array_equal(face.picture, expected)


# A notebook.


@pytest.fixture
def widgets(explorer_of):
    pytest.importorskip("ipywidgets")
    return explore_widgets._Widgets(explorer_of("people", "--noalign"))


def test_widgets_show_what_is_set(widgets):
    explorer = widgets.explorer
    widgets.alpha.value, widgets.path.value, widgets.person.value = 0.3, "slerp", "ann"
    widgets.sliders[0].value = 1.5
    strengths = [1.5, *[0.0] * (len(explorer.sliders) - 1)]
    look = Look(*explorer.first_faces, 0.3, "slerp", strengths, "ann")
    assert widgets.picture.value == looks.enlarged(explorer.picture(look))
    assert seen(widgets.picture.value).shape == (256, 256, 3)
    assert widgets.strip.value == looks.enlarged(explorer.strip(look), explore_widgets.LEAST_STRIP)
    widgets._reset()
    assert {slider.value for slider in widgets.sliders} == {0.0}
    assert widgets.sliders[0].description.startswith("dimension ")
    assert widgets.picture.value != looks.enlarged(explorer.picture(look))
    assert widgets.links.value.count("download=") == 2


def test_widgets_warp_and_show_only_what_a_warp_heeds(widgets):
    by_codes, strip = widgets.picture.value, widgets.strip.value
    widgets.method.value = "warp"
    assert widgets.picture.value != by_codes
    assert widgets.landmarks.value == "70 landmarks of drawn faces"
    assert {widget.layout.display for widget in (widgets.path, widgets.person, widgets.edits)} == {"none"}
    warped = widgets.strip.value
    widgets.alpha.value = 0.0
    assert widgets.strip.value == warped != strip
    look = Look(*widgets.explorer.first_faces, 0.0, method="warp", warp=widgets.warp)
    assert_seen(widgets.explorer.picture(look), widgets.explorer.first_faces[0].picture)
    widgets.method.value = "warp+code"
    assert widgets.strip.value not in (warped, strip)
    assert widgets.edits.layout.display == ""


def test_widgets_stay_with_codes_where_there_are_no_landmarks(widgets, monkeypatch):
    def refuse(start, end):
        raise UsageError("test:0: no face found")

    monkeypatch.setattr(widgets.explorer, "find_warp", refuse)
    before = widgets.picture.value
    widgets.method.value = "warp"
    assert widgets.method.value == "code"
    assert "no face found" in widgets.message.value
    assert widgets.picture.value == before


def test_a_notebook_warps_without_a_run(monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr("facezoo.experiments.explorer.photographs.list_readers", lambda: ["mtcnn"])
    widgets = explore_widgets._Widgets(WarpExplorer(ALIGNED))
    for words in ("pip install &#x27;facezoo[landmarks]&#x27;<br>", "no place in an identity document"):
        assert words in widgets.message.value
    assert seen(widgets.picture.value).shape == (256, 256, 3)
    assert widgets.captions["start"].value == "start: test:1145"
    widgets._chance("end", widgets.explorer.anybody)
    assert widgets.message.value == ""
    assert widgets.captions["end"].value != "end: test:1040"


def test_widgets_take_faces_and_say_why_not(widgets):
    file = io.BytesIO()
    picture().save(file, "PNG")
    widgets._upload("end", {"new": [{"name": "a.png", "content": memoryview(file.getvalue())}]})
    assert widgets.captions["end"].value == "end: a.png"
    assert widgets.message.value == ""
    before = widgets.picture.value
    widgets._upload("start", {"new": [{"name": "b.png", "content": memoryview(b"dear diary")}]})
    assert "b.png: not a JPEG" in widgets.message.value
    assert (widgets.captions["start"].value, widgets.picture.value) == ("start: test:1145", before)
    widgets._chance("start", widgets.explorer.invented)
    assert widgets.captions["start"].value.startswith("start: drawn:")
    assert widgets.message.value == ""


def test_a_notebook_opens_a_run(finished):
    ipywidgets = pytest.importorskip("ipywidgets")
    assert isinstance(explore_widgets.explore_widgets(finished), ipywidgets.VBox)
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        explore_widgets.explore_widgets("nowhere")


@pytest.mark.parametrize("package", ["gradio", "ipywidgets"])
def test_without_the_package_it_says_what_to_install(monkeypatch, package):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=rf"{package} is not installed: pip install 'facezoo\[explore\]'"):
        backend.check_installed(package, "explore")
