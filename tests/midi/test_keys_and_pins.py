"""Keys and pins, with stand-ins for evdev and gpiod."""

import errno
import os
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
import structlog

from nemod.midi.binding import Binding, Pull
from nemod.midi.messages import Kind, Message, Port
from nemod.midi.sources.lazy import LazySource, has_keys, has_pins
from tests.midi.heard import Heard, run
from tests.osc.conftest import FakeTimers


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
            self.is_released = self.is_gone = False

        def edge(self, pin: int, kind: str) -> None:
            types = SimpleNamespace(RISING_EDGE="rising")
            self.pending.append(SimpleNamespace(line_offset=pin, event_type=kind, Type=types))
            os.write(self.wake, b"x")

        def read_edge_events(self, _count: int) -> list[SimpleNamespace]:
            os.read(self.fd, 100)
            if self.is_gone:
                raise OSError(errno.ENODEV, "No such device")
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
        lines[0].is_gone = True
        with structlog.testing.capture_logs() as logs:
            lines[0].edge(17, "rising")
            await heard.until(lambda: heard.log[-1] == "- gpiochip0")
        assert [(entry["event"], entry["reason"]) for entry in logs] == [
            ("pins lost", "No such device")
        ]
        timers.advance(2.0)
        assert heard.log[-1] == "+ gpiochip0"
        with structlog.testing.capture_logs() as logs:
            source.use([Binding(kind=Kind.PIN, number=1, target="mute", device="gpiochip9")], ())
            timers.advance(10.0)
        assert all(one.is_released for one in lines)
        assert [entry["reason"] for entry in logs] == ["No such file or directory"]
        source.close()

    run(work())
    monkeypatch.delitem(sys.modules, "nemod.midi.sources.pins", raising=False)


DETENT = [(22, "rising"), (23, "rising"), (22, "falling"), (23, "falling")]
