"""`nemod-train report`: writes training results as a page with figures."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nemod.common.command_line import parser
from nemod.common.errors import ConfigError
from trainer import xla
from trainer.cli.data_options import add_data_options, reading
from trainer.data.dataset import Dataset, Reading
from trainer.data.load import load_dataset
from trainer.study.runs import find_runs
from trainer.study.tables import table_1

DESCRIPTION = """\
Write a page, index.html, with the results of runs and sweeps; its figures are also written as PNG
files. The data are read with the options of each run unless they are given here."""

SHOWN_COLUMNS = 7
"""Number of columns of Table 1 that fit a terminal; the page has all."""


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status."""
    made = parser("nemod-train report", DESCRIPTION)
    made.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run or sweep folders")
    made.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the page (default: `report` in the first RUN)",
    )
    made.add_argument(
        "--data",
        type=Path,
        metavar="DATA",
        help="data set of the runs (default: as stated by each run)",
    )
    add_data_options(made)
    arguments = made.parse_args(argv)
    xla.prepare()
    runs = find_runs(arguments.runs)
    try:
        # Imported here because jax reads its flags on import.
        from trainer.study.report import write_report
    except ImportError as error:
        problem = f"a report needs {error.name} (pip install 'nemod[train]')"
        raise ConfigError("command line", [problem]) from None
    console = Console(stderr=True, highlight=False, markup=False)

    given = {name: value for name, value in reading(arguments).items() if value}

    @cache
    def load(how: Reading, knobs: tuple[str, ...]) -> Dataset:
        options = {**asdict(how), **given}
        path = options.pop("path")
        return load_dataset(path, knobs=knobs or None, report=lambda _: None, **options)

    with console.status("reading") as status:
        report = write_report(
            runs,
            arguments.out or arguments.runs[0] / "report",
            load,
            data=arguments.data,
            step=lambda what: status.update(f"drawing {what}"),
        )
    grid = table_1(runs)
    table = Table(*grid.heading[:SHOWN_COLUMNS], title="best validation loss of each architecture")
    for row in grid.rows:
        table.add_row(*row[:SHOWN_COLUMNS])
    out = Console(highlight=False, markup=False)
    out.print(table)
    for note in report.notes:
        console.print(note, soft_wrap=True)
    out.print(f"{report.page} and {len(report.pictures)} pictures", soft_wrap=True)
    return 0
