"""A run's codes are found once: `attributes`, `sample` and `analyse` read what one of them has kept."""

import numpy as np
import pytest
from facezoo.experiments.codes import kept
from facezoo.experiments.codes.encoding import encode_source
from facezoo.experiments.codes.kept import CodeKeeper
from facezoo.experiments.runs.run import open_run


@pytest.fixture
def opened(copied):
    return open_run(copied)


class Counting:
    """A model that counts the pictures which it encodes."""

    def __init__(self, model):
        self.model, self.count = model, 0

    def __getattr__(self, name):
        return getattr(self.model, name)

    def encode(self, images):
        self.count += len(images)
        return self.model.encode(images)


def files_in(folder):
    return sorted((folder / "codes").glob("*.npz"))


def test_codes_are_kept_and_read_and_gone_on_with(opened, model):
    source, keeper, counting = opened.source("train"), CodeKeeper(opened), Counting(model)
    first = encode_source(counting, source, ("attributes",), 100, keeper=keeper)
    assert counting.count == 100
    more = encode_source(counting, source, (), 130, keeper=keeper)
    assert counting.count == 130
    fewer = encode_source(counting, source, ("attributes",), 70, keeper=CodeKeeper(opened))
    assert counting.count == 130
    assert len(files_in(opened.folder)) == 1
    assert np.array_equal(first["codes"], more["codes"][:100])
    assert np.array_equal(fewer["codes"], first["codes"][:70])
    assert np.array_equal(fewer["attributes"], first["attributes"][:70])


@pytest.mark.parametrize("how", ["model", "pictures", "damage", "interim"])
def test_codes_of_another_state_are_not_read(opened, model, how, monkeypatch):
    source, keeper = opened.source("train"), CodeKeeper(opened)
    encode_source(model, source, (), 70, keeper=keeper)
    if how == "model":
        keeper.model_hash = "another"
    elif how == "interim":
        monkeypatch.setattr(keeper, "_state", "interim")
    elif how == "pictures":
        source = opened.source("train", {"dataset": "procedural_people"})
    else:
        [file] = files_in(opened.folder)
        file.write_bytes(file.read_bytes()[:-100])
    assert keeper.find(source, is_told=False) == {}


def test_codes_take_no_more_room_than_they_may(opened, model, monkeypatch):
    source, keeper = opened.source("train"), CodeKeeper(opened)
    encode_source(model, source, (), 70, keeper=keeper)
    [oldest] = files_in(opened.folder)
    monkeypatch.setattr(kept, "MOST_FOLDER_BYTES", oldest.stat().st_size)
    encode_source(model, opened.source("test"), (), 70, keeper=keeper)
    assert len(files_in(opened.folder)) == 1
    assert not oldest.exists()
    monkeypatch.setattr(kept, "MOST_BYTES", 100)
    encode_source(model, opened.source("validation"), (), 70, keeper=keeper)
    assert len(files_in(opened.folder)) == 1


def test_a_run_that_may_only_be_read_gives_codes_all_the_same(opened, model):
    (opened.folder / "codes").write_text("a file in the folder's place")
    assert len(encode_source(model, opened.source("train"), (), 70, keeper=CodeKeeper(opened))["codes"]) == 70


def test_commands_say_what_they_read(command, copied):
    first = command("sample", f"--run_dir={copied}", "--count=2", "--fit_count=80", "--components=1")
    assert (first.code, "Encoding 80 faces" in first.err) == (0, True)
    second = command("attributes", f"--run_dir={copied}", "--count=80")
    [file] = files_in(copied)
    assert (second.code, f"codes of 80 faces of procedural_faces/train read from {file}" in second.err) == (0, True)
    third = command("sample", f"--run_dir={copied}", "--count=2", "--fit_count=80", "--components=1", "--out=again")
    assert third.code == 0
    for name in ("000000.png", "000001.png"):
        assert (copied / "samples" / name).read_bytes() == (copied.parent / "here" / "again" / name).read_bytes()


def test_an_analysis_reads_what_an_analysis_has_kept(command, copied):
    flags = (f"--run_dir={copied}", "--count=70", "--nodisentanglement")
    assert command("analyse", *flags).code == 0
    again = command("analyse", *flags, f"--out={copied}/again")
    assert (again.code, "read from" in again.err) == (0, True)
    assert (copied / "analysis/analysis.json").read_text() == (copied / "again/analysis.json").read_text()


def test_a_model_without_a_run_keeps_its_codes_in_the_users_cache(copied, empty_folder, tmp_path, model):
    (copied / "model.keras").rename(tmp_path / "alone.keras")
    opened = open_run(tmp_path / "alone.keras")
    encode_source(model, opened.source("train", {"dataset": "procedural_faces"}), (), 70, keeper=CodeKeeper(opened))
    assert len(files_in(tmp_path / "cache")) == 1
