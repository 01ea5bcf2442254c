"""Finds WAV files whose header states a wrong size, and gives them a right one.

Who writes a WAV file to a pipe cannot go back to state its size, and a power cut prevents it: the
header then says 0, 0xFFFFFFFF or some large number. Such a file is read to its end.
"""

import io
import string
import struct
from dataclasses import dataclass
from typing import BinaryIO

from nemod.common.wav_writer import MAX_RIFF_BYTES

_UNKNOWN = 0xFFFFFFFF
_STREAM_BYTES = 0x7FFFF000
"""Programs that write to a pipe state at least this (SoX: 0x7FFFFFFF less the header)."""
_FORMS = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">"}
"""Byte order by the first four bytes."""
_NAME = frozenset((string.ascii_letters + string.digits + " _-").encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class WavHeader:
    """What stands before the samples."""

    order: str
    """`<` for little-endian, `>` for big-endian."""
    chunks: bytes
    """Every chunk before the samples but ds64."""
    data_at: int
    """[bytes] Where the samples begin."""
    stated_bytes: int
    """Size of the samples as the header says."""
    available_bytes: int
    """From `data_at` to the end of the file."""
    frame_bytes: int
    """Of one frame of all channels, or of one block of a compressed format."""

    @property
    def is_stream(self) -> bool:
        """Whether the header states no size at all."""
        return self.stated_bytes == 0 or self.stated_bytes >= _STREAM_BYTES


def read_header(file: BinaryIO) -> WavHeader | None:
    """Return the header of a WAV file; None for anything else, or where no samples follow."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    order = _FORMS.get(head[:4], "")
    if not order or head[8:12] != b"WAVE":
        return None
    kept: list[bytes] = []
    large_bytes: int | None = None
    frame_bytes = 0
    while len(start := file.read(8)) == 8:
        name, length = struct.unpack(f"{order}4sI", start)
        if name == b"data":
            at = file.tell()
            is_large = large_bytes is not None and length == _UNKNOWN
            return WavHeader(
                order=order,
                chunks=b"".join(kept),
                data_at=at,
                stated_bytes=large_bytes if is_large and large_bytes is not None else length,
                available_bytes=size - at,
                frame_bytes=max(frame_bytes, 1),
            )
        if file.tell() + length > size:
            return None
        body = file.read(length + length % 2)
        if name == b"ds64":
            if length >= 16:
                (large_bytes,) = struct.unpack_from(f"{order}Q", body, 8)
            continue
        if name == b"fmt " and length >= 14:
            (frame_bytes,) = struct.unpack_from(f"{order}H", body, 12)
        kept.append(start + body)
    return None


def needs_repair(file: BinaryIO, header: WavHeader) -> bool:
    """Return whether the stated size is not the file's: more than there is, or 0 before samples."""
    if header.stated_bytes > header.available_bytes:
        return True
    return header.stated_bytes == 0 and not _only_chunks_follow(file, header)


def _only_chunks_follow(file: BinaryIO, header: WavHeader) -> bool:
    """Return whether whole chunks, and nothing else, come after samples of size 0."""
    at, end = header.data_at, header.data_at + header.available_bytes
    while at < end:
        file.seek(at)
        start = file.read(8)
        if len(start) < 8 or not _NAME.issuperset(start[:4]):
            return False
        length = int(struct.unpack_from(f"{header.order}I", start, 4)[0])
        at += 8 + length + length % 2
    # The padding of the last chunk is left out by some.
    return at in (end, end + 1)


def repaired(file: BinaryIO, header: WavHeader) -> tuple[io.BytesIO, int]:
    """Return the file with the size that it has, and the number of its frames."""
    frames = header.available_bytes // header.frame_bytes
    size = frames * header.frame_bytes
    riff_bytes = 4 + len(header.chunks) + 8 + size
    order = header.order
    if riff_bytes <= MAX_RIFF_BYTES:
        name = b"RIFF" if order == "<" else b"RIFX"
        form = struct.pack(f"{order}4sI4s", name, riff_bytes, b"WAVE")
        stated = size
    else:
        form = struct.pack("<4sI4s", b"RF64", _UNKNOWN, b"WAVE")
        form += struct.pack("<4sIQQQI", b"ds64", 28, riff_bytes + 36, size, frames, 0)
        stated = _UNKNOWN
    file.seek(header.data_at)
    data = form + header.chunks + struct.pack(f"{order}4sI", b"data", stated) + file.read(size)
    return io.BytesIO(data), frames
