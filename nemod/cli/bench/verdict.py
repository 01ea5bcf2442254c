"""Which models play on this machine, from their share of the period."""

from collections.abc import Mapping

from rich.table import Table

ROOM = 0.4
"""Share of the period below which the rest of the callback, and a block that takes twice as long,
find time."""
LIMIT = 0.8
"""Share above which a block that takes a little longer than usual comes too late."""
VERDICTS = ("plays with room", "plays", "too heavy")


def verdict(share: float) -> str:
    """Return what a share of the period means."""
    return VERDICTS[(share >= ROOM) + (share >= LIMIT)]


def summary(shares: Mapping[tuple[str, int], float]) -> Table:
    """Return a table of what plays, for the whole chain's share by (model, block)."""
    table = Table("block", *VERDICTS, title="What plays here, with the full chain")
    for block in dict.fromkeys(block for _, block in shares):
        own = {name: verdict(share) for (name, at), share in shares.items() if at == block}
        table.add_row(
            str(block),
            *(", ".join(n for n, v in own.items() if v == word) or "-" for word in VERDICTS),
        )
    return table
