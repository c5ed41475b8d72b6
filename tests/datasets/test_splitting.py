"""Splits by file, folder, person and clip, and as a file says; pictures that look alike in two of them are told."""

import numpy as np
import pytest
from command_line import photographs_in, picture
from facezoo.datasets.folder import folder
from facezoo.datasets.likeness import alike, hash_look
from facezoo.datasets.packed import packed
from facezoo.datasets.source import SPLITS, DatasetError, choose_split
from facezoo.datasets.splitting import choose_splits, find_clip, together
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path / "cache"))


def test_by_default_each_file_falls_by_its_own_name():
    names = [f"anna/{number}.png" for number in range(50)]
    assert choose_splits(names) == [choose_split(name) for name in names]


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("film/take 2_0017.jpg", "film/take 2"),
        ("film/take 2_0017.jpg.png", "film/take 2"),
        ("film/take 2_0017 (1).jpg", "film/take 2"),
        ("film/take 2_0017 - Copy.jpg", "film/take 2"),
        ("film/frame_0001.png", "film/"),
        ("0001.png", ""),
        ("anna.png", "anna"),
    ],
)
def test_frames_of_a_clip_differ_in_their_last_number(name, clip):
    assert find_clip(name) == clip


@pytest.mark.parametrize(("split_by", "depth"), [("folder", 2), ("identity", 1)])
def test_what_belongs_together_falls_together(split_by, depth):
    names = [f"{person}/{day}/{n}.png" for person in range(40) for day in range(3) for n in range(5)]
    splits = choose_splits(names, split_by)
    by_group = {}
    for name, split in zip(names, splits, strict=True):
        by_group.setdefault("/".join(name.split("/")[:depth]), set()).add(split)
    assert all(len(found) == 1 for found in by_group.values())
    assert set(splits) == set(SPLITS)
    assert together("alone.png", split_by) == "alone.png"


@pytest.mark.parametrize(
    "text",
    [
        "000.jpg 0\n001.jpg 1\n002.jpg 2\n003.jpg 0\n",
        "image_id,partition\r\n000.jpg,0\r\n001.jpg,1\r\n002.jpg,2\r\n003.jpg,0\r\n",
        "file;split\nx\\000.JPG;train\nx\\001.JPG;val\nx\\002.JPG;test\nx\\003.JPG;train\n",
    ],
)
def test_a_file_may_say_the_splits(tmp_path, command, text):
    root = photographs_in(tmp_path / "photographs", 4)
    partition = tmp_path / "list_eval_partition.txt"
    partition.write_text(text)
    names = {split: list(folder(split, data_dir=root, partition=partition).names) for split in SPLITS}
    assert names == {"train": ["000.jpg", "003.jpg"], "validation": ["001.jpg"], "test": ["002.jpg"]}
    done = command("pack", f"--in={root}", f"--out={tmp_path / 'pack'}", f"--partition={partition}")
    assert done.code == 0, done.err
    assert list(packed("validation", data_dir=tmp_path / "pack").names) == ["001.jpg"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("000.jpg 0\n001.jpg 3\n", "line 2: not a file name and 0, 1 or 2"),
        ("000.jpg 0\n000.jpg 1\n", "line 2: a second row for 000.jpg"),
        ("000.jpg 0\n", "no row for 3 of 4 pictures, the first is 001.jpg"),
    ],
)
def test_an_unfit_partition_is_refused(tmp_path, text, reason):
    root = photographs_in(tmp_path / "photographs", 4)
    (tmp_path / "partition.txt").write_text(text)
    with pytest.raises(DatasetError, match=reason):
        folder("train", data_dir=root, partition=tmp_path / "partition.txt")


def test_a_partition_that_leaves_a_split_empty_is_named(tmp_path):
    root = photographs_in(tmp_path / "photographs", 2)
    (tmp_path / "partition.txt").write_text("000.jpg 0\n001.jpg 0\n")
    with pytest.raises(DatasetError, match=r"partition\.txt puts none of the 2 pictures in .* into the test split"):
        folder("test", data_dir=root, partition=tmp_path / "partition.txt")


def test_an_empty_split_says_of_what_it_is_made(tmp_path):
    root = photographs_in(tmp_path / "photographs", 30)
    with pytest.raises(DatasetError, match=r"80/10/10 by clip(.|\n)*partition=FILE"):
        for split in SPLITS:
            folder(split, data_dir=root, split_by="clip")
    with pytest.raises(DatasetError, match="split_by='day'"):
        folder("train", data_dir=root, split_by="day")


# Likeness.


def test_copies_look_alike_and_others_do_not():
    pictures = [picture((120, 100), seed) for seed in range(60)]
    copies = [one.resize((80, 66), Image.Resampling.LANCZOS) for one in pictures[:10]]
    looks = [hash_look(one) for one in (*pictures, *copies)]
    groups = np.repeat([0, 1], [60, 10])
    assert alike(looks, groups).tolist() == [[number, 60 + number] for number in range(10)]
    assert alike(looks, np.zeros(70, int)).tolist() == []


def test_pictures_without_structure_are_like_nothing():
    assert hash_look(Image.new("RGB", (50, 50), "gray")) == ""
    assert alike(["", ""], np.array([0, 1])).tolist() == []


def test_a_copy_in_another_split_is_told_once(tmp_path, caplog):
    root = tmp_path / "photographs"
    root.mkdir()
    for number in range(60):
        picture((60, 50), number).save(root / f"{number:03d}.png")
    train = next(path for path in sorted(root.iterdir()) if choose_split(path.name) == "train")
    copy = next(name for n in range(99) if choose_split(name := f"{train.stem} ({n}).jpg") == "test")
    Image.open(train).save(root / copy, quality=90)
    for split in (*SPLITS, *SPLITS):
        folder(split, data_dir=root)
    (told,) = [record.getMessage() for record in caplog.records]
    first, second = sorted([train.name, copy])
    assert f"1 pictures of validation and test look like one in another split, as {first} and {second} do" in told
    assert "--split_by=folder, identity or clip" in told
