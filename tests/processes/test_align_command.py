"""`facezoo align`: every file is read and told of, nothing is done twice, nothing is overwritten."""

import io
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from clutter import clutter, placed_faces
from command_line import (
    GIVEN,
    SCRIPT,
    SIDE,
    SOFTWARE,
    assert_refused,
    contents,
    folder_of_crops,
    photographs_with_points,
    picture,
    points_file,
    read_png,
    truncate,
)
from deadly import Deadly
from facezoo import files
from facezoo.datasets import photographs
from facezoo.datasets.alignment import POINT_NAMES, template_points
from facezoo.datasets.folder import folder
from facezoo.datasets.manifest import MANIFEST_FILE, Cut, read_manifest
from facezoo.datasets.photographs import NO_PICTURE
from facezoo.datasets.picture_index import Picture, find_files
from facezoo.datasets.source import DatasetError
from facezoo.experiments.faces import crops
from facezoo.experiments.faces.aligning import DEADLY, align_in_processes
from PIL import Image


@pytest.fixture
def align(command, tmp_path):
    """Aligns by given points into `tmp_path / "out"`, unless flags say otherwise; gives the rows by source."""

    def run(root, points, *flags, code=0):
        out = tmp_path / "out"
        done = command("align", f"--in={root}", f"--out={out}", f"--landmarks={points}", "--processes=1", *flags)
        assert done.code == code, done.err
        return {row.source: row for row in read_manifest(out)}

    return run


# By a detector.


def test_faces_are_found_cut_out_and_told_of(command, tmp_path):
    pytest.importorskip("mtcnn")
    root = tmp_path / "photographs"
    (root / "deep").mkdir(parents=True)
    [one, other] = placed_faces([10, 30], degrees=10, scales=(0.9, 1.0))
    one.picture.save(root / "deep" / "one.jpg", quality=95)
    both = Image.new("RGB", (1024, 512))
    both.paste(one.picture, (0, 0))
    both.paste(other.picture, (512, 0))
    both.save(root / "both.png")
    clutter(np.random.default_rng(1)).save(root / "nobody.webp")
    done = command("align", f"--in={root}", f"--out={tmp_path / 'all'}", "--faces=all", "--size=64", "--processes=2")
    assert done.code == 0, done.err
    rows = read_manifest(tmp_path / "all")
    outputs = [(row.source, row.output) for row in rows if row.output]
    assert outputs == [
        ("both.png", "both.0.png"),
        ("both.png", "both.1.png"),
        ("deep/one.jpg", "deep/one.0.png"),
    ]
    assert [row.reason for row in rows if not row.output] == ["no face found"]
    assert "3 faces, 1 without" in done.out
    eyes = sorted(row.points[:2].tolist() for row in rows if row.source == "both.png")
    np.testing.assert_allclose(eyes, [one.eyes, np.add(other.eyes, (512, 0))], atol=20)  # of some 50 between the eyes
    crop, text = read_png(tmp_path / "all" / "deep" / "one.0.png")
    assert crop.shape == (64, 64, 3)
    assert text == {"Software": SOFTWARE, "Description": "face of deep/one.jpg, aligned to the template facezoo"}


def test_without_the_detector_it_says_what_to_install(command, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    photographs_with_points(tmp_path / "photographs", ["a.png"])
    assert_refused(
        command("align", f"--in={tmp_path / 'photographs'}", "--out=out"), "mtcnn", "pip install 'facezoo[align]'"
    )


# By given points.


def test_every_kind_of_file_gives_its_crop(align, tmp_path):
    kinds = {"a.jpg": "RGB", "a.png": "RGB", "gray.png": "L", "cmyk.jpg": "CMYK", "alpha.webp": "RGBA", "a.gif": "P"}
    root, points = photographs_with_points(tmp_path / "photographs", kinds)
    for number, (name, mode) in enumerate(kinds.items()):
        picture((SIDE, SIDE), number).convert(mode).save(root / name)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    picture((SIDE, SIDE), 1).transpose(Image.Transpose.ROTATE_90).save(root / "a.png", exif=exif)
    rows = align(root, points, f"--size={SIDE}")
    outputs = {name: row.output for name, row in rows.items()}
    of_one_stem = ("a.jpg", "a.png", "a.gif")  # which would collide
    assert outputs == {"gray.png": "gray.png", "cmyk.jpg": "cmyk.png", "alpha.webp": "alpha.png"} | {
        name: f"{name}.png" for name in of_one_stem
    }
    for name in kinds:
        crop, _ = read_png(tmp_path / "out" / outputs[name])
        assert np.array_equal(crop, np.asarray(photographs.read(root / name))), name


def test_a_second_run_does_what_is_new_or_has_changed(align, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    align(root, points)
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "b.png").unlink()  # not wanted
    picture((SIDE, SIDE), 77).save(root / "c.jpg")
    picture((SIDE, SIDE), 78).save(root / "e.jpg")
    points_file(points, ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"])
    rows = align(root, points)
    after = contents(tmp_path / "out")
    assert {name for name in before | after if before.get(name) != after.get(name)} == {
        "b.png",  # it stays away
        "c.png",
        "e.png",
        MANIFEST_FILE,
    }
    assert list(rows) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert after == (align(root, points), contents(tmp_path / "out"))[1]


def test_a_run_that_was_killed_goes_on(align, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg", "c.jpg"])
    align(root, points)
    whole = contents(tmp_path / "out")
    manifest = tmp_path / "out" / MANIFEST_FILE
    for kept in (0, 1, 2):  # whole lines, then half a one
        lines = whole[MANIFEST_FILE][0].splitlines(keepends=True)
        manifest.write_bytes(b"".join(lines[: 1 + kept]) + lines[1 + kept][:30])
        align(root, points)
        assert {name: data for name, (data, _) in contents(tmp_path / "out").items()} == {
            name: data for name, (data, _) in whole.items()
        }


def test_no_process_outlives_one_that_is_killed(tmp_path):
    root = tmp_path / "photographs"
    root.mkdir()
    picture((600, 600)).save(root / "000.jpg")
    for number in range(1, 300):
        shutil.copy(root / "000.jpg", root / f"{number:03d}.jpg")
    points = points_file(tmp_path / "points.csv", [f"{number:03d}.jpg" for number in range(300)])
    arguments = [f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={points}", "--processes=2"]
    process = subprocess.Popen([SCRIPT, "align", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(read_manifest(tmp_path / "out")) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    children = [int(number) for number in listed.stdout.split()]
    assert len(children) >= 2
    process.kill()
    process.wait()
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_folder_of_facezoo_0_1_is_gone_on_with_under_its_names(align, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg"])
    align(root, points)
    out, manifest = tmp_path / "out", tmp_path / "out" / MANIFEST_FILE
    manifest.write_text(manifest.read_text().replace(",a.png,", ",a.jpg.png,").replace(",b.png,", ",b.jpg.png,"))
    for name in "ab":
        (out / f"{name}.png").rename(out / f"{name}.jpg.png")
    picture((SIDE, SIDE), 77).save(root / "b.jpg")  # changed
    picture((SIDE, SIDE), 78).save(root / "a.png")
    picture((SIDE, SIDE), 79).save(root / "c.jpg")
    rows = align(root, points_file(points, ["a.jpg", "b.jpg", "a.png", "c.jpg"]))
    assert [row.output for row in rows.values()] == ["a.jpg.png", "a.png.png", "b.jpg.png", "c.png"]
    assert set(contents(out)) == {*(row.output for row in rows.values()), MANIFEST_FILE}


def test_a_photograph_that_comes_later_takes_no_crops_name(align, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg"])
    assert align(root, points)["a.jpg"].output == "a.png"
    picture((SIDE, SIDE), 78).save(root / "a.png")
    rows = align(root, points_file(points, ["a.jpg", "a.png"]))
    assert [row.output for row in rows.values()] == ["a.png", "a.png.png"]


def test_a_sheet_of_the_faces_lies_beside_the_folder(command, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg"])
    flags = (f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={points}", "--size=64", "--processes=1")
    done = command("align", *flags)
    sheet = tmp_path / "out-sheet.png"
    assert (done.code, str(sheet) in done.out) == (0, True)
    pixels, text = read_png(sheet)
    assert pixels.shape[1] == 8 * 96
    assert "faces of" in text["Description"]
    sheet.write_bytes(b"a letter")
    done = command("align", *flags)
    assert (done.code, sheet.read_bytes()) == (0, b"a letter")
    assert "is not drawn" in done.err


def test_a_file_that_is_not_ours_is_left_alone(align, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg"])
    align(root, points_file(tmp_path / "first.csv", ["a.jpg"]))
    theirs = tmp_path / "out" / "b.png"
    theirs.write_bytes(b"a letter")
    rows = align(root, points)  # what had no points is tried again
    assert theirs.read_bytes() == b"a letter"
    assert "in the crop's place" in rows["b.jpg"].reason
    theirs.unlink()
    assert align(root, points)["b.jpg"].output == "b.png"


def test_a_crop_goes_when_its_photograph_shows_no_face_any_more(align, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg"])
    align(root, points)
    truncate(root / "a.jpg")
    rows = align(root, points)
    assert "truncated" in rows["a.jpg"].reason
    assert set(contents(tmp_path / "out")) == {"b.png", MANIFEST_FILE}


def test_crops_of_another_folder_are_not_mixed_with_these(align, command, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg"])
    other, _ = photographs_with_points(tmp_path / "other", ["a.jpg"])
    align(root, points)
    before = contents(tmp_path / "out")
    done = command("align", f"--in={other}", f"--out={tmp_path / 'out'}", f"--landmarks={points}")
    assert_refused(done, f"holds crops of the pictures in {root}")
    assert contents(tmp_path / "out") == before


def test_two_do_not_write_into_one_folder(align, command, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg"])
    (tmp_path / "out").mkdir()
    with files.lock(tmp_path / "out" / "manifest.csv"):
        done = command("align", f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={points}")
        assert_refused(done, "another `facezoo align` writes there")
    assert align(root, points)["a.jpg"].output == "a.png"


@pytest.mark.parametrize("place", ["absolute", "above", "behind a link"])
def test_a_manifest_removes_nothing_outside_of_its_folder(align, command, tmp_path, place):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg"])
    align(root, points)
    theirs = tmp_path / "theirs" / "crop.png"
    theirs.parent.mkdir()
    shutil.copy(tmp_path / "out" / "a.png", theirs)
    (tmp_path / "out" / "link").symlink_to(theirs.parent)
    output = {"absolute": str(theirs), "above": "../theirs/crop.png", "behind a link": "link/crop.png"}[place]
    manifest = tmp_path / "out" / MANIFEST_FILE
    manifest.write_text(manifest.read_text().replace("a.png", output))
    (root / "a.jpg").unlink()
    picture((SIDE, SIDE), 5).save(root / "a.jpg", quality=50)
    done = command("align", f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={points}")
    if place == "behind a link":
        assert done.code == 0
    else:
        assert_refused(done, "row 2 is damaged", "its output leads out of the folder")
    assert theirs.exists()


def test_what_another_has_written_meanwhile_is_not_lost(align, command, tmp_path, monkeypatch):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg"])
    other, _ = photographs_with_points(tmp_path / "other", ["a.jpg"])
    look = crops.find_files

    def look_and_wait(folder):
        found = look(folder)
        monkeypatch.setattr(crops, "find_files", look)
        align(other, points)
        return found

    monkeypatch.setattr(crops, "find_files", look_and_wait)
    done = command("align", f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={points}")
    assert_refused(done, "another `facezoo align` has written there")
    assert [row.root for row in read_manifest(tmp_path / "out")] == [str(other)]


def stamp(path):
    return path.stat().st_size, path.stat().st_mtime_ns


def test_reasons_in_a_manifest_do_not_steer_the_terminal(align, command, tmp_path, monkeypatch):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg"])
    (root / "b.txt").write_text("dear")
    align(root, points)
    manifest = tmp_path / "out" / MANIFEST_FILE
    reason = next(row.reason for row in read_manifest(tmp_path / "out") if row.reason).partition(",")[0]
    assert f'"{reason},' in manifest.read_text()
    forged = f'"{reason}\nfacezoo: all is well{"x" * 3000},'
    manifest.write_text(manifest.read_text().replace(f'"{reason},', forged))
    monkeypatch.setattr(crops, "find_files", lambda folder: [Picture("a.jpg", *stamp(root / "a.jpg"))])
    done = command("align", f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={points}")
    assert done.code == 0
    assert "facezoo: all is well" not in done.out.splitlines()
    assert max(map(len, done.out.splitlines())) < 600


@pytest.mark.parametrize("limit", [1000, None])
def test_a_limit_of_seconds_goes_with_that_of_the_system(limit):
    code = "import resource\n" + (f"resource.setrlimit(resource.RLIMIT_CPU, ({limit}, {limit}))\n" if limit else "")
    code += "from facezoo.experiments.processes import limit_seconds\nlimit_seconds(10**6)\n"
    code += "print(resource.getrlimit(resource.RLIMIT_CPU)[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == (limit or 10**6)


def test_a_crop_is_not_written_through_a_link(align, command, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a/a.jpg", "b.jpg"])
    (tmp_path / "theirs").mkdir()
    align(root, points)
    shutil.rmtree(tmp_path / "out" / "a")
    (tmp_path / "out" / "a").symlink_to(tmp_path / "theirs")
    picture((SIDE, SIDE), 5).save(root / "a" / "a.jpg", quality=50)
    done = command("align", f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={points}")
    assert done.code == 0
    assert list((tmp_path / "theirs").iterdir()) == []
    assert "something else is in the crop's place" in (tmp_path / "out" / MANIFEST_FILE).read_text()


def test_landmarks_of_photographs_are_not_taken_for_those_of_their_crops(align, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg"])
    align(root, points)
    with pytest.raises(DatasetError, match="has no row for 2 of 2 pictures"):
        folder("all", data_dir=tmp_path / "out", landmarks=points)


def test_files_without_a_face_are_listed_with_the_reason(align, tmp_path):
    names = ["good.jpg", "cut.jpg", "far.jpg"]
    root, points = photographs_with_points(tmp_path / "photographs", names)
    truncate(root / "cut.jpg")
    (root / "notes.txt").write_text("dear")
    (root / "nothing.png").touch()
    (root / "dangling.jpg").symlink_to(root / "nowhere.jpg")
    picture((SIDE, SIDE)).save(root / "unknown.png")
    picture((2, 2)).save(root / "far.jpg")
    rows = align(root, points)
    reasons = {name: row.reason for name, row in rows.items()}
    assert reasons.pop("good.jpg") == ""
    assert "truncated" in reasons.pop("cut.jpg")
    assert "no such file" in reasons.pop("dangling.jpg")
    assert reasons == {
        "far.jpg": "its points lie outside of the picture, or as good as in one place",
        "notes.txt": NO_PICTURE,
        "nothing.png": "empty file",
        "unknown.png": "no landmarks are given for it",
    }
    picture((SIDE, SIDE)).save(root / "nowhere.jpg")  # what could not be opened is tried again
    points_file(points, [*names, "dangling.jpg"])
    assert align(root, points)["dangling.jpg"].output == "dangling.png"


def test_the_most_frequent_reasons_are_told(command, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["good.jpg"])
    for name in ("a.txt", "b.txt", "c.txt"):
        (root / name).write_text("dear")
    (root / "nothing.png").touch()
    done = command("align", f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={points}", "--processes=1")
    reasons = f"3: {NO_PICTURE}; 1: empty file; see manifest.csv"
    assert done.out == f"{tmp_path / 'out'}: 1 faces, 4 without ({reasons})\n{tmp_path / 'out-sheet.png'}\n"


def test_without_any_face_the_exit_code_is_2_and_the_manifest_tells_why(command, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg"])
    truncate(root / "a.jpg", root / "b.jpg")
    done = command("align", f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={points}", "--processes=1")
    assert_refused(done, "no face in any of 2 files", "a.jpg", "truncated", MANIFEST_FILE)
    assert [row.source for row in read_manifest(tmp_path / "out")] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    "damaged", ["celeba,0.25,0", "cel,0.25,128", "celeba,nan,128", "celeba,-0.5,128", "celeba,128"]
)
def test_a_damaged_manifest_is_named_with_its_row(tmp_path, damaged):
    manifest = folder_of_crops(tmp_path / "crops") / MANIFEST_FILE
    header, row = manifest.read_text().splitlines()
    assert "celeba,0.25,128" in row
    manifest.write_text("\n".join([header, row, row.replace("celeba,0.25,128", damaged), row]))
    with pytest.raises(DatasetError, match=r"manifest\.csv, row 3 is damaged: "):
        read_manifest(manifest.parent)


def test_names_of_any_bytes_are_kept(align, tmp_path):
    strange = os.fsdecode(b'caf\xe9, "new"\nline\r.png')
    root, points = photographs_with_points(tmp_path / "photographs", ["plain.png"])
    picture((SIDE, SIDE)).save(root / "plain.png")
    shutil.copy(root / "plain.png", root / strange)
    rows = align(root, points)
    assert rows[strange].reason == "no landmarks are given for it"
    assert list(align(root, points)) == sorted(["plain.png", strange])


def test_a_name_as_long_as_names_may_be_stops_nothing(align, tmp_path):
    long_name = "ü" * 125 + ".jpg"  # 254 bytes
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg"])
    shutil.copy(root / "a.jpg", root / long_name)
    rows = align(root, points_file(points, ["a.jpg", "b.jpg", long_name]))
    output = rows[long_name].output
    assert output.endswith(".png")
    assert len(os.fsencode(output)) <= 255
    assert (tmp_path / "out" / output).is_file()
    assert rows["b.jpg"].output == "b.png"


def test_points_of_a_photograph_are_found_under_its_name_in_other_letters(align, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg"])
    points.write_text(points.read_text().replace("a.jpg", "A.JPG"))
    assert align(root, points)["a.jpg"].output == "a.png"


def test_crops_train_with_their_landmarks_and_labels(align, command, tmp_path):
    names = [f"{number:03d}.jpg" for number in range(40)]
    root, points = photographs_with_points(tmp_path / "photographs", names)
    align(root, points, "--margin=0.25")
    (tmp_path / "labels.csv").write_text("file,smiling\n" + "".join(f"{name},{int(name[2]) % 2}\n" for name in names))
    source = folder("all", data_dir=tmp_path / "out", image_size=32, labels=tmp_path / "labels.csv")
    batch = source.load(np.arange(40))
    assert source.landmark_names == POINT_NAMES
    np.testing.assert_allclose(batch["landmarks"], np.stack([template_points(margin=0.25)] * 40), atol=1e-3)
    assert batch["attributes"][:4, 0].tolist() == [0, 1, 0, 1]
    run = [f"--run_dir={tmp_path / 'run'}", "--model=cae", "--set=filters=4,4", "--image_size=32", "--batch_size=4"]
    flags = ["--dataset=folder", f"--data_dir={tmp_path / 'out'}", "--landmark_factor=1", "--flip", "--epochs=1"]
    done = command("train", *run, *flags, "--steps_per_epoch=2", "--validation_steps=1")
    assert done.code == 0, done.err


def test_a_picture_that_was_put_among_the_crops_is_warned_of(align, tmp_path, caplog):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg"])
    align(root, points)
    picture((SIDE, SIDE)).save(tmp_path / "out" / "stranger.png")
    assert folder("all", data_dir=tmp_path / "out").landmark_names == ()
    assert "does not speak of 1 of 3 pictures, the first is stranger.png" in caplog.text


def test_a_folder_may_hold_another_manifest(tmp_path, caplog):
    root, _ = photographs_with_points(tmp_path / "photographs", ["a.jpg"])
    (root / MANIFEST_FILE).write_text("box,shelf\n1,2\n")
    assert len(folder("all", data_dir=root)) == 1
    assert "is not the manifest of `facezoo align`" in caplog.text


# Bad input.


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--in={root}"], ["--out", "is required"]),
        (["--in={root}/no", "--out=o"], ["--in=", "not there"]),
        (["--in={root}/a.jpg", "--out=o"], ["--in=", "not a folder"]),
        (["--in={root}/empty", "--out=o"], ["holds no files"]),
        (["--in={root}", "--out={root}/crops"], ["--out=", "lies in --in="]),
        (["--in={root}", "--out={root}/a.jpg"], ["is a file"]),
        (["--in={root}", "--out={root}/../full"], ["no manifest.csv of an earlier run"]),
        (["--in={root}", "--out={root}/../foreign"], ["not the manifest of `facezoo align`"]),
        (["--in={root}", "--out=o", "--size=8"], ["--size", "at least 16"]),
        (["--in={root}", "--out=o", "--margin=-1"], ["--margin"]),
        (["--in={root}", "--out=o", "--template=mine"], ["--template", "facezoo|celeba"]),
        (["--in={root}", "--out=o", "--faces=two"], ["--faces", "largest|all"]),
        (["--in={root}", "--out=o", "--processes=0"], ["--processes"]),
        (["--in={root}", "--out=o", "--landmarks={root}/no.csv"], ["no.csv", "No such file"]),
        (["--in={root}", "--out=o", "--landmarks={root}/../attributes.csv"], ["has no column left_eye_x"]),
        (["--in={root}", "--out=o", "--landmarks={root}/../letters.csv"], ["line 2", "10 numbers"]),
    ],
    ids=lambda value: " ".join(value)[:60],
)
def test_bad_input_is_refused(command, tmp_path, flags, words):
    root, _ = photographs_with_points(tmp_path / "photographs", ["a.jpg"])
    (root / "empty").mkdir()
    for name, file, text in [("full", "letter.txt", "dear"), ("foreign", MANIFEST_FILE, "a,b\n1,2\n")]:
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    (tmp_path / "attributes.csv").write_text("file,smiling\na.jpg,1\n")
    columns = ",".join(f"{name}_{axis}" for name in POINT_NAMES for axis in "xy")
    (tmp_path / "letters.csv").write_text(f"file,{columns}\na.jpg,{','.join('abcdefghij')}\n")
    assert_refused(command("align", *(flag.format(root=root) for flag in flags)), *words)


@pytest.mark.parametrize("flag", ["--size=32", "--template=celeba", "--margin=0.1", "--faces=all"])
def test_crops_of_another_kind_are_not_mixed_with_these(align, command, tmp_path, flag):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg"])
    align(root, points)
    before = contents(tmp_path / "out")
    done = command("align", f"--in={root}", f"--out={tmp_path / 'out'}", f"--landmarks={points}", flag)
    assert_refused(done, "--template=facezoo --margin=0 --size=128 --faces=largest")
    assert contents(tmp_path / "out") == before


# Whatever a file does to a process.


def test_a_file_that_kills_its_process_is_named_and_the_others_are_done(tmp_path):
    names = ["0.png", "1.png", "deadly.png", "3.png", "4.png", "5.png"]
    root, _ = photographs_with_points(tmp_path / "photographs", names)
    aligner = Deadly(root, tmp_path / "out", Cut(), dict.fromkeys(names, GIVEN))
    (tmp_path / "out").mkdir()
    rows = [row for new in align_in_processes(aligner, find_files(root), 2) for row in new]
    assert sorted(row.source for row in rows) == sorted(names)
    assert {row.source: row.reason for row in rows if row.reason} == {"deadly.png": DEADLY}
    assert len(list((tmp_path / "out").iterdir())) == 5


def encoded(kind, number, **options):
    file = io.BytesIO()
    picture((SIDE, SIDE), number).save(file, kind, **options)
    return file.getvalue()


def png_of_zeros(width, height, num_rows):
    """A PNG file that claims a size and holds some rows of zeros, strongly compressed."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes((1 + 3 * width) * num_rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def damaged_file(number):
    """One of many damaged pictures: its name, its bytes."""
    numbers = np.random.default_rng(number)
    kind = ("JPEG", "PNG", "WEBP", "GIF")[number % 4]
    data = bytearray(encoded(kind, number))
    ways = ("cut", "flipped", "empty", "foreign", "huge", "random", "swollen")
    way = ways[number // 4 % len(ways)]
    if way == "cut":
        del data[int(numbers.integers(1, len(data))) :]
    elif way == "flipped":
        for place in numbers.integers(0, len(data), 12):
            data[place] ^= 1 << int(numbers.integers(8))
    elif way == "empty":
        data = bytearray()
    elif way == "random":
        data = bytearray(numbers.bytes(500))
    elif way == "huge":
        data = bytearray(png_of_zeros(*numbers.integers(20_000, 2**31 - 1, 2).tolist(), 0))
    elif way == "swollen":  # a small file, a large picture
        data = bytearray(png_of_zeros(9_000 + number, 2_000, 2_000))
    suffix = ("txt", "jpg", "tar.gz", "jpg.exe")[number % 4] if way == "foreign" else kind.lower()
    return f"{way}/{number:04d}.{suffix}", bytes(data)


def align_damaged_files(count, command, tmp_path):
    root = tmp_path / "photographs"
    names = []
    for name, data in map(damaged_file, range(count)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        names.append(name)
    points = points_file(tmp_path / "points.csv", names)
    out = tmp_path / "out"
    done = command("align", f"--in={root}", f"--out={out}", f"--landmarks={points}")
    assert done.code == 0, done.err
    rows = read_manifest(out)
    assert sorted(row.source for row in rows) == sorted(names)
    assert all(bool(row.output) != bool(row.reason) for row in rows)
    assert all(row.output for row in rows if row.source.startswith("foreign"))  # an ending says nothing
    assert not any(row.output for row in rows if row.source.split("/")[0] in ("empty", "huge", "random"))
    left = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert left == {MANIFEST_FILE, *(row.output for row in rows if row.output)}


def test_damaged_files_are_all_listed(command, tmp_path):
    align_damaged_files(84, command, tmp_path)


@pytest.mark.long
def test_a_thousand_damaged_files_are_all_listed_in_bounded_memory(command, tmp_path):
    align_damaged_files(1_000, command, tmp_path)
    import resource

    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1.5e6  # kilobytes; Pillow and a 54 MB picture


def test_the_manifest_speaks_of_points_as_a_file_of_landmarks_does(align, tmp_path):
    root, points = photographs_with_points(tmp_path / "photographs", ["a.jpg", "b.jpg"])
    first = align(root, points)
    Path(tmp_path / "out").rename(tmp_path / "first")
    again = align(root, tmp_path / "first" / MANIFEST_FILE)
    np.testing.assert_allclose(again["b.jpg"].points, first["b.jpg"].points, atol=0.01)
