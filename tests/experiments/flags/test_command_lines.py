"""Command lines as their flags have them: words without names, files of flags, home folders."""

import pytest
from facezoo.experiments import cli

THREE = ("a.jpg", "b.jpg", "c.jpg")


@pytest.mark.parametrize(
    ("line", "name", "items", "other"),
    [
        ("make-morph a.jpg b.jpg --out film.mp4", "photograph", ["a.jpg", "b.jpg"], ("out", "film.mp4")),
        ("make-morph a.jpg --out f.mp4 b.jpg --closed c.jpg", "photograph", [*THREE], ("closed", True)),
        ("compare a b --out=side", "run", ["a", "b"], ("out", "side")),
        ("make-morph a.jpg b.jpg c.jpg --flagfile FILE", "photograph", [*THREE], ("out", "film.mp4")),
        ("studio photographs --out studio", "in", ["photographs"], ("out", "studio")),
    ],
)
def test_words_are_items_unless_a_flag_before_waits_for_its_value(line, name, items, other, tmp_path):
    (tmp_path / "film.flags").write_text("--out=film.mp4\n")
    command, *arguments = line.replace("FILE", str(tmp_path / "film.flags")).split()
    values = cli.parse_command(command, arguments)
    assert values[name].value == items
    assert values[other[0]].value == other[1]


def test_a_file_may_hold_flags_that_a_command_cannot_do_without(tmp_path):
    (tmp_path / "pack.flags").write_text("--in=CROPS\n--out=PACK\n--size=32\n")
    values = cli.parse_command("pack", [f"--flagfile={tmp_path / 'pack.flags'}"])
    assert (values["in"].value, values["out"].value) == ("CROPS", "PACK")
    assert values["size"].present


@pytest.mark.parametrize(
    ("command", "arguments", "flag"),
    [
        ("compare", ["~/a", "b", "--out=~/c"], "run"),
        ("make-morph", ["~/a.jpg", "b.jpg", "--out=~/c"], "photograph"),
        ("studio", ["~/a", "--out=~/c"], "in"),
        ("morph", ["--start=~/s.jpg", "--end=e.jpg", "--through=~/t.jpg", "--out=~/c"], "through"),
    ],
)
def test_a_tilde_is_the_home_folder(monkeypatch, command, arguments, flag):
    monkeypatch.setenv("HOME", "/home/ann")
    values = cli.parse_command(command, arguments)
    assert values[flag].value[0].startswith("/home/ann/")
    assert values["out"].value == "/home/ann/c"


def test_a_file_of_flags_in_the_home_folder_of_nobody_is_refused_in_a_line():
    with pytest.raises(cli.UsageError, match="no such file"):
        cli.parse_command("pack", ["--flagfile=~nobody-here/x.flags"])
