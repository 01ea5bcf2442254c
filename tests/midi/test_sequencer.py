"""The ALSA sequencer, with a stand-in for alsa-midi's client: hot-plug, events, floods, errors."""

import errno
import os
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from nemod.midi.messages import Kind, Message, Port
from nemod.midi.sources import base
from nemod.midi.sources.base import SourceError
from nemod.midi.sources.lazy import LazySource
from tests.midi.heard import TIMERS, Heard, run
from tests.osc.conftest import FakeTimers

try:
    import alsa_midi
except (ImportError, OSError) as error:  # it loads libasound, which may be missing
    pytest.skip(f"alsa-midi cannot be used: {error}", allow_module_level=True)

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
        self.buffer: list[Any] = []
        self.sent: list[Any] = []
        self.send_error: Exception | None = None

    def set_client_pool_input(self, _size: int) -> None: ...
    def create_port(self, *_args: object) -> str:
        return "own"

    def subscribe_port(self, sender: object, dest: object) -> None:
        self.connected.append((sender, dest))

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
        # As libasound does, which takes all from the kernel at once.
        with suppress(BlockingIOError):
            os.read(self._fd, 1)
        if not self.events:
            raise alsa_midi.ALSAError("again", -errno.EAGAIN)
        event = self.events.pop(0)
        if isinstance(event, Exception):
            raise event
        return event

    def event_output(self, event: Any, *, port: str, dest: tuple[int, int]) -> None:
        self.buffer.append((repr(event), dest))

    def drain_output(self) -> None:
        if self.send_error is not None:
            raise self.send_error
        self.sent += self.buffer
        self.buffer.clear()

    def drop_output_buffer(self) -> None:
        self.buffer.clear()

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
        assert alsa.connected[:3] == [((0, 1), "own"), ((24, 0), "own"), ("own", (24, 0))]
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
        alsa.send_error = None
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
