"""Photographs from others are read in processes that end in time."""

import io
import threading
import time

import numpy as np
import pytest
from command_line import picture
from facezoo.datasets import photographs
from facezoo.datasets.photographs import DamagedPictureError
from facezoo.datasets.reader_process import ReaderProcess


def test_it_reads_what_is_read_here(tmp_path):
    picture((40, 30)).save(tmp_path / "a.jpg")
    here = np.asarray(photographs.read(tmp_path / "a.jpg"))
    reader = ReaderProcess()
    assert (np.asarray(reader.read(tmp_path / "a.jpg")) == here).all()
    assert (np.asarray(reader.read(io.BytesIO((tmp_path / "a.jpg").read_bytes()))) == here).all()


def test_what_is_wrong_is_told_as_here(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"dear")
    for file, reason in (
        (tmp_path / "a.jpg", "not a JPEG"),
        (tmp_path / "b.jpg", "no such file"),
        (tmp_path, "is a dir"),
    ):
        with pytest.raises(DamagedPictureError, match=reason):
            ReaderProcess().read(file)
    picture((40, 30)).save(tmp_path / "c.jpg")
    with pytest.raises(DamagedPictureError, match="more than 0 megapixels"):
        ReaderProcess().read(tmp_path / "c.jpg", max_pixels=100)


def test_one_that_takes_very_long_is_ended(tmp_path):
    picture((40, 30)).save(tmp_path / "a.png")
    with pytest.raises(DamagedPictureError, match=r"more than 0\.001 seconds"):
        ReaderProcess(0.001).read(tmp_path / "a.png")


def test_those_that_read_end_when_it_is_closed(tmp_path):
    picture((40, 30)).save(tmp_path / "a.png")
    reader, found = ReaderProcess(), []

    def read():
        with pytest.raises(DamagedPictureError, match="died"):
            reader.read(tmp_path / "a.png")
        found.append("died")

    thread = threading.Thread(target=read)
    thread.start()
    while not reader._running and thread.is_alive():
        time.sleep(0.001)
    reader.close()
    thread.join(20)
    assert found == ["died"]
