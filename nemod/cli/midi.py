"""`nemod midi ...`: what is connected, and what it sends."""

import asyncio
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nemod.common.command_line import parser, run_subcommand
from nemod.common.errors import NemodError
from nemod.common.paths import absolute
from nemod.common.timers import LoopTimers, Timers
from nemod.midi.key_names import key_name
from nemod.midi.messages import Kind, Message, Port
from nemod.midi.sources.base import Send, Source, SourceError
from nemod.midi.start import HARDWARE

_ALL = """\
commands:
  nemod midi [list]        controllers, input devices and chips with pins, by the names that the
                           file of bindings takes
  nemod midi monitor       show what controllers send, until Ctrl-C: turn, press, and read the
                           numbers and the ends of a pedal

Both work beside a running nemod; keys of an input device that nemod uses are not shown.
"""
_CHIPS = Path("/sys/bus/gpio/devices")
_INPUTS = Path("/sys/class/input")


def main(argv: Sequence[str]) -> int:
    """Run one of the commands; return its exit status. Raises: NemodError."""
    about = "MIDI controllers, pedals, keys and pins: what is connected, and what it sends."
    return run_subcommand("nemod midi", about, _ALL, COMMANDS, argv)


class _Names:
    """Remembers what is connected."""

    def __init__(self) -> None:
        self.ports: list[tuple[Port, bool]] = []
        """Ports, and whether they take messages."""

    def connected(self, port: Port, send: Send | None) -> None:
        """Note a port."""
        self.ports.append((port, send is not None))

    def disconnected(self, port: Port) -> None:
        """Keep it in the list."""

    def received(self, batch: Sequence[tuple[Port, Message]]) -> None:
        """Ignore what it sends."""


def _list(argv: Sequence[str]) -> int:
    parser("nemod midi list", "List everything that can control nemod.").parse_args(argv)
    names = _Names()
    problem = ""

    async def look() -> None:
        source = _sequencer(names, LoopTimers(lambda work: work()))
        source.close()

    try:
        asyncio.run(look())
    except NemodError as error:
        problem = str(error)
    table = Table()
    for title in ("kind", "device", "port", "lamps"):
        table.add_column(title, overflow="fold", no_wrap=title != "port")
    for port, can_send in names.ports:
        _row(table, "MIDI", port.device, port.port, "yes" if can_send else "no")
    for name in _input_devices():
        _row(table, "keys", name, "", "")
    for chip in sorted(path.name for path in _CHIPS.glob("gpiochip*")):
        _row(table, "pins", chip, "", "")
    if table.row_count:
        Console().print(table)
    else:
        Console().print("nothing is connected")
    if problem:
        Console(stderr=True).print(f"nemod: {problem}", markup=False, soft_wrap=True)
        return 1
    return 0


def _row(table: Table, *cells: str) -> None:
    table.add_row(*map(Text, cells))  # as text: a name with [brackets] is not markup


def _input_devices() -> list[str]:
    """Return the names of input devices that have keys."""
    names = []
    for path in _INPUTS.glob("event*"):
        try:
            keys = (path / "device/capabilities/key").read_text().split()
            name = (path / "device/name").read_text().strip()
        except OSError:
            continue
        if any(int(word, 16) for word in keys):
            names.append(name)
    return sorted(dict.fromkeys(names))


def _sequencer(receiver: "_Names | _Monitor", timers: Timers) -> Source:
    """Open the sequencer. Raises: SourceError."""
    try:
        from nemod.midi.sources.sequencer import Sequencer
    except (ImportError, OSError) as error:
        raise SourceError(f"MIDI ports cannot be used: {error}; pip install alsa-midi") from None
    return Sequencer(receiver, timers, "nemod midi")


# --- monitor -----------------------------------------------------------------------------------


class _Monitor:
    """Prints what arrives."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ends: dict[tuple[Port, Kind, int, int], tuple[int, int]] = {}
        """Lowest and highest value of each control."""
        self._clocks: dict[Port, float] = {}

    def connected(self, port: Port, send: Send | None) -> None:
        """Say that a controller is there."""
        self._say(f"{port}: connected")

    def disconnected(self, port: Port) -> None:
        """Say that a controller is gone."""
        self._say(f"{port}: disconnected")

    def received(self, batch: Sequence[tuple[Port, Message]]) -> None:
        """Print messages; of a clock, one line a second."""
        for port, message in batch:
            if message.kind is Kind.CLOCK:
                now = time.monotonic()
                if now - self._clocks.get(port, -1.0) < 1.0:
                    continue
                self._clocks[port] = now
                self._say(f"{port}: clock")
            else:
                self._say(f"{port}: {self._described(port, message)}")

    def _described(self, port: Port, message: Message) -> str:
        key = port, message.kind, message.channel, message.number
        low, high = self._ends.get(key, (message.value, message.value))
        low, high = self._ends[key] = min(low, message.value), max(high, message.value)
        channel = f", channel {message.channel}" if message.channel else ""
        match message.kind:
            case Kind.PROGRAM:
                return f"program {message.number}{channel}"
            case Kind.KEY | Kind.PIN:
                name = key_name(message.number) if message.kind is Kind.KEY else message.number
                return f"{message.kind} {name} {'pressed' if message.value else 'released'}"
            case Kind.BEND | Kind.PRESSURE:
                control = str(message.kind)
            case _:
                control = f"{message.kind} {message.number}"
        return f"{control}{channel}: {message.value} (so far {low} to {high})"

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _monitor(argv: Sequence[str]) -> int:
    made = parser("nemod midi monitor", "Show what controllers send, until Ctrl-C.")
    made.add_argument(
        "--raw-midi",
        metavar="FILE",
        action="append",
        default=[],
        help="read MIDI bytes from this file, too; may be given several times",
    )
    made.add_argument(
        "--input",
        metavar="NAME",
        action="append",
        default=[],
        help="show keys of this input device, too, by its name or part of it; until the end they "
        "do nothing else",
    )
    arguments = made.parse_args(argv)
    files = [absolute(text) for text in arguments.raw_midi]
    asyncio.run(_watch(_Monitor(Console()), files, arguments.input))
    return 0


async def _watch(monitor: _Monitor, files: Sequence[Path], inputs: Sequence[str]) -> None:
    """Print what arrives until a signal. Raises: SourceError where nothing can be read."""
    timers = LoopTimers(lambda work: work())
    sources: list[Source] = []
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        try:
            sources.append(_sequencer(monitor, timers))
        except SourceError:
            if not files and not inputs:
                raise
        if files:
            from nemod.midi.sources.raw import RawMidi

            sources += [RawMidi(path, monitor, timers) for path in files]
        if inputs:
            sources.append(_keys(monitor, timers))
            sources[-1].use((), inputs)
        await stop.wait()
    finally:
        for source in sources:
            source.close()


def _keys(monitor: _Monitor, timers: Timers) -> Source:
    try:
        from nemod.midi.sources.keys import Keys
    except ImportError as error:
        raise SourceError(f"input devices cannot be used: {error}; {HARDWARE}") from None
    return Keys(monitor, timers)


COMMANDS = {"list": _list, "monitor": _monitor}
