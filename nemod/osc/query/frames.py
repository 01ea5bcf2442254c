"""Takes bundles that were encoded here apart."""

import struct
from collections.abc import Iterator

from nemod.osc.encode import BUNDLE_HEADER, ELEMENT_HEADER

_SIZE = struct.Struct(">i")


def messages_of(packet: bytes) -> Iterator[bytes]:
    """Yield the messages of a packet that was made by `nemod.osc.encode`."""
    if not packet.startswith(b"#bundle\0"):
        yield packet
        return
    at = BUNDLE_HEADER
    while at < len(packet):
        (size,) = _SIZE.unpack_from(packet, at)
        at += ELEMENT_HEADER
        yield from messages_of(packet[at : at + size])
        at += size
