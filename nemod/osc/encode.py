"""Encodes messages: the only module that uses python-osc, and only its writers.

Its parser never sees a packet: its message classes read back what they have built, so the writers
of single arguments are used instead.
"""

from collections.abc import Sequence

from pythonosc.parsing import osc_types as write

MAX_PACKET = 1200
"""[bytes] Longest packet that is sent: fits every network's frames, headers included."""
BUNDLE_HEADER = 16
"""[bytes] `#bundle` and its time tag."""
ELEMENT_HEADER = 4
"""[bytes] Size of one element of a bundle."""

_LARGEST_FLOAT = 3.4028234663852886e38
_INT_RANGE = (-(2**31), 2**31 - 1)


def encode(address: str, tags: str = "", *values: str | int | float | bool) -> bytes:
    """Return one message; `tags` is one of `i f s T F` per argument, `T` and `F` needing no value.

    Numbers that do not fit are clipped and strings are cut at a NUL, which OSC cannot carry.
    """
    parts = [write.write_string(_sendable(address)), write.write_string("," + tags)]
    data = iter(values)
    for tag in tags:
        if tag == "f":
            number = min(max(float(next(data)), -_LARGEST_FLOAT), _LARGEST_FLOAT)
            parts.append(write.write_float(number))
        elif tag == "i":
            parts.append(write.write_int(min(max(int(next(data)), _INT_RANGE[0]), _INT_RANGE[1])))
        elif tag == "s":
            parts.append(write.write_string(_sendable(str(next(data)))))
    return b"".join(parts)


def bundle(messages: Sequence[bytes]) -> bytes:
    """Return encoded messages as one bundle to be performed at once."""
    parts = [write.write_string("#bundle"), write.write_date(write.IMMEDIATELY)]
    for message in messages:
        parts += (write.write_int(len(message)), message)
    return b"".join(parts)


def pack(messages: Sequence[bytes], limit: int = MAX_PACKET) -> list[bytes]:
    """Return encoded messages as bundles of at most `limit` bytes each, in order.

    A message that is too long for a bundle of its own is left out.
    """
    packets = []
    batch: list[bytes] = []
    size = BUNDLE_HEADER
    for message in messages:
        needed = ELEMENT_HEADER + len(message)
        if BUNDLE_HEADER + needed > limit:
            continue
        if size + needed > limit:
            packets.append(bundle(batch))
            batch, size = [], BUNDLE_HEADER
        batch.append(message)
        size += needed
    if batch:
        packets.append(bundle(batch))
    return packets


def string_size(text: str) -> int:
    """Return how many bytes a string takes in a packet, its padding included."""
    return (len(_sendable(text).encode()) + 4) & ~3


def _sendable(text: str) -> str:
    """Return the text without what UTF-8 or OSC cannot carry (file names may hold both)."""
    return text.partition("\0")[0].encode("utf-8", "replace").decode()
