"""Controls at work: what the messages of one control of one controller do. Thread: control.

Knobs and encoders only note what arrives and act once for all messages that have arrived together;
so a controller that sends thousands of values a second costs little.
"""

from abc import ABC, abstractmethod

from nemod.common.timers import Timers
from nemod.control.events import Source
from nemod.midi.binding import Binding, Encoding, Mode, steps
from nemod.midi.messages import Kind, Message, Port
from nemod.midi.switches import LongPressSwitch, Switch
from nemod.midi.targets import ACTIONS, OPPOSITE, TAP, Targets

ON = 64
"""Lowest value of a switch that is on."""
CAUGHT = 1.5 / 127.0
"""A knob has reached a position that differs by less: one step of a controller, and a half."""


class Control(ABC):
    """One control."""

    def __init__(self, binding: Binding, port: Port, targets: Targets) -> None:
        self.binding = binding
        self.source = Source("midi", f"{port} {binding.control}")
        self.channel = binding.channel or 1
        """That of the last message."""
        self._targets = targets

    @abstractmethod
    def take(self, message: Message, number: int) -> None:
        """Take a message; `number` is that of its program, the bank included."""

    def apply(self) -> None:
        """Act on what was noted since the last call."""
        return

    def moved(self, position: float) -> None:
        """Called when somebody else has set the target to a position."""
        return

    def release(self) -> None:
        """Called when the controller is disconnected: nothing stays pressed."""
        return

    def close(self) -> None:
        """Do nothing more."""
        return

    @property
    def is_absolute(self) -> bool:
        """Whether it shows by itself where it stands."""
        return False


class Knob(Control):
    """A knob, fader or expression pedal that sends where it stands."""

    def __init__(self, binding: Binding, port: Port, targets: Targets) -> None:
        super().__init__(binding, port, targets)
        self._upper = 0
        self._raw: int | None = None
        self._last: float | None = None
        """Where it stood when it was moved last."""
        self._is_caught = True

    def take(self, message: Message, number: int) -> None:
        """Note the value."""
        value, binding = message.value, self.binding
        if binding.encoding is Encoding.FOURTEEN_BIT:
            if message.number == binding.number:
                # By the specification, the lower half is 0 until it arrives.
                self._upper, value = value, value << 7
            else:
                value |= self._upper << 7
        self._raw = value

    def apply(self) -> None:
        """Set the target, once it has been caught."""
        raw, self._raw = self._raw, None
        if raw is None:
            return
        target, position = self.binding.target, self.binding.position(raw)
        last, self._last = self._last, position
        if not self._is_caught:
            current = self._targets.position(target)
            if current is not None and not _reaches(last, position, current):
                return
            self._is_caught = True
        self._targets.set(target, position, self.source)

    def moved(self, position: float) -> None:
        """Wait for the knob to pass the new position."""
        if self.binding.takeover:
            is_there = self._last is not None and abs(self._last - position) < CAUGHT
            self._is_caught = is_there

    @property
    def is_absolute(self) -> bool:
        """Whether it shows by itself where it stands."""
        return True


def _reaches(last: float | None, position: float, current: float) -> bool:
    """Return whether a knob that was moved has passed a position, or is there."""
    if abs(position - current) < CAUGHT:
        return True
    return last is not None and (last - current) * (position - current) <= 0.0


class Selector(Control):
    """A knob whose value is the number of a preset, snapshot or model."""

    def __init__(self, binding: Binding, port: Port, targets: Targets) -> None:
        super().__init__(binding, port, targets)
        self._number: int | None = None

    def take(self, message: Message, number: int) -> None:
        """Note the number."""
        self._number = message.value

    def apply(self) -> None:
        """Load what has the number, unless that is current or on its way."""
        number, self._number = self._number, None
        if number is not None and number != self._targets.requested_number(self.binding.target):
            self._targets.run(self.binding.target, number, self.source, None)


class RelativeEncoder(Control):
    """An endless encoder, which sends steps."""

    def __init__(self, binding: Binding, port: Port, targets: Targets) -> None:
        super().__init__(binding, port, targets)
        self._steps = 0

    def take(self, message: Message, number: int) -> None:
        """Count the steps."""
        is_midi = message.kind is Kind.CC
        count = steps(self.binding.encoding, message.value) if is_midi else message.value
        self._steps += -count if self.binding.invert else count

    def apply(self) -> None:
        """Move the target by the steps, within the binding's range."""
        count, self._steps = self._steps, 0
        binding, targets = self.binding, self._targets
        target = binding.target
        if not count:
            return
        if target in ACTIONS:
            action = target if count > 0 else OPPOSITE.get(target, target)
            targets.run(action, 0, self.source, None)
            return
        current = targets.position(target)
        if current is None:
            targets.set(target, 0.0, self.source)  # says why it cannot be set
            return
        step = binding.step if binding.step is not None else targets.step(target)
        low, high = sorted(binding.range)
        targets.set(target, min(max(current + count * step, low), high), self.source)


class SwitchControl(Control):
    """A footswitch, button, key or pad."""

    def __init__(self, binding: Binding, port: Port, targets: Targets, timers: Timers) -> None:
        super().__init__(binding, port, targets)
        self._has_velocity = binding.kind is Kind.NOTE
        self._switch = self._make(timers)

    def _make(self, timers: Timers) -> Switch | LongPressSwitch:
        binding = self.binding
        # A controller may never send one; then a single press must not count as a long one.
        sends_releases = binding.kind in (Kind.NOTE, Kind.KEY, Kind.PIN)
        if binding.long:
            return LongPressSwitch(
                timers,
                self._press,
                self._long,
                hold_s=binding.hold_s,
                taps=binding.long == TAP,
                sends_releases=sends_releases,
            )
        if self._is_action:
            if binding.target == "shutdown":
                return LongPressSwitch(
                    timers,
                    _nothing,
                    self._press,
                    hold_s=binding.hold_s,
                    sends_releases=sends_releases,
                )
            is_latch = binding.mode is Mode.LATCH
            return Switch(timers, self._press, release=self._press if is_latch else None)
        if binding.value is not None or binding.mode in (None, Mode.TOGGLE):
            return Switch(timers, self._press)
        return Switch(
            timers,
            self._on,
            release=self._off,
            repeat=self._flip if binding.mode is Mode.LATCH else None,
            is_limited=binding.mode is Mode.LATCH,
        )

    @property
    def _is_action(self) -> bool:
        return self._targets.row(self.binding.target) is None

    def take(self, message: Message, number: int) -> None:
        """Press or release the switch."""
        is_on = message.value > 0 if self._has_velocity else message.value >= ON
        self._switch.take(is_on != self.binding.invert)

    def release(self) -> None:
        """Release it, without what a release after a press does for a long press."""
        self._switch.let_go()

    def close(self) -> None:
        """Forget a press that waits."""
        self._switch.close()

    def _press(self, time_s: float) -> None:
        self._do(self.binding.target, self.binding.value, time_s)

    def _long(self, time_s: float) -> None:
        self._do(self.binding.long, None, time_s)

    def _do(self, target: str, value: float | None, time_s: float) -> None:
        """Carry out an action, set a value, or flip."""
        if self._targets.row(target) is None:
            self._targets.run(target, round(value or 0.0), self.source, time_s)
        elif value is not None:
            self._targets.set(target, value, self.source)
        else:
            self._flip(time_s, target)

    def _flip(self, _time_s: float, target: str = "") -> None:
        target = target or self.binding.target
        off, on = self.binding.range
        current = self._targets.position(target)
        is_on = current is not None and abs(current - on) < abs(current - off)
        self._targets.set(target, off if is_on else on, self.source)

    def _on(self, _time_s: float) -> None:
        self._targets.set(self.binding.target, self.binding.range[1], self.source)

    def _off(self, _time_s: float) -> None:
        self._targets.set(self.binding.target, self.binding.range[0], self.source)


def _nothing(_time_s: float) -> None:
    """Do nothing: a button for a long press only."""


class ProgramControl(Control):
    """A program change."""

    def __init__(self, binding: Binding, port: Port, targets: Targets, timers: Timers) -> None:
        super().__init__(binding, port, targets)
        self._press = SwitchControl(binding, port, targets, timers)

    def take(self, message: Message, number: int) -> None:
        """Load what has the program's number; one program that was bound is a press."""
        target, binding = self.binding.target, self.binding
        takes_number = target in ACTIONS and ACTIONS[target].takes_number
        if takes_number and binding.value is None:
            self._targets.run(target, number + binding.offset, self.source, None)
        else:
            self._press.take(message, number)

    def close(self) -> None:
        """Forget a press that waits."""
        self._press.close()


def make_control(binding: Binding, port: Port, targets: Targets, timers: Timers) -> Control:
    """Return the control that a binding is at a port."""
    if binding.kind is Kind.PROGRAM:
        return ProgramControl(binding, port, targets, timers)
    if binding.kind is Kind.ENCODER or binding.encoding.is_relative:
        return RelativeEncoder(binding, port, targets)
    is_button = binding.kind in (Kind.NOTE, Kind.KEY, Kind.PIN)
    has_switch_keys = binding.mode is not None or binding.value is not None or binding.long
    if is_button or has_switch_keys or targets.is_switch(binding.target):
        return SwitchControl(binding, port, targets, timers)
    if binding.target in ACTIONS:
        return Selector(binding, port, targets)
    return Knob(binding, port, targets)
