"""A rig whose model runs at its own sample rate, between two streaming resamplers.

For models that cannot be converted to another rate. The parts before and after the model run at
the device's rate, block by block; the model runs in blocks of its own whenever enough frames are
available. The resampler is libsamplerate's band-limited interpolator (E. de Castro Lopo; after
J. O. Smith, "Digital Audio Resampling"): about 1 ms each way, where soxr's streams take 10 to 40.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import samplerate

from nemod.engine.active_rig import Frames, LoadedRig, RigState, RigWeights
from nemod.engine.compiled_rig import CompiledResampledRig
from nemod.engine.program import Program, fresh_state, on_device
from nemod.engine.tails import Tails, tails_of

QUALITY = "sinc_medium"
"""121 dB signal-to-noise ratio, 90 % bandwidth: the loss is above the range of a guitar speaker."""
MODEL_BLOCK_FRAMES = 32
"""[frames] Small, so that the blocks of the model spread evenly over those of the device."""
_SETTLE_FRAMES = 512
"""[frames] Longer than the filter of the resampler at any allowed rate."""


class RateConverter:
    """Two resamplers, to the model's rate and back, with their queues. Thread: audio."""

    def __init__(self, rig: CompiledResampledRig) -> None:
        """Start at rest: silence before the model, the model's own resting output after it."""
        self._up_ratio = rig.model_rate_hz / rig.rate_hz
        self._down_ratio = rig.rate_hz / rig.model_rate_hz
        self._up = samplerate.Resampler(QUALITY, channels=1)
        self._down = samplerate.Resampler(QUALITY, channels=1)
        self.input_queue: Frames = np.zeros(0, np.float32)
        """Input of the model, at its rate."""
        rest = np.full(settle_frames(rig.rate_hz, rig.model_rate_hz), rig.rest, np.float32)
        self._down.process(rest, self._down_ratio)
        self._dry_queue: Frames = np.zeros(rig.latency_frames, np.float32)
        self.output_queue: Frames = np.full(rig.lead_frames, rig.rest, np.float32)
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

    def delay_dry(self, block: Frames) -> Frames:
        """Return the dry signal [frames], delayed by the latency of the model's path."""
        queue = np.concatenate([self._dry_queue, block])
        delayed, self._dry_queue = queue[: block.size], queue[block.size :]
        return delayed


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
    silent = CompiledResampledRig(
        parts=(), rate_hz=rate_hz, model_rate_hz=model_rate_hz, block_frames=block_frames,
        lead_frames=0, latency_frames=0, rest=0.0,
    )  # fmt: skip
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


def load_resampled(rig: CompiledResampledRig, programs: Sequence[Program]) -> LoadedRig:
    """Return the rig, ready to be called; `programs` are those of its parts."""
    front, model, *between, back = programs
    cuts = np.cumsum([part.controls.size for part in rig.parts]).tolist()
    first, second, last = cuts[0], cuts[1], cuts[-2]

    def call(
        weights: RigWeights, controls: Frames, state: RigState, block: Frames
    ) -> tuple[RigState, Frames]:
        before, inner, *cabinet, after, converter = state
        before, driven = front.call(weights[0], controls[:first], before, block)
        converter.push_input(driven)
        pieces = []
        while converter.input_queue.size >= MODEL_BLOCK_FRAMES:
            piece = converter.pop_input()
            inner, out = model.call(weights[1], controls[first:second], inner, piece)
            pieces.append(out)
        converter.push_output(pieces)
        wet = converter.pop_output(block.size)
        if between:
            own, out = between[0].call(weights[2], controls[second:last], cabinet[0], wet)
            cabinet, wet = [own], out
        signals = np.stack([converter.delay_dry(block), wet])
        after, sound = back.call(weights[-1], controls[last:], after, signals)
        return [before, inner, *cabinet, after, converter], sound

    def tails(state: RigState) -> Tails:
        # The model runs at a rate of its own, which the next rig's model need not have.
        memories = [memory.arrays for memory in state[: len(rig.parts)]]
        own = [tails_of(part, arrays) for part, arrays in zip(rig.parts, memories, strict=True)]
        del own[1]
        return {name: tail for tails in own for name, tail in tails.items()}

    return LoadedRig(
        call=call,
        weights=[on_device(part.weights) for part in rig.parts],
        controls=np.concatenate([part.controls for part in rig.parts]),
        fresh=lambda: [*(fresh_state(part) for part in rig.parts), RateConverter(rig)],
        tails=tails,
    )
