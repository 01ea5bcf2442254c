"""What plays: the verdict on a share of the period."""

from io import StringIO

import pytest
from rich.console import Console

from nemod.cli.bench.verdict import summary, verdict


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.05, "plays with room"),
        (0.39, "plays with room"),
        (0.41, "plays"),
        (0.79, "plays"),
        (0.81, "too heavy"),
        (3.0, "too heavy"),
    ],
)
def test_a_share_has_a_verdict(share: float, expected: str) -> None:
    """With room, two rigs fit into the period; too heavy, one does not safely."""
    assert verdict(share) == expected


def test_every_model_is_listed_once_per_block() -> None:
    """Under its verdict, block by block."""
    console = Console(width=200, record=True, file=StringIO())
    console.print(summary({("A", 32): 0.9, ("A", 64): 0.5, ("B", 32): 0.1, ("B", 64): 0.05}))
    rows = [line.split("│")[1:-1] for line in console.export_text().splitlines() if "│" in line]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert cells == [["32", "B", "-", "A"], ["64", "B", "A", "-"]]
