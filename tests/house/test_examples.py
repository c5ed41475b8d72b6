"""Examples of the commands: those of their help, and those of the documents, are such as the commands take."""

import re
import shlex

import pytest
from facezoo.experiments import cli
from facezoo.experiments.codes.measure_names import chosen
from facezoo.experiments.examples import GUIDES
from facezoo.experiments.flags.groups import DataSettings
from facezoo.experiments.flags.kinds import read
from facezoo.experiments.flags.sources import check_data_flags
from shipped import ROOT

PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "experiments" / "recipes").glob("*.flags")]
ELSEWHERE = re.compile(r"[<>$*|]|[.]{3}")  # what a shell fills in, or a reader


def check(line):
    """Parses a command line as `facezoo` does, and of `launch` what it starts."""
    program, name, *arguments = shlex.split(line)
    assert program == "facezoo"
    if {"--help", "-h"} & set(arguments):
        assert name in cli.COMMANDS or name.startswith("<")
        return
    values = cli.parse_command(name, arguments)
    if name == "train":
        check_data_flags(read(values, DataSettings))
    if name == "evaluate" and values.metrics:
        chosen(values.metrics, values.what)
    if "--" in arguments:
        check(shlex.join(["facezoo", *arguments[arguments.index("--") + 1 :]]))


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_ends_in_two_examples_that_can_be_given_and_a_page(command, name):
    guide = GUIDES[name]
    assert len({example.line for example in guide.examples}) == 2
    for example in guide.examples:
        assert example.line.split()[:2] == ["facezoo", name]
        check(example.line)
    help_lines = command(name, "--help").out.splitlines()
    assert help_lines[-1] == f"docs/{guide.page}.md tells more."
    assert [line.strip() for line in help_lines if line.startswith("  facezoo ")] == [
        example.line for example in guide.examples
    ]
    assert f"facezoo {name}" in (ROOT / "docs" / f"{guide.page}.md").read_text("utf-8")


def _as_block(found):
    """The command at the head of a recipe, without what is said of it, as pages show commands."""
    line = found[1].rstrip() + re.sub(r"\n?#", " ", "\n" + found[2])
    return f"```sh\n{re.sub(r' [(][^)]*[)]', '', line)}\n```\n"


def lines_of(page):
    """The command lines of facezoo's on a page, without what a shell does with them."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    if page.suffix == ".flags":
        text = re.sub(r"# Command: (.*\n)((?:#  +.*\n)*)", _as_block, text)
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        for line in re.split(r"\n|&&|;", block):
            line = re.sub(r"\s+#.*", "", line).strip()
            if line.startswith("facezoo ") and not ELSEWHERE.search(line):
                yield line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_command_lines_of_the_documents_can_be_given(page):
    wrong = {}
    for line in lines_of(page):
        try:
            check(line)
        except Exception as error:
            wrong[line] = str(error)
    assert wrong == {}


def test_there_are_command_lines_to_look_at():
    assert len([line for page in PAGES for line in lines_of(page)]) > 40
