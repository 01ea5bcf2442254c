"""Writes 32-bit float WAV files, mono or stereo, whose header is right at every moment.

`libsndfile` writes the sizes when a file is closed, so a full disk or a power cut leaves a header
that states no samples. Here the header is written again as the file grows, and once more at the
end, over blocks that the file already has.
"""

import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLE_BYTES = 4
_FLOAT_TAG = 3
"""WAVE_FORMAT_IEEE_FLOAT."""
MAX_RIFF_BYTES = 0xFFFFFFFF
"""Largest size that RIFF can state; longer files become RF64 (EBU Tech 3306)."""
_UNKNOWN = 0xFFFFFFFF
"""What RF64 states in the fields of 32 bits: the size is in its ds64 chunk."""


def wav_header(rate_hz: int, frames: int, channels: int = 1) -> bytes:
    """Return all that comes before the samples; always `HEADER_BYTES` long.

    A chunk of 28 bytes is kept free for the sizes of 64 bits, so a file that grows beyond 4 GiB
    becomes RF64 in its place.
    """
    frame_bytes = SAMPLE_BYTES * channels
    data_bytes = frame_bytes * frames
    riff_bytes = HEADER_BYTES - 8 + data_bytes
    if riff_bytes <= MAX_RIFF_BYTES:
        form = struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
        large = struct.pack("<4sI28x", b"JUNK", 28)
        stated_frames, stated_bytes = frames, data_bytes
    else:
        form = struct.pack("<4sI4s", b"RF64", _UNKNOWN, b"WAVE")
        large = struct.pack("<4sIQQQI", b"ds64", 28, riff_bytes, data_bytes, frames, 0)
        stated_frames, stated_bytes = min(frames, _UNKNOWN), _UNKNOWN
    byte_rate = frame_bytes * rate_hz
    kind = struct.pack(
        "<4sIHHIIHHH", b"fmt ", 18, _FLOAT_TAG, channels, rate_hz, byte_rate, frame_bytes, 32, 0
    )
    fact = struct.pack("<4sII", b"fact", 4, stated_frames)
    return form + large + kind + fact + struct.pack("<4sI", b"data", stated_bytes)


HEADER_BYTES = 12 + 36 + 26 + 12 + 8


class WavWriter:
    """An open file. After an error of `write`, `close` leaves a valid file with what fitted."""

    def __init__(self, path: Path, rate_hz: int, channels: int = 1) -> None:
        """Create or overwrite the file.

        Raises: OSError.
        """
        self._rate_hz = rate_hz
        self._channels = channels
        self._frame_bytes = SAMPLE_BYTES * channels
        self._data_bytes = 0
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            self._append(wav_header(rate_hz, 0, channels))
        except OSError:
            os.close(self._fd)
            raise
        self._data_bytes = 0

    @property
    def frames(self) -> int:
        """Frames in the file."""
        return self._data_bytes // self._frame_bytes

    @property
    def is_removed(self) -> bool:
        """Whether the file no longer has a name in any folder."""
        return os.fstat(self._fd).st_nlink == 0

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append samples [frames], or [frames, channels].

        Raises: OSError when they do not all fit; `frames` then counts those that do.
        """
        self._append(np.ascontiguousarray(samples, "<f4").tobytes())

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.write(self._fd, rest)
            self._data_bytes += written
            rest = rest[written:]

    def update_header(self) -> None:
        """State the samples that the file has so far.

        Raises: OSError.
        """
        os.pwrite(self._fd, wav_header(self._rate_hz, self.frames, self._channels), 0)

    def close(self) -> None:
        """Cut off what is no whole frame, state the sizes, and put everything on the disk.

        Raises: OSError; the file is closed nevertheless.
        """
        try:
            if self._data_bytes % self._frame_bytes:
                os.ftruncate(self._fd, HEADER_BYTES + self._frame_bytes * self.frames)
            self.update_header()
            os.fsync(self._fd)
        finally:
            os.close(self._fd)
