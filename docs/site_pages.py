"""MkDocs' hook: pages that are made of what the code says, and links that lead to them from pages as GitHub shows them.

Flags, examples, models and their arguments stand in the code, and are written nowhere else.
"""

import html
import json
import posixpath
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import facezoo
from facezoo.experiments import cli
from facezoo.experiments.commands.models import list_homes, list_models
from facezoo.experiments.examples import GUIDES
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
# Pages of the site that are files elsewhere, by their place on the site.
ROOT_PAGES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
}
PLACES = {source: page for page, source in ROOT_PAGES.items()} | {
    "docs/examples": "examples.md",
    "docs/decisions": "decisions/001-absl-for-flags.md",
}
FENCED = re.compile(r"(^```.*?^```[^\n]*$)", flags=re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
CODE = re.compile(r"(`[^`]*`)")
ITEM = re.compile(r"(?:[-*]|\d+[.]) ")


def on_config(config):
    """Completes the navigation by what is made."""
    sections = {name: pages for section in config.nav for name, pages in section.items() if isinstance(pages, list)}
    sections["Commands"] += [{name: f"commands/{name}.md"} for name in cli.COMMANDS]
    sections["Models"] += [{name: f"models/{name}.md"} for name in _list_models()]
    sections["Notebooks"] += [f"notebooks/{path.stem}.md" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    sections["Decisions"] += [f"decisions/{path.name}" for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    return config


def on_files(files: Files, config) -> Files:
    """Adds the pages that are made."""
    pages: dict[str, Callable[[], str]] = {page: (ROOT / source).read_text for page, source in ROOT_PAGES.items()}
    pages |= {f"commands/{name}.md": lambda name=name: write_command(name) for name in cli.COMMANDS}
    pages |= {f"models/{name}.md": lambda name=name: write_model(name) for name in _list_models()}
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    pages |= {f"notebooks/{path.stem}.md": lambda path=path: write_notebook(path) for path in notebooks}
    pages |= {"api/index.md": write_api, "examples.md": write_examples}
    for place, write in pages.items():
        files.append(File.generated(config, place, content=write()))
    return files


def on_page_markdown(markdown: str, page, **_) -> str:
    """Leads links to the site's pages, and separates lists from what is before them, as GitHub does by itself."""
    place = page.file.src_uri
    parts = FENCED.split(markdown)
    return "".join(
        part if part.startswith("```") else _separate_lists(_free_bars(_relink(part, place))) for part in parts
    )


def write_command(name: str) -> str:
    """A command's page: what it does, its examples, and its flags."""
    guide = GUIDES[name]
    lines = [f"# facezoo {name}", "", f"{cli.summarise(name)} [More of it](../{guide.page}.md).", ""]
    for example in guide.examples:
        lines += [example.says, "", "```sh", example.line, "```", ""]
    lines += ["## Flags", ""]
    for title, flags in cli.group_flags(name).items():
        lines += [f"### {title.rstrip('.')}", ""] if title else []
        for flag in flags:
            text, default = cli.describe_flag(flag)
            told = f" = `{default}`" if default else ""
            lines += [f"`--{flag.name}`{told}", f":   {_escape(text)}", ""]
        lines += [] if flags else ["None.", ""]
    return "\n".join(lines)


def write_model(name: str) -> str:
    """A model's page: its class as documented, what its constructor takes, and the recipes that train it."""
    summary, arguments = list_models()[name]
    module, kind = list_homes()[name]
    recipes = [path.stem for path in sorted((ROOT / "experiments" / "recipes").glob("*.flags")) if _trains(path, name)]
    lines = [f"# {name}", "", summary, "", "```sh"]
    lines += [f"facezoo train --recipe={recipe}" for recipe in recipes] or [f"facezoo train --model={name}"]
    lines += ["```", "", "Its constructor's arguments, which `--set=NAME=VALUE` sets:", ""]
    lines += [", ".join(f"`{argument}`" for argument in arguments) + ".", ""]
    return "\n".join([*lines, f"::: facezoo.models.{module}.{kind}", ""])


def write_api() -> str:
    """The page of the public names."""
    documented = [name for name in facezoo.__all__ if name in facezoo._HOMES and name not in ("MODELS", "DATASETS")]
    lines = [
        "# From Python",
        "",
        "`import facezoo` is instant; each of these names loads what it needs on first use.",
        "",
    ]
    for name in documented:
        lines += [f"::: facezoo.{facezoo._HOMES[name]}.{name}", ""]
    return "\n".join(lines)


def write_examples() -> str:
    """The scripts, whole."""
    lines = ["# Examples", ""]
    for path in sorted((ROOT / "docs" / "examples").glob("*.py")):
        text = path.read_text("utf-8")
        lines += [f"## {path.name}", "", "```python", text.rstrip(), "```", ""]
    return "\n".join(lines)


def write_notebook(path: Path) -> str:
    """A notebook's texts and code; it is kept without what comes of them."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    lines = []
    for cell in cells:
        text = "".join(cell["source"])
        lines += [text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```", ""]
    return "\n".join([*lines, f"The notebook itself: `notebooks/{path.name}`.", ""])


def _list_models() -> list[str]:
    return list(list_models())


def _trains(recipe: Path, model: str) -> bool:
    return f"--model={model}" in recipe.read_text("utf-8").splitlines()


def _escape(text: str) -> str:
    """A text of a terminal as Markdown; what stands in backquotes stays code."""
    parts = CODE.split(text.replace("\n", " "))
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_\[])", r"\\\1", html.escape(part, quote=False)) for part in parts
    )


def _free_bars(text: str) -> str:
    """Tables as Python-Markdown reads them, which takes no backslash before a bar in code."""
    return re.sub(r"^\|.*$", lambda row: CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0]), text, flags=re.M)


def _relink(text: str, place: str) -> str:
    source = PurePosixPath(ROOT_PAGES.get(place, f"docs/{place}" if not place.startswith("notebooks/") else place))

    def lead(found: re.Match) -> str:
        mark, said, target = found.groups()
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        path, anchor, fragment = target.partition("#")
        there = posixpath.normpath(posixpath.join(source.parent.as_posix(), path))
        if not (new := _find_page(there)):
            return said if not mark else found[0]  # a file of the repository: named, and not shown
        return f"{mark}[{said}]({posixpath.relpath(new, posixpath.dirname(place) or '.')}{anchor}{fragment})"

    return LINK.sub(lead, text) if not _is_made(place) else text


def _is_made(place: str) -> bool:
    return place.startswith(("commands/", "models/", "api/")) or place == "examples.md"


def _find_page(source: str) -> str | None:
    if source in PLACES:
        return PLACES[source]
    if source.startswith("notebooks/"):
        return source.replace(".ipynb", ".md")
    return source.removeprefix("docs/") if source.startswith("docs/") else None


def _separate_lists(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        before = lines[-1] if lines else "\n"
        if ITEM.match(line) and before.strip() and not ITEM.match(before) and not before.startswith((" ", "|")):
            lines.append("\n")
        lines.append(line)
    return "".join(lines)
