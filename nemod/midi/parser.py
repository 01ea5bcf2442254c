"""Reads a stream of MIDI bytes, as a serial port or a raw MIDI device delivers them.

By the MIDI 1.0 specification: running status, real-time bytes inside of other messages, system
exclusive messages of any length. What is cut off or undefined is skipped and counted; the stream is
read on at the next status byte.
"""

from nemod.midi.messages import CLOCK, Kind, Message

_FIRST_SYSTEM, _FIRST_REAL_TIME = 0xF0, 0xF8
_CLOCK_BYTE = 0xF8
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
"""Data bytes of a channel message, by the upper half of its status byte."""
_SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes of a system common message; the others have none."""


class Parser:
    """Turns bytes into messages, however they are cut into pieces."""

    def __init__(self) -> None:
        self.skipped = 0
        """Bytes that belong to no complete message; system exclusive ones are not counted."""
        self._status = 0
        """That of the next data byte; 0 for none."""
        self._data: list[int] = []
        self._is_exclusive = False

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that these bytes complete."""
        messages: list[Message] = []
        for byte in data:
            if byte >= _FIRST_REAL_TIME:
                if byte == _CLOCK_BYTE:
                    messages.append(CLOCK)
            elif byte >= 0x80:
                self._begin(byte)
            elif not self._is_exclusive:
                message = self._data_byte(byte)
                if message is not None:
                    messages.append(message)
        return messages

    def _begin(self, status: int) -> None:
        """Begin a message; one that is not complete is dropped."""
        self.skipped += len(self._data)
        self._data = []
        self._is_exclusive = status == _FIRST_SYSTEM
        has_data = status < _FIRST_SYSTEM or status in _SYSTEM_DATA_BYTES
        self._status = status if has_data else 0

    def _data_byte(self, byte: int) -> Message | None:
        if not self._status:
            self.skipped += 1
            return None
        self._data.append(byte)
        is_system = self._status >= _FIRST_SYSTEM
        size = _SYSTEM_DATA_BYTES[self._status] if is_system else _DATA_BYTES[self._status >> 4]
        if len(self._data) < size:
            return None
        data, self._data = self._data, []
        if is_system:
            self._status = 0  # has no running status
            return None
        return _message(self._status >> 4, (self._status & 0x0F) + 1, data)


def _message(command: int, channel: int, data: list[int]) -> Message | None:
    """Return a channel message; None for the pressure of single keys, which nothing uses."""
    match command:
        case 0x8:
            return Message(Kind.NOTE, channel, data[0], 0)
        case 0x9:
            return Message(Kind.NOTE, channel, data[0], data[1])
        case 0xB:
            return Message(Kind.CC, channel, data[0], data[1])
        case 0xC:
            return Message(Kind.PROGRAM, channel, data[0], 127)
        case 0xD:
            return Message(Kind.PRESSURE, channel, 0, data[0])
        case 0xE:
            return Message(Kind.BEND, channel, 0, data[0] | data[1] << 7)
        case _:
            return None


def to_bytes(message: Message) -> bytes:
    """Return a message as MIDI bytes; nothing for what is no MIDI."""
    channel = (message.channel or 1) - 1
    match message.kind:
        case Kind.CC:
            return bytes((0xB0 | channel, message.number, message.value))
        case Kind.NOTE:
            return bytes((0x90 | channel, message.number, message.value))
        case Kind.PROGRAM:
            return bytes((0xC0 | channel, message.number))
        case Kind.PRESSURE:
            return bytes((0xD0 | channel, message.value))
        case Kind.BEND:
            return bytes((0xE0 | channel, message.value & 0x7F, message.value >> 7))
        case _:
            return b""
