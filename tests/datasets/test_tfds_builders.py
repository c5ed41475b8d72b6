"""Drawn faces and clips that `tensorflow_datasets.load` builds: found, complete, equal to what facezoo draws."""

import itertools
import os
import signal
import subprocess
import sys
import time

import facezoo
import numpy as np
import psutil
import pytest
from facezoo.datasets import DATASETS, processes
from facezoo.datasets.drawing.factors import FACTORS, GLASSES
from facezoo.datasets.processes import load_in_processes
from facezoo.datasets.source import SPLITS, DatasetError

COUNT = 6
NAMES = ("procedural_faces", "procedural_clips")


@pytest.fixture(scope="module")
def builders():
    import facezoo.datasets.tfds_builders as builders

    return builders


@pytest.fixture(scope="module")
def folder(tmp_path_factory, builders):
    """TFDS's folder with the first examples of both, prepared by `load` itself."""
    import tensorflow_datasets as tfds

    where = tmp_path_factory.mktemp("tfds")
    config = tfds.download.DownloadConfig(max_examples_per_split=COUNT, num_shards=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builders, "PROCESSES", 2)
        for name in NAMES:
            arguments = {"data_dir": where, "download_and_prepare_kwargs": {"download_config": config}}
            tfds.load(f"{name}/64", split="train", **arguments)
    return where


@pytest.fixture
def no_process_left():
    """Afterwards only those processes run that ran before."""
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) <= before


def loaded(name, folder):
    """Examples of all splits by their index."""
    import tensorflow_datasets as tfds

    splits = tfds.load(f"{name}/64", data_dir=folder)
    assert set(splits) == set(SPLITS)
    return {int(example["index"]): example for split in SPLITS for example in splits[split].as_numpy_iterator()}


def drawn(name):
    """The same examples as facezoo draws them, by their index."""
    examples = {}
    for split in SPLITS:
        source = DATASETS[name](split, image_size=64)
        columns = source.load(np.arange(COUNT))
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        examples |= {int(index): (source, row) for index, row in zip(source.names, rows, strict=False)}
    return examples


def run(code, folder, **arguments):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120, check=True, **arguments
    )


# Finding the builders.


@pytest.mark.parametrize("modules", [("facezoo", "tensorflow_datasets"), ("tensorflow_datasets", "facezoo")])
def test_tfds_knows_the_names_whichever_is_imported_first(modules, tmp_path):
    code = f"""
import sys
import {modules[0]}
import {modules[1]}
print(*(tensorflow_datasets.builder_cls(name).name for name in {NAMES}))
print({{"tensorflow", "keras"}} & set(sys.modules))
"""
    assert run(code, tmp_path).stdout.splitlines() == [" ".join(NAMES), "set()"]


def test_importing_facezoo_stays_instant(tmp_path):
    code = "import sys, facezoo; print({'numpy', 'tensorflow_datasets', 'tensorflow'} & set(sys.modules))"
    assert run(code, tmp_path).stdout.strip() == "set()"


def test_drawing_lazily_goes_without_tfds(tmp_path):
    code = """
import sys, facezoo, numpy
facezoo.DATASETS["procedural_clips"]("test", image_size=32, frames=2).load(numpy.arange(1))
print("tensorflow_datasets" in sys.modules)
"""
    assert run(code, tmp_path).stdout.strip() == "False"


def test_the_names_offered_are_those_built(builders):
    assert facezoo._Builders.names == tuple(builders.BUILDERS) == NAMES


def test_other_names_are_left_to_others():
    import tensorflow_datasets as tfds

    assert tfds.builder_cls("mnist").name == "mnist"
    with pytest.raises(tfds.core.registered.DatasetNotFoundError, match="procedural_dogs"):
        tfds.builder_cls("procedural_dogs")


# What is built.


@pytest.mark.parametrize("name", NAMES)
def test_every_value_is_the_one_that_facezoo_draws(name, folder):
    examples = loaded(name, folder)
    expected = drawn(name)
    assert set(examples) == set(expected)
    for index, (source, row) in expected.items():
        example = examples[index]
        assert set(example) == {*row, "index"}
        for key in ("attributes", "factors"):
            names = getattr(source, f"{key[:-1]}_names")
            assert set(example[key]) == set(names)
            np.testing.assert_array_equal([example[key][name] for name in names], row[key], err_msg=key)
        for key in set(row) - {"attributes", "factors"}:
            np.testing.assert_array_equal(example[key], row[key], err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_the_info_names_what_is_in_it(name, folder):
    import tensorflow_datasets as tfds

    info = tfds.builder(f"{name}/64", data_dir=folder).info
    source = DATASETS[name]("train")
    assert {split: info.splits[split].num_examples for split in SPLITS} == dict.fromkeys(SPLITS, COUNT)
    assert info.splits["train"].num_shards == 2
    assert info.metadata["landmark_names"] == list(source.landmark_names)
    assert info.metadata["factor_names"] == list(source.factor_names)
    assert info.metadata["factor_ranges"]["age"] == [18.0, 80.0]
    assert info.features["factors"]["glasses"].names == list(GLASSES)
    assert info.features["attributes"]["smiling"].np_dtype == np.bool_
    assert f"{len(FACTORS)} numbers" in info.description or name != "procedural_faces"


@pytest.mark.parametrize("size", [64, 128, 256])
def test_pictures_come_in_three_sizes(size, tmp_path):
    import tensorflow_datasets as tfds

    faces, clips = (tfds.builder(f"{name}/{size}", data_dir=tmp_path).info for name in NAMES)
    assert faces.features["image"].shape == clips.features["image"].shape == (size, size, 3)
    assert clips.features["clip"].shape == (16, size, size, 3)


def test_the_smallest_is_the_default(tmp_path):
    import tensorflow_datasets as tfds

    for name in NAMES:
        assert tfds.builder(name, data_dir=tmp_path).info.full_name == f"{name}/64/1.0.0"


def test_the_description_counts_right(builders):
    for name, builder in builders.BUILDERS.items():
        sources = [DATASETS[name](split, image_size=32) for split in SPLITS]
        people = {int(source.load(np.array([-1 % len(source)]))["identity"][0]) for source in sources}
        assert f"{sum(map(len, sources)):,} " in builder.description
        assert f"{max(people) + 1:,} " in builder.description


# Preparations that fail.


def test_a_preparation_that_fails_leaves_nothing(builders, tmp_path, monkeypatch, no_process_left):
    import tensorflow_datasets as tfds

    def fail(*arguments, **options):
        yield from itertools.islice(load_in_processes(*arguments, **options), 1)
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(builders, "load_in_processes", fail)
    monkeypatch.setattr(builders, "PROCESSES", 1)
    with pytest.raises(RuntimeError, match="the disk is full"):
        tfds.load("procedural_faces/64", data_dir=tmp_path)
    assert not list(tmp_path.rglob("*1.0.0*"))


def test_a_preparation_that_is_killed_leaves_nothing_that_looks_finished(tmp_path):
    code = (
        f"import facezoo, tensorflow_datasets; tensorflow_datasets.load('procedural_faces/64', data_dir='{tmp_path}')"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL) as preparing:
        workers = []
        deadline = time.monotonic() + 60
        while not workers and time.monotonic() < deadline:
            time.sleep(0.1)
            workers = psutil.Process(preparing.pid).children()
        preparing.kill()
    import tensorflow_datasets as tfds

    assert workers
    assert not (tmp_path / "procedural_faces" / "64" / "1.0.0").exists()
    assert not tfds.builder("procedural_faces/64", data_dir=tmp_path).is_prepared()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive, "processes that draw outlive the preparation"


# Loading in processes.


@pytest.mark.parametrize("count", [1, 3])
def test_processes_load_what_one_loads(count, no_process_left):
    options = {"image_size": 32, "channels": 1, "frames": 2}
    portions = load_in_processes("procedural_clips", "validation", processes=count, portion=6, **options)
    expected = DATASETS["procedural_clips"]("validation", **options).load(np.arange(24))
    for number, portion in enumerate(itertools.islice(portions, 4)):
        assert set(portion) == set(expected)
        for key, values in portion.items():
            rows = expected[key][number * 6 : number * 6 + 6]
            if rows.dtype == np.uint8:
                assert values == processes._encode(rows)
            else:
                np.testing.assert_array_equal(values, rows, err_msg=key)
    portions.close()


def test_the_last_portion_is_what_is_left():
    portions = list(load_in_processes("procedural_clips", "test", processes=2, portion=150, image_size=32, frames=2))
    assert [len(portion["identity"]) for portion in portions] == [150, 50]
    assert np.array_equal(np.concatenate([portion["identity"] for portion in portions]), np.arange(2200, 2400) // 4)


def test_a_process_that_dies_is_told(no_process_left):
    before = set(psutil.Process().children())
    portions = load_in_processes("procedural_faces", "train", processes=1, portion=4, image_size=32)
    next(portions)
    (worker,) = set(psutil.Process().children()) - before
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(DatasetError, match="ended early, with code -9"):
        list(portions)
