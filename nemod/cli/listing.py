"""`nemod devices` and `nemod check`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nemod.common.command_line import parser
from nemod.common.errors import AudioError, ConfigError, ModelError
from nemod.config import MAX_BLOCK_FRAMES, MIN_BLOCK_FRAMES
from nemod.config import load as load_config
from nemod.engine.devices.base import CLOCK_RATE_HZ, DEMO, NULL
from nemod.engine.devices.portaudio import list_ports
from nemod.formats import load_model


def devices(argv: Sequence[str]) -> int:
    """List what `--device` can name."""
    parser("nemod devices", "List the devices that --device can name.").parse_args(argv)
    table = _table("name", "host API", "in", "out", "rate")
    trouble = ""
    try:
        for port in list_ports():
            _row(table, port.name, port.host_api, port.inputs, port.outputs, f"{port.rate_hz} Hz")
    except AudioError as error:
        trouble = str(error)
    _row(table, DEMO, "nemod", "-", "-", "a phrase of its own, to the default output or a clock")
    _row(table, NULL, "nemod", "-", "-", "silence, on a clock")
    Console().print(table)
    if trouble:
        Console(stderr=True).print(f"nemod: {trouble}", markup=False, soft_wrap=True)
        return 1
    return 0


def _table(*titles: str) -> Table:
    """Return a table that cuts nothing off; names stay on one line, to be found and copied."""
    table = Table()
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title in ("name", "model"))
    return table


def _row(table: Table, *cells: object) -> None:
    # As text: a name with [brackets] is no markup.
    table.add_row(*(Text(str(cell)) for cell in cells))


def check(argv: Sequence[str]) -> int:
    """Say what files hold, or what is wrong with them; 1 when any is refused."""
    made = parser("nemod check", "Say what a model or a configuration holds, or what is wrong.")
    made.add_argument("files", nargs="+", type=Path, metavar="FILE")
    made.add_argument("--block", type=_frames, default=64, metavar="N", help="for the load [64]")
    made.add_argument("--size", type=float, metavar="0..1", help="of a model that has several [1]")
    arguments = made.parse_args(argv)
    refused = 0
    for path in arguments.files:
        try:
            _check_one(path, arguments)
        except (ModelError, ConfigError) as error:
            refused += 1
            print(f"refused: {error}", file=sys.stderr)  # noqa: T201
    return 1 if refused else 0


def _frames(text: str) -> int:
    if not text.isdecimal() or not MIN_BLOCK_FRAMES <= int(text) <= MAX_BLOCK_FRAMES:
        allowed = f"{MIN_BLOCK_FRAMES} to {MAX_BLOCK_FRAMES} frames"
        raise argparse.ArgumentTypeError(f"{text!r}: {allowed} are expected")
    return int(text)


def _check_one(path: Path, arguments: argparse.Namespace) -> None:
    console = Console()
    if path.suffix.lower() in (".yaml", ".yml"):
        load_config(path, {})
        console.print(f"{path}: a configuration without a fault", markup=False)
        return
    # The foundry is asked, so what is said here is what will be played.
    from nemod.builder.build import describe, verify_probe
    from nemod.cli.bench.chain import measure

    model = load_model(path, size=arguments.size)
    error = verify_probe(model)
    cost = measure(model, arguments.block, model_only=False)
    share = cost.median_us * 1e-6 / (arguments.block / CLOCK_RATE_HZ)
    facts = describe(model) | {
        "probe": "none in the file" if error is None else f"passed, largest error {error:.1e}",
        "expected_load": f"{share:.1%} of the time of {arguments.block} frames at "
        f"{CLOCK_RATE_HZ} Hz (the whole rig, on this machine, just now)",
    }
    console.print(f"{path}:", markup=False, soft_wrap=True)
    for key, value in facts.items():
        console.print(f"  {key.replace('_', ' ')}: {value}", markup=False, soft_wrap=True)
