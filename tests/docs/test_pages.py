"""The pages of the documentation: their links, the files that they name, and their tables."""

import re
import tomllib
from pathlib import Path

import pytest

import nemod

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("", "docs/", "docs/using/", "models/", "cabinets/")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(f"{folder}*.md"))
TREES = "cabinets|docs|models|nemod|scripts|systemd|tests|trainer"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, by GitHub's rule."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    """Links within the repository; those to web sites are not checked."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("https:", "http:")):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    """Paths in code type, and the scripts of commands."""
    text = page.read_text()
    named = re.findall(rf"`((?:{TREES})/[\w./-]+)`", text)
    named += re.findall(r"python ([\w/]+\.py)", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_all_rows_of_a_table_have_the_same_cells(page: Path) -> None:
    """A row with other cells than the heading is shown cut off, or with empty cells."""
    expected = 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if not line.startswith("|"):
            expected = 0
            continue
        cells = re.sub(r"\\\||`[^`]*`", "", line).strip().strip("|").count("|") + 1
        expected = expected or cells
        assert cells == expected, f"{page.name}, line {number}"


def test_the_version_is_the_same_everywhere() -> None:
    """The package, the program and the newest section of the changelog name one version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    changes = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## ([0-9.]+)", changes, re.MULTILINE)
    assert newest is not None
    assert project["version"] == nemod.__version__ == newest[1]
