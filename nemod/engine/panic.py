"""Panic: silence within milliseconds, and effects without a trace of what was played.

The sound fades out, the rig restarts with empty delay lines, plays silence unheard until its knobs
have reached their positions, and fades in again.
"""

import numpy as np
from numpy.typing import NDArray

from nemod.engine.active_rig import settle_blocks

FADE_S = 0.005
"""[s] Length of the fade-out: no click, and with a block on top of it still below 10 ms."""

Block = NDArray[np.float32]
"""[frames]; of two outputs [2, frames]."""


class Panic:
    """How far a panic has come, block by block. Thread: audio."""

    def __init__(self, rate_hz: int, block_frames: int) -> None:
        """All gains are computed in advance."""
        self.frames = max(1, round(FADE_S * rate_hz))
        """Length of the fade-out."""
        phase = (np.arange(self.frames + block_frames, dtype=np.float64) + 1.0) / self.frames
        self._fall = np.cos(np.minimum(phase, 1.0) * (np.pi / 2.0)).astype(np.float32)
        self._fall[self.frames - 1 :] = 0.0
        self._settle_blocks = settle_blocks(rate_hz, block_frames)
        self._faded = 0
        self._left = 0
        self.is_fading = False
        self.is_settling = False

    @property
    def is_active(self) -> bool:
        """Whether a panic is under way."""
        return self.is_fading or self.is_settling

    def start(self) -> None:
        """Start the fade-out with the next block; one that is under way goes on."""
        if not self.is_active:
            self.is_fading, self._faded = True, 0

    def fade_out(self, out: Block) -> bool:
        """Apply the fade to a block, in place; return whether it has ended with it."""
        frames = out.shape[-1]
        out *= self._fall[self._faded : self._faded + frames]
        self._faded += frames
        self.is_fading = self._faded < self.frames
        return not self.is_fading

    def settle(self) -> None:
        """Start the silence after the fade-out, or once more from its beginning."""
        self.is_settling, self._left = True, self._settle_blocks

    def count_settled(self) -> bool:
        """Count a block of the silence; return whether it was the last."""
        self._left -= 1
        self.is_settling = self._left > 0
        return not self.is_settling
