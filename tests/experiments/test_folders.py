"""Folders that commands make, and results whose places fail."""

import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest
from facezoo.experiments.errors import UsageError
from facezoo.experiments.folders import save_sheet, saved_elsewhere


def write(path):
    """Fails as on a disk that is full, but in the folder for temporary files."""
    if "facezoo-" not in path.parent.name:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    path.write_text("found")


def test_a_result_whose_place_fails_is_kept_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        pytest.raises(UsageError, match="No space left on device; what was found is in") as refused,
        saved_elsewhere(tmp_path / "codes.npz") as result,
    ):
        result.save(tmp_path / "codes.npz", write)
    place = Path(re.search(r"is in (\S+): move it", str(refused.value))[1])
    assert place.read_text() == "found"
    assert place.name == "codes.npz"


def test_a_name_that_is_taken_meanwhile_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(UsageError, match="has come to be there"), saved_elsewhere(tmp_path / "a") as result:
        result.save(tmp_path / "b", lambda path: path.write_text("found"))
        raise FileExistsError("a has come to be there meanwhile")
    assert [path.read_text() for path in tmp_path.glob("facezoo-*/a")] == ["found"]


def test_where_nothing_can_be_kept_it_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def write_nowhere(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UsageError, match="choose a place on another disk"), saved_elsewhere(tmp_path / "a") as result:
        result.save(tmp_path / "a", write_nowhere)
    with pytest.raises(PermissionError), saved_elsewhere(tmp_path / "a"):
        raise PermissionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("folder", "sheet"), [("crops", "crops-sheet.png"), (".", "../here-sheet.png")])
def test_a_sheet_lies_beside_its_folder_whatever_that_is_called(tmp_path, monkeypatch, folder, sheet):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    save_sheet(Path(folder), np.zeros((1, 8, 8, 3)), ["one"], "a test")
    assert Path(sheet).is_file()
