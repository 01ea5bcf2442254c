"""Samples of a card to float32 and back; no array is allocated after the start.

An integer sample of n bits is the fraction of 2^(n-1). float32 holds 24 bits, so the way from a
card of 16 or 24 bits to float32 and back changes nothing.

The calls of a block are chosen for their cost: a scale is an array of no dimensions, which NumPy
takes as it is, and a conversion of types is an assignment. An operation on two types, which would
be both in one call, goes through buffers and takes three times as long for 64 frames.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""[frames] +-1.0 full scale."""
Raw = NDArray[np.uint8]


class SampleFormat(NamedTuple):
    """A format of ALSA."""

    name: str
    code: int
    """ALSA's number of it (snd_pcm_format_t)."""
    sample_bytes: int
    bits: int


S16 = SampleFormat("S16_LE", 2, 2, 16)
S24 = SampleFormat("S24_LE", 6, 4, 24)
S24_3 = SampleFormat("S24_3LE", 32, 3, 24)
S32 = SampleFormat("S32_LE", 10, 4, 32)
FORMATS: tuple[SampleFormat, ...] = (S32, S24_3, S24, S16)
"""From best to worst."""


class Frames:
    """The frames of one transfer in a card's format, and the conversion of its channels."""

    def __init__(
        self, sample_format: SampleFormat, channels: int, frames: int, *, interleaved: bool
    ) -> None:
        """All samples are silence."""
        self.format = sample_format
        self.channels = channels
        self.interleaved = interleaved
        width = sample_format.sample_bytes
        self.raw: Raw = np.zeros(frames * channels * width, np.uint8)
        """[bytes] What the library reads or writes."""
        self.frame_bytes = width * (channels if interleaved else 1)
        """[bytes] From one frame to the next."""
        self.channel_bytes = width if interleaved else width * frames
        """[bytes] From one channel to the next."""
        shape = (frames, channels) if interleaved else (channels, frames)
        kind = {2: "<i2", 4: "<i4"}.get(width)
        cells = self.raw.view(kind).reshape(shape) if kind else self.raw.reshape(*shape, width)
        self._rows = list(cells.swapaxes(0, 1) if interleaved else cells)
        """[channel][frames] Views of `raw`."""
        self._is_packed = kind is None
        self._whole = np.zeros(frames, "<i4")
        self._whole_bytes = self._whole.view(np.uint8).reshape(frames, 4)
        full = float(1 << (sample_format.bits - 1))
        self._scale = np.array(full, np.float32)
        # A sample of 24 bits is read as the upper bits of one of 32: that gives it its sign.
        self._read_scale = np.array(1.0 / (full if width == 2 else 2.0**31), np.float32)
        self._scaled = np.zeros(frames, np.float32)
        # float32 holds the largest number of 24 bits, and not that of 32.
        self._limited: NDArray[np.floating[Any]] = self._scaled
        if sample_format.bits > 24:
            self._limited = np.zeros(frames, np.float64)
        self._lowest = np.array(-full, self._limited.dtype)
        self._highest = np.array(full - 1.0, self._limited.dtype)

    def read(self, channel: int, into: Samples) -> None:
        """Convert a channel, counted from 0, to float32 [frames]. Thread: audio."""
        row = self._rows[channel]
        if self._is_packed:
            self._whole_bytes[:, 1:] = row
            row = self._whole
        elif self.format is S24:
            np.left_shift(row, 8, out=self._whole)
            row = self._whole
        into[:] = row
        np.multiply(into, self._read_scale, out=into)

    def write(self, channels: tuple[int, ...], samples: Samples) -> None:
        """Convert float32 [frames] into each of these channels, counted from 0. Thread: audio.

        The nearest value is taken; what is beyond full scale becomes full scale.
        """
        scaled, limited = self._scaled, self._limited
        np.multiply(samples, self._scale, out=scaled)
        np.rint(scaled, out=scaled)
        if limited is not scaled:
            limited[:] = scaled
        np.maximum(limited, self._lowest, out=limited)
        np.minimum(limited, self._highest, out=limited)
        if self._is_packed:
            self._whole[:] = limited
            for channel in channels:
                self._rows[channel][:] = self._whole_bytes[:, :3]
            return
        for channel in channels:
            self._rows[channel][:] = limited
