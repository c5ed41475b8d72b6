"""One's own clips: films and folders of frames, in order, cut, split by their names."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import assert_refused
from facezoo.datasets import clip_folder
from facezoo.datasets.clip_folder import clips
from facezoo.datasets.source import DatasetError, choose_split
from facezoo.films.probing import find_ffmpeg
from PIL import Image


def save_frames(folder, count, first=1):
    """Gray frames, the n-th as bright as its number, without zeros before it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        Image.new("RGB", (40, 32), (number,) * 3).save(folder / f"frame {number}.png")


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """Two folders of frames and a film, and what is none."""
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path / "cache"))
    root = tmp_path / "clips"
    save_frames(root / "ann" / "take 1", 13)
    save_frames(root / "bob", 4, first=99)
    save_frames(root / "short", 2)
    picture = ("-f", "lavfi", "-i", "testsrc=s=48x32:r=10:d=1")
    subprocess.run((find_ffmpeg(), "-v", "error", *picture, str(root / "film.mp4")), check=True)
    (root / "notes.txt").write_text("nothing")
    return root


def test_frames_follow_each_other_by_their_numbers(recordings):
    source = clips("all", data_dir=recordings, image_size=16, frames=4)
    assert (source.name, source.image_shape) == ("clips/all", (16, 16, 3))
    assert list(source.names) == [
        *("ann/take 1/0", "ann/take 1/4", "ann/take 1/8", "bob/0", "film.mp4/0", "film.mp4/4")
    ]
    examples = source.load(np.array([2, 3, 0]))
    assert (examples["clip"].shape, examples["clip"].dtype) == ((3, 4, 16, 16, 3), np.uint8)
    np.testing.assert_array_equal(examples["clip"][:, :, 5, 5, 0], [[9, 10, 11, 12], [99, 100, 101, 102], [1, 2, 3, 4]])
    np.testing.assert_array_equal(examples["image"], examples["clip"][:, 2])


def test_frames_of_a_film_are_kept_as_small_as_they_are_wanted(recordings, tmp_path, monkeypatch):
    film = clips("all", data_dir=recordings, image_size=16, frames=5, channels=1).load(np.array([2, 3]))["clip"]
    assert film.shape == (2, 5, 16, 16, 1)
    assert len({frame.tobytes() for clip in film for frame in clip}) == 10
    (kept,) = (tmp_path / "cache" / "films").iterdir()
    assert kept.stat().st_size == 10 * 16 * 16
    monkeypatch.setattr(clip_folder, "read_frames", None)  # not once more
    again = clips("all", data_dir=recordings, image_size=16, frames=5, channels=1).load(np.array([2, 3]))["clip"]
    np.testing.assert_array_equal(film, again)


def test_a_damaged_frame_ends_a_clip(recordings):
    (recordings / "ann" / "take 1" / "frame 6.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    shutil.rmtree(recordings / "bob")
    source = clips("all", data_dir=recordings, image_size=16, frames=5)
    assert list(source.names)[:2] == ["ann/take 1/0", "ann/take 1#1/0"]
    np.testing.assert_array_equal(source.load(np.array([1]))["clip"][0, :, 0, 0, 0], [7, 8, 9, 10, 11])


def test_all_clips_of_a_recording_are_in_one_split(recordings):
    for number in range(20):
        save_frames(recordings / f"more {number}", 4)
    found = {split: clips(split, data_dir=recordings, image_size=16, frames=2) for split in ("train", "test")}
    assert {name for name in found["test"].names if "more" in name}
    for split, source in found.items():
        assert {choose_split(name.rpartition("/")[0]) for name in source.names} == {split}


def test_a_name_may_hold_a_number_sign(recordings):
    for number in range(20):
        save_frames(recordings / f"take #{number}", 2)
    names = clips("train", data_dir=recordings, image_size=16, frames=2).names
    takes = {name.rpartition("/")[0] for name in names if "take #" in name}
    assert takes == {name for number in range(20) if choose_split(name := f"take #{number}") == "train"}
    assert 0 < len(takes) < 20


def test_the_digest_tells_of_the_same_clips_elsewhere(recordings, tmp_path):
    moved = Path(shutil.copytree(recordings, tmp_path / "moved"))
    digests = {clips("all", data_dir=root, image_size=16, frames=4).digest() for root in (recordings, moved)}
    assert len(digests) == 1
    save_frames(moved / "bob", 1, first=103)
    assert clips("all", data_dir=moved, image_size=16, frames=4).digest() not in digests


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "some"}, ["clips: split='some' is none of train"]),
        ({"frames": 1}, ["clips has frames 2 to 128, not 1"]),
        ({"frames": 100}, ["no films and no folders of 100 frames or more"]),
        ({"channels": 2}, ["channels=2 is neither 1 (gray) nor 3"]),
        ({"split_by": "identity"}, ["split_by='identity' is not 'file'"]),
        ({"data_dir": "nowhere"}, ["clips: data_dir=nowhere is not there"]),
        ({"split": "validation", "frames": 13}, ["falls into the validation split", "about 30", "--split_by=file"]),
    ],
)
def test_what_cannot_be_is_said_in_one_line(recordings, arguments, words):
    with pytest.raises(DatasetError) as error:
        clips(**{"split": "all", "data_dir": recordings, "image_size": 16, **arguments})
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words), error.value


def test_a_film_that_is_none_is_named(recordings):
    (recordings / "broken.mp4").write_text("no film")
    with pytest.raises(DatasetError, match=r"broken\.mp4 is no film that ffmpeg can read"):
        clips("all", data_dir=recordings, image_size=16, frames=4)


def make_film(path, size="48x32"):
    picture = ("-f", "lavfi", "-i", f"testsrc=s={size}:r=10:d=0.5")
    subprocess.run((find_ffmpeg(), "-y", "-v", "error", *picture, str(path)), check=True)


def test_a_folder_may_hold_films_alone(recordings, tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    (recordings / "film.mp4").rename(films / "film.mp4")
    assert clips("all", data_dir=films, image_size=16, frames=5).names == ["film.mp4/0", "film.mp4/5"]


def test_one_film_of_many_that_is_none_is_left_out_and_named(recordings, monkeypatch, caplog):
    monkeypatch.setattr(clip_folder, "MOST_DAMAGED", 0.5)
    (recordings / "broken.mp4").write_text("no film")
    names = clips("all", data_dir=recordings, image_size=16, frames=10).names
    assert names == ["ann/take 1/0", "film.mp4/0"]
    assert "leaving out 1 of 2 films" in caplog.text and "broken.mp4 is no film" in caplog.text


def test_frames_and_films_that_a_crop_or_a_limit_does_not_fit_are_found_at_once(recordings, caplog):
    with pytest.raises(DatasetError, match=r"1 of 1 films.*\sfilm\.mp4 .*crop=33 reaches outside a picture of 48x32"):
        clips("all", data_dir=recordings, image_size=16, frames=4, crop=33)
    make_film(recordings / "film.mp4", "48x48")
    names = clips("all", data_dir=recordings, image_size=16, frames=4, crop=33).names
    assert names == ["film.mp4/0"]  # of the folders' frames, 40x32, none is left
    assert "clips end before 19 frames" in caplog.text
    (recordings / "film.mp4").unlink()
    with pytest.raises(DatasetError, match=r"no folders of 4 frames(.|\n)*19 files cannot be used: ann/take 1"):
        clips("all", data_dir=recordings, image_size=16, frames=4, crop=33)
    make_film(recordings / "film.mp4")
    shape = clip_folder._Shape(16, None, 3, 1000)  # pixels: the index knows frames that are larger
    with pytest.raises(DatasetError, match=r"film\.mp4 .*48x32 is more than"):
        clip_folder._find_recordings(recordings, shape)


def test_what_changes_after_it_was_found_is_named(recordings):
    source = clips("all", data_dir=recordings, image_size=16, frames=4)
    (recordings / "bob" / "frame 99.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"frame 99\.png has changed since it was found: empty file"):
        source.load(np.array([3]))
    make_film(recordings / "shorter.mp4")
    (recordings / "shorter.mp4").replace(recordings / "film.mp4")
    with pytest.raises(DatasetError, match=r"film\.mp4 has changed since it was found: it has only 5 frames"):
        source.load(np.array([5]))


def test_frames_of_films_that_nobody_has_wanted_for_longest_are_removed(recordings, tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "films"
    folder.mkdir(parents=True)
    names = ["a" * 32 + ".frames", "b" * 32 + ".frames", ".facezoo-partial-1.frames", ".facezoo-partial-2.frames"]
    for age, name in zip((5, 3, 2, 0), names, strict=True):  # days
        (folder / name).write_bytes(bytes(1000))
        os.utime(folder / name, (time.time() - 86_400 * age - 60,) * 2)
    ours = 10 * 16 * 16 * 3
    monkeypatch.setattr(clip_folder, "MOST_KEPT_BYTES", ours + 1000)
    clips("all", data_dir=recordings, image_size=16, frames=4)
    left = {path.name for path in folder.iterdir()}
    assert {name for name in names if name in left} == {names[1], names[3]} and len(left) == 3
    monkeypatch.setattr(clip_folder, "MOST_KEPT_BYTES", 1)  # those at hand stay
    clips("all", data_dir=recordings, image_size=16, frames=4)
    assert [path.stat().st_size for path in folder.glob("[0-9a-f]*.frames")] == [ours]


TINY = (
    *("--model=video_autoencoder", "--image_size=16", "--set=filters=4,", "--latent_dim=4", "--frames=4"),
    *("--batch_size=2", "--epochs=1", "--steps_per_epoch=1", "--validation_steps=1"),
)


def test_a_model_of_clips_trains_on_them_and_is_measured(recordings, command, tmp_path):
    save_frames(recordings / "long", 60)
    data = ("--dataset=clips", f"--data_dir={recordings}", "--split_by=file")
    done = command("train", *TINY, *data, "--batch_size=2", "--window=3", f"--run_dir={tmp_path / 'run'}")
    assert done.code == 0, done.err
    assert (tmp_path / "run" / "images" / "clips-0001.png").exists()
    done = command(
        "evaluate", f"--run_dir={tmp_path / 'run'}", "--what=clips", "--split=validation", "--metrics=flicker"
    )
    assert done.code == 0, done.err
    assert "flicker" in (tmp_path / "run" / "metrics-clips.json").read_text()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("--dataset=procedural_faces", "--image_size=32"),
            ["learns from clips, which procedural_faces/train does not"],
        ),
        (("--model=vae", "--dataset=procedural_clips", "--image_size=32", "--window=3"), ["--window=3: --model=vae"]),
        (
            ("--dataset=procedural_clips", "--image_size=32", "--window=9"),
            ["--window=9 must be 2 to 4, the frames of a clip"],
        ),
        (("--dataset=procedural_clips", "--image_size=32", "--set=slow_dim=4"), ["slow_dim=4 must be below"]),
        (("--dataset=procedural_clips", "--image_size=32", "--pace=1"), ["--pace=1 does nothing without --window"]),
        (("--dataset=clips", "--data_dir=nowhere"), ["data_dir=nowhere is not there"]),
    ],
)
def test_a_training_that_cannot_be_is_refused(command, flags, words):
    kept = TINY if "--dataset=procedural_faces" not in flags else tuple(f for f in TINY if not f.startswith("--frames"))
    assert_refused(command("train", *kept, *flags, "--run_dir=run"), *words)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--show=procedural_faces", "--window=3"), ["--window=3: procedural_faces/train has no clips"]),
        (
            ("--show=procedural_clips", "--frames=4", "--window=9", "--count=1"),
            ["--window=9 must be 2 to 4, the frames of a clip (--frames)"],
        ),
    ],
)
def test_a_window_that_clips_do_not_fill_is_refused(command, flags, words, tmp_path):
    assert_refused(command("datasets", *flags, "--image_size=32", f"--out={tmp_path / 'sheet.png'}"), *words)
