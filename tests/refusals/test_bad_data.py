"""What data gets that is missing, damaged or out of reach."""

import os
import socket
import struct
import time
import zlib

import pytest
from command_line import CAE_FLAGS, assert_refused, photographs_in, started, truncate

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_a_data_folder_that_is_not_there_or_empty_is_named(command, tmp_path):
    (tmp_path / "empty").mkdir()
    flags = ("train", "--dataset=folder")
    assert_refused(command(*flags, f"--data_dir={tmp_path / 'nowhere'}"), "data_dir", "nowhere")
    assert_refused(command(*flags, f"--data_dir={tmp_path / 'empty'}"), "no pictures", "empty", "JPEG")


def test_text_files_called_jpg_are_no_pictures(command, tmp_path):
    for number in range(12):
        (tmp_path / f"letter_{number:02d}.jpg").write_text("dear")
    done = command("train", "--dataset=folder", f"--data_dir={tmp_path}")
    assert_refused(done, "12 of 12", "letter_00.jpg", "letter_04.jpg", "and 7 more", "not a JPEG")


def test_a_folder_whose_name_is_no_text_is_refused(command, tmp_path, empty_folder):
    folder = photographs_in(tmp_path / os.fsdecode(b"t\xeates"), 12, size=(32, 32))
    done = command("train", *CAE_FLAGS, "--dataset=folder", f"--data_dir={folder}", "--batch_size=4", "--run_dir=run")
    assert_refused(done, "--data_dir=", "not UTF-8")
    assert not (empty_folder / "run").exists()


def test_half_of_the_files_truncated_is_refused_with_the_count(command, tmp_path):
    folder = photographs_in(tmp_path / "photographs", 20)
    truncate(*sorted(folder.iterdir())[::2])
    done = command("train", "--dataset=folder", f"--data_dir={folder}")
    assert_refused(done, "10 of 20", "000.jpg", "008.jpg", "and 5 more")
    assert len(list(folder.iterdir())) == 20


def test_too_few_pictures_for_a_batch_are_refused(command, tmp_path):
    folder = photographs_in(tmp_path / "photographs", 40)
    assert_refused(command("train", "--dataset=folder", f"--data_dir={folder}"), "folder/train", "--batch_size")


def huge_png(width=20_000, height=6_000):
    """A PNG's beginning: its header alone says that it has more than 100 megapixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    first_chunk = struct.pack(">I", len(header)) + b"IHDR" + header + checksum
    return b"\x89PNG\r\n\x1a\n" + first_chunk + struct.pack(">I", 0) + b"IDAT"


def test_three_damaged_files_among_two_hundred_are_one_warning(tmp_path):
    folder = photographs_in(tmp_path / "photographs", 200)
    truncate(folder / "007.jpg")
    (folder / "050.jpg").write_text("dear")
    (folder / "123.jpg").write_bytes(huge_png())
    flags = (*CAE_FLAGS, "--dataset=folder", f"--data_dir={folder}", f"--run_dir={tmp_path / 'run'}")
    done = started("train", *flags)
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "leaving out" in line]
    assert len(warnings) == 1
    for word in ("3 of 200", "007.jpg", "050.jpg", "123.jpg", "megapixels"):
        assert word in warnings[0]
    assert (tmp_path / "run" / "model.keras").is_file()
    assert "WARNING" not in done.stderr.replace(warnings[0], "")


@pytest.mark.parametrize("name", ["celeb_a", "lfw", "mnist"])
def test_data_that_cannot_be_had_is_told_within_ten_seconds(tmp_path, name):
    with socket.socket() as closed:  # a proxy that refuses: no network, wherever this runs
        closed.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
        start = time.monotonic()
        done = started(
            "train",
            f"--dataset={name}",
            f"--data_dir={tmp_path / 'tfds'}",
            HTTPS_PROXY=proxy,
            HTTP_PROXY=proxy,
            https_proxy=proxy,
            http_proxy=proxy,
        )
        seconds = time.monotonic() - start
    assert_refused(done, name, "data_dir", "cannot be reached")
    assert seconds < 10
    assert not (tmp_path / "tfds").exists()
