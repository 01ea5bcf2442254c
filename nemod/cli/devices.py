"""`nemod devices`: the devices that `--device` can name."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nemod.common.command_line import parser
from nemod.common.errors import AudioError
from nemod.engine.devices.base import DEMO, NULL
from nemod.engine.devices.names import UDEV_HINT, Port, has_twins, lasting_names
from nemod.engine.devices.portaudio import list_ports


def main(argv: Sequence[str]) -> int:
    """List the devices; 1 when PortAudio is not there, and only those without a card are."""
    parser(
        "nemod devices",
        "List the devices that --device can name. The names stay the same when a card gets "
        "another number, as after a restart.",
    ).parse_args(argv)
    ports: list[Port] = []
    problem = ""
    try:
        ports = list_ports()
    except AudioError as error:
        problem = str(error)
    Console().print(_table(ports))
    errors = Console(stderr=True)
    if has_twins(ports):
        errors.print(f"nemod: {UDEV_HINT}", markup=False, highlight=False, soft_wrap=True)
    if problem:
        errors.print(f"nemod: {problem}", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def _table(ports: Sequence[Port]) -> Table:
    """Return a table that cuts nothing off; names stay on one line, so that they can be copied."""
    table = Table()
    for title in ("name", "host API", "in", "out", "rate"):
        table.add_column(title, overflow="fold", no_wrap=title == "name")
    names = lasting_names(ports)
    rows: list[tuple[object, ...]] = [
        (names[port], port.host_api, port.inputs, port.outputs, f"{port.rate_hz} Hz")
        for port in ports
    ]
    rows.append((DEMO, "nemod", "-", "-", "a guitar phrase, to the default output or a clock"))
    rows.append((NULL, "nemod", "-", "-", "silence, on a clock"))
    for row in rows:
        # As text: a name with [brackets] is not markup.
        table.add_row(*(Text(str(cell)) for cell in row))
    return table
