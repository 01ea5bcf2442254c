"""`nemod devices`: the devices that `--device` can name."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nemod.common.command_line import parser
from nemod.engine.devices.alsa.listing import with_abilities
from nemod.engine.devices.base import DEMO, NULL
from nemod.engine.devices.names import (
    ALSA_PLUGIN,
    UDEV_HINT,
    UNKNOWN,
    Port,
    has_twins,
    lasting_names,
    preference,
)
from nemod.engine.devices.ports import list_all


def main(argv: Sequence[str]) -> int:
    """List the devices; 1 when a library is missing, so that some may be."""
    parser(
        "nemod devices",
        "List the devices that --device can name. The names stay the same when a card gets "
        "another number, as after a restart.",
    ).parse_args(argv)
    ports, problem = list_all()
    # Plug-ins are not opened: some would lock the card, others start a server.
    ports = [
        with_abilities(port) if port.pcm and port.host_api != ALSA_PLUGIN else port
        for port in sorted(ports, key=lambda port: preference(port.host_api))
    ]
    Console().print(_table(ports))
    errors = Console(stderr=True)
    names = lasting_names(ports)
    notes = [f"{names[port]}: {port.note}" for port in ports if port.note]
    if has_twins(ports):
        notes.append(UDEV_HINT)
    if problem:
        notes.append(problem)
    for note in notes:
        errors.print(f"nemod: {note}", markup=False, highlight=False, soft_wrap=True)
    return 1 if problem else 0


def _table(ports: Sequence[Port]) -> Table:
    """Return a table that cuts nothing off; names stay on one line, so that they can be copied."""
    table = Table()
    for title in ("name", "host API", "in", "out", "rate"):
        table.add_column(title, overflow="fold", no_wrap=title == "name")
    names = lasting_names(ports)
    rows: list[tuple[object, ...]] = [
        (
            names[port],
            port.host_api,
            _channels(port.inputs),
            _channels(port.outputs),
            f"{port.rate_hz} Hz" if port.rate_hz else "",
        )
        for port in ports
    ]
    rows.append((DEMO, "nemod", "-", "-", "a guitar phrase, to the default output or a clock"))
    rows.append((NULL, "nemod", "-", "-", "silence, on a clock"))
    for row in rows:
        # As text: a name with [brackets] is not markup.
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def _channels(count: int) -> str:
    return "yes" if count == UNKNOWN else str(count)
