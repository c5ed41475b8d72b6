"""What the documents show: doctests hold, links lead somewhere, the README is one screen or two."""

import doctest
import importlib
import re
from pathlib import Path

import facezoo
import pytest

ROOT = Path(facezoo.__file__).parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
DOCTESTS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("datasets", "experiments", "latents", "losses", "metrics", "models", "pictures", "compressing")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("name", DOCTESTS)
def test_examples_in_docstrings_hold(name):
    found = doctest.testmod(importlib.import_module(f"facezoo.{name}"))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("folder", ["models", "losses"])
def test_every_public_class_and_function_has_an_example(folder):
    package = importlib.import_module(f"facezoo.{folder}")
    public = {name: getattr(package, name) for name in package.__all__}
    without = [name for name, thing in public.items() if callable(thing) and ">>> " not in (thing.__doc__ or "")]
    assert without == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL)  # code is no link
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            path, _, anchor = target.partition("#")
            there = page if not path else page.parent / path
            assert there.exists(), target
            if anchor:
                heads = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), flags=re.MULTILINE)
                assert anchor in [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads], target


def test_the_readme_is_short_and_leads_to_every_page():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) <= 120
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert {page for page in pages if f"({page})" not in readme} == set()


def test_every_command_stands_in_the_table_of_commands():
    from facezoo.experiments.cli import COMMANDS

    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"| `facezoo {name}` |" not in page] == []


def test_every_page_is_on_the_site():
    told = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert [page.name for page in sorted((ROOT / "docs").glob("*.md")) if f"- {page.name}\n" not in told] == []
