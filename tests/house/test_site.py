"""The site's pages that are made of what the code says; tests/processes builds the site."""

import json
import runpy

import pytest
from facezoo.experiments import cli
from facezoo.experiments.commands.models import list_models
from shipped import ROOT

pytest.importorskip("mkdocs")


@pytest.fixture(scope="module")
def site():
    return runpy.run_path(str(ROOT / "docs" / "site_pages.py"))


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_s_page_has_all_its_flags_and_both_examples(site, name):
    text = site["write_command"](name)
    flags = [flag.name for group in cli.group_flags(name).values() for flag in group]
    assert [flag for flag in flags if text.count(f"\n`--{flag}`") != 1] == []
    assert [example for example in cli.GUIDES[name].examples if f"\n{example.line}\n" not in text] == []


@pytest.mark.parametrize("name", list_models())
def test_a_model_s_page_leads_to_its_class(site, name):
    text = site["write_model"](name)
    assert "\n::: facezoo.models." in text
    assert "facezoo train --" in text


def test_notebooks_become_pages_with_all_their_cells(site):
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = site["write_notebook"](path)
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            assert "".join(cell["source"]) in text


def test_links_lead_to_the_site_s_pages(site):
    relink = site["_relink"]
    assert relink("[a](docs/morphing.md#x) [b](CHANGELOG.md)", "index.md") == "[a](morphing.md#x) [b](changelog.md)"
    assert relink("[a](../SECURITY.md)", "commands.md") == "[a](security.md)"
    assert relink("[a](../notebooks/03_editing_faces.ipynb)", "editing.md") == "[a](notebooks/03_editing_faces.md)"
    assert relink("[a](../datasets/packed.py)", "photographs.md") == "a"
    assert relink("[a](https://b.c/d.md) [e](#f)", "index.md") == "[a](https://b.c/d.md) [e](#f)"


def test_lists_are_separated_from_what_is_before_them(site):
    assert site["_separate_lists"]("Ways:\n- one\n  more\n- two\n") == "Ways:\n\n- one\n  more\n- two\n"
    assert site["_escape"]("<a|b> of `x_y` *") == "&lt;a|b&gt; of `x_y` \\*"
    assert site["_free_bars"]("| `a\\|b` \\| c |\n`a\\|b`") == "| `a|b` \\| c |\n`a\\|b`"
