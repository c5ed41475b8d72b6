"""Names from files and models reach the terminal escaped and shortened, whatever they hold."""

import errno
import io

import numpy as np
import pytest
from command_line import VAE_FLAGS, picture
from facezoo.datasets.source import DatasetError
from facezoo.experiments.errors import UsageError
from facezoo.experiments.terminal import (
    MAKE_ROOM,
    MOST_CHARACTERS,
    MOST_LINES,
    PrintableStream,
    find_message,
    printable,
)

NASTY = "a\x1b[2J\x1b[1;1Hb\rc\nfacezoo: all is well\x9b31m\u202egpj.\u2028"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Größe 大きさ é", "Größe 大きさ é"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202eabc", "\\u202eabc"),
        ("\udcff", "\\udcff"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\x9b", "\\x9b"),
    ],
)
def test_what_has_no_shape_is_written_out(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("kind", [UsageError, DatasetError, ValueError])
def test_a_message_is_one_line_whatever_its_names_hold(kind):
    shown = find_message(kind(f"{NASTY}: damaged"))
    assert "\n" not in shown
    assert printable(shown) == shown
    assert len(find_message(kind("x" * 10**6))) <= MOST_CHARACTERS


def test_an_error_of_the_system_comes_without_its_number(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        (tmp_path / "a\x1b").read_text()
    assert find_message(missing.value) == f"{tmp_path}/a\\x1b: No such file or directory"
    full = OSError(errno.ENOSPC, "No space left on device", "a.png")
    assert find_message(full) == f"a.png: No space left on device; {MAKE_ROOM}"
    assert find_message(OSError("in words")) == "in words"


def test_a_message_has_its_own_lines_and_not_many():
    assert find_message(UsageError("one", "two\nthree")) == "one\ntwo\\nthree"
    assert str(DatasetError("one", "two")) == "one\ntwo"
    assert len(find_message(UsageError(*["x"] * 50)).splitlines()) == MOST_LINES


def test_a_stream_passes_lines_on_and_escapes_the_rest():
    stream = io.StringIO()
    print(NASTY, file=PrintableStream(stream))
    assert (
        stream.getvalue()
        == NASTY.translate({0x1B: "\\x1b", 0x0D: "\\r", 0x9B: "\\x9b", 0x202E: "\\u202e", 0x2028: "\\u2028"}) + "\n"
    )


def test_names_of_files_do_not_steer_the_terminal(command, tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    (folder / f"{NASTY.replace('/', '')}.jpg").write_text("dear")
    done = command("train", *VAE_FLAGS, "--dataset=folder", f"--data_dir={folder}", "--run_dir=new")
    assert done.code == 2
    assert not set("\x1b\r\x9b\u202e\u2028") & set(done.err)
    assert [line for line in done.err.splitlines() if line.startswith("facezoo:")] == [done.err.splitlines()[0]]


def test_a_warning_does_not_either(command, tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(30):
        picture((20, 20), number).save(folder / f"{number}.jpg")
    (folder / f"{NASTY.replace('/', '')}.jpg").write_text("dear")
    done = command("pack", f"--in={folder}", f"--out={tmp_path / 'pack'}", "--size=16")
    assert done.code == 0, done.err
    assert "leaving out 1 of 31" in done.err
    assert not set("\x1b\x9b\u202e\u2028") & set(done.err)
    assert done.err.count("\n") == 1


def test_names_in_a_model_s_vectors_are_shown_escaped(command, finished, tmp_path):
    done = command("attributes", f"--run_dir={finished}", "--count=64", f"--out={tmp_path / 'vectors.npz'}")
    assert done.code == 0
    with np.load(tmp_path / "vectors.npz") as arrays:
        changed = {key: arrays[key] for key in arrays.files}
    changed["names"] = np.array([NASTY, *changed["names"][1:]])
    np.savez(tmp_path / "vectors.npz", **changed)
    flags = f"--image=test:0 --attribute=smilin --vectors={tmp_path / 'vectors.npz'} --out=new".split()
    done = command("edit", f"--run_dir={finished}", *flags)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert not set("\x1b\r\x9b\u202e\u2028") & set(done.err)
