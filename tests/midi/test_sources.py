"""Sources: a named pipe, and the libraries of the others with stand-ins for their devices."""

import asyncio
import errno
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
import structlog

from nemod.common.timers import LoopTimers
from nemod.midi.binding import Binding, Pull
from nemod.midi.messages import Kind, Message, Port
from nemod.midi.sources import base, raw
from nemod.midi.sources.base import Send, SourceError
from nemod.midi.sources.lazy import LazySource, has_keys, has_pins
from nemod.midi.sources.raw import RawMidi
from tests.osc.conftest import FakeTimers


class Heard:
    """Remembers what a source delivers."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.messages: list[tuple[Port, Message]] = []
        self.batches: list[int] = []
        self.sends: dict[Port, Send | None] = {}

    def connected(self, port: Port, send: Send | None) -> None:
        self.log.append(f"+ {port}")
        self.sends[port] = send

    def disconnected(self, port: Port) -> None:
        self.log.append(f"- {port}")

    def received(self, batch: Sequence[tuple[Port, Message]]) -> None:
        self.messages += batch
        self.batches.append(len(batch))

    async def until(self, is_there: Callable[[], bool]) -> None:
        for _ in range(500):
            if is_there():
                return
            await asyncio.sleep(0.002)
        raise AssertionError(f"{self.log} {self.messages[-3:]}")


TIMERS = LoopTimers(lambda work: work())


def run(work: Awaitable[None]) -> None:
    async def main() -> None:
        await work

    asyncio.run(main())


# --- bytes of a file -----------------------------------------------------------------------------


def test_bytes_of_a_named_pipe(tmp_path: Path) -> None:
    """Programs may come and go at its other end; what is cut off by one is no message."""
    path = tmp_path / "controller"
    os.mkfifo(path)

    async def work() -> None:
        heard = Heard()
        source = RawMidi(path, heard, TIMERS)
        for data in ("b0 07 40 07", "07 41"):
            with path.open("wb", buffering=0) as pipe:
                pipe.write(bytes.fromhex(data))
        await heard.until(lambda: len(heard.messages) == 2)
        source.close()
        assert [message.value for _, message in heard.messages] == [64, 7]
        assert heard.log == ["+ controller"]
        assert heard.sends == {Port("controller"): None}

    run(work())


def test_a_file_is_opened_when_it_appears_and_again_after_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a serial port that is plugged in, which a terminal stands for; it takes messages, too."""
    monkeypatch.setattr(raw, "RETRY_S", 0.02)
    path = tmp_path / "serial"

    async def work() -> None:
        heard = Heard()
        with structlog.testing.capture_logs() as logs:
            source = RawMidi(path, heard, TIMERS)
            await asyncio.sleep(0.1)
        assert [line["reason"] for line in logs] == ["No such file or directory"]
        for count in (1, 2):
            own, other = os.openpty()
            path.unlink(missing_ok=True)
            path.symlink_to(os.ttyname(other))
            await heard.until(lambda count=count: heard.log.count("+ serial") == count)
            os.close(other)
            os.write(own, bytes.fromhex("90 0d 40 f8"))  # 0d would be a line end
            await heard.until(lambda count=count: len(heard.messages) == 2 * count)
            send = heard.sends[Port("serial")]
            assert send is not None
            send(Message(Kind.CC, 1, 10, 13))
            assert os.read(own, 10) == bytes.fromhex("b0 0a 0d")
            os.close(own)
            await heard.until(lambda count=count: heard.log.count("- serial") == count)
        source.close()

    run(work())


def test_a_regular_file_is_refused(tmp_path: Path) -> None:
    """There is nothing to wait for in it."""
    path = tmp_path / "song.mid"
    path.write_bytes(b"MThd")

    async def work() -> None:
        with structlog.testing.capture_logs() as logs:
            RawMidi(path, Heard(), TIMERS).close()
        assert logs[0]["reason"] == "neither a device nor a named pipe"

    run(work())


# --- the ALSA sequencer --------------------------------------------------------------------------

alsa_midi = pytest.importorskip("alsa_midi", reason="alsa-midi or libasound is missing")
SEQ = "nemod.midi.sources.sequencer"


def port_info(client: int, name: str, port: str, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(
        client_id=client,
        port_id=0,
        client_name=name,
        name=port,
        type=more.get("type", alsa_midi.PortType.MIDI_GENERIC),
        capability=more.get("capability", alsa_midi.RW_PORT),
        is_kernel=more.get("is_kernel", True),
    )


class FakeClient:
    """Stands in for alsa-midi's client: ports, events and errors as the test says."""

    client_id = 128

    def __init__(self, _name: str) -> None:
        self._fd, self._wake = os.pipe2(os.O_NONBLOCK)
        self.infos: list[SimpleNamespace] = []
        self.events: list[Any] = []
        self.connected: list[object] = []
        self.sent: list[Any] = []
        self.send_error: Exception | None = None

    def set_client_pool_input(self, _size: int) -> None: ...
    def create_port(self, *_args: object) -> str:
        return "own"

    def subscribe_port(self, address: tuple[int, int], _own: str) -> None:
        self.connected.append(tuple(address))

    def list_ports(self, *, input: bool) -> list[SimpleNamespace]:
        return list(self.infos)

    def get_client_info(self, client_id: int) -> SimpleNamespace:
        kinds = alsa_midi.client.ClientType
        info = self._info(client_id)
        kind = kinds.KERNEL if info.is_kernel else kinds.USER
        return SimpleNamespace(type=kind, name=info.client_name)

    def get_port_info(self, address: tuple[int, int]) -> SimpleNamespace:
        return self._info(address[0])

    def _info(self, client_id: int) -> SimpleNamespace:
        for info in self.infos:
            if info.client_id == client_id:
                return info
        raise alsa_midi.ALSAError("no such client", -errno.ENOENT)

    def happen(self, *events: Any) -> None:
        if not self.events:
            os.write(self._wake, b"x")
        self.events += events

    def event_input(self) -> Any:
        if not self.events:
            os.read(self._fd, 1)
            raise alsa_midi.ALSAError("again", -errno.EAGAIN)
        event = self.events.pop(0)
        if isinstance(event, Exception):
            raise event
        return event

    def event_output_direct(self, event: Any, *, port: str, dest: tuple[int, int]) -> None:
        if self.send_error is not None:
            raise self.send_error
        self.sent.append((repr(event), dest))

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._wake)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> list[FakeClient]:
    """The clients that were made."""
    made: list[FakeClient] = []

    def make(name: str) -> FakeClient:
        made.append(FakeClient(name))
        return made[-1]

    import nemod.midi.sources.sequencer as module

    monkeypatch.setattr(module, "SequencerClientBase", make)
    monkeypatch.setattr(module, "_SETTLE_S", 0.0)
    monkeypatch.setattr(base, "SEQUENCER", os.devnull)
    return made


def from_(client_id: int, event: Any) -> Any:
    event.source = alsa_midi.Address(client_id, 0)
    return event


def announced() -> Any:
    return from_(0, alsa_midi.PortStartEvent(alsa_midi.Address(24, 0)))


def sequencer(heard: Heard) -> Any:
    from nemod.midi.sources.sequencer import Sequencer

    return Sequencer(heard, TIMERS)


def test_controllers_come_and_go(client: list[FakeClient]) -> None:
    """Of two alike the second has a number, which is free again when the first is gone."""

    async def work() -> None:
        heard = Heard()
        source = sequencer(heard)
        (alsa,) = client
        alsa.infos = [
            port_info(14, "Midi Through", "Midi Through Port-0"),
            port_info(128, "nemod", "control", is_kernel=False),
            port_info(129, "Sequencer", "out", is_kernel=False),
            port_info(130, "BLE", "BLE MIDI", is_kernel=False, type=alsa_midi.PortType.HARDWARE),
            port_info(24, "FCB1010", "FCB1010 MIDI 1"),
            port_info(28, "FCB1010", "FCB1010 MIDI 1"),
        ]
        alsa.happen(announced())
        await heard.until(lambda: len(heard.log) == 3)
        assert heard.log == [
            "+ FCB1010 MIDI 1",
            "+ FCB1010 #2: FCB1010 MIDI 1",
            "+ BLE MIDI",
        ]
        alsa.infos = [info for info in alsa.infos if info.client_id != 24]
        alsa.happen(announced())
        await heard.until(lambda: len(heard.log) == 4)
        alsa.infos.append(port_info(32, "FCB1010", "FCB1010 MIDI 1"))
        alsa.happen(announced())
        await heard.until(lambda: len(heard.log) == 5)
        assert heard.log[3:] == ["- FCB1010 MIDI 1", "+ FCB1010 MIDI 1"]
        assert alsa.connected[0] == (0, 1)
        source.close()

    run(work())


def test_events_are_messages_and_messages_events(client: list[FakeClient]) -> None:
    """Also of programs that connect themselves; what MIDI does not have is skipped or clipped."""

    async def work() -> None:
        heard = Heard()
        source = sequencer(heard)
        (alsa,) = client
        alsa.infos = [
            port_info(24, "FCB1010", "MIDI 1"),
            port_info(129, "Sequencer", "out", is_kernel=False),
        ]
        alsa.happen(
            announced(),
            from_(129, alsa_midi.ControlChangeEvent(0, 7, 99)),
            from_(129, alsa_midi.NoteOnEvent(60, 1, 100)),
            from_(129, alsa_midi.NoteOffEvent(60, 1, 100)),
            from_(129, alsa_midi.ProgramChangeEvent(2, 5)),
            from_(129, alsa_midi.PitchBendEvent(0, -8192)),
            from_(129, alsa_midi.ChannelPressureEvent(0, 3)),
            from_(129, alsa_midi.ClockEvent()),
            from_(129, alsa_midi.SysExEvent(b"\xf0\xf7")),
            from_(129, alsa_midi.ControlChangeEvent(0, 7, 100_000)),
            ValueError("7-bit value expected"),
        )
        await heard.until(lambda: len(heard.messages) == 8 and len(heard.log) == 2)
        assert [message for _, message in heard.messages] == [
            Message(Kind.CC, 1, 7, 99),
            Message(Kind.NOTE, 2, 60, 100),
            Message(Kind.NOTE, 2, 60, 0),
            Message(Kind.PROGRAM, 3, 5, 127),
            Message(Kind.BEND, 1, 0, 0),
            Message(Kind.PRESSURE, 1, 0, 3),
            Message(Kind.CLOCK, 0, 0, 0),
            Message(Kind.CC, 1, 7, 127),
        ]
        assert {port for port, _ in heard.messages} == {Port("Sequencer", "out")}
        send = heard.sends[Port("FCB1010", "MIDI 1")]
        assert send is not None
        send(Message(Kind.CC, 2, 80, 127))
        send(Message(Kind.BEND, 1, 0, 16383))
        alsa.send_error = alsa_midi.ALSAError("full", -errno.EAGAIN)
        send(Message(Kind.NOTE, 1, 1, 1))  # is dropped
        assert [dest for _, dest in alsa.sent] == [(24, 0)] * 2
        assert "param=80 value=127" in alsa.sent[0][0]
        assert "value=8191" in alsa.sent[1][0]
        source.close()

    run(work())


def test_a_flood_lets_others_have_their_turn_and_what_is_lost_is_said(
    client: list[FakeClient],
) -> None:
    """At most 512 events at once; an overrun of the kernel's buffer is one warning."""

    async def work() -> None:
        heard = Heard()
        source = sequencer(heard)
        (alsa,) = client
        alsa.infos = [port_info(24, "FCB1010", "MIDI 1")]
        lost = alsa_midi.ALSAError("no space", -errno.ENOSPC)
        flood = [from_(24, alsa_midi.ControlChangeEvent(0, 7, n % 128)) for n in range(2000)]
        with structlog.testing.capture_logs() as logs:
            alsa.happen(announced(), *flood[:1000], lost, lost, *flood[1000:])
            await heard.until(lambda: len(heard.messages) == 2000)
        assert max(heard.batches) <= 512
        assert [line["event"] for line in logs] == [
            "MIDI messages lost: a controller sends more than can be taken"
        ]
        source.close()

    run(work())


def test_a_sequencer_that_fails_is_left(client: list[FakeClient]) -> None:
    """Its error would come back at once, for ever."""

    async def work() -> None:
        heard = Heard()
        source = sequencer(heard)
        (alsa,) = client
        alsa.infos = [port_info(24, "FCB1010", "MIDI 1")]
        alsa.happen(announced())
        await heard.until(lambda: len(heard.log) == 1)
        with structlog.testing.capture_logs() as logs:
            alsa.happen(alsa_midi.ALSAError("no such device", -errno.ENODEV))
            await heard.until(lambda: len(heard.log) == 2)
        assert heard.log[1] == "- MIDI 1" or heard.log[1].startswith("- FCB1010")
        assert logs[0]["event"] == "MIDI ended"
        source.close()

    run(work())


def test_without_a_sequencer_there_is_one_report(
    client: list[FakeClient], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With what to do; it is tried again, and used once it is there."""

    async def work() -> None:
        heard, timers = Heard(), FakeTimers()
        monkeypatch.setattr(base, "SEQUENCER", "/dev/snd/none")
        lazy = LazySource(
            "MIDI ports", lambda: sequencer(heard), lambda *_: True, timers, "pip install alsa-midi"
        )
        with structlog.testing.capture_logs() as logs:
            lazy.use((), ())
            lazy.use((), ())
            timers.advance(35.0)
        (line,) = logs
        assert "snd-seq" in line["reason"]
        monkeypatch.setattr(base, "SEQUENCER", os.devnull)
        timers.advance(10.0)
        assert timers.waiting() == []
        assert len(client) == 1
        lazy.close()

    run(work())
    assert capfd.readouterr().err == ""


# --- keys and pins -------------------------------------------------------------------------------


def test_a_missing_library_is_said_when_it_is_needed() -> None:
    """And only then."""

    def make() -> Any:
        raise ImportError("No module named 'evdev'")

    timers = FakeTimers()
    lazy = LazySource("input devices", make, has_keys, timers, "pip install 'nemod[hardware]'")
    with structlog.testing.capture_logs() as logs:
        lazy.use([Binding(kind=Kind.CC, target="gain")], ())
        assert logs == []
        lazy.use([Binding(kind=Kind.KEY, target="gain", device="x")], ())
    assert logs[0]["reason"] == "No module named 'evdev'; pip install 'nemod[hardware]'"
    assert not has_pins([Binding(kind=Kind.KEY, target="gain")], ())
    assert has_pins([Binding(kind=Kind.ENCODER, target="gain")], ())


class FakeInput:
    """An input device at one end of a pipe."""

    opened: ClassVar[dict[str, "FakeInput"]] = {}
    busy: ClassVar[set[str]] = set()

    def __init__(self, path: str) -> None:
        self.name = NAMES[path]
        self.fd, self.wake = os.pipe2(os.O_NONBLOCK)
        self.pending: list[tuple[int, int, int]] = []
        self.is_gone = False
        self._path = path
        FakeInput.opened[path] = self

    def grab(self) -> None:
        if self._path in FakeInput.busy:
            raise OSError(errno.EBUSY, "Device or resource busy")

    def press(self, *events: tuple[int, int, int]) -> None:
        self.pending += events
        os.write(self.wake, b"x")

    def read(self) -> Iterator[SimpleNamespace]:
        os.read(self.fd, 10)
        if self.is_gone:
            raise OSError(errno.ENODEV, "No such device")
        events, self.pending = self.pending, []
        return iter([SimpleNamespace(type=t, code=c, value=v) for t, c, v in events])

    def close(self) -> None:
        FakeInput.opened.pop(self._path, None)
        os.close(self.fd)
        os.close(self.wake)


NAMES = {
    "/dev/input/event0": "AT Keyboard",
    "/dev/input/event1": "PageFlip Firefly",
    "/dev/input/event2": "Mouse",
}


def test_only_input_devices_that_are_named_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grabbed; repetitions of a held key are none; a device may come back."""
    evdev = ModuleType("evdev")
    evdev.InputDevice = FakeInput  # type: ignore[attr-defined]
    evdev.ecodes = SimpleNamespace(EV_KEY=1)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "evdev", evdev)
    monkeypatch.delitem(sys.modules, "nemod.midi.sources.keys", raising=False)
    from nemod.midi.sources import keys

    files = set(NAMES)
    monkeypatch.setattr(keys, "_event_files", lambda: sorted(files))
    monkeypatch.setattr(keys, "_name", lambda path: NAMES[path])
    binding = Binding(kind=Kind.KEY, number=109, target="preset/next", device="pageflip")

    async def work() -> None:
        heard, timers = Heard(), FakeTimers()
        source = keys.Keys(heard, timers)
        source.use([binding], ())
        assert list(FakeInput.opened) == ["/dev/input/event1"]
        pedal = FakeInput.opened["/dev/input/event1"]
        pedal.press((1, 109, 1), (1, 109, 2), (4, 4, 5), (1, 109, 0))
        await heard.until(lambda: len(heard.messages) == 2)
        port = Port("PageFlip Firefly")
        assert heard.messages == [
            (port, Message(Kind.KEY, 0, 109, 127)),
            (port, Message(Kind.KEY, 0, 109, 0)),
        ]
        pedal.is_gone = True
        files.discard("/dev/input/event1")
        os.write(pedal.wake, b"x")
        await heard.until(lambda: heard.log[-1] == "- PageFlip Firefly")
        timers.advance(2.0)
        files.add("/dev/input/event1")
        FakeInput.busy = {"/dev/input/event1"}
        with structlog.testing.capture_logs() as logs:
            timers.advance(6.0)
        assert "in use by another program" in logs[0]["reason"]
        assert len(logs) == 1
        FakeInput.busy = set()
        timers.advance(2.0)
        assert heard.log[-1] == "+ PageFlip Firefly"
        source.use([], ("mouse",))
        assert list(FakeInput.opened) == ["/dev/input/event2"]
        source.use([], ())
        assert FakeInput.opened == {}
        source.close()

    run(work())
    monkeypatch.delitem(sys.modules, "nemod.midi.sources.keys", raising=False)


class FakeEnum(SimpleNamespace):
    """Names of a library that stand for themselves."""


def test_pins_are_requested_as_they_are_wired(monkeypatch: pytest.MonkeyPatch) -> None:
    """A button to ground, an encoder on two pins; nothing is requested twice."""
    requests: list[tuple[str, dict[int, dict[str, Any]]]] = []

    class FakeLines:
        def __init__(self) -> None:
            self.fd, self.wake = os.pipe2(os.O_NONBLOCK)
            self.pending: list[SimpleNamespace] = []
            self.is_released = False

        def edge(self, pin: int, kind: str) -> None:
            types = SimpleNamespace(RISING_EDGE="rising")
            self.pending.append(SimpleNamespace(line_offset=pin, event_type=kind, Type=types))
            os.write(self.wake, b"x")

        def read_edge_events(self, _count: int) -> list[SimpleNamespace]:
            os.read(self.fd, 100)
            pending, self.pending = self.pending, []
            return pending

        def release(self) -> None:
            self.is_released = True
            os.close(self.fd)
            os.close(self.wake)

    lines: list[FakeLines] = []

    def request(path: str, *, consumer: str, config: Any) -> FakeLines:
        requests.append((path, config))
        if path == "/dev/gpiochip9":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        lines.append(FakeLines())
        return lines[-1]

    gpiod, line = ModuleType("gpiod"), ModuleType("gpiod.line")
    gpiod.request_lines = request  # type: ignore[attr-defined]
    gpiod.LineSettings = dict  # type: ignore[attr-defined]
    line.Bias = FakeEnum(PULL_UP="up", PULL_DOWN="down", DISABLED="off")  # type: ignore[attr-defined]
    line.Direction, line.Edge = FakeEnum(INPUT="in"), FakeEnum(BOTH="both")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gpiod", gpiod)
    monkeypatch.setitem(sys.modules, "gpiod.line", line)
    monkeypatch.delitem(sys.modules, "nemod.midi.sources.pins", raising=False)
    from nemod.midi.sources import pins

    bindings = [
        Binding(kind=Kind.PIN, number=17, target="bypass"),
        Binding(kind=Kind.PIN, number=4, target="mute", pull=Pull.DOWN),
        Binding(kind=Kind.ENCODER, number=22, second=23, target="gain"),
        Binding(kind=Kind.CC, number=5, target="gain"),
    ]

    async def work() -> None:
        heard, timers = Heard(), FakeTimers()
        source = pins.Pins(heard, timers)
        source.use(bindings, ())
        ((path, config),) = requests
        assert path == "/dev/gpiochip0"
        assert {pin: (one["bias"], one["active_low"]) for pin, one in config.items()} == {
            17: ("up", True),
            4: ("down", False),
            22: ("up", True),
            23: ("up", True),
        }
        source.use(bindings[:3], ())  # the same pins
        assert len(requests) == 1
        for pin, kind in [(17, "rising"), (17, "falling"), *DETENT]:
            lines[0].edge(pin, kind)
        await heard.until(lambda: len(heard.messages) == 3)
        chip = Port("gpiochip0")
        assert heard.messages == [
            (chip, Message(Kind.PIN, 0, 17, 127)),
            (chip, Message(Kind.PIN, 0, 17, 0)),
            (chip, Message(Kind.ENCODER, 0, 22, 1)),
        ]
        with structlog.testing.capture_logs() as logs:
            source.use([Binding(kind=Kind.PIN, number=1, target="mute", device="gpiochip9")], ())
            timers.advance(10.0)
        assert lines[0].is_released
        assert [entry["reason"] for entry in logs] == ["No such file or directory"]
        source.close()

    run(work())
    monkeypatch.delitem(sys.modules, "nemod.midi.sources.pins", raising=False)


DETENT = [(22, "rising"), (23, "rising"), (22, "falling"), (23, "falling")]


def test_an_error_of_the_sequencer_names_the_remedy(
    client: list[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's own words, and what to load or install."""
    import nemod.midi.sources.sequencer as module

    def fail(_name: str) -> FakeClient:
        raise alsa_midi.ALSAError("Permission denied", -errno.EACCES)

    monkeypatch.setattr(module, "SequencerClientBase", fail)

    async def work() -> None:
        with pytest.raises(SourceError, match=r"Permission denied.*group audio"):
            sequencer(Heard())

    run(work())
