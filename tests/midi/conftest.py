"""A control core in memory with the MIDI surface, and controllers that send recorded bytes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nemod.midi.messages import Message, Port
from nemod.midi.parser import Parser, to_bytes
from nemod.midi.reader import BindingFile, parse
from nemod.midi.store import BindingStore
from nemod.midi.surface import MidiSurface
from nemod.presets.preset import Preset
from tests.osc.conftest import FakeTimers, MemoryRig

PEDAL = Port("FCB1010", "FCB1010 MIDI 1")
KEYBOARD = Port("nanoKEY", "nanoKEY CTRL")


class Stage:
    """The surface with what is connected to it."""

    def __init__(self, rig: MemoryRig, path: Path | None = None) -> None:
        self.rig = rig
        self.timers = FakeTimers()
        self.store = BindingStore(path)
        self.store.load()
        self.shutdowns: list[float] = []
        self.surface = MidiSurface(
            rig.controller,
            self.timers,
            self.store,
            shut_down=lambda: self.shutdowns.append(self.timers.now_s()),
        )
        self.sent: dict[Port, list[bytes]] = {}
        self._parsers: dict[Port, Parser] = {}
        self.surface.start([])
        for port in (PEDAL, KEYBOARD):
            self.plug(port)

    def use(self, text: str) -> BindingFile:
        """Use these bindings, a list in YAML or the whole file."""
        whole = text if "bindings:" in text else "bindings:\n" + text
        file = parse(whole)
        self.store.change(lambda _before: file)
        self.surface._use(file)
        return file

    def plug(self, port: Port) -> None:
        self.sent[port] = []
        self.surface.connected(port, lambda message: self.sent[port].append(to_bytes(message)))

    def unplug(self, port: Port) -> None:
        self.surface.disconnected(port)

    def play(self, data: str | bytes, port: Port = PEDAL) -> None:
        """Have a controller send bytes, hexadecimal as `b0 07 40`, at once."""
        raw = bytes.fromhex(data) if isinstance(data, str) else data
        messages = self._parsers.setdefault(port, Parser()).feed(raw)
        self.surface.received([(port, message) for message in messages])

    def deliver(self, message: Message, port: Port = PEDAL) -> None:
        self.surface.received([(port, message)])

    def wait(self, seconds: float) -> None:
        self.timers.advance(seconds)

    def position(self, path: str) -> float:
        self.timers.advance(0.0)
        return self.rig.controller.position(path)

    def lamps(self, port: Port = PEDAL) -> list[str]:
        """Return what was sent to a controller since the last call."""
        self.timers.advance(0.05)
        sent, self.sent[port] = self.sent[port], []
        return [data.hex(" ") for data in sent]


@pytest.fixture
def rig() -> MemoryRig:
    """A control core with three presets."""
    made = MemoryRig()
    for number, name in enumerate(("Clean", "Crunch", "Lead")):
        made.presets.kept[number] = Preset(name=name, positions={"gain": 0.2 + 0.3 * number})
    return made


@pytest.fixture
def stage(rig: MemoryRig) -> Stage:
    """The surface without any bindings of the user."""
    return Stage(rig)


@pytest.fixture
def stage_with(rig: MemoryRig) -> Callable[[str], Stage]:
    """Make a stage with these bindings."""

    def make(text: str) -> Stage:
        made = Stage(rig)
        made.use(text)
        return made

    return make
