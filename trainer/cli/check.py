"""`nemod-train check`: checks training data before training."""

import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from nemod.common.command_line import parser
from trainer.cli.data_options import add_data, add_data_options, data_paths, reading
from trainer.data.check import CheckReport, Row, check_data
from trainer.data.fault_table import Severity
from trainer.data.faults import gathered

MANY_PAIRS = 24
STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "ok": "green"}


def main(argv: Sequence[str]) -> int:
    """Check a data set; return 1 if training would be refused."""
    made = parser(
        "nemod-train check",
        "Check dry and wet recordings before training. The exit status is 1 if training would be "
        "refused. docs/training-data.md lists all messages.",
    )
    add_data(made)
    add_data_options(made)
    made.add_argument(
        "--all", action="store_true", help=f"list all pairs, also more than {MANY_PAIRS}"
    )
    made.add_argument("--json", action="store_true", help="print JSON")
    arguments = made.parse_args(argv)
    path, wet = data_paths(arguments)
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task("reading", total=None)

        def progress(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name)

        report = check_data(path, wet, **reading(arguments), progress=progress)
    if arguments.json:
        print(json.dumps(report.tree(), indent=1))  # noqa: T201 - the answer
    else:
        _show(report, every=arguments.all)
    return 1 if report.refused else 0


def _show(report: CheckReport, *, every: bool) -> None:
    console = Console(highlight=False)
    if report.rows:
        console.print(_table(report.rows if every else report.rows[:MANY_PAIRS]))
        if len(report.rows) > MANY_PAIRS and not every:
            console.print(f"... and {len(report.rows) - MANY_PAIRS} more pairs; --all lists them.")
    if report.rate is not None:
        parts = ", ".join(f"{seconds:.1f} s {name}" for name, seconds in report.seconds.items())
        knobs = ", ".join(report.knobs) or "none"
        text = (
            f"{report.name}: {_count(len(report.rows), 'pair')} at {report.rate} Hz; {parts or '-'}"
        )
        console.print(Text(f"{text}; knobs: {knobs}"), soft_wrap=True)
    for severity, sentence in gathered(report.findings):
        line = Text(f"{severity.value}: ", style=STYLES[severity.value])
        console.print(line.append(sentence, style="default"), soft_wrap=True)
    errors = sum(finding.severity is Severity.ERROR for finding in report.findings)
    warnings = sum(finding.severity is Severity.WARNING for finding in report.findings)
    if report.refused:
        console.print(
            Text(f"Not fit for training: {_count(errors, 'error')}.", style=STYLES["error"])
        )
    elif warnings:
        console.print(
            Text(f"Fit for training, with {_count(warnings, 'warning')}.", style=STYLES["warning"])
        )
    else:
        console.print(Text("Fit for training.", style=STYLES["ok"]))
    sys.stdout.flush()


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _table(rows: Sequence[Row]) -> Table:
    table = Table()
    table.add_column("pair", overflow="fold")
    for title in ("split", "s", "dry dBFS", "wet dBFS", "lag", "+/-", "follows", "verdict"):
        table.add_column(title, justify="left" if title in ("split", "verdict") else "right")
    for row in rows:
        table.add_row(
            Text(row.name),
            row.split,
            f"{row.seconds:.1f}",
            f"{row.dry_peak_db:.1f}/{row.dry_rms_db:.1f}",
            f"{row.wet_peak_db:.1f}/{row.wet_rms_db:.1f}",
            "-" if row.lag is None else str(row.lag),
            {1: "+", -1: "-"}.get(row.polarity or 0, "?"),
            "-" if row.follows is None else f"{100 * row.follows:.0f} %",
            Text(row.verdict, style=STYLES[row.verdict]),
        )
    table.caption = (
        "levels: peak/RMS; lag: frames by which wet was later; follows: share of wet that a linear "
        "filter of dry explains"
    )
    return table
