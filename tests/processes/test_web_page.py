"""`facezoo export --format=web`: the page that comes of it, opened from the disk, as a person uses it."""

import base64
import dataclasses
import io
import json
import shutil

import facezoo
import numpy as np
import pytest
from command_line import SOFTWARE, assert_refused
from facezoo.datasets.procedural import PAIR, procedural_faces
from facezoo.experiments import cli
from facezoo.experiments.errors import UsageError
from facezoo.experiments.shipping.runtime import find_runtime
from facezoo.experiments.shipping.trial import Trial
from facezoo.experiments.shipping.web import choose_starts, find_directions
from PIL import Image

CHROMIUM = shutil.which("chromium")
SMALL = 64  # pixels of what is looked at of a canvas
READY_MS = 120_000


@pytest.fixture(scope="module")
def page_folder(finished, tmp_path_factory):
    """The page of a tiny run, in float32."""
    for package in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(package)
    try:
        runtime = find_runtime(None)
    except UsageError as error:
        pytest.skip(str(error))
    out = tmp_path_factory.mktemp("web") / "page"
    flags = (f"--run_dir={finished}", "--precision=float32", f"--runtime={runtime}", "--count=4", f"--out={out}")
    assert cli.run(["export", "--format=web", *flags]) == 0
    return out


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def page(page_folder, browser):
    """The page on a telephone, once it is ready; `asked` and `wrong` are what it has asked for, and its errors."""
    opened = browser.new_page(viewport={"width": 390, "height": 844}, accept_downloads=True)
    opened.asked, opened.wrong = [], []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("pageerror", lambda error: opened.wrong.append(str(error)))
    opened.goto((page_folder / "index.html").as_uri())
    opened.wait_for_selector("body[data-ready]", timeout=READY_MS)
    yield opened
    assert opened.wrong == []
    assert [url for url in opened.asked if not url.startswith(("file:", "blob:"))] == []


def pixels_of(page, name):
    """What a canvas shows, made small: [SMALL, SMALL, 3]."""
    url = page.eval_on_selector(name, "canvas => canvas.toDataURL('image/png')")
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGB").resize((SMALL, SMALL), Image.Resampling.BOX), float)


def settled(page, name="#picture"):
    """As `pixels_of`, when nothing is being computed any more."""
    page.wait_for_timeout(100)
    page.evaluate("facezoo.decode(facezoo.ends.a).then(() => 0)")  # which waits for those before
    page.wait_for_timeout(50)
    return pixels_of(page, name)


def test_it_decodes_as_the_model_does(page, finished):
    model = facezoo.load(finished)
    code = page.evaluate("[...facezoo.ends.b]")
    made = np.array(page.evaluate("facezoo.decode(facezoo.ends.b).then(found => [...found])")).reshape(32, 32, 3)
    np.testing.assert_allclose(made, model.decode(np.array([code], np.float32))[0], atol=1e-4)
    picture = np.random.default_rng(0).uniform(size=(1, 32, 32, 3)).astype(np.float32)
    given = picture.ravel().tolist()
    found = page.evaluate("given => facezoo.encode(Float32Array.from(given)).then(found => [...found])", given)
    np.testing.assert_allclose(found, model.encode(picture)[0], atol=1e-4)


def test_the_slider_leads_from_one_face_to_the_other(page):
    shown = {}
    for share in ("0", "0.5", "1"):
        page.fill("#morph", share)
        shown[share] = settled(page)
    start, end = (settled(page, f"#end-{name} canvas") for name in "ab")
    assert np.abs(shown["0"] - start).mean() < np.abs(shown["0"] - end).mean()
    assert np.abs(shown["1"] - end).mean() < np.abs(shown["1"] - start).mean()
    assert all(np.ptp(seen) > 0 for seen in shown.values())
    assert not np.array_equal(shown["0"], shown["1"])


def test_attributes_change_the_face_and_are_reset(page):
    before = settled(page)
    first = page.locator(".sliders input").first
    first.fill("1.5")
    assert page.locator(".sliders output").first.inner_text() == "1.50"
    changed = settled(page)
    assert not np.array_equal(changed, before)
    page.click("#reset")
    np.testing.assert_array_equal(settled(page), before)


def test_a_photograph_is_cut_by_hand(page, tmp_path):
    x, y = np.meshgrid(np.arange(300), np.arange(200))
    Image.fromarray(np.stack([x % 256, y, 0 * x + 90], axis=-1).astype(np.uint8)).save(tmp_path / "photograph.png")
    before = page.evaluate("[...facezoo.ends.a]")
    page.set_input_files("#end-a input", str(tmp_path / "photograph.png"))
    page.wait_for_selector("dialog[open]")
    whole = pixels_of(page, "#frame")
    page.fill("#zoom", "0.5")
    box = page.locator("#frame").bounding_box()
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 110, box["y"] + 170, steps=3)
    page.mouse.up()
    assert not np.array_equal(pixels_of(page, "#frame"), whole)
    page.click("#take")
    page.wait_for_selector("dialog", state="hidden")
    settled(page)
    taken = page.evaluate("[...facezoo.ends.a]")
    assert np.abs(np.subtract(taken, before)).max() > 1e-3
    page.set_input_files("#end-a input", str(tmp_path / "photograph.png"))
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    settled(page)
    assert page.evaluate("[...facezoo.ends.a]") == taken
    (tmp_path / "none.png").write_text("no picture")
    page.set_input_files("#end-a input", str(tmp_path / "none.png"))
    page.wait_for_selector("#state.wrong")
    assert "no picture that this browser can read" in page.inner_text("#state")


def test_a_photograph_is_seen_on_white_where_it_is_transparent(page, tmp_path):
    Image.new("RGBA", (80, 80), (255, 255, 255, 0)).save(tmp_path / "clear.png")
    Image.new("RGB", (80, 80), "white").save(tmp_path / "white.png")
    codes = []
    for name in ("white.png", "clear.png"):
        page.set_input_files("#end-a input", str(tmp_path / name))
        page.wait_for_selector("dialog[open]")
        assert pixels_of(page, "#frame")[0, 0].tolist() == [255, 255, 255]
        page.click("#take")
        page.wait_for_selector("dialog", state="hidden")
        settled(page)
        codes.append(page.evaluate("[...facezoo.ends.a]"))
    assert codes[0] == codes[1]


def test_a_photograph_that_cannot_be_encoded_is_told_of_and_the_next_one_is_taken(page, tmp_path):
    Image.new("RGB", (80, 80), "teal").save(tmp_path / "photograph.png")
    before = page.evaluate("[...facezoo.ends.a]")
    for is_broken in (True, False):
        page.set_input_files("#end-a input", str(tmp_path / "photograph.png"))
        page.wait_for_selector("dialog[open]")
        if is_broken:
            page.evaluate("whole = sessions.encoder, sessions.encoder = null, 0")
        page.click("#take")
        if is_broken:
            page.wait_for_selector("#state.wrong")
            assert "The photograph could not be read" in page.inner_text("#state")
            assert page.evaluate("[...facezoo.ends.a]") == before
            page.evaluate("sessions.encoder = whole, 0")
    page.wait_for_selector("dialog", state="hidden")
    settled(page)
    assert page.evaluate("[...facezoo.ends.a]") != before
    assert page.inner_text("#state") == ""


def test_the_keyboard_reaches_what_chooses_a_photograph(page):
    page.focus("#end-a [data-do=draw]")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement === document.querySelector('#end-a input')")


def test_new_faces_become_the_ends(page):
    before = page.evaluate("[[...facezoo.ends.a], [...facezoo.ends.b]]")
    page.locator("#strip button").nth(0).click()
    page.locator("#strip button").nth(1).click()
    settled(page)
    after = page.evaluate("[[...facezoo.ends.a], [...facezoo.ends.b]]")
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert after[0] != after[1]


def test_a_saved_picture_says_what_it_is(page, tmp_path):
    def description():
        settled(page)
        with page.expect_download() as download:
            page.click("#save")
        with Image.open(download.value.path()) as picture:
            picture.load()
            assert picture.info["Software"] == SOFTWARE
            assert picture.size == (768, 768)
            return picture.info["Description"]

    for end in "ab":
        page.click(f"#end-{end} [data-do=draw]")
    page.fill("#morph", "0.5")
    assert description().endswith(", of nobody")
    Image.new("RGB", (80, 80), "teal").save(tmp_path / "photograph.png")
    page.set_input_files("#end-a input", str(tmp_path / "photograph.png"))
    page.click("#take")
    page.wait_for_selector("dialog", state="hidden")
    assert description().endswith(", made from a photograph")
    page.fill("#morph", "1")  # the other end by itself
    assert description().endswith(", of nobody")
    page.fill("#morph", "0.5")
    assert description().endswith(", made from a photograph")
    page.click("#end-a [data-do=draw]")
    assert description().endswith(", of nobody")


def test_it_plays_and_pauses(page):
    page.fill("#morph", "0")
    page.click("#play")
    page.wait_for_timeout(600)
    page.click("#play")
    assert float(page.input_value("#morph")) > 0
    assert page.get_attribute("#play", "aria-label") == "Play"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_cut_off(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 390, "height": 844})


def test_the_folder_is_whole_and_says_nothing_of_this_machine(page_folder):
    names = ["README.md", "export.json", "index.html", "model.js", "ort.js", "page.css", "page.js", "runtime.js"]
    assert sorted(path.name for path in page_folder.iterdir()) == names
    about = json.loads((page_folder / "export.json").read_text())
    assert [(file["file"], file["part"]) for file in about["files"]] == [
        ("model.js", "encoder"),
        ("model.js", "decoder"),
    ]
    assert "`index.html`: the page" in (page_folder / "README.md").read_text()
    text = (page_folder / "model.js").read_text()
    assert str(page_folder.parent) not in text
    assert "connect-src" not in (page_folder / "index.html").read_text()  # as default-src: none
    assert "default-src 'none'" in (page_folder / "index.html").read_text()


def test_a_runtime_that_is_not_there_is_refused(finished, command, tmp_path):
    pytest.importorskip("tf2onnx")
    flags = ("export", f"--run_dir={finished}", "--format=web", f"--out={tmp_path / 'out'}")
    assert_refused(command(*flags, f"--runtime={tmp_path}"), f"--runtime={tmp_path} must hold ort.wasm.min.js")
    assert_refused(command(*flags, "--part=decoder"), "--part does nothing with --format=web")
    assert_refused(command(*flags[:2], "--runtime=here"), "--runtime does nothing without --format=web")
    assert not (tmp_path / "out").exists()


def test_npm_that_is_not_there_is_told_of(monkeypatch, empty_folder):
    monkeypatch.setenv("PATH", str(empty_folder))
    with pytest.raises(UsageError, match=r"npm could not fetch onnxruntime-web: .*install Node.js, or give --runtime="):
        find_runtime(None)
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("dataset", "count"),
    [("procedural_faces", 2), ("procedural_people", 2), ("celeb_a", 0), ("folder", 0), ("packed", 0)],
)
def test_a_page_holds_codes_of_drawn_faces_alone(model, pictures, dataset, count):
    faces = procedural_faces("test", image_size=32)
    trial = Trial(model, {}, pictures[:1], pictures[:3])
    found = choose_starts(trial, dataset, lambda: faces)
    others = choose_starts(trial, dataset, lambda: dataclasses.replace(faces, name="others"))
    assert (len(found), len(others)) == (count, count)
    if count:
        codes = np.asarray(model.encode(faces.load(np.array(PAIR))["image"] / np.float32(255.0)))
        first = np.frombuffer(base64.b64decode(found[0]), "<f4")
        np.testing.assert_allclose(first, codes[0].ravel(), atol=1e-4)
        assert found != others


def test_directions_draw_codes_as_they_are_distributed():
    codes = np.random.default_rng(0).normal(size=(500, 3)) @ np.array([[2.0, 0, 0], [1, 1, 0], [0, 0, 0.1]]) + 5
    mean, directions = find_directions(codes)
    np.testing.assert_allclose(directions.T @ directions, np.cov(codes.T), atol=1e-4)
    np.testing.assert_allclose(mean, codes.mean(axis=0), rtol=1e-5)
    assert find_directions(np.random.default_rng(0).normal(size=(20, 128, 128, 16)))[1].shape == (1, 128, 128, 16)
