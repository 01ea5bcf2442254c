"""`nemod bench`: how long a block takes on this machine, by hidden size or by architecture."""

import argparse
import os
import platform
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from nemod.cli.bench import study
from nemod.cli.bench.block_cost import ROUNDS, Cost, compile_seconds, empty_cache, measure
from nemod.cli.bench.models import MODELS, RATE_HZ, random_model, recurrent
from nemod.cli.bench.verdict import summary
from nemod.common import xla
from nemod.common.command_line import parser
from nemod.common.errors import ConfigError, did_you_mean
from nemod.engine.program import warm_up_jax

UNITS = (8, 16, 20, 40, 80, 100)
BLOCKS = (32, 64, 128, 256, 512)
MODELS_BLOCKS = (64,)
WARNING = (
    "These figures hold for this machine in this minute: other programs, the processor's frequency "
    "and its temperature affect them. Compare only figures that were measured side by side."
)


def main(argv: Sequence[str]) -> int:
    """Measure and print the table."""
    made = parser("nemod bench", "Measure how long a block takes on this machine.")
    made.add_argument("--units", type=_numbers, default=None, metavar="N,N", help="hidden sizes")
    made.add_argument("--blocks", type=_numbers, default=None, metavar="N,N", help="frames")
    made.add_argument(
        "--models",
        action="store_true",
        help=f"the usual architectures instead: {', '.join(MODELS)}",
    )
    made.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="with --models, this architecture alone; may be given several times",
    )
    study.add_options(made)
    arguments = made.parse_args(argv)
    xla.prepare()
    console = Console()
    if not arguments.study:
        study.refuse_alone(arguments)
    elif arguments.models or arguments.only:
        raise ConfigError("command line", ["--study and --models: one of them is expected"])
    if arguments.study:
        study.study(
            console,
            architectures=arguments.arch,
            sizes=arguments.units,
            blocks=arguments.blocks,
            rounds=arguments.rounds,
            out=arguments.out,
        )
        console.print(WARNING)
        return 0
    if arguments.models:
        _models(console, _chosen(arguments.only), arguments.blocks or MODELS_BLOCKS)
    elif arguments.only:
        raise ConfigError("command line", ["--only: chooses among --models, which is not given"])
    else:
        _sizes(console, arguments.units or UNITS, arguments.blocks or BLOCKS)
    console.print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    console.print(WARNING)
    return 0


def _sizes(console: Console, units: Sequence[int], blocks: Sequence[int]) -> None:
    table = _table("model", "block", "period us", "model us", "share", "full chain us", "share")
    cases = [
        (unit, hidden, block) for unit in ("LSTM", "GRU") for hidden in units for block in blocks
    ]
    shares = {}
    with _progress() as progress:
        for unit, hidden, block in progress.track(cases, description="measuring"):
            model = random_model(recurrent(unit, hidden))
            alone = measure(model, block, model_only=True)
            chain = measure(model, block, model_only=False)
            period_us = 1e6 * block / RATE_HZ
            table.add_row(
                f"{unit} {hidden}", str(block), f"{period_us:.0f}",
                *_cells(alone, period_us), *_cells(chain, period_us),
            )  # fmt: skip
            shares[f"{unit} {hidden}", block] = chain.median_us / period_us
    console.print(table)
    console.print(summary(shares))


def _models(console: Console, names: Sequence[str], blocks: Sequence[int]) -> None:
    table = _table(
        "model", "block", "period us", "model us", "share", "waits", "full chain us", "share",
        "waits", "compile s",
    )  # fmt: skip
    cases = [(name, block) for name in names for block in blocks]
    warm_up_jax()
    shares = {}
    with _progress() as progress, empty_cache():
        for name, block in progress.track(cases, description="measuring"):
            model = random_model(MODELS[name])
            seconds = compile_seconds(model, block)
            alone = measure(model, block, model_only=True)
            chain = measure(model, block, model_only=False)
            period_us = 1e6 * block / RATE_HZ
            table.add_row(
                name, str(block), f"{period_us:.0f}",
                *_cells(alone, period_us), f"{alone.waits:.2f}",
                *_cells(chain, period_us), f"{chain.waits:.2f}",
                f"{seconds:.1f}",
            )  # fmt: skip
            shares[name, block] = chain.median_us / period_us
    console.print(table)
    console.print(summary(shares))
    console.print(
        "waits: how often the calling thread waited for another one in each block, which an audio "
        "thread must not; compile: the whole rig, with an empty cache."
    )


def _cells(cost: Cost, period_us: float) -> tuple[str, str]:
    share = cost.median_us / period_us
    return f"{cost.median_us:.0f} ({cost.best_us:.0f})", f"{share:.1%}"


def _table(*columns: str) -> Table:
    return Table(*columns, title=f"a block at {RATE_HZ} Hz: median of {ROUNDS} rounds (best)")


def _progress() -> Progress:
    return Progress(console=Console(stderr=True), disable=not sys.stderr.isatty())


def _chosen(given: Sequence[str] | None) -> list[str]:
    known = {name.casefold(): name for name in MODELS}
    chosen = []
    for name in given or MODELS:
        if name.casefold() not in known:
            near = did_you_mean(name, MODELS)
            allowed = ", ".join(MODELS)
            raise ConfigError("command line", [f"--only {name!r}{near}; known are {allowed}"])
        chosen.append(known[name.casefold()])
    return chosen


def _numbers(text: str) -> tuple[int, ...]:
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(1 <= value <= 4096 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r}: whole numbers from 1 to 4096, as 20,40")
    return values
