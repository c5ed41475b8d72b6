"""A folder of photographs: its index, its splits, and what sub-folders and files of labels say."""

import json
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from facezoo.datasets import photographs, picture_index, progress
from facezoo.datasets.folder import folder
from facezoo.datasets.labels import snake_case
from facezoo.datasets.once import find_once
from facezoo.datasets.source import SPLITS, DatasetError, choose_split
from facezoo.experiments.flags import parsing
from facezoo.experiments.training import arguments
from PIL import Image

CELEBA_LIST = "{count}\n5_o_Clock_Shadow Wearing_Hat\n{rows}"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch):
    """The paths that were decoded, in no particular order."""
    paths = []
    read = photographs.read

    def counted(path, *more):
        paths.append(path)
        return read(path)

    monkeypatch.setattr(photographs, "read", counted)
    return paths


def draw(root, *names, size=(12, 10)):
    """Small pictures of one colour each, which follows from the name."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour(name)).save(path)
    return root


def colour(name):
    return tuple(np.frombuffer(name.encode().ljust(3), np.uint8)[-7:-4].tolist()) if len(name) > 7 else (9, 9, 9)


def numbered(count, start=0):
    return [f"{number:03d}.png" for number in range(start, start + count)]


def truncate(root, *names):
    for name in names:
        data = (root / name).read_bytes()
        (root / name).write_bytes(data[: len(data) // 2])


def all_of(root, **options):
    """Every usable picture's example by name, over the three splits."""
    examples = {}
    for split in SPLITS:
        source = folder(split, data_dir=root, **options)
        batch = source.load(np.arange(len(source)))
        for position, name in enumerate(source.names):
            examples[name] = {key: values[position] for key, values in batch.items()}
    return examples


def test_pictures_are_found_at_any_depth_and_sorted(tmp_path):
    names = [f"deep/er/{name}" for name in numbered(60)]
    root = draw(tmp_path / "photographs", *names, "B.JPG", "a.webp", "c.jpeg", ".hidden.png", ".hidden/x.png")
    (root / "notes.txt").write_text("not a picture")
    found = sorted(name for split in SPLITS for name in folder(split, data_dir=root).names)
    assert found == sorted([*names, "B.JPG", "a.webp", "c.jpeg"])
    train = folder("train", data_dir=root).names
    assert list(train) == sorted(train)


def test_a_batch_is_what_the_contract_says(tmp_path):
    root = draw(tmp_path / "photographs", *numbered(60))
    source = folder("train", data_dir=root, image_size=16, channels=1)
    batch = source.load(np.array([5, 0, 5]))
    assert source.name == "folder/train"
    assert source.image_shape == (16, 16, 1)
    assert batch["image"].shape == (3, 16, 16, 1)
    assert batch["image"].dtype == np.uint8
    assert np.array_equal(batch["image"][0], batch["image"][2])
    assert set(batch) == {"image"}


def test_each_position_is_the_picture_of_its_name(tmp_path):
    root = tmp_path / "photographs"
    root.mkdir()
    for number in range(80):
        Image.new("RGB", (5, 5), (number, 2 * number, 7)).save(root / f"{number}.png")
    for name, example in all_of(root, image_size=4).items():
        number = int(name.removesuffix(".png"))
        assert (example["image"] == [number, 2 * number, 7]).all()


def test_loading_from_threads_changes_nothing(tmp_path):
    root = draw(tmp_path / "photographs", *numbered(60))
    source = folder("train", data_dir=root, image_size=8)
    positions = [np.random.default_rng(seed).integers(0, len(source), 16) for seed in range(20)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(source.load, positions))
    assert all(
        np.array_equal(source.load(p)["image"], batch["image"]) for p, batch in zip(positions, together, strict=True)
    )


def test_the_crop_is_cut_out(tmp_path):
    root = tmp_path / "photographs"
    root.mkdir()
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[4:12, 5:13] = 200
    for name in numbered(60):
        Image.fromarray(pixels).save(root / name)
    source = folder("train", data_dir=root, image_size=8, crop=(5, 4, 8, 8))
    assert (source.load(np.arange(3))["image"] == 200).all()


# Splits.


def test_the_split_is_a_function_of_the_name():
    names = ("a.jpg", "anna/1.png", "é.png", "000008.jpg", "000028.jpg")
    assert [choose_split(name) for name in names] == ["train", "train", "train", "validation", "test"]
    counts = [sum(choose_split(f"{n:06d}.jpg") == split for n in range(20_000)) for split in SPLITS]
    assert np.abs(np.array(counts) / 20_000 - [0.8, 0.1, 0.1]).max() < 0.01


def test_splits_are_disjoint_and_stay_when_pictures_are_added(tmp_path):
    root = draw(tmp_path / "photographs", *numbered(60))
    before = {split: set(folder(split, data_dir=root).names) for split in SPLITS}
    draw(root, *numbered(40, start=60))
    after = {split: set(folder(split, data_dir=root).names) for split in SPLITS}
    assert all(before[split] <= after[split] for split in SPLITS)
    assert sum(map(len, after.values())) == len(set.union(*after.values())) == 100


def test_an_empty_split_says_how_many_pictures_there_are(tmp_path):
    names = [name for name in numbered(50) if choose_split(name) == "train"][:5]
    root = draw(tmp_path / "photographs", *names)
    assert len(folder("train", data_dir=root)) == 5
    with pytest.raises(DatasetError, match=r"none of the 5 pictures .* validation split(.|\n)*about 50"):
        folder("validation", data_dir=root)


# Damage.


def test_three_damaged_among_two_hundred_are_named_in_one_warning(tmp_path, caplog):
    root = draw(tmp_path / "photographs", *numbered(200))
    truncate(root, "007.png", "070.png")
    (root / "100.png").write_text("not a picture")
    with caplog.at_level(logging.WARNING):
        examples = all_of(root, image_size=4)
    assert len(examples) == 197
    assert not {"007.png", "070.png", "100.png"} & set(examples)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "3 of 200 pictures" in message
    assert all(
        name in message
        for name in (
            "007.png",
            "070.png",
            "100.png (not a JPEG",
        )
    )


def test_only_the_first_five_damaged_are_named(tmp_path, caplog):
    root = draw(tmp_path / "photographs", *numbered(100))
    truncate(root, *numbered(8))
    with caplog.at_level(logging.WARNING):
        folder("train", data_dir=root)
    assert "004.png" in caplog.text
    assert "005.png" not in caplog.text
    assert "and 3 more" in caplog.text


def test_half_of_them_damaged_is_an_error_with_the_counts(tmp_path):
    root = draw(tmp_path / "photographs", *numbered(40))
    truncate(root, *numbered(20))
    with pytest.raises(DatasetError, match=r"20 of 40 pictures .*more than 10%(.|\n)*000\.png .*and 15 more") as caught:
        folder("train", data_dir=root)
    assert str(caught.value).count("\n") < 6


def test_ten_percent_may_be_damaged_and_no_more(tmp_path):
    root = draw(tmp_path / "photographs", *numbered(50))
    truncate(root, *numbered(5))
    assert sum(len(folder(split, data_dir=root)) for split in SPLITS) == 45
    truncate(root, "005.png")
    with pytest.raises(DatasetError, match="6 of 50"):
        folder("train", data_dir=root)


def test_a_picture_the_crop_does_not_fit_into_is_left_out(tmp_path, caplog):
    root = draw(tmp_path / "photographs", *numbered(60))
    draw(root, "small.png", size=(8, 8))
    with caplog.at_level(logging.WARNING):
        assert len(all_of(root, crop=(2, 0, 10, 10))) == 60
    assert "small.png (crop=2,0,10,10 reaches outside a picture of 8x8 pixels)" in caplog.text
    with pytest.raises(DatasetError, match="61 of 61"):
        folder("train", data_dir=root, crop=(0, 0, 100, 100))


def test_a_picture_that_vanishes_after_indexing_is_named(tmp_path):
    source = folder("train", data_dir=draw(tmp_path / "photographs", *numbered(60)))
    (tmp_path / "photographs" / source.names[2]).unlink()
    with pytest.raises(DatasetError, match=source.names[2]):
        source.load(np.array([2]))


@pytest.mark.parametrize(
    ("data_dir", "message"),
    [("", "data_dir is missing"), ("nowhere", "not there"), ("file", "not a folder"), ("empty", "no pictures")],
)
def test_no_data_is_a_clear_error(data_dir, message, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=message):
        folder("train", data_dir=data_dir and tmp_path / data_dir)


@pytest.mark.parametrize(
    "options",
    [{"split": "dev"}, {"subfolders": "people"}, {"channels": 2}, {"crop": (0, 0, 3, 4)}, {"crop": (-1, 0, 3, 3)}],
)
def test_an_unfit_choice_is_refused(options, tmp_path):
    draw(tmp_path, *numbered(3))
    (name,) = options
    with pytest.raises(DatasetError, match=f"{name}="):
        folder(**({"split": "train", "data_dir": tmp_path} | options))


def test_links_that_go_in_circles_end(tmp_path):
    root = draw(tmp_path / "photographs", *numbered(60), "sub/x.png")
    (root / "sub" / "up").symlink_to(root)
    (root / "out").symlink_to(tmp_path)
    (root / "self").symlink_to(root / "self")
    elsewhere = draw(tmp_path / "elsewhere", "far.png")
    (root / "linked").symlink_to(elsewhere)
    assert set(all_of(root, image_size=2)) == {*numbered(60), "sub/x.png", "linked/far.png"}


def test_a_link_to_nowhere_and_a_pipe_are_damaged_pictures(tmp_path, caplog):
    root = draw(tmp_path / "photographs", *numbered(60))
    (root / "lost.jpg").symlink_to(root / "nowhere.jpg")
    os.mkfifo(root / "pipe.jpg")
    with caplog.at_level(logging.WARNING):
        assert len(all_of(root, image_size=2)) == 60
    assert "2 of 62" in caplog.text


# The index.


def test_a_second_run_decodes_only_what_changed(tmp_path, decoded):
    root = draw(tmp_path / "photographs", *numbered(60))
    truncate(root, "003.png")
    folder("train", data_dir=root)
    assert len(decoded) == 60
    folder("test", data_dir=root)
    assert len(decoded) == 60
    draw(root, "new.png")
    draw(root, "005.png", size=(40, 40))
    os.utime(root / "006.png", ns=(1, 1))
    folder("train", data_dir=root)
    assert {path.name for path in decoded[60:]} == {"new.png", "005.png", "006.png"}


def test_several_splits_can_share_one_look_at_the_folder(tmp_path, monkeypatch):
    root, walks, walk = draw(tmp_path / "photographs", *numbered(60)), [], picture_index._walk
    monkeypatch.setattr(picture_index, "_walk", lambda *arguments: walks.append(arguments[0]) or walk(*arguments))
    with find_once():
        shared = [list(folder(split, data_dir=root).names) for split in SPLITS]
    assert walks == [root]
    assert shared == [list(folder(split, data_dir=root).names) for split in SPLITS]
    assert walks == 4 * [root]
    draw(root, *numbered(40, start=60))
    with find_once():
        assert sum(len(folder(split, data_dir=root)) for split in SPLITS) == 100
    assert walks == 5 * [root]
    arguments.open_sources(parsing.parse_training(["--dataset=folder", f"--data_dir={root}"]))
    assert walks == 6 * [root]


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_two_hundred_thousand_pictures_are_opened_in_seconds_and_read_in_flat_memory(tmp_path):
    root = draw(tmp_path / "photographs", *numbered(50))
    for number in range(200_000):
        link = root / f"{number // 5000}" / f"{number:06d}.png"
        link.parent.mkdir(exist_ok=True)
        os.link(root / f"{number % 50:03d}.png", link)
    folder("train", data_dir=root)
    start = time.process_time()
    with find_once():
        source, _ = (folder(split, data_dir=root) for split in ("train", "validation"))
    assert time.process_time() - start < 10
    batches = np.random.default_rng(0).integers(0, len(source), (400, 50))
    source.load(batches[0])
    megabytes = resident_megabytes()
    for batch in batches:
        source.load(batch)
    assert resident_megabytes() - megabytes < 20


def resident_megabytes():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def test_a_file_that_cannot_be_read_is_tried_again(tmp_path, monkeypatch):
    root = draw(tmp_path / "photographs", *numbered(60))
    read = photographs.read

    def forbidden(path, *more):
        if path.name == "010.png":
            raise photographs.UnreadableFileError("permission denied")
        return read(path)

    monkeypatch.setattr(photographs, "read", forbidden)
    assert sum(len(folder(split, data_dir=root)) for split in SPLITS) == 59
    monkeypatch.setattr(photographs, "read", read)
    assert sum(len(folder(split, data_dir=root)) for split in SPLITS) == 60


def test_an_interrupted_index_goes_on_where_it_was(tmp_path, monkeypatch, decoded):
    root = draw(tmp_path / "photographs", *numbered(200))
    counted = photographs.read

    def interrupted(path, *more):
        if path.name == "150.png":
            raise RuntimeError("interrupted")
        return counted(path)

    monkeypatch.setattr(photographs, "read", interrupted)
    with pytest.raises(RuntimeError):
        folder("train", data_dir=root)
    monkeypatch.setattr(photographs, "read", counted)
    decoded.clear()
    folder("train", data_dir=root)
    assert 50 <= len(decoded) <= 100


def index_of(**columns):
    names = ("name", "num_bytes", "modified_ns", "width", "height", "damage", "digest", "look")
    whole = dict(zip(names, (["000.png"], [1], [2], [3], [4], [""], [""], [""]), strict=True))
    return json.dumps({"version": 3} | whole | columns)


@pytest.mark.parametrize(
    "damage",
    [
        *("", "{", "[]", '{"version": 1, "pictures": [["000.png", 1, 2, 3, 4, ""]]}', '{"version": 3}'),
        *(index_of(width=["3"]), index_of(name=7), index_of(height=[4, 4]), index_of(damage=[None]), index_of(name=[])),
    ],
)
def test_a_damaged_index_is_rebuilt(tmp_path, cache, decoded, damage):
    root = draw(tmp_path / "photographs", *numbered(60))
    folder("train", data_dir=root)
    (index,) = cache.iterdir()
    good = index.read_text()
    index.write_text(damage)
    folder("train", data_dir=root)
    assert len(decoded) == 120
    assert json.loads(index.read_text()) == json.loads(good)


def test_an_unwritable_cache_is_a_warning(tmp_path, monkeypatch, caplog):
    (tmp_path / "blocked").write_text("")
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path / "blocked"))
    root = draw(tmp_path / "photographs", *numbered(60))
    with caplog.at_level(logging.WARNING):
        assert len(folder("train", data_dir=root)) > 30
    assert "cannot keep the index" in caplog.text


def test_nothing_is_left_beside_the_photographs(tmp_path, cache):
    root = draw(tmp_path / "photographs", *numbered(60))
    folder("train", data_dir=root)
    assert sorted(path.name for path in root.iterdir()) == numbered(60)
    assert [path.suffix for path in cache.iterdir()] == [".json"]


def test_progress_shows_only_when_it_takes_long(tmp_path, monkeypatch, capsys):
    root = draw(tmp_path / "photographs", *numbered(60))
    folder("train", data_dir=root)
    assert capsys.readouterr().err == ""
    read = photographs.read

    def slow(path, *more):
        time.sleep(0.02)
        return read(path)

    monkeypatch.setattr(photographs, "read", slow)
    monkeypatch.setattr(progress, "PROGRESS_AFTER_SECONDS", 0.2)
    draw(root, *numbered(60, start=60))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    folder("train", data_dir=root)
    assert "reading pictures" in capsys.readouterr().err


# Sub-folders.


def test_sub_folders_are_attributes(tmp_path):
    names = [f"{group}/{name}" for group in ("Smiling", "not smiling") for name in numbered(40)]
    root = draw(tmp_path / "photographs", *names, "neither.png")
    assert folder("train", data_dir=root).attribute_names == ("smiling", "not_smiling")
    for name, example in all_of(root, image_size=2).items():
        assert example["attributes"].dtype == np.float32
        assert example["attributes"].tolist() == [name.startswith("Smiling/"), name.startswith("not smiling/")]


def test_one_sub_folder_is_no_attribute(tmp_path):
    root = draw(tmp_path / "photographs", *[f"all/{name}" for name in numbered(60)])
    source = folder("train", data_dir=root)
    assert source.attribute_names == ()
    assert set(source.load(np.arange(2))) == {"image"}


def test_two_sub_folders_of_one_name_are_refused(tmp_path):
    root = draw(tmp_path / "photographs", "big nose/1.png", "Big_Nose/2.png")
    with pytest.raises(DatasetError, match="'big_nose' more than once"):
        folder("train", data_dir=root)
    source = folder("all", data_dir=root, subfolders=None)
    assert source.names == ["Big_Nose/2.png", "big nose/1.png"]
    assert not source.attribute_names


def test_sub_folders_are_people(tmp_path):
    names = [f"{person}/album/{name}" for person in ("zoe", "anna", "max") for name in numbered(30)]
    root = draw(tmp_path / "photographs", *names)
    number_of = {"anna": 0, "max": 1, "zoe": 2}
    for name, example in all_of(root, image_size=2, subfolders="identity").items():
        assert example["identity"].dtype == np.int32
        assert example["identity"] == number_of[name.split("/")[0]]
        assert "attributes" not in example


def test_people_are_called_as_their_sub_folders(tmp_path):
    names = [f"{person}/{name}" for person in ("Zoe B", "anna", "Max") for name in numbered(20)]
    root = draw(tmp_path / "photographs", *names)
    source = folder("train", data_dir=root, image_size=2, subfolders="identity")
    assert source.identity_names == ("Max", "Zoe B", "anna")
    called = [source.identity_names[number] for number in source.load(np.arange(len(source)))["identity"]]
    assert called == [name.split("/")[0] for name in source.names]
    assert folder("train", data_dir=root, image_size=2).identity_names == ()


def test_a_picture_of_nobody_is_refused(tmp_path):
    root = draw(tmp_path / "photographs", "anna/1.png", "max/2.png", "3.png")
    with pytest.raises(DatasetError, match=r"1 of 3 pictures .*3\.png"):
        folder("train", data_dir=root, subfolders="identity")


# Labels.


def marks(name):
    number = int(name[-7:-4])
    return number % 2, number // 2 % 2


@pytest.mark.parametrize("zero", ["0", "-1"])
@pytest.mark.parametrize("key", ["path", "base name"])
def test_labels_come_from_a_csv_file(tmp_path, zero, key):
    names = [f"some/where/{name}" for name in numbered(60)]
    root = draw(tmp_path / "photographs", *names)
    rows = [f"{name if key == 'path' else name[-7:]},{','.join(str(m or zero) for m in marks(name))}" for name in names]
    path = tmp_path / "labels.csv"
    path.write_text("\ufefffile,Wearing Hat,MouthOpen\n" + "\n".join([*rows, "", f"extra.png,1,{zero}"]))
    assert folder("train", data_dir=root, labels=path).attribute_names == ("wearing_hat", "mouth_open")
    for name, example in all_of(root, image_size=2, labels=path).items():
        assert example["attributes"].tolist() == list(marks(name))


def test_labels_come_from_celebas_own_list(tmp_path):
    names = numbered(60)
    root = draw(tmp_path / "photographs", *names)
    rows = "\n".join(f"{name}  {'  '.join(str(2 * m - 1) for m in marks(name))}" for name in names)
    path = tmp_path / "list_attr_celeba.txt"
    path.write_text(CELEBA_LIST.format(count=60, rows=rows) + "\n")
    assert folder("train", data_dir=root, labels=path).attribute_names == ("5_o_clock_shadow", "wearing_hat")
    for name, example in all_of(root, image_size=2, labels=path).items():
        assert example["attributes"].tolist() == list(marks(name))


def test_labels_take_the_place_of_sub_folders_but_not_of_people(tmp_path):
    names = [f"{person}/{person}{name}" for person in ("anna", "max") for name in numbered(30)]
    root = draw(tmp_path / "photographs", *names)
    path = tmp_path / "labels.csv"
    path.write_text("file,hat\n" + "\n".join(f"{name},1" for name in names))
    example = all_of(root, image_size=2, labels=path, subfolders="identity")["max/max000.png"]
    assert (example["identity"], example["attributes"].tolist()) == (1, [1])
    assert folder("train", data_dir=root, labels=path).attribute_names == ("hat",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,hat\n000.png,1\n000.png,1\n", r"line 3: a second row for 000\.png"),
        ("file,hat\n000.png,yes\n", "line 2: not a file name and 1 times"),
        ("file,hat\n000.png,1,1\n", "line 2"),
        ("file,hat\n000.png\n", "line 2"),
        ("file,hat\n000.png,1\n001.png,0\n002.png,-1\n", "line 4: 0 and -1"),
        ("file\n000.png\n", "line 1"),
        ("", "line 1"),
        ("file,hat,Hat\n", "'hat' more than once"),
        ("2\nhat\n000.png 1\n001.png 2\n", "line 4"),
        ("file,hat\n000.png,1\n", r"no row for 2 of 3 pictures, the first is 001\.png"),
    ],
)
def test_unfit_labels_are_refused_by_line(tmp_path, text, message):
    root = draw(tmp_path / "photographs", *numbered(3))
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        folder("train", data_dir=root, labels=path)


def test_labels_that_are_no_text_or_not_there_are_refused(tmp_path):
    root = draw(tmp_path / "photographs", *numbered(3))
    with pytest.raises(DatasetError, match="No such file"):
        folder("train", data_dir=root, labels=tmp_path / "nowhere.csv")
    with pytest.raises(DatasetError, match="not UTF-8"):
        folder("train", data_dir=root, labels=root / "000.png")


def test_a_base_name_that_fits_two_pictures_is_refused(tmp_path):
    root = draw(tmp_path / "photographs", "anna/1.png", "max/1.png")
    path = tmp_path / "labels.csv"
    path.write_text("file,hat\n1.png,1\n")
    with pytest.raises(DatasetError, match=r"1\.png fits 2 pictures"):
        folder("train", data_dir=root, labels=path)


@pytest.mark.parametrize(
    ("name", "column"),
    [("5_o_Clock_Shadow", "5_o_clock_shadow"), ("Wearing Hat", "wearing_hat"), ("WearingHat", "wearing_hat")],
)
def test_attribute_names_are_snake_case(name, column):
    assert snake_case(name) == column
