"""The crossfade from one rig to the next, and the fades from and to silence. Thread: audio."""

import numpy as np
from numpy.typing import NDArray

FADE_S = 0.03
"""[s] Length of a fade."""

_INFINITE = float("inf")

Block = NDArray[np.float32]
"""[frames]; of two outputs [2, frames]. Both have the same gains."""


class Crossfade:
    """Gains of one fade at a time, block by block."""

    def __init__(self, rate_hz: int, block_frames: int) -> None:
        """All gains are computed in advance."""
        frames = max(1, round(FADE_S * rate_hz))
        phase = (np.arange(frames + block_frames, dtype=np.float64) + 1.0) / frames
        phase = np.minimum(phase, 1.0) * (np.pi / 2.0)
        # Equal power; the last entries hold the final gain for blocks that reach past the fade.
        self._rise = np.sin(phase).astype(np.float32)
        self._fall = np.cos(phase).astype(np.float32)
        self._fall[frames - 1 :] = 0.0
        self._ramp = (np.arange(block_frames, dtype=np.float32) + 1.0) / np.float32(block_frames)
        self._correlation = 0.0
        self._position = 0
        """Frame of the fade, counted from 1; 0 while none is under way."""
        self.frames = frames

    @property
    def is_active(self) -> bool:
        """Whether a fade is under way."""
        return self._position > 0

    def start(self) -> None:
        """Start a fade with the next block."""
        self._position = 1

    def cancel(self) -> None:
        """End a fade before its time."""
        self._position = 0

    def fade_in(self, out: Block) -> None:
        """Apply the gain of a fade from silence to a block, in place."""
        start = self._position - 1
        out *= self._rise[start : start + out.shape[-1]]

    def mix(self, new: Block, old: Block) -> None:
        """Mix the old rig's block into the new one's, in place; `old` is overwritten."""
        start = self._position - 1
        rise = self._rise[start : start + new.shape[-1]]
        fall = self._fall[start : start + new.shape[-1]]
        gain = self._constant_power_gain(new, old, rise, fall)
        new *= rise
        old *= fall
        new += old
        new *= gain

    def advance(self, frames: int) -> bool:
        """Go on by a block; return whether the fade has ended with it."""
        self._position += frames
        if self._position <= self.frames:
            return False
        self._position = 0
        return True

    def fade_out(self, out: Block, position: int) -> None:
        """Apply the gain of a fade to silence to a block that starts at `position`."""
        start = min(position, self.frames)
        out *= self._fall[start : start + out.shape[-1]]

    def _constant_power_gain(self, new: Block, old: Block, rise: Block, fall: Block) -> Block:
        """Return the gain [frames] that keeps the power of a crossfade constant.

        Sine and cosine alone do so for uncorrelated sounds; two models of one guitar are
        correlated and would get up to 3 dB louder. With the correlation r, the power of the sum is
        1 + 2 r sin cos. A negative correlation counts as 0: nothing is amplified. The correlation
        of two outputs is that of all their samples.
        """
        energy = float(np.vdot(new, new)) * float(np.vdot(old, old))
        now = max(0.0, float(np.vdot(new, old))) / energy**0.5 if 0.0 < energy < _INFINITE else 0.0
        before = now if self._position == 1 else self._correlation
        self._correlation = now
        # A ramp from the correlation of the last block, so that the gain has no audible step.
        correlation = np.float32(before) + np.float32(now - before) * self._ramp
        gain: Block = np.reciprocal(np.sqrt(1.0 + 2.0 * correlation * rise * fall))
        return gain
