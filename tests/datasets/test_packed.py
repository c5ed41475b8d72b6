"""Packs: what comes out is what went in, whoever reads it, and damage is told."""

import dataclasses
import importlib
import json
import logging
import os
import shutil
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import facezoo
import numpy as np
import pytest
import tensorflow as tf
from command_line import (
    CAE_FLAGS,
    assert_refused,
    contents,
    folder_of_crops,
    photographs_in,
    picture,
    run_of,
    truncate,
    weights_of,
)
from facezoo.datasets import packing, photographs
from facezoo.datasets.alignment import POINT_NAMES, TEMPLATES
from facezoo.datasets.folder import ALL, folder
from facezoo.datasets.manifest import Cut
from facezoo.datasets.packed import Origin, packed, read_origin
from facezoo.datasets.packing import write_pack
from facezoo.datasets.pipeline import evaluation_batches, training_batches
from facezoo.datasets.share import Share
from facezoo.datasets.source import SPLITS, DatasetError, Source, choose_split
from facezoo.experiments.faces.origins import find_data_crop, find_data_cut
from facezoo.experiments.faces.reader import FaceReader
from facezoo.experiments.flags import parsing
from facezoo.experiments.flags.groups import AlignmentSettings
from facezoo.experiments.runs.run import open_run
from PIL import Image

packs = importlib.import_module("facezoo.datasets.packed")  # its name in the package is the function's
pytestmark = pytest.mark.usefixtures("empty_folder")
LANDMARKS = ("left_eye", "right_eye", "nose")
COUNTS = {"train": 60, "validation": 5, "test": 5}


@pytest.fixture
def people(tmp_path):
    """Photographs of three people, every example of them different."""
    for number, person in enumerate(("anna", "max", "zoé")):
        for picture_number in range(24 if number else 22):
            path = tmp_path / "people" / person / f"{picture_number:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture((26, 30), 100 * number + picture_number).save(path)
    return tmp_path / "people"


def with_landmarks(source):
    """The source with a column that no folder tells of."""

    def load(positions):
        points = [zlib.crc32(source.names[position].encode("utf-8", "surrogateescape")) for position in positions]
        landmarks = np.random.default_rng(0).uniform(-0.1, 1.1, (100, len(LANDMARKS), 2)).astype(np.float32)
        return source.load(positions) | {"landmarks": landmarks[np.array(points) % 100]}

    return dataclasses.replace(source, load=load, landmark_names=LANDMARKS)


@pytest.fixture
def source(people):
    """Everything that a pack can hold."""
    labels = people.parent / "labels.csv"
    names = sorted(path.relative_to(people).as_posix() for path in people.rglob("*.png"))
    labels.write_text(
        "file,smiling,Wearing Hat\n" + "\n".join(f"{n},{i % 2},{i // 2 % 2}" for i, n in enumerate(names))
    )
    return lambda split, **options: with_landmarks(
        folder(split, data_dir=people, subfolders="identity", labels=labels, **({"image_size": 16} | options))
    )


@pytest.fixture
def pack(source, tmp_path):
    """A pack of some files for each split."""
    (tmp_path / "pack").mkdir()
    write_pack(source(ALL), tmp_path / "pack", shard_bytes=8_000)
    return tmp_path / "pack"


def everything(source):
    return source.load(np.arange(len(source)))


def assert_same_source(one, other):
    for field in ("attribute_names", "landmark_names", "identity_names", "image_shape"):
        assert getattr(one, field) == getattr(other, field)
    assert list(one.names) == list(other.names)
    assert_same_batch(everything(one), everything(other))


def assert_same_batch(one, other):
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.dtype == other[name].dtype
        np.testing.assert_array_equal(values, other[name], err_msg=name)


# What went in comes out.


@pytest.mark.parametrize("split", [*SPLITS, ALL])
def test_a_pack_gives_what_the_folder_gave(source, pack, split):
    read = packed(split, data_dir=pack, image_size=16)
    assert read.name == f"packed/{split}"
    assert len(read) == COUNTS.get(split, sum(COUNTS.values()))
    assert everything(read).keys() == {"image", "attributes", "landmarks", "identity"}
    assert_same_source(read, source(split))


def test_a_pack_is_made_by_a_command(command, people, tmp_path):
    out = tmp_path / "new" / "pack"
    flags = ("--size=16", "--channels=1", "--crop=20", "--shard_mb=0.004")
    done = command("pack", f"--in={people}", f"--out={out}", *flags)
    assert done.code == 0, done.err
    assert done.out == f"{out}: 60 train, 5 validation, 5 test\n"
    options = {"image_size": 16, "channels": 1}
    for split in SPLITS:
        expected = folder(split, data_dir=people, crop=20, **options)
        assert expected.attribute_names == ("anna", "max", "zoé")
        assert_same_source(packed(split, data_dir=out, **options), expected)


def test_landmarks_of_a_file_are_packed(command, people, tmp_path):
    names = sorted(path.relative_to(people).as_posix() for path in people.rglob("*.png"))
    columns = [f"{name}_{axis}" for name in POINT_NAMES for axis in "xy"]
    rows = [",".join([name, *(str(number % 20 + i) for i in range(10))]) for number, name in enumerate(names)]
    file, out = tmp_path / "landmarks.csv", tmp_path / "pack"
    file.write_text("\n".join([",".join(["file", *columns]), *rows]))
    done = command("pack", f"--in={people}", f"--out={out}", "--size=16", "--crop=20", f"--landmarks={file}")
    assert done.code == 0, done.err
    read = packed("train", data_dir=out, image_size=16)
    assert read.landmark_names == POINT_NAMES
    assert_same_source(read, folder("train", data_dir=people, image_size=16, crop=20, landmarks=file))


def test_anybody_can_read_a_pack(source, pack):
    expected = source("train")
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "name": tf.io.FixedLenFeature([], tf.string),
        "attributes": tf.io.FixedLenFeature([2], tf.float32),
        "landmarks": tf.io.FixedLenFeature([3, 2], tf.float32),
        "identity": tf.io.FixedLenFeature([], tf.int64),
    }
    files = sorted(map(str, pack.glob("train-*.tfrecord")))
    assert len(files) > 2
    examples = [tf.io.parse_single_example(record, features) for record in tf.data.TFRecordDataset(files)]
    assert [example["name"].numpy().decode() for example in examples] == list(expected.names)
    batch = everything(expected)
    for position, example in enumerate(examples):
        np.testing.assert_array_equal(tf.io.decode_png(example["image/encoded"]), batch["image"][position])
        for column in ("attributes", "landmarks", "identity"):
            np.testing.assert_array_equal(example[column], batch[column][position])


def test_files_are_as_large_as_was_asked(pack):
    sizes = [path.stat().st_size for path in sorted(pack.glob("train-*"))]
    largest = max(len(record.numpy()) + 16 for record in tf.data.TFRecordDataset([str(pack / "train-00000.tfrecord")]))
    assert all(8_000 <= size < 8_000 + 2 * largest for size in sizes[:-1])
    assert 0 < sizes[-1] < 8_000 + 2 * largest


def test_the_same_pictures_make_the_same_pack(source, pack, tmp_path):
    (tmp_path / "again").mkdir()
    write_pack(source(ALL), tmp_path / "again", shard_bytes=8_000)
    both = [{name: data for name, (data, _) in contents(where).items()} for where in (pack, tmp_path / "again")]
    assert both[0] == both[1]


def test_names_may_be_any_bytes_and_columns_none(tmp_path):
    names = [os.fsdecode(b"t\xeate/%d.png" % number) for number in range(30)]
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), np.uint8)
    write_pack(Source("some/all", names, lambda positions: {"image": images[positions]}, (4, 4, 3)), tmp_path, 10**6)
    read = packed("train", data_dir=tmp_path, image_size=4)
    assert read.names == [name for name in names if choose_split(name) == "train"]
    assert_same_batch(everything(read), {"image": images[[names.index(name) for name in read.names]]})


def test_unfit_pictures_are_left_out_with_one_warning(command, people, tmp_path, caplog):
    truncate(people / "anna" / "003.png")
    picture((8, 8)).save(people / "max" / "007.png")
    with caplog.at_level(logging.WARNING):
        done = command("pack", f"--in={people}", f"--out={tmp_path / 'pack'}", "--crop=20", "--size=16")
    assert done.code == 0, done.err
    assert len([record for record in caplog.records if "leaving out 2 of 70" in record.getMessage()]) == 1
    names = packed(ALL, data_dir=tmp_path / "pack", image_size=16).names
    assert len(names) == 68
    assert not {"anna/003.png", "max/007.png"} & set(names)


def test_a_pack_without_a_split_says_so(tmp_path):
    names = [name for name in map(str, range(40)) if choose_split(name) == "train"]
    source = Source(
        "some/all", names, lambda positions: {"image": np.zeros((len(positions), 4, 4, 1), np.uint8)}, (4, 4, 1)
    )
    assert write_pack(source, tmp_path, 10**6) == {"train": len(names), "validation": 0, "test": 0}
    with pytest.raises(DatasetError, match="no pictures in the validation split"):
        packed("validation", data_dir=tmp_path, image_size=4)


# How the pictures were cut.


@pytest.fixture
def crops(tmp_path):
    """Pictures of 128 pixels and the manifest that `facezoo align --template=celeba --margin=0.25` leaves."""
    return photographs_in(folder_of_crops(tmp_path / "crops"), 60, size=(128, 128))


def packed_by(command, folder, *flags):
    out = folder.with_name("packed")
    assert command("pack", f"--in={folder}", f"--out={out}", "--size=32", *flags).code == 0
    return out


def settings_of(dataset, data_dir, *flags):
    """The data settings of a training."""
    return parsing.parse_training(["--model=cae", f"--dataset={dataset}", f"--data_dir={data_dir}", *flags]).data


@pytest.mark.parametrize(("flags", "crop"), [([], None), (["--crop=20"], 20), (["--crop=3,4,20,20"], (3, 4, 20, 20))])
def test_a_pack_of_photographs_tells_their_crop(command, people, flags, crop):
    assert read_origin(packed_by(command, people, *flags)) == Origin(crop, None)


@pytest.mark.parametrize("flags", [[], ["--crop=100"], ["--crop=8,40,64,64"]])
def test_faces_lie_in_a_pack_as_in_the_crops_that_were_packed(command, crops, caplog, flags):
    pack, points = packed_by(command, crops, *flags), np.array(TEMPLATES["facezoo"]) * 300
    caplog.clear()
    of_pack, of_folder = (find_data_cut(settings_of(*data)) for data in (("packed", pack), ("folder", crops, *flags)))
    assert (of_pack.template, of_pack.size) == ("celeba", 32)
    np.testing.assert_array_equal(of_pack.matrix(points), of_folder.matrix(points))
    assert not caplog.text


def test_a_run_on_a_pack_takes_of_photographs_what_was_packed(command, people, tmp_path):
    pack = packed_by(command, people, "--crop=3,4,20,20")
    model = facezoo.ConvolutionalAutoencoder(image_size=32, filters=(4, 4))
    codes = {}
    for name, data, flags in [
        ("pack", ["--dataset=packed", f"--data_dir={pack}"], []),
        ("folder", ["--dataset=folder", f"--data_dir={people}", "--crop=3,4,20,20"], []),
        ("centre", ["--dataset=packed", f"--data_dir={pack}"], ["--crop="]),
    ]:
        run, out = run_of(tmp_path / name, model, "cae", *data), tmp_path / f"{name}.npz"
        done = command("encode", f"--run_dir={run}", f"--in={people}", f"--out={out}", *flags)
        assert done.code == 0, done.err
        codes[name] = np.load(out)["codes"]
        face = FaceReader(open_run(run), AlignmentSettings(), {"crop": ()} if flags else {}).read_file(
            people / "anna" / "000.png"
        )
        np.testing.assert_allclose(codes[name][0], model.encode(face[None])[0], atol=1e-4)
    np.testing.assert_array_equal(codes["pack"], codes["folder"])
    assert (codes["pack"] != codes["centre"]).any()


def test_faces_are_put_back_where_the_pack_had_them(command, people, tmp_path):
    pack = packed_by(command, people, "--crop=3,4,20,20")
    model = facezoo.FaceMapping(image_size=32, filters=(4, 4), inter_dim=4)
    run = run_of(tmp_path / "run", model, "face_mapping", "--dataset=packed", f"--data_dir={pack}")
    out = tmp_path / "out"
    done = command("swap", f"--run_dir={run}", f"--in={people}", "--to=target", f"--out={out}", "--paste")
    assert done.code == 0, done.err
    before, after = (np.asarray(Image.open(path)) for path in (people / "max/001.png", out / "max/001.png"))
    is_changed = (before != after).any(axis=-1)
    assert is_changed[4:24, 3:23].any()
    assert is_changed.sum() == is_changed[4:24, 3:23].sum()


def test_a_pack_that_does_not_tell_opens_and_is_warned_of(command, crops, caplog):
    """One of before."""
    pack = packed_by(command, crops, "--crop=100")
    index_with(pack, lambda index: (index.pop("crop"), index.pop("cut")))
    assert len(packed(ALL, data_dir=pack, image_size=32)) == 60
    for data_dir in (pack, pack / "gone"):
        caplog.clear()
        settings = settings_of("packed", data_dir)
        assert (read_origin(data_dir), find_data_cut(settings), find_data_crop(settings)) == (None, Cut(), None)
        assert f"nothing tells where faces lie in the run's pictures ({data_dir})" in caplog.text
        assert f"nothing tells how the photographs in {data_dir} were cropped" in caplog.text


def test_a_pack_of_samples_is_cut_as_what_the_model_has_learned(command, crops, tmp_path):
    pack = packed_by(command, crops, "--crop=8,40,64,64")
    model = facezoo.VAE(image_size=32, latent_dim=2, filters=(4, 4))
    run = run_of(tmp_path / "run", model, "vae", "--dataset=packed", f"--data_dir={pack}")
    out = tmp_path / "samples"
    flags = ("--count=40", "--sampler=normal", "--format=packed", f"--out={out}")
    done = command("sample", f"--run_dir={run}", *flags)
    assert done.code == 0, done.err
    assert read_origin(out) == read_origin(pack)
    assert read_origin(out).crop == (8, 40, 64, 64)


# Sizes and channels.


def test_less_than_was_packed_is_resized_as_any_picture(pack):
    whole = everything(packed("test", data_dir=pack, image_size=16))["image"]
    expected = np.stack([photographs.fit(Image.fromarray(image), 7) for image in whole])
    np.testing.assert_array_equal(everything(packed("test", data_dir=pack, image_size=7))["image"], expected)


def test_more_than_was_packed_is_refused(pack):
    with pytest.raises(
        DatasetError, match=r"image_size=17, but .* of 16 pixels: ask for no more, or pack .* --size=17"
    ):
        packed("test", data_dir=pack, image_size=17)


def test_a_pack_in_colour_is_read_in_gray(pack):
    colour = everything(packed("test", data_dir=pack, image_size=16))
    gray = everything(packed("test", data_dir=pack, image_size=16, channels=1))
    expected = np.stack([np.asarray(Image.fromarray(image).convert("L"))[..., None] for image in colour["image"]])
    assert_same_batch(gray, colour | {"image": expected})


def test_a_gray_pack_is_read_in_colour(source, tmp_path):
    write_pack(source(ALL, channels=1), tmp_path, 10**6)
    gray = everything(source("test", channels=1))["image"]
    read = packed("test", data_dir=tmp_path, image_size=16)
    assert read.image_shape == (16, 16, 3)
    np.testing.assert_array_equal(everything(read)["image"], np.repeat(gray, 3, axis=3))


# Reading at random, by several.


def test_threads_read_many_files_with_few_open(pack, monkeypatch):
    monkeypatch.setattr(packs, "OPEN_FILES", 2)
    read = packed(ALL, data_dir=pack, image_size=16)
    whole, before = everything(read), open_files()
    positions = [np.random.default_rng(seed).integers(0, len(read), 24) for seed in range(60)]
    with ThreadPoolExecutor(6) as pool:
        batches = list(pool.map(read.load, positions))
    for chosen, batch in zip(positions, batches, strict=True):
        assert_same_batch(batch, {name: values[chosen] for name, values in whole.items()})
    assert open_files() <= before
    del read, batches, pool
    assert open_files() < before


def open_files():
    place = Path("/proc/self/fd")
    if not place.exists():
        pytest.skip("counts open files in Linux's /proc")
    return sum(path.is_symlink() and path.readlink().suffix == ".tfrecord" for path in place.iterdir())


@pytest.mark.parametrize("count", [2, 4])
def test_the_shares_of_workers_are_the_parts_of_a_batch(pack, count):
    """Each opens the pack for itself."""

    def batches(share):
        source = packed("train", data_dir=pack, image_size=16)
        return list(training_batches(source, 8, seed=1, steps_per_epoch=7, share=share).take(8))

    whole, *parts = (batches(share) for share in (Share(), *(Share(number, count) for number in range(count))))
    assert_parts(whole, parts)


def test_the_shares_of_an_evaluation_are_the_parts_of_it(pack):
    def batches(share):
        return list(evaluation_batches(packed("test", data_dir=pack, image_size=16), 4, share=share))

    assert_parts(batches(Share()), [batches(Share(number, 2)) for number in range(2)])


def assert_parts(whole, parts):
    for batch, *shares in zip(whole, *parts, strict=True):
        for name, values in batch.items():
            np.testing.assert_array_equal(np.concatenate([share[name] for share in shares]), values, err_msg=name)


def test_training_from_a_pack_is_training_from_its_folder(command, train, tmp_path):
    photographs_in(tmp_path / "photographs", 60, size=(40, 36))
    out = tmp_path / "pack"
    assert command("pack", f"--in={tmp_path / 'photographs'}", f"--out={out}", "--size=32").code == 0
    flags = (*CAE_FLAGS, "--epochs=2", "--batch_size=4", "--flip")
    first = train("first", *flags, "--dataset=folder", f"--data_dir={tmp_path / 'photographs'}")
    second = train("second", *flags, "--dataset=packed", f"--data_dir={out}", "--cache_gb=0")
    for one, other in zip(weights_of(first), weights_of(second), strict=True):
        np.testing.assert_array_equal(one, other)


# Damage.


def index_with(pack, change):
    index = json.loads((pack / "index.json").read_text())
    change(index)
    (pack / "index.json").write_text(json.dumps(index))


def shard_with(**changes):
    return lambda pack: index_with(pack, lambda index: index["splits"]["train"][0].update(changes))


def cut_with(**values):
    return lambda pack: index_with(pack, lambda index: index.update(crop=None, cut=values))


def with_byte_changed(pack, place=200):
    data = bytearray((pack / "train-00000.tfrecord").read_bytes())
    data[place] ^= 1
    (pack / "train-00000.tfrecord").write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda pack: (pack / "index.json").unlink(), r"is not a pack, it has no index\.json: `facezoo pack"),
        (lambda pack: (pack / "index.json").write_text("dear"), r"index\.json is damaged, it is not JSON: copy"),
        (lambda pack: (pack / "index.json").write_bytes(b"\xff\xfe"), r"index\.json is damaged, it is not JSON"),
        (lambda pack: (pack / "index.json").write_text("[" * 100_000), r"index\.json is damaged, it is not JSON"),
        (lambda pack: truncate(pack / "index.json"), r"index\.json is damaged, it is not JSON"),
        (lambda pack: (pack / "index.json").write_text("[]"), r"index\.json is not of a pack"),
        (lambda pack: (pack / "index.json").write_text('{"format": "zip"}'), r"index\.json is not of a pack"),
        (lambda pack: index_with(pack, lambda index: index.update(version=2)), "of version 2 .* reads version 1"),
        (lambda pack: index_with(pack, lambda index: index.pop("version")), "of version None .* reads version 1"),
        (
            lambda pack: index_with(pack, lambda index: index.pop("columns")),
            r"index\.json is damaged, .* describe a pack",
        ),
        (lambda pack: index_with(pack, lambda index: index.update(columns={"identity": None})), "not describe a pack"),
        (lambda pack: index_with(pack, lambda index: index.update(size=None)), "not describe a pack"),
        *(
            (
                lambda pack, columns=columns: index_with(pack, lambda index: index["columns"].update(columns)),
                "not descr",
            )
            for columns in (
                {"attributes": [10**12]},
                {"attributes": [-5]},
                {"landmarks": [5, 10**9]},
                {"identity": [1]},
            )
        ),
        (lambda pack: index_with(pack, lambda index: index.update(size=10**12)), "not describe a pack"),
        (lambda pack: index_with(pack, lambda index: index.update(size=-3)), "not describe a pack"),
        (lambda pack: index_with(pack, lambda index: index.update(splits=[])), "not describe a pack"),
        (lambda pack: index_with(pack, lambda index: index.update(crop=[1, 2], cut=None)), "not describe a pack"),
        (lambda pack: index_with(pack, lambda index: index.update(crop="left", cut=None)), "not describe a pack"),
        (lambda pack: index_with(pack, lambda index: index.update(crop=None)), "not describe a pack"),
        (cut_with(), "not describe a pack"),
        (cut_with(template="mine", margin=0, shift=[0, 0]), "not describe a pack"),
        (cut_with(template="celeba", margin=-0.5, shift=[0, 0]), "not describe a pack"),
        (cut_with(template="celeba", margin=0, shift=[0, float("nan")]), "not describe a pack"),
        (cut_with(template="celeba", margin=0, shift=[0]), "not describe a pack"),
        (shard_with(file="../train-00001.tfrecord"), "not describe a pack"),
        (shard_with(file=None), "not describe a pack"),
        (shard_with(names=["a"]), "not describe a pack"),
        (shard_with(offsets=[]), "not describe a pack"),
        (shard_with(offsets=[-1, 50, 2**70]), "not describe a pack"),
        (shard_with(names=[], offsets=[0], checksums=[]), "not describe a pack"),
        (lambda pack: (pack / "train-00001.tfrecord").unlink(), r"train-00001\.tfrecord is damaged, no such file"),
        (
            lambda pack: truncate(pack / "train-00001.tfrecord"),
            r"train-00001\.tfrecord is damaged, it has .* instead of",
        ),
        (with_byte_changed, r"train-00000\.tfrecord is damaged, at anna/.*its checksum is another: copy the pack"),
        (
            lambda pack: (pack / "train-00000.tfrecord").write_bytes(
                bytes((pack / "train-00000.tfrecord").stat().st_size)
            ),
            r"train-00000\.tfrecord is damaged, .*checksum",
        ),
    ],
)
def test_damage_is_told_in_one_line_that_names_the_file(pack, damage, words):
    damage(pack)
    with pytest.raises(DatasetError, match=words) as told:
        everything(packed("train", data_dir=pack, image_size=16))
    assert "\n" not in str(told.value)
    assert str(pack) in str(told.value)


def test_a_record_that_is_no_picture_is_told(pack):
    example = tf.train.Example().SerializeToString()
    with tf.io.TFRecordWriter(str(pack / "train-00000.tfrecord")) as writer:
        writer.write(example)
    row = {"names": ["a"], "offsets": [0, len(example) + 16], "checksums": [zlib.crc32(example)]}
    shard_with(**row)(pack)
    with pytest.raises(DatasetError, match=r"train-00000\.tfrecord is damaged, at a: "):
        everything(packed("train", data_dir=pack, image_size=16))


def test_a_file_that_goes_while_it_is_read_is_told(pack):
    read = packed("train", data_dir=pack, image_size=16)
    shutil.rmtree(pack)
    with pytest.raises(DatasetError, match=r"train-00000\.tfrecord is damaged, at anna/.*No such file"):
        everything(read)


def test_damage_ends_a_training_with_one_line(command, people, tmp_path):
    out = tmp_path / "pack"
    assert command("pack", f"--in={people}", f"--out={out}", "--size=32").code == 0
    for place in range(200, (out / "train-00000.tfrecord").stat().st_size, 500):
        with_byte_changed(out, place)
    done = command("train", *CAE_FLAGS, "--dataset=packed", f"--data_dir={out}", "--run_dir=run")
    assert done.code == 2
    (line,) = [line for line in done.err.splitlines() if "facezoo: " in line]
    assert "train-00000.tfrecord is damaged" in line
    assert "Traceback" not in done.err
    assert not Path("run").exists()


@pytest.mark.parametrize("options", [{"split": "dev"}, {"channels": 2}, {"data_dir": ""}, {"data_dir": "nowhere"}])
def test_an_unfit_choice_is_refused(pack, options):
    (name,) = options
    with pytest.raises(DatasetError, match=f"packed: {name}"):
        packed(**({"split": "train", "data_dir": pack} | options))


# While it is written.


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_pack_leaves_nothing(command, people, tmp_path, monkeypatch, error):
    example = packing._example

    def interrupted(source, position):
        if position == 40:
            raise error
        return example(source, position)

    monkeypatch.setattr(packing, "_example", interrupted)
    before = contents(tmp_path)
    done = command("pack", f"--in={people}", f"--out={tmp_path / 'new' / 'pack'}")
    assert done.code == (130 if error is KeyboardInterrupt else 1)
    assert not (tmp_path / "new").exists()
    assert {name for name in contents(tmp_path) if not name.startswith("cache/")} == set(before)


def test_the_working_folder_is_no_place_for_a_pack(command, people):
    assert_refused(command("pack", f"--in={people}", "--out=."), "is the folder that the command runs in")


def test_an_empty_folder_is_filled(command, people, tmp_path):
    (tmp_path / "pack").mkdir()
    assert command("pack", f"--in={people}", f"--out={tmp_path / 'pack'}").code == 0
    assert len(packed(ALL, data_dir=tmp_path / "pack")) == 70


def test_a_picture_that_goes_while_it_is_packed_is_told(command, people, tmp_path, monkeypatch):
    write = packing.write_pack

    def without_one(*arguments):
        (people / "max" / "001.png").unlink()
        return write(*arguments)

    monkeypatch.setattr("facezoo.experiments.commands.pack.write_pack", without_one)
    done = command("pack", f"--in={people}", f"--out={tmp_path / 'pack'}")
    assert_refused(done, "max/001.png has changed since it was indexed")
    assert not (tmp_path / "pack").exists()


def test_a_disk_that_is_full_is_told(command, people, tmp_path, monkeypatch):
    def full(*arguments):
        raise tf.errors.ResourceExhaustedError(None, None, "train-00000.tfrecord; No space left on device")

    monkeypatch.setattr(tf.io, "TFRecordWriter", full)
    done = command("pack", f"--in={people}", f"--out={tmp_path / 'pack'}")
    assert_refused(done, f"--out={tmp_path / 'pack'} cannot be written", "No space left on device")


def test_only_a_few_pictures_wait_for_the_disk(monkeypatch):
    begun, lock = [], threading.Lock()

    def work(number):
        with lock:
            begun.append(number)
        return -number

    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    for taken, result in enumerate(packing._in_threads(work, range(100))):
        assert result == -taken
        assert len(begun) <= taken + 1 + 3 * packing.AHEAD
    assert sorted(begun) == list(range(100))
