"""Where weights of frozen networks are found: a file, a folder, the cache, an address."""

import hashlib
import http.server
import threading
import zipfile

import numpy as np
import pytest
from facezoo.losses.weights import SHA256, WeightsError, find_weights, read_arrays

NAME = "lpips_alex.npz"


@pytest.fixture(autouse=True)
def nowhere(empty_folder, monkeypatch):
    """Neither a folder nor anything in the cache."""
    monkeypatch.delenv("FACEZOO_WEIGHTS", raising=False)


@pytest.fixture
def weights(tmp_path):
    """A folder with a file of that name."""
    folder = tmp_path / "weights"
    folder.mkdir()
    np.savez(folder / NAME, kernel=np.ones((2, 3), np.float32))
    return folder


@pytest.fixture
def address(weights):
    """Where that folder is served; its requests are counted."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(weights))

        def log_message(self, *_):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", asked
    server.shutdown()
    server.server_close()


def test_a_file_or_its_folder_is_given(weights, tmp_path):
    assert find_weights(NAME, str(weights / NAME)) == weights / NAME
    assert find_weights(NAME, str(weights)) == weights / NAME
    with pytest.raises(WeightsError, match=r"there is no weights file .*nothing\.npz"):
        find_weights(NAME, str(tmp_path / "nothing.npz"))


def test_the_environment_names_the_folder(weights, monkeypatch):
    monkeypatch.setenv("FACEZOO_WEIGHTS", str(weights))
    assert find_weights(NAME) == weights / NAME
    with pytest.raises(WeightsError, match=r"lpips_squeeze\.npz is not there: name the file, or by FACEZOO_WEIGHTS"):
        find_weights("lpips_squeeze.npz")


def test_an_address_is_asked_once_and_its_file_checked(weights, address, monkeypatch):
    url, asked = address
    monkeypatch.setenv("FACEZOO_WEIGHTS", url)
    with pytest.raises(WeightsError, match="is not the file that facezoo knows by this name"):
        find_weights(NAME)
    digest = hashlib.sha256((weights / NAME).read_bytes()).hexdigest()
    monkeypatch.setitem(SHA256, NAME, digest)
    path = find_weights(NAME)
    assert path.read_bytes() == (weights / NAME).read_bytes()
    assert find_weights(NAME) == path
    assert len(asked) == 2
    monkeypatch.delenv("FACEZOO_WEIGHTS")
    assert find_weights(NAME) == path


def test_an_address_without_the_file_is_one_line(address, monkeypatch):
    monkeypatch.setenv("FACEZOO_WEIGHTS", address[0])
    with pytest.raises(WeightsError, match=r"lpips_squeeze\.npz cannot be downloaded: HTTP Error 404") as caught:
        find_weights("lpips_squeeze.npz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"bias": (3,)}, "has no bias: give a file of this network"),
        ({"kernel": (2, 2)}, r"the shape of kernel is \(2, 3\), not \(2, 2\)"),
    ],
)
def test_arrays_of_another_network_are_refused(weights, shapes, message):
    with pytest.raises(WeightsError, match=message):
        read_arrays(weights / NAME, shapes)


def test_what_is_no_archive_or_holds_objects_is_refused(tmp_path):
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "objects.npz", kernel=np.array([{}], dtype=object))
    np.savez(tmp_path / "large.npz", kernel=np.zeros(10_000))
    np.savez(tmp_path / "whole.npz", kernel=np.arange(3))
    with zipfile.ZipFile(tmp_path / "none.npz", "w") as archive:
        archive.writestr("kernel.npy", b"no array")
    for name, message in [
        ("text.npz", "is not a file of weights, or damaged"),
        ("objects.npz", "is not a file of weights, or damaged"),
        ("large.npz", r"kernel is larger than \(3,\)"),
        ("whole.npz", "not finite"),
        ("none.npz", r"the shape of kernel is \(\), not \(3,\)"),
    ]:
        with pytest.raises(WeightsError, match=message):
            read_arrays(tmp_path / name, {"kernel": (3,)})


def test_arrays_are_read_as_they_are(weights):
    (found,) = read_arrays(weights / NAME, {"kernel": (2, 3)}).values()
    np.testing.assert_array_equal(found, np.ones((2, 3)))
