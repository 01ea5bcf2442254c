"""Bytes from the network to messages: the only parser of OSC in nemod.

Strict and small. A packet is either understood whole or refused with `DecodeError`; nothing is
guessed, padded or read as zero, and no other exception leaves this file. Time is linear in the
length of the packet. OSC 1.0 with the argument types that OSC 1.1 made standard; a message of the
oldest kind, an address and no type tags, counts as one without arguments.
"""

import struct
from typing import NamedTuple

from nemod.common.errors import NemodError

MAX_DATAGRAM = 8192
"""[bytes]"""
MAX_NESTING = 8
"""Deepest nesting of bundles, and of arrays."""
MAX_MESSAGES = 256
"""Most messages in one packet, nested bundles included."""
MAX_ARGUMENTS = 1024
"""Most arguments in one packet: type tags without data cost work but no bytes."""

IMMEDIATELY = 1
"""Time tag of a bundle that is to be carried out on arrival."""

_BUNDLE = b"#bundle\0"
_PADDING = tuple(map(bytes, range(5)))
_BAD_PADDING = "padding is short or not zero"
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_TIME = struct.Struct(">Q")
_FLOAT = struct.Struct(">f")
_DOUBLE = struct.Struct(">d")
_WORD = struct.Struct(">I")
_FIXED = {"i": _INT, "f": _FLOAT, "h": _LONG, "d": _DOUBLE, "t": _TIME, "r": _WORD}
_WITHOUT_DATA = {"T": True, "F": False, "N": None, "I": None}

Value = int | float | str | bytes | bool | tuple["Value", ...] | None
"""What an argument holds. `N` and `I` are None, a MIDI message is its four bytes, an array a tuple
of its values; the type tag tells them apart."""


class DecodeError(NemodError):
    """Bytes that are not OSC, or exceed the limits of one packet."""


class Message(NamedTuple):
    """One message. `tags` has no comma; `values` has one entry per argument, an array being one."""

    address: str
    tags: str
    values: tuple[Value, ...]


class Bundle(NamedTuple):
    """Messages and bundles that belong together; `time_tag` is in NTP units of 2**-32 s."""

    time_tag: int
    elements: tuple["Message | Bundle", ...]


class Packet(NamedTuple):
    """What one datagram or frame holds, and how many messages that are."""

    root: Message | Bundle
    message_count: int
    size: int
    """[bytes]"""


def decode(data: bytes, limit: int = MAX_DATAGRAM) -> Packet:
    """Return the decoded packet of at most `limit` bytes.

    Raises: DecodeError, and nothing else, for whatever is not well-formed.
    """
    if len(data) > limit:
        raise DecodeError(f"{len(data)} bytes, {limit} are allowed")
    decoder = _Decoder(data)
    root = decoder.element(0, len(data), 0)
    return Packet(root, decoder.messages, len(data))


class _Decoder:
    """Reads one packet and counts its messages and arguments."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.messages = 0
        self._arguments = 0

    def element(self, start: int, end: int, depth: int) -> Message | Bundle:
        """Return the message or bundle that fills `start`..`end` exactly."""
        if end - start < 4 or (end - start) % 4:
            raise DecodeError(f"element of {end - start} bytes, a positive multiple of 4 is needed")
        if self._data.startswith(_BUNDLE, start, end):
            return self._bundle(start + len(_BUNDLE), end, depth + 1)
        return self._message(start, end)

    def _bundle(self, at: int, end: int, depth: int) -> Bundle:
        if depth > MAX_NESTING:
            raise DecodeError(f"bundles nested deeper than {MAX_NESTING}")
        if end - at < 8:
            raise DecodeError("bundle ends before its time tag")
        (time_tag,) = _TIME.unpack_from(self._data, at)
        at += 8
        elements = []
        while at < end:
            # All sizes so far are multiples of 4, so there is room for this one.
            (size,) = _INT.unpack_from(self._data, at)
            at += 4
            if not 0 < size <= end - at:
                raise DecodeError(f"bundle element of {size} bytes where {end - at} are left")
            elements.append(self.element(at, at + size, depth))
            at += size
        return Bundle(time_tag, tuple(elements))

    def _message(self, at: int, end: int) -> Message:
        self.messages += 1
        if self.messages > MAX_MESSAGES:
            raise DecodeError(f"more than {MAX_MESSAGES} messages")
        address, at = self._string(at, end)
        if not address.startswith("/"):
            raise DecodeError("address does not begin with '/'")
        if at == end:
            return Message(address, "", ())
        tags, at = self._string(at, end)
        if not tags.startswith(","):
            raise DecodeError("type tags do not begin with ','")
        tags = tags[1:]
        values, at = self._values(tags, at, end)
        if at != end:
            raise DecodeError(f"{end - at} bytes after the last argument")
        return Message(address, tags, values)

    def _values(self, tags: str, at: int, end: int) -> tuple[tuple[Value, ...], int]:
        self._arguments += len(tags)
        if self._arguments > MAX_ARGUMENTS:
            raise DecodeError(f"more than {MAX_ARGUMENTS} arguments")
        if not tags:
            return (), at
        values: list[Value] = []
        outer: list[list[Value]] = []
        for tag in tags:
            if tag in _WITHOUT_DATA:  # first, because a packet can hold most of these
                values.append(_WITHOUT_DATA[tag])
            elif tag in _FIXED:
                layout = _FIXED[tag]
                if end - at < layout.size:
                    raise DecodeError(f"argument of {layout.size} bytes where {end - at} are left")
                values.append(layout.unpack_from(self._data, at)[0])
                at += layout.size
            elif tag == "[":
                outer.append(values)
                values = []
                if len(outer) > MAX_NESTING:
                    raise DecodeError(f"arrays nested deeper than {MAX_NESTING}")
            elif tag == "]":
                if not outer:
                    raise DecodeError("']' without '['")
                array = tuple(values)
                values = outer.pop()
                values.append(array)
            else:
                value, at = self._value(tag, at, end)
                values.append(value)
        if outer:
            raise DecodeError("'[' without ']'")
        return tuple(values), at

    def _value(self, tag: str, at: int, end: int) -> tuple[Value, int]:
        if tag in "sS":
            return self._string(at, end)
        if tag == "b":
            return self._blob(at, end)
        if tag == "m":
            self._need(4, at, end)
            return tuple(self._data[at : at + 4]), at + 4
        if tag == "c":
            self._need(4, at, end)
            (code,) = _WORD.unpack_from(self._data, at)
            if code > 127:
                raise DecodeError(f"character {code}, ASCII is needed")
            return chr(code), at + 4
        raise DecodeError(f"unknown type tag {tag!r}")

    def _string(self, at: int, end: int) -> tuple[str, int]:
        data = self._data
        stop = data.find(0, at, end)
        if stop < 0:
            raise DecodeError("string without an end")
        after = (stop + 4) & ~3
        # Not by a call: a packet holds hundreds of strings.
        if after > end or data[stop:after] != _PADDING[after - stop]:
            raise DecodeError(_BAD_PADDING)
        try:
            return data[at:stop].decode(), after
        except UnicodeDecodeError as error:
            raise DecodeError(f"string is not UTF-8: {error.reason}") from None

    def _blob(self, at: int, end: int) -> tuple[bytes, int]:
        self._need(4, at, end)
        (size,) = _INT.unpack_from(self._data, at)
        at += 4
        if not 0 <= size <= end - at:
            raise DecodeError(f"blob of {size} bytes where {end - at} are left")
        stop = at + size
        after = (stop + 3) & ~3
        if after > end or self._data[stop:after] != _PADDING[after - stop]:
            raise DecodeError(_BAD_PADDING)
        return self._data[at:stop], after

    def _need(self, size: int, at: int, end: int) -> None:
        if end - at < size:
            raise DecodeError(f"argument of {size} bytes where {end - at} are left")
