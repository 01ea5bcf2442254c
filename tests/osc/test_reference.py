"""The reference page."""

from pathlib import Path

from nemod.osc.reference import reference_page
from nemod.parameters.table import TABLE


def test_the_page_is_current() -> None:
    """The page in docs is what the tree says now."""
    page = Path(__file__).resolve().parents[2] / "docs" / "osc.md"
    assert reference_page() == page.read_text(encoding="utf-8")


def test_every_row_is_on_the_page() -> None:
    """No knob is left out."""
    page = reference_page()
    assert [row.path for row in TABLE if f"| `/nemo/{row.path}` |" not in page] == []
