"""Sends values back to controllers, for their lamps and motors. Thread: control."""

from collections.abc import Callable, Iterable, Mapping

from nemod.common.timers import Timer, Timers
from nemod.control.controller import Controller
from nemod.control.events import Source
from nemod.midi.binding import Binding
from nemod.midi.controls import Control
from nemod.midi.messages import MAX_7_BIT, Kind, Message, Port
from nemod.midi.targets import ACTIONS, PRESET_LOAD, Targets

INTERVAL_S = 0.02
"""[s] Between two messages about the same change: no faster than a lamp shows."""
_CAN_ECHO = (Kind.CC, Kind.NOTE, Kind.BEND)

Send = Callable[[Message], None]
"""Sends a message to a controller; one that it cannot take now is dropped."""


class Echo:
    """Keeps the lamps of all controllers as the rig is."""

    def __init__(
        self,
        controller: Controller,
        targets: Targets,
        timers: Timers,
        controls: Callable[[], Iterable[Control]],
    ) -> None:
        """`controls` returns those that have been moved."""
        self._controller = controller
        self._targets = targets
        self._timers = timers
        self._controls = controls
        self._bindings: tuple[Binding, ...] = ()
        self._ports: dict[Port, Send] = {}
        self._sent: dict[tuple[Port, Kind, int, int], int] = {}
        """The last value of each lamp."""
        self._timer: Timer | None = None

    def use(self, bindings: Iterable[Binding]) -> None:
        """Follow these bindings."""
        self._bindings = tuple(one for one in bindings if one.echo and one.kind in _CAN_ECHO)
        self.changed()

    def connected(self, port: Port, send: Send) -> None:
        """Set all lamps of a controller."""
        self._ports[port] = send
        self._forget(port)
        self.changed()

    def disconnected(self, port: Port) -> None:
        """Send nothing more to a controller."""
        self._ports.pop(port, None)
        self._forget(port)

    def _forget(self, port: Port) -> None:
        self._sent = {key: value for key, value in self._sent.items() if key[0] != port}

    def changed(self) -> None:
        """Called when anything has changed; lamps follow a moment later."""
        if self._timer is None and self._bindings and self._ports:
            self._timer = self._timers.later(INTERVAL_S, self._send)

    def moved_by(self, source: Source) -> None:
        """Called when a control has set its target.

        A fader stands where it was put: sending its value back would move it under the finger.
        """
        for control in self._controls():
            if control.source == source and control.is_absolute and control.binding.echo:
                position = self._targets.position(control.binding.target)
                if position is not None:
                    for port in self._ports:
                        message = _message(control.binding, control.channel, position)
                        if control.binding.is_at(port):
                            self._sent[_key(port, message)] = message.value

    def close(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _send(self) -> None:
        self._timer = None
        channels: Mapping[Binding, int] = {
            control.binding: control.channel for control in self._controls()
        }
        for binding in self._bindings:
            position = self._position(binding)
            if position is None:
                continue
            message = _message(binding, channels.get(binding, binding.channel or 1), position)
            for port, send in tuple(self._ports.items()):
                if binding.is_at(port) and self._sent.get(_key(port, message)) != message.value:
                    self._sent[_key(port, message)] = message.value
                    for part in _parts(binding, message):
                        send(part)

    def _position(self, binding: Binding) -> float | None:
        """Return what a lamp shows; that of a preset's switch is on while the preset is current."""
        if binding.target in ACTIONS:
            if binding.target != PRESET_LOAD or binding.value is None:
                return None
            presets = self._controller.presets
            return float(presets.number == round(binding.value))
        return self._targets.position(binding.target)


def _key(port: Port, message: Message) -> tuple[Port, Kind, int, int]:
    return port, message.kind, message.channel, message.number


def _message(binding: Binding, channel: int, position: float) -> Message:
    """Return the message that shows a position."""
    if binding.target in ACTIONS:
        return Message(binding.kind, channel, binding.number, MAX_7_BIT if position else 0)
    return Message(binding.kind, channel, binding.number, binding.raw(position))


def _parts(binding: Binding, message: Message) -> list[Message]:
    """Return the messages that carry a value; one of 14 bits takes two controllers."""
    if binding.kind is Kind.BEND or not binding.is_14_bit:
        return [message]
    upper = message._replace(value=message.value >> 7)
    lower = message._replace(number=message.number + 32, value=message.value & MAX_7_BIT)
    return [upper, lower]
