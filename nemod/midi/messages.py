"""What controllers send, whichever way it arrives."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Kinds of messages. The value is the word used in the file of bindings."""

    CC = "cc"
    """Control change."""
    NOTE = "note"
    """Note on and off; the value of a note off is 0."""
    PROGRAM = "program"
    PRESSURE = "pressure"
    """Channel pressure."""
    BEND = "bend"
    """Pitch bend, 0..16383."""
    KEY = "key"
    """A key of an input device, 127 pressed and 0 released."""
    PIN = "pin"
    """A switch at a pin of the machine, 127 pressed and 0 released."""
    ENCODER = "encoder"
    """A rotary encoder at two pins; the value is a count of steps, negative to the left."""
    CLOCK = "clock"
    """MIDI clock, 24 a quarter note."""


class Port(NamedTuple):
    """Where messages come from."""

    device: str
    """Name of the device; the second of two alike ends with ` #2`."""
    port: str = ""
    """Name of one of its ports."""

    def __str__(self) -> str:
        """Return both names, or one where the port's contains the device's."""
        if not self.port or self.port.startswith(self.device):
            return self.port or self.device
        return f"{self.device}: {self.port}"


class Message(NamedTuple):
    """One message of a controller."""

    kind: Kind
    channel: int
    """1..16; 0 for what has no channel."""
    number: int
    """Of the controller, note, program, key or pin; 0 where there is only one."""
    value: int
    """0..127; 0..16383 for a pitch bend."""


CLOCK = Message(Kind.CLOCK, 0, 0, 0)
MAX_7_BIT, MAX_14_BIT = 127, 16_383
