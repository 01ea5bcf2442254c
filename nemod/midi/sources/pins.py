"""Buttons and rotary encoders at the pins of the machine, with gpiod. Thread: control, in a loop.

Only pins that the file of bindings names are requested; all others stay with who uses them.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import gpiod
import structlog
from gpiod.line import Bias, Direction, Edge

from nemod.common.timers import Timer, Timers
from nemod.midi.binding import DEFAULT_CHIP, Binding, Pull
from nemod.midi.messages import Kind, Message, Port
from nemod.midi.quadrature import Quadrature
from nemod.midi.sources.base import RETRY_S, Receiver

_DEBOUNCE = timedelta(milliseconds=5)
_MAX_EVENTS = 64
_BIAS = {Pull.UP: Bias.PULL_UP, Pull.DOWN: Bias.PULL_DOWN, Pull.OFF: Bias.DISABLED}

log = structlog.get_logger("nemod")


class Pins:
    """The pins that bindings name, chip by chip."""

    def __init__(self, receiver: Receiver, timers: Timers) -> None:
        self._receiver = receiver
        self._timers = timers
        self._wanted: tuple[Binding, ...] = ()
        self._chips: dict[str, _Chip] = {}
        self._reasons: dict[str, str] = {}
        """Why chips could not be used; each is logged once."""
        self._timer: Timer | None = None

    def use(self, bindings: Sequence[Binding], inputs: Sequence[str]) -> None:
        """Request the pins that are named, and release all others."""
        wanted = tuple(one for one in bindings if one.kind in (Kind.PIN, Kind.ENCODER))
        if _wiring(wanted) == _wiring(self._wanted):
            self._wanted = wanted
            return
        self.close()
        self._wanted = wanted
        self._open()

    def close(self) -> None:
        """Release all pins."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for chip in self._chips.values():
            chip.close()
        self._chips.clear()

    def _open(self) -> None:
        """Request the pins of chips that are not yet in use; those that fail again later."""
        self._timer = None
        names = {one.device or DEFAULT_CHIP for one in self._wanted}
        for name in sorted(names - set(self._chips)):
            bindings = [one for one in self._wanted if (one.device or DEFAULT_CHIP) == name]
            try:
                self._chips[name] = _Chip(name, bindings, self._receiver, self._lost)
                self._reasons.pop(name, None)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                if self._reasons.get(name) != reason:
                    self._reasons[name] = reason
                    remedy = "be in the group gpio; a pin may be in use by another program"
                    log.warning("pins not opened", chip=name, reason=reason, remedy=remedy)
        if names - set(self._chips) and self._timer is None:
            self._timer = self._timers.later(RETRY_S, self._open)

    def _lost(self, name: str, error: OSError) -> None:
        """Release the pins of a chip that cannot be read any more, and try it again later."""
        log.warning("pins lost", chip=name, reason=error.strerror or str(error))
        self._chips.pop(name).close()
        if self._timer is None:
            self._timer = self._timers.later(RETRY_S, self._open)


def _wiring(bindings: Iterable[Binding]) -> set[tuple[str, Kind, int, int, Pull]]:
    return {
        (one.device or DEFAULT_CHIP, one.kind, one.number, one.second, one.pull) for one in bindings
    }


class _Chip:
    """The pins of one chip."""

    def __init__(
        self,
        name: str,
        bindings: Sequence[Binding],
        receiver: Receiver,
        lost: Callable[[str, OSError], None],
    ) -> None:
        """Request the pins; `lost` is called when they are gone. Raises: OSError, ValueError."""
        settings: dict[Any, Any] = {}
        self._encoders: dict[int, Quadrature] = {}
        for binding in bindings:
            is_button = binding.kind is Kind.PIN
            for pin in (binding.number,) if is_button else (binding.number, binding.second):
                settings.setdefault(pin, _settings(binding.pull, is_button=is_button))
            if not is_button:
                encoder = Quadrature(binding.number, binding.second)
                self._encoders |= {binding.number: encoder, binding.second: encoder}
        self._port = Port(name)
        self._lost = lost
        self._receiver = receiver
        self._lines = gpiod.request_lines(f"/dev/{name}", consumer="nemod", config=settings)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._lines.fd, self._read)
        receiver.connected(self._port, None)

    def close(self) -> None:
        """Release the pins."""
        self._loop.remove_reader(self._lines.fd)
        self._lines.release()
        self._receiver.disconnected(self._port)

    def _read(self) -> None:
        batch: list[tuple[Port, Message]] = []
        try:
            events = self._lines.read_edge_events(_MAX_EVENTS)
        except OSError as error:
            self._lost(self._port.device, error)
            return
        for event in events:
            pin, is_active = event.line_offset, event.event_type is event.Type.RISING_EDGE
            encoder = self._encoders.get(pin)
            if encoder is None:
                batch.append((self._port, Message(Kind.PIN, 0, pin, 127 if is_active else 0)))
            elif step := encoder.edge(pin, is_active=is_active):
                batch.append((self._port, Message(Kind.ENCODER, 0, encoder.first, step)))
        if batch:
            self._receiver.received(batch)


def _settings(pull: Pull, *, is_button: bool) -> Any:
    return gpiod.LineSettings(
        direction=Direction.INPUT,
        edge_detection=Edge.BOTH,
        bias=_BIAS[pull],
        active_low=pull is not Pull.DOWN,
        debounce_period=_DEBOUNCE if is_button else timedelta(),
    )
