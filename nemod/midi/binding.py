"""A binding: which control of which device does what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nemod.midi.messages import MAX_7_BIT, MAX_14_BIT, Kind, Message, Port

LONG_PRESS_S = 0.6
"""[s] How long a switch is held for its other function."""
SHUTDOWN = "shutdown"
SHUTDOWN_HOLD_S = 2.0
"""[s] How long a switch is held to shut down the machine."""
ANY_PROGRAM = -1
DEFAULT_CHIP = "gpiochip0"
"""Where pins are whose binding names no device."""


class Encoding(StrEnum):
    """What the value of a controller means. Relative ones are named as hardware makers do."""

    ABSOLUTE = "absolute"
    """Where a knob stands, 0..127."""
    FOURTEEN_BIT = "14-bit"
    """Likewise with 0..16383: controller `n` (0..31) has the upper half, `n + 32` the lower."""
    TWOS_COMPLEMENT = "twos-complement"
    """Steps: 1, 2, ... to the right, 127, 126, ... to the left."""
    BINARY_OFFSET = "binary-offset"
    """Steps: 65, 66, ... to the right, 63, 62, ... to the left."""
    SIGNED_BIT = "signed-bit"
    """Steps: 1, 2, ... to the right, 65, 66, ... to the left."""

    @property
    def is_relative(self) -> bool:
        """Whether it states steps instead of a position."""
        return self not in (Encoding.ABSOLUTE, Encoding.FOURTEEN_BIT)


def steps(encoding: Encoding, value: int) -> int:
    """Return how many steps to the right a relative encoder was turned."""
    match encoding:
        case Encoding.TWOS_COMPLEMENT:
            return value - 128 if value >= 64 else value
        case Encoding.BINARY_OFFSET:
            return value - 64
        case Encoding.SIGNED_BIT:
            return 64 - value if value >= 64 else value
        case _:
            raise ValueError(f"{encoding} is not relative")


class Mode(StrEnum):
    """What a switch does."""

    TOGGLE = "toggle"
    """Each press flips the target."""
    MOMENTARY = "momentary"
    """The target is on as long as the switch is held."""
    LATCH = "latch"
    """The switch alternates by itself between on and off, and the target follows it."""


class Curve(StrEnum):
    """How a pedal's way becomes a position."""

    LINEAR = "linear"
    SLOW = "slow"
    """The square: fine near the heel."""
    FAST = "fast"
    """The square root: fine near the toe."""


class Pull(StrEnum):
    """Resistor at a pin; a switch connects the pin with the other side."""

    UP = "up"
    """The switch connects the pin with ground."""
    DOWN = "down"
    """The switch connects the pin with the supply."""
    OFF = "off"
    """There is one on the board; the switch connects the pin with ground."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One entry of the file."""

    kind: Kind
    number: int = 0
    """Of the controller, note, program (`ANY_PROGRAM`), key or pin."""
    second: int = 0
    """The other pin of an encoder."""
    pull: Pull = Pull.UP
    """Resistor of the machine at a pin."""
    target: str
    """Path of a parameter, or an action; see `nemod.midi.targets`."""
    device: str = ""
    """Name or part of it; empty for any."""
    port: str = ""
    """Likewise."""
    channel: int = 0
    """1..16; 0 for any."""
    bank: int | None = None
    """The bank that must be selected for a program; None for any, which counts on."""
    offset: int = 0
    """Is added to the number of a program."""
    encoding: Encoding = Encoding.ABSOLUTE
    mode: Mode | None = None
    long: str = ""
    """Target of a long press."""
    hold_s: float = LONG_PRESS_S
    """[s] How long a long press is."""
    value: float | None = None
    """What a press sets: a position, or the number of a preset, snapshot or model."""
    low: int | None = None
    high: int | None = None
    """Values at the ends of the way of a pedal; None for those of the encoding."""
    range: tuple[float, float] = (0.0, 1.0)
    """Positions at the ends."""
    curve: Curve = Curve.LINEAR
    invert: bool = False
    step: float | None = None
    """Change of the position with one step of a relative encoder."""
    takeover: bool = True
    """An absolute knob takes effect once it has passed the present position."""
    echo: bool = False
    """The value is sent back to the controller."""
    unknown: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Keys that this version does not know."""

    @property
    def is_14_bit(self) -> bool:
        """Whether values have 14 bits."""
        return self.kind is Kind.BEND or self.encoding is Encoding.FOURTEEN_BIT

    @property
    def ends(self) -> tuple[int, int]:
        """Values at the ends."""
        top = MAX_14_BIT if self.is_14_bit else MAX_7_BIT
        return (
            0 if self.low is None else self.low,
            top if self.high is None else self.high,
        )

    @property
    def control(self) -> str:
        """What is moved, as `cc 20`."""
        if self.kind is Kind.PROGRAM and self.number == ANY_PROGRAM:
            return "program"
        if self.kind in (Kind.BEND, Kind.PRESSURE):
            return self.kind
        return f"{self.kind} {self.number}"

    def matches(self, port: Port, message: Message) -> bool:
        """Return whether a message is one of this control."""
        return self.is_control(message) and self.is_at(port)

    def is_control(self, message: Message) -> bool:
        """Return whether a message has kind, number and channel of this control."""
        if message.kind is not self.kind or (self.channel and self.channel != message.channel):
            return False
        if message.number == self.number or self.number == ANY_PROGRAM:
            return True
        return self.encoding is Encoding.FOURTEEN_BIT and message.number == self.number + 32

    def is_at(self, port: Port) -> bool:
        """Return whether this binding is for a port."""
        return _is_named(self.device, port.device) and _is_named(self.port, port.port)

    def is_same_control(self, other: "Binding") -> bool:
        """Return whether this is for the control of another binding, at a device that both name.

        Pins without a device are at the default chip. A program is another one in another bank.
        """
        is_wired = self.kind in (Kind.PIN, Kind.ENCODER)
        device, chip = self.device, DEFAULT_CHIP if is_wired else ""
        return (
            (self.kind, self.number, self.bank) == (other.kind, other.number, other.bank)
            and (self.channel == other.channel or not self.channel or not other.channel)
            and bool(device or chip)
            and _is_named(device or chip, other.device or chip)
            and _is_named(self.port, other.port)
        )

    def position(self, raw: int) -> float:
        """Return the position for a value of the controller: ends, direction, curve, range."""
        low, high = self.ends
        way = min(max((raw - low) / (high - low), 0.0), 1.0)
        if self.invert:
            way = 1.0 - way
        match self.curve:
            case Curve.SLOW:
                way *= way
            case Curve.FAST:
                way **= 0.5
            case Curve.LINEAR:
                pass
        first, last = self.range
        return first + way * (last - first)

    def raw(self, position: float) -> int:
        """Return the value of the controller for a position, the nearest one."""
        first, last = self.range
        way = (position - first) / (last - first) if last != first else 0.0
        way = min(max(way, 0.0), 1.0)
        match self.curve:
            case Curve.SLOW:
                way **= 0.5
            case Curve.FAST:
                way *= way
            case Curve.LINEAR:
                pass
        if self.invert:
            way = 1.0 - way
        low, high = self.ends
        return round(low + way * (high - low))


def _is_named(wanted: str, name: str) -> bool:
    """Return whether a name is, or contains, the wanted one; ` #2` of two alike must be the same.

    Case does not matter.
    """
    if not wanted:
        return True
    wanted_name, _, wanted_number = wanted.casefold().partition(" #")
    own_name, _, own_number = name.casefold().partition(" #")
    return wanted_name in own_name and (wanted_number or "1") == (own_number or "1")
