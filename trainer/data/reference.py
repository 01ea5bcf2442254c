"""Generates the table of faults in the documentation.

`python -m trainer.data.reference` updates docs/training-data.md; the text above the table is kept.
"""

import re
from pathlib import Path

from trainer.data.fault_table import FAULTS, Fault

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training-data.md"
MARK = "<!-- The table below is made by `python -m trainer.data.reference`; do not edit it. -->\n"


def table() -> str:
    """Return the table of faults in Markdown."""
    lines = ["| code | | message | effect | remedy |", "|---|---|---|---|---|"]
    lines += [
        f"| `{fault.code}` | {_severity(fault)} | {_shown(fault.found)} | {_shown(fault.cost)} "
        f"| {_shown(fault.remedy)} |"
        for fault in FAULTS.values()
    ]
    return "\n".join(lines) + "\n"


def page(now: str) -> str:
    """Return the page `now` with the current table.

    Raises: ValueError for a page without the mark above its table.
    """
    above, mark, _ = now.partition(MARK)
    if not mark:
        raise ValueError(f"{PAGE.name} has no line {MARK!r}")
    return f"{above}{MARK}\n{table()}"


def _severity(fault: Fault) -> str:
    return fault.severity.value + (" (`--force`)" if fault.forcible else "")


def _shown(text: str) -> str:
    """Return a message with the names of its figures in place of values."""
    return re.sub(r"\{(\w+)[^}]*\}", r"_\1_", text).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
