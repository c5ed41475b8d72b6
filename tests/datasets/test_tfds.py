"""Data sets of TFDS, read from small ones that TFDS itself prepared, and scikit-learn's digits."""

import http.server
import importlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from facezoo.datasets.source import SPLITS, DatasetError, choose_split

tfds = importlib.import_module("facezoo.datasets.tfds")
digits = importlib.import_module("facezoo.datasets.digits")

# A crop, and the left, top and side that it comes to.
CELEB_A_CROPS = [(None, 0, 20, 178), ((15, 35, 148, 148), 15, 35, 148), (148, 15, 35, 148), (108, 35, 55, 108)]
FORMATS = ("tfrecord", "array_record")
LANDMARKS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")


def flat(shape, brightness):
    return np.full(shape, brightness, np.uint8)


def celeb_a_example(builder, number):
    return {
        "image": flat((218, 178, 3), 2 * number),
        "landmarks": {
            f"{name}_{axis}": 15 + 10 * i + (axis == "y") * 20 for i, name in enumerate(LANDMARKS) for axis in "xy"
        },
        "attributes": {name: (number + i) % 2 == 0 for i, name in enumerate(builder.info.features["attributes"])},
        "identity": {"Identity_No": number + 1},
    }


def lfw_example(builder, number):
    return {"image": flat((250, 250, 3), number), "label": f"Person_{number % 7}"}


def mnist_example(builder, number):
    return {"image": flat((28, 28, 1), 10 * (number % 10)), "label": number % 10}


MADE = {
    "celeb_a": (celeb_a_example, {"train": range(30), "validation": range(30, 40), "test": range(40, 50)}),
    "lfw": (lfw_example, {"train": range(100)}),
    "mnist": (mnist_example, {"train": range(40), "test": range(40, 60)}),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A function that prepares a small data set of the same features once, and returns TFDS's folder."""
    folders: dict[tuple[str, str], Path] = {}

    def prepare(name, file_format):
        if (name, file_format) in folders:
            return folders[name, file_format]
        where = tmp_path_factory.mktemp(f"{name}-{file_format}")
        prepare_in(where, name, file_format, *MADE[name])
        return folders.setdefault((name, file_format), where)

    return prepare


def prepare_in(where, name, file_format, example, splits):
    """Has TFDS prepare a data set of its own features from (builder, number) -> example, and numbers by split."""
    import tensorflow_datasets

    builder = tensorflow_datasets.builder(name, data_dir=where, file_format=file_format)
    builder._split_generators = lambda dl_manager: {
        split: ((number, example(builder, number)) for number in numbers) for split, numbers in splits.items()
    }
    builder.download_and_prepare()


def everything(source):
    return source.load(np.arange(len(source)))


def brightness(batch):
    """The number each flat picture was made with; JPEG may be one off."""
    return np.rint(batch["image"].mean((1, 2, 3))).astype(int)


def test_importing_the_module_imports_neither_tensorflow_nor_tfds(tmp_path):
    code = (
        "import sys, facezoo.datasets.tfds; print({'tensorflow', 'tensorflow_datasets', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# CelebA.


@pytest.mark.parametrize("file_format", FORMATS)
def test_celeb_a_gives_its_own_splits_with_all_that_is_known(prepared, file_format):
    for split, numbers in MADE["celeb_a"][1].items():
        source = tfds.celeb_a(split, data_dir=prepared("celeb_a", file_format), image_size=16)
        batch = everything(source)
        assert source.name == f"celeb_a/{split}"
        assert list(source.names) == [str(number) for number in range(len(numbers))]
        assert batch["image"].shape == (len(numbers), *source.image_shape) == (len(numbers), 16, 16, 3)
        assert sorted(batch["identity"]) == list(numbers)
        assert np.abs(brightness(batch) - 2 * batch["identity"]).max() <= 1
        expected = (batch["identity"][:, np.newaxis] + np.arange(40)) % 2 == 0
        assert np.array_equal(batch["attributes"], expected.astype(np.float32))
        assert {key: values.dtype for key, values in batch.items()} == {
            "image": np.uint8,
            "attributes": np.float32,
            "landmarks": np.float32,
            "identity": np.int32,
        }


def test_celeb_a_is_the_same_in_both_formats(prepared):
    one, other = (everything(tfds.celeb_a("test", data_dir=prepared("celeb_a", kind))) for kind in FORMATS)
    assert all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("file_format", FORMATS)
def test_positions_are_read_at_random(prepared, file_format):
    source = tfds.celeb_a("train", data_dir=prepared("celeb_a", file_format), image_size=8)
    whole = everything(source)
    positions = np.array([17, 3, 3, 29, 0])
    batch = source.load(positions)
    assert all(np.array_equal(batch[key], whole[key][positions]) for key in whole)


def test_celeb_a_names(prepared):
    source = tfds.celeb_a("train", data_dir=prepared("celeb_a", "tfrecord"))
    assert source.attribute_names[0] == "5_o_clock_shadow"
    assert {"eyeglasses", "mouth_slightly_open", "young"} < set(source.attribute_names)
    assert source.landmark_names == ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


@pytest.mark.parametrize(("crop", "left", "top", "side"), CELEB_A_CROPS)
def test_landmarks_are_fractions_of_the_crop(prepared, crop, left, top, side):
    batch = everything(tfds.celeb_a("test", data_dir=prepared("celeb_a", "tfrecord"), crop=crop))
    nose = np.array([(35 - left) / side, (55 - top) / side], np.float32)  # Made at (35, 55).
    assert np.allclose(batch["landmarks"][:, 2], nose)


@pytest.mark.parametrize("crop", [148, 108])
def test_landmarks_stay_on_the_face(tmp_path, crop):
    def dotted(builder, number):  # a bright square around the nose
        example = celeb_a_example(builder, number)
        x, y = 60 + 5 * number, 130 - 6 * number
        example["image"] = flat((218, 178, 3), 0)
        example["image"][y - 3 : y + 3, x - 3 : x + 3] = 255
        example["landmarks"] |= {"nose_x": x, "nose_y": y}
        return example

    prepare_in(tmp_path, "celeb_a", "tfrecord", dotted, {"train": range(8), "validation": [8], "test": [9]})
    batch = everything(tfds.celeb_a("train", data_dir=tmp_path, crop=crop, image_size=crop))
    centres = (np.arange(crop) + 0.5) / crop
    light = batch["image"][..., 0] / batch["image"][..., 0].sum((1, 2), dtype=float)[:, np.newaxis, np.newaxis]
    found = np.stack([light.sum(1) @ centres, light.sum(2) @ centres], 1)  # [8, 2] in sides
    assert np.abs(found - batch["landmarks"][:, 2]).max() < 0.5 / crop


def test_a_crop_outside_of_celeb_a_is_refused_at_once(tmp_path):
    for crop in ((100, 100, 100, 100), 179):
        with pytest.raises(DatasetError, match="outside a picture of 178x218"):
            tfds.celeb_a("train", data_dir=tmp_path, crop=crop)


# LFW.


@pytest.mark.parametrize("file_format", FORMATS)
def test_lfw_is_split_by_name_with_people_over_all_splits(prepared, file_format):
    sources = [tfds.lfw(split, data_dir=prepared("lfw", file_format), image_size=8, channels=1) for split in SPLITS]
    assert sum(map(len, sources)) == 100
    for split, source in zip(SPLITS, sources, strict=True):
        batch = everything(source)
        assert all(choose_split(name) == split for name in source.names)
        assert [f"Person_{number}" for number in batch["identity"]] == [name.split("/")[0] for name in source.names]
        assert (brightness(batch) % 7 == batch["identity"]).all()
        assert batch["image"].shape == (len(source), 8, 8, 1)


def test_sources_of_one_split_share_their_memory(prepared, monkeypatch):
    reads = []
    read = tfds._all_columns

    def counted(builder, split):
        reads.append(split)
        return read(builder, split)

    monkeypatch.setattr(tfds, "_all_columns", counted)
    sources = [tfds.lfw(split, data_dir=prepared("lfw", "tfrecord"), image_size=4) for split in SPLITS]
    for source in sources:
        everything(source)
    assert reads == ["train"]


# MNIST.


@pytest.mark.parametrize("file_format", FORMATS)
def test_mnist_validates_on_the_end_of_train(prepared, file_format, monkeypatch):
    assert tfds.MNIST_VALIDATION == 5_000
    monkeypatch.setattr(tfds, "MNIST_VALIDATION", 10)
    sources = [tfds.mnist(split, data_dir=prepared("mnist", file_format)) for split in SPLITS]
    assert [len(source) for source in sources] == [30, 10, 20]
    for source in sources:
        batch = everything(source)
        assert source.image_shape == batch["image"].shape[1:] == (32, 32, 1)
        assert source.attribute_names[3] == "digit_3"
        assert np.array_equal(10 * batch["attributes"].argmax(1), brightness(batch))
        assert (batch["attributes"].sum(1) == 1).all()


# Data that is not there.


@pytest.mark.parametrize("name", ["celeb_a", "lfw", "mnist"])
def test_without_data_and_network_it_says_so_within_ten_seconds(name, tmp_path, monkeypatch):
    monkeypatch.setitem(tfds.DOWNLOADS, name, "https://nowhere.invalid")
    start = time.monotonic()
    with pytest.raises(
        DatasetError, match=rf"{name} is not in {tmp_path}(.|\n)*tfds build {name}(.|\n)*data_dir"
    ) as caught:
        getattr(tfds, name)("train", data_dir=tmp_path)
    assert time.monotonic() - start < 10
    assert str(caught.value).count("\n") < 5
    assert not list(tmp_path.iterdir())


def test_with_network_it_is_downloaded_and_a_failure_is_told(tmp_path, monkeypatch):
    import tensorflow_datasets

    def fail(builder, **options):
        raise RuntimeError("quota exceeded\nat line 1")

    monkeypatch.setattr(tfds, "_reachable", lambda url: True)
    monkeypatch.setattr(tensorflow_datasets.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(DatasetError, match=r"celeb_a could not be downloaded into .*: quota exceeded$"):
        tfds.celeb_a("train", data_dir=tmp_path)


def test_a_server_that_refuses_is_reachable(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    monkeypatch.setattr(http.server.BaseHTTPRequestHandler, "log_message", lambda *arguments: None)
    threading.Thread(target=server.handle_request, daemon=True).start()
    assert tfds._reachable(f"http://127.0.0.1:{server.server_port}")  # It answers 501, unsupported method.
    server.server_close()


def test_a_server_that_keeps_silent_is_not_reachable(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(tfds, "SECONDS_TO_REACH", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert not tfds._reachable(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - start < 2


def test_files_that_went_missing_are_told(prepared, tmp_path):
    shutil.copytree(prepared("mnist", "tfrecord"), tmp_path / "copy")
    for shard in (tmp_path / "copy").rglob("*test.tfrecord*"):
        shard.unlink()
    with pytest.raises(DatasetError, match="delete and prepare it again"):
        everything(tfds.mnist("test", data_dir=tmp_path / "copy"))


@pytest.mark.parametrize("options", [{"split": "dev"}, {"channels": 2}, {"crop": (0, 0, 4, 5)}])
@pytest.mark.parametrize("name", ["celeb_a", "lfw", "mnist"])
def test_an_unfit_choice_is_refused(name, options, tmp_path):
    (choice,) = options
    with pytest.raises(DatasetError, match=f"{choice}="):
        getattr(tfds, name)(**({"split": "train", "data_dir": tmp_path} | options))


def test_encoded_pictures_keep_their_last_zeros():
    encoded = [b"a\0\0", b"bc\0"]
    assert tfds._column(encoded).tolist() == encoded


# scikit-learn's digits.


def test_digits_are_split_by_number():
    sources = [digits.digits(split) for split in SPLITS]
    assert sorted(int(name) for source in sources for name in source.names) == list(range(1797))
    assert all(
        choose_split(name) == split for split, source in zip(SPLITS, sources, strict=True) for name in source.names
    )


def test_digits_are_the_scans_enlarged():
    from sklearn.datasets import load_digits

    source = digits.digits("test", image_size=8)
    batch = source.load(np.arange(len(source)))
    bunch = load_digits()
    numbers = [int(name) for name in source.names]
    assert np.abs(batch["image"][..., 0] / 255 - bunch.images[numbers] / 16).max() < 0.003
    assert np.array_equal(batch["attributes"].argmax(1), bunch.target[numbers])
    assert batch["attributes"].dtype == np.float32


def test_digits_take_size_and_channels():
    source = digits.digits("train", image_size=20, channels=3)
    batch = source.load(np.array([4, 1]))
    assert batch["image"].shape == (2, *source.image_shape) == (2, 20, 20, 3)
    assert batch["image"].dtype == np.uint8
    assert np.ptp(batch["image"], axis=3).max() == 0
    with pytest.raises(DatasetError, match="split='dev'"):
        digits.digits("dev")
    with pytest.raises(DatasetError, match="channels=2"):
        digits.digits("train", channels=2)
