"""Published weights on a hub, which a local server stands in for."""

import json
import socket

import facezoo
import pytest
from command_line import CAE_FLAGS, assert_refused, assert_same, run_of, weights_of
from facezoo.experiments.errors import UsageError
from facezoo.experiments.runs import hub as hubs
from facezoo.experiments.runs.run import open_run
from facezoo.models import ConvolutionalAutoencoder
from hub import TOKEN, Hub, Repository

constants = pytest.importorskip("huggingface_hub.constants")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty hub, an empty cache, and nobody who is logged in."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "FACEZOO_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    with Hub() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        yield served


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The files of a published model, by their names on a hub, and the model's run."""
    from facezoo.experiments import cli

    folder = tmp_path_factory.mktemp("published")
    model = ConvolutionalAutoencoder(image_size=32, filters=(4, 4))
    run = run_of(folder / "run", model, "cae", "--set=filters=4,4")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACEZOO_WEIGHTS", raising=False)
        assert cli.run(["publish", f"--run_dir={run}", "--name=mine", f"--out={folder}", "--nopictures"]) == 0
    return run, {hubs.WEIGHTS: (folder / "mine.npz").read_bytes(), hubs.CARD: (folder / "mine.json").read_bytes()}


def test_a_model_is_published_and_loaded_again(hub, published, command, monkeypatch, tmp_path, empty_folder):
    run, _ = published
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    asked = (f"--run_dir={run}", "--name=mine", f"--out={tmp_path / 'out'}", "--to=hf://ann/faces")
    assert_refused(command("publish", *asked), "--to wants --license")
    done = command("publish", *asked, "--license=cc-by-nc-4.0")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == f"{hub.address}/ann/faces"
    repository = hub.repositories["ann/faces"]
    assert repository.is_private
    assert set(repository.files) == {hubs.WEIGHTS, hubs.CARD, hubs.SHEET, hubs.PAGE}
    _, metadata, text = repository.files[hubs.PAGE].decode().split("---\n", 2)
    lines = ("license: cc-by-nc-4.0", "library_name: facezoo", "pipeline_tag: image-to-image", "- facezoo")
    assert [line for line in lines if line not in metadata] == []
    assert 'facezoo.load("hf://ann/faces")' in text
    assert f"]({hubs.SHEET})" in text
    assert_same(weights_of("hf://ann/faces"), weights_of(run), 1e-3)
    opened = open_run("hf://ann/faces")
    assert opened.folder.as_posix() == "faces"
    assert opened.settings.model.model == "cae"
    again = command("publish", *asked[:1], "--name=again", *asked[2:], "--license=other")
    assert again.code == 2
    assert "holds a model already: choose another name" in again.err
    assert not (tmp_path / "out" / "again.npz").exists()


def test_a_training_goes_on_from_a_hub(hub, published, command, empty_folder):
    hub.repositories["ann/faces"] = Repository(files=dict(published[1]))
    flags = [flag for flag in CAE_FLAGS if not flag.startswith(("--set", "--image_size"))]
    done = command("train", "--init_from=hf://ann/faces", *flags, "--dry_run")
    assert done.code == 0, done.err
    assert "--init_from=hf://ann/faces" in done.out
    assert "filters=(4, 4)" in done.out


def test_what_was_loaded_is_not_loaded_again_nor_asks_for_a_network(hub, published, monkeypatch):
    hub.repositories["ann/faces"] = Repository(files=dict(published[1]))
    path = hubs.fetch("hf://ann/faces")
    assert [request for request in hub.requests if request[0] == "GET"].__len__() == 2
    assert hubs.fetch(f"hf://ann/faces@{hub.repositories['ann/faces'].commit}") == path
    assert [request for request in hub.requests if request[0] == "GET"].__len__() == 2
    monkeypatch.setenv("HF_ENDPOINT", _nobody())
    assert hubs.fetch("hf://ann/faces") == path


def _nobody():
    """The address of a port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def refusal(named):
    with pytest.raises(UsageError) as refused:
        hubs.fetch(named)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_what_cannot_be_had_is_told_in_a_line(hub, published, monkeypatch):
    assert "no such repository, or it is private: log in by `hf auth login`" in refusal("hf://ann/none")
    hub.repositories["ann/private"] = Repository(is_private=True, files=dict(published[1]))
    assert "or it is private" in refusal("hf://ann/private")
    hub.repositories["ann/other"] = Repository(files={"README.md": b"# Another"})
    assert "has no facezoo.json and facezoo.npz" in refusal("hf://ann/other")
    assert "no such revision" in refusal("hf://ann/other@v2")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert "or your token may not see it" in refusal("hf://ann/none")
    assert hubs.fetch("hf://ann/private").name == hubs.WEIGHTS
    monkeypatch.setenv("HF_ENDPOINT", _nobody())
    assert "cannot be reached: it takes a network once" in refusal("hf://ann/other")


def test_weights_that_are_not_those_of_the_card_are_not_loaded(hub, published):
    card = json.loads(published[1][hubs.CARD])
    changed = json.dumps(card | {"sha256": "0" * 64}).encode()
    hub.repositories["ann/faces"] = Repository(files=published[1] | {hubs.CARD: changed})
    assert "is not the file of its card (SHA-256 differs), and is not loaded" in refusal("hf://ann/faces")
    hub.repositories["ann/odd"] = Repository(files=published[1] | {hubs.CARD: b"[]"})
    assert "is no card as `facezoo publish` writes it" in refusal("hf://ann/odd")


def test_what_a_card_on_a_hub_names_is_no_more_trusted_than_a_file_s(hub, published):
    card = json.loads(published[1][hubs.CARD])
    card["model"] |= {"module": "os", "class_name": "system", "registered_name": None}
    hub.repositories["ann/evil"] = Repository(files=published[1] | {hubs.CARD: json.dumps(card).encode()})
    with pytest.raises(UsageError, match="damaged"):
        facezoo.load("hf://ann/evil")


@pytest.mark.parametrize(
    "name",
    ["hf://ann", "hf://ann/b/c", "hf://../etc", "hf://ann/..", "hf://a b/c", "hf://a/b@", "hf://a/b.git", "hf://a/b-"],
)
def test_names_that_are_none_are_refused(name):
    assert "is no place on a hub: hf://USER/NAME is one" in refusal(name)


def test_large_files_are_not_loaded(hub, published, monkeypatch):
    hub.repositories["ann/faces"] = Repository(files=dict(published[1]))
    monkeypatch.setitem(hubs.MOST_BYTES, hubs.WEIGHTS, 10)
    assert "more than is read" in refusal("hf://ann/faces")
    assert not [path for method, path in hub.requests if method == "GET" and path.endswith(hubs.WEIGHTS)]


def test_nobody_publishes_without_a_login_or_into_what_is_another_s(hub, published, command, monkeypatch, empty_folder):
    asked = ("publish", f"--run_dir={published[0]}", "--name=mine", "--nopictures", "--license=other")
    assert_refused(command(*asked, "--to=hf://ann/faces"), "log in by `hf auth login`")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert_refused(command(*asked, "--to=hf://somebody/faces"), "says no (403)", "a token that may write")
    assert_refused(command(*asked, "--to=ann/faces"), "no place on a hub", "--out names a folder here")
    assert_refused(command(*asked), "--license does nothing without --to")
    assert hub.repositories == {}


def test_an_upload_that_fails_leaves_no_files_here(hub, published, command, monkeypatch, empty_folder):
    from facezoo.experiments.errors import UsageError

    def fail(*_):
        raise UsageError("--to=hf://ann/faces: cannot be reached")

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("facezoo.experiments.runs.hub.upload", fail)
    asked = ("publish", f"--run_dir={published[0]}", "--name=mine", "--nopictures", "--license=other", "--out=out")
    assert_refused(command(*asked, "--to=hf://ann/faces"), "cannot be reached")
    assert [*empty_folder.rglob("mine*")] == []


def test_nothing_is_published_where_others_see_it_or_beside_other_files(
    hub, published, command, monkeypatch, empty_folder
):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.repositories["ann/open"] = Repository()
    hub.repositories["ann/other"] = Repository(is_private=True, files={"README.md": b"# Another"})
    asked = ("publish", f"--run_dir={published[0]}", "--name=mine", "--nopictures", "--license=other")
    assert_refused(command(*asked, "--to=hf://ann/open"), "everybody sees it: give --public")
    assert_refused(command(*asked, "--to=hf://ann/other", "--public"), "leave --public out")
    assert_refused(command(*asked, "--to=hf://ann/other"), "holds other files (README.md) already")
    assert hub.repositories["ann/other"].files == {"README.md": b"# Another"}
    assert hub.repositories["ann/open"].files == {}


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'facezoo[hub]'" in refusal("hf://ann/faces")
