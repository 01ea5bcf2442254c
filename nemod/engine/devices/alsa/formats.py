"""Samples of a card to float32 and back; nothing is allocated after the start.

An integer sample of n bits is the fraction of 2^(n-1). float32 holds 24 bits, so the way from a
card of 16 or 24 bits to float32 and back changes nothing.
"""

from typing import NamedTuple

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
FORMATS = (S32, S24_3, S24, S16)
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
        self._cells = cells.swapaxes(0, 1) if interleaved else cells  # [channels, frames]
        self._is_packed = kind is None
        self._scaled = np.zeros(frames, np.float64)
        self._whole = np.zeros(frames, "<i4")
        self._whole_bytes = self._whole.view(np.uint8).reshape(frames, 4)
        self._scale = float(1 << (sample_format.bits - 1))
        # A sample of 24 bits is read as the upper bits of one of 32: that gives it its sign.
        self._read_scale = np.float64(1.0 / (self._scale if width == 2 else 2.0**31))

    def read(self, channel: int, into: Samples) -> None:
        """Convert a channel, counted from 0, to float32 [frames]. Thread: audio."""
        cells = self._cells[channel]
        if self._is_packed:
            self._whole_bytes[:, 1:] = cells
            cells = self._whole
        elif self.format is S24:
            np.left_shift(cells, 8, out=self._whole)
            cells = self._whole
        np.multiply(cells, self._read_scale, out=into, casting="same_kind")

    def write(self, channels: tuple[int, ...], samples: Samples) -> None:
        """Convert float32 [frames] into each of these channels, counted from 0. Thread: audio.

        The nearest value is taken; what is beyond full scale becomes full scale.
        """
        scaled = self._scaled
        np.multiply(samples, self._scale, out=scaled)
        np.rint(scaled, out=scaled)
        np.maximum(scaled, -self._scale, out=scaled)
        np.minimum(scaled, self._scale - 1.0, out=scaled)
        if self._is_packed:
            self._whole[:] = scaled
            for channel in channels:
                self._cells[channel] = self._whole_bytes[:, :3]
            return
        for channel in channels:
            self._cells[channel] = scaled
