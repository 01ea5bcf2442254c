"""Keys of input devices, such as page-turn pedals, with evdev. Thread: control, inside a loop.

A device is opened only where the file of bindings names it, and then it is nemod's alone: its keys
must not type into a terminal, nor those of the keyboard control the sound.
"""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import evdev
import structlog

from nemod.common.timers import Timer, Timers
from nemod.midi.binding import Binding
from nemod.midi.messages import Kind, Message, Port
from nemod.midi.sources.base import RETRY_S, Receiver

_FOLDER = "/dev/input"
_RELEASED, _PRESSED = 0, 1
"""Values of a key; a third is the repetition while it is held."""

log = structlog.get_logger("nemod")


class Keys:
    """The input devices that bindings name."""

    def __init__(self, receiver: Receiver, timers: Timers) -> None:
        self._receiver = receiver
        self._timers = timers
        self._loop = asyncio.get_running_loop()
        self._wanted: tuple[str, ...] = ()
        self._open: dict[str, tuple[Any, Port]] = {}
        """Open devices by their file."""
        self._refused: dict[str, str] = {}
        """Why files could not be opened; each is logged once."""
        self._seen: frozenset[str] = frozenset()
        self._timer: Timer | None = None

    def use(self, bindings: Sequence[Binding], inputs: Sequence[str]) -> None:
        """Open the devices that are named, and close all others."""
        named = [one.device for one in bindings if one.kind is Kind.KEY and one.device]
        wanted = tuple(dict.fromkeys(name.casefold() for name in (*named, *inputs)))
        if wanted == self._wanted:
            return
        self._wanted, self._seen = wanted, frozenset()
        for path, (_, port) in tuple(self._open.items()):
            if not self._is_wanted(port.device):
                self._close(path)
        self._look()

    def close(self) -> None:
        """Close everything."""
        if self._timer is not None:
            self._timer.cancel()
        for path in tuple(self._open):
            self._close(path)

    def _is_wanted(self, name: str) -> bool:
        return any(wanted in name.casefold() for wanted in self._wanted)

    def _look(self) -> None:
        """Open what is new; look again later, as long as any is wanted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._wanted:
            return
        # What a device is named is known without opening it.
        files = frozenset(_event_files())
        if files != self._seen or self._refused:
            self._seen = files
            self._refused = {path: why for path, why in self._refused.items() if path in files}
            for path in sorted(files - set(self._open)):
                if self._is_wanted(_name(path)):
                    self._try(path)
        self._timer = self._timers.later(RETRY_S, self._look)

    def _try(self, path: str) -> None:
        try:
            device = evdev.InputDevice(path)
        except OSError as error:
            self._refuse(path, f"{error.strerror}; be in the group input")
            return
        try:
            device.grab()
        except OSError as error:
            device.close()
            self._refuse(path, f"{device.name} is in use by another program ({error.strerror})")
            return
        self._refused.pop(path, None)
        port = Port(device.name)
        self._open[path] = device, port
        self._loop.add_reader(device.fd, self._read, path)
        self._receiver.connected(port, None)

    def _refuse(self, path: str, reason: str) -> None:
        if self._refused.get(path) != reason:
            self._refused[path] = reason
            log.warning("input device not opened", file=path, reason=reason)

    def _read(self, path: str) -> None:
        device, port = self._open[path]
        try:
            events = list(device.read())
        except BlockingIOError:
            return
        except OSError:  # it was disconnected
            self._close(path)
            self._seen = frozenset()
            return
        batch = [
            (port, Message(Kind.KEY, 0, event.code, 127 if event.value else 0))
            for event in events
            if event.type == evdev.ecodes.EV_KEY and event.value in (_RELEASED, _PRESSED)
        ]
        if batch:
            self._receiver.received(batch)

    def _close(self, path: str) -> None:
        device, port = self._open.pop(path)
        self._loop.remove_reader(device.fd)
        device.close()
        self._receiver.disconnected(port)


def _event_files() -> list[str]:
    """Return the files of all input devices."""
    try:
        names = os.listdir(_FOLDER)
    except OSError:
        return []
    return [f"{_FOLDER}/{name}" for name in names if name.startswith("event")]


def _name(path: str) -> str:
    """Return the name of an input device; empty where it is not known."""
    try:
        with open(f"/sys/class/input/{os.path.basename(path)}/device/name") as file:
            return file.read(256).strip()
    except OSError:
        return ""
