"""A model that runs at its own sample rate, between two streaming resamplers.

For models that cannot be converted to another rate. What stands before and after the model runs at
the device's rate, block by block; the model runs in blocks of its own whenever enough frames are
available. The resampler is libsamplerate's band-limited interpolator (E. de Castro Lopo; after
J. O. Smith, "Digital Audio Resampling"): about 1 ms each way, where soxr's streams take 10 to 40.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import samplerate

from nemod.engine.active_rig import Frames
from nemod.engine.compiled_rig import Conversion

QUALITY = "sinc_medium"
"""121 dB signal-to-noise ratio, 90 % bandwidth: the loss is above the range of a guitar speaker."""
MODEL_BLOCK_FRAMES = 32
"""[frames] Small, so that the blocks of the model spread evenly over those of the device."""
_SETTLE_FRAMES = 512
"""[frames] Longer than the filter of the resampler at any allowed rate."""


class RateConverter:
    """Two resamplers, to the model's rate and back, with their queues. Thread: audio."""

    def __init__(self, conversion: Conversion) -> None:
        """Start at rest: silence before the model, the model's own resting output after it."""
        rate_hz, model_rate_hz = conversion.rate_hz, conversion.model_rate_hz
        self._up_ratio = model_rate_hz / rate_hz
        self._down_ratio = rate_hz / model_rate_hz
        self._up = samplerate.Resampler(QUALITY, channels=1)
        self._down = samplerate.Resampler(QUALITY, channels=1)
        self.input_queue: Frames = np.zeros(0, np.float32)
        """Input of the model, at its rate."""
        rest = np.full(settle_frames(rate_hz, model_rate_hz), conversion.rest, np.float32)
        self._down.process(rest, self._down_ratio)
        self.output_queue: Frames = np.full(conversion.lead_frames, conversion.rest, np.float32)
        """Output of the model, at the device's rate."""

    def push_input(self, driven: Frames) -> None:
        """Add a block [frames] at the device's rate to the input of the model."""
        converted = self._up.process(driven, self._up_ratio)
        self.input_queue = np.concatenate([self.input_queue, converted])

    def pop_input(self) -> Frames:
        """Return the next frames [MODEL_BLOCK_FRAMES] for the model."""
        piece = np.ascontiguousarray(self.input_queue[:MODEL_BLOCK_FRAMES])
        self.input_queue = self.input_queue[MODEL_BLOCK_FRAMES:]
        return piece

    def push_output(self, pieces: Sequence[Frames]) -> None:
        """Add blocks of the model's output, at the model's rate."""
        if pieces:
            converted = self._down.process(np.concatenate(pieces), self._down_ratio)
            self.output_queue = np.concatenate([self.output_queue, converted])

    def pop_output(self, frames: int) -> Frames:
        """Return the next frames [frames] of the model's output, at the device's rate."""
        output, self.output_queue = self.output_queue[:frames], self.output_queue[frames:]
        return output


def settle_frames(rate_hz: int, model_rate_hz: int) -> int:
    """Return a number of frames at the model's rate that fills the filter of the resampler.

    At the device's rate it is a whole number too.
    """
    step = model_rate_hz // math.gcd(rate_hz, model_rate_hz)
    return step * math.ceil(_SETTLE_FRAMES / step)


@cache
def lead_and_latency(rate_hz: int, model_rate_hz: int, block_frames: int) -> tuple[int, int]:
    """Return how many output frames must be queued at the start, and the total latency [frames].

    Found by streaming silence: the counts of the resamplers depend on the two rates alone.
    """
    silent = Conversion(rate_hz=rate_hz, model_rate_hz=model_rate_hz, lead_frames=0, rest=0.0)
    settled = settle_frames(rate_hz, model_rate_hz)
    probe = samplerate.Resampler(QUALITY, channels=1)
    produced = probe.process(np.zeros(settled, np.float32), rate_hz / model_rate_hz).size
    held = settled * rate_hz // model_rate_hz - produced
    converter = RateConverter(silent)
    block = np.zeros(block_frames, np.float32)
    lowest = taken = 0
    # Two seconds cover every phase of the two rates against the blocks.
    for _ in range(math.ceil(2.0 * rate_hz / block_frames)):
        converter.push_input(block)
        pieces = []
        while converter.input_queue.size >= MODEL_BLOCK_FRAMES:
            pieces.append(converter.pop_input())
        converter.push_output(pieces)
        taken += block_frames
        lowest = min(lowest, converter.output_queue.size - taken)
    return -lowest, held - lowest
