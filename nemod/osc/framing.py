"""Splits a TCP stream into OSC packets, and frames packets for one.

OSC 1.0 puts the size of a packet (int32, big-endian) in front of it. OSC 1.1 delimits packets by
END bytes and escapes these inside (SLIP, RFC 1055). The first byte of a connection tells which: END
means SLIP, everything else is the first byte of a size. A violation of the framing ends the
connection, because nothing after it can be trusted; what is inside a frame is the decoder's matter.
"""

import struct
from enum import Enum

MAX_FRAME = 65_536
"""[bytes] Longest packet in a frame."""

END = b"\xc0"
ESC = b"\xdb"
_ESC_END = ESC + b"\xdc"
_ESC_ESC = ESC + b"\xdd"
_SIZE = struct.Struct(">i")


class Framing(Enum):
    """How packets are delimited in a stream."""

    LENGTH = "OSC 1.0, length prefix"
    SLIP = "OSC 1.1, SLIP"


def frame(packet: bytes, framing: Framing) -> bytes:
    """Return a packet as it is written to a stream; SLIP with an END on either side."""
    if framing is Framing.LENGTH:
        return _SIZE.pack(len(packet)) + packet
    return END + packet.replace(ESC, _ESC_ESC).replace(END, _ESC_END) + END


class FrameReader:
    """Splits the bytes of one connection into packets as they arrive.

    How the stream is cut into pieces makes no difference. Holds at most one frame and takes time
    linear in the number of bytes.
    """

    def __init__(self, limit: int = MAX_FRAME) -> None:
        """`limit` [bytes]: longest packet."""
        self.error = ""
        """What ended the stream; empty while it is valid."""
        self.framing: Framing | None = None
        """None before the first byte."""
        self._limit = limit
        self._buffer = bytearray()
        self._size = 0
        """[bytes] LENGTH: size of the frame that has begun, 0 while its size is incomplete.
        SLIP: size of what has arrived of it, without its escapes."""

    @property
    def has_partial_frame(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return bool(self._buffer) or self._size > 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the packets that these bytes complete; after an error there are none."""
        if self.error or not data:
            return []
        if self.framing is None:
            self.framing = Framing.SLIP if data.startswith(END) else Framing.LENGTH
        return self._lengths(data) if self.framing is Framing.LENGTH else self._slip(data)

    def _lengths(self, data: bytes) -> list[bytes]:
        frames: list[bytes] = []
        self._buffer += data
        at = 0
        while True:
            if not self._size:
                if len(self._buffer) - at < _SIZE.size:
                    break
                (size,) = _SIZE.unpack_from(self._buffer, at)
                if not 0 < size <= self._limit or size % 4:
                    allowed = f"a multiple of 4 from 4 to {self._limit} is needed"
                    self._fail(f"frame of {size} bytes, {allowed}")
                    return frames
                at += _SIZE.size
                self._size = size
            if len(self._buffer) - at < self._size:
                break
            frames.append(bytes(self._buffer[at : at + self._size]))
            at += self._size
            self._size = 0
        # Once per call: a deletion per frame would move the rest of the bytes every time.
        del self._buffer[:at]
        return frames

    def _slip(self, data: bytes) -> list[bytes]:
        frames: list[bytes] = []
        *complete, rest = data.split(END)
        for piece in complete:
            if not self._append(piece):
                return frames
            if self._buffer:
                encoded = bytes(self._buffer)
                self._buffer.clear()
                self._size = 0
                # Two escapes never overlap, so counting finds every valid one.
                if encoded.count(ESC) != encoded.count(_ESC_END) + encoded.count(_ESC_ESC):
                    self._fail("SLIP escape of an unknown byte")
                    return frames
                frames.append(encoded.replace(_ESC_END, END).replace(_ESC_ESC, ESC))
        self._append(rest)
        return frames

    def _append(self, piece: bytes) -> bool:
        """Add to the frame; return whether it is within the limit."""
        self._size += len(piece) - piece.count(ESC)
        self._buffer += piece
        # An escape that is followed by another adds nothing to the size, but takes memory.
        is_short = self._size <= self._limit and len(self._buffer) <= 2 * self._limit
        if not is_short:
            self._fail(f"frame longer than {self._limit} bytes")
        return is_short

    def _fail(self, reason: str) -> None:
        self.error = reason
        self._buffer.clear()
        self._size = 0
