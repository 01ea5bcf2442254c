"""A rig whose model runs at its own sample rate, between two streaming resamplers.

For models that cannot be carried to another rate. What stands before and after the model runs at
the device's rate, block by block; the model runs in blocks of its own whenever enough frames have
come through. The resampler is libsamplerate's band-limited interpolator (E. de Castro Lopo; after
J. O. Smith, "Digital Audio Resampling"): about 1 ms each way, where soxr's streams take 10 to 40.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import samplerate
from numpy.typing import NDArray

from nemod.engine.ipc import CompiledResampledRig
from nemod.engine.rig import LoadedRig, Program, on_device

Frames = NDArray[np.float32]

QUALITY = "sinc_medium"
"""121 dB of signal to noise, 90 % of the band: what is lost lies above a guitar's speaker."""
MODEL_BLOCK_FRAMES = 32
"""[frames] Small, so that a model's blocks spread evenly over the device's."""
_SETTLE_FRAMES = 512
"""[frames] Longer than the resampler's filter, at any rate that is allowed."""


class Crossing:
    """The way to the model's rate and back: two resamplers and what waits between them.

    Thread: audio, once made.
    """

    def __init__(self, rig: CompiledResampledRig) -> None:
        """Start at rest: before the model silence, after it the model's own resting output."""
        self._up_ratio = rig.model_rate_hz / rig.rate_hz
        self._down_ratio = rig.rate_hz / rig.model_rate_hz
        self._up = samplerate.Resampler(QUALITY, channels=1)
        self._down = samplerate.Resampler(QUALITY, channels=1)
        self.waiting: Frames = np.zeros(0, np.float32)
        """What the model has not heard yet, at its rate."""
        rest = np.full(settle_frames(rig.rate_hz, rig.model_rate_hz), rig.rest, np.float32)
        self._down.process(rest, self._down_ratio)
        self._past: Frames = np.zeros(rig.latency_frames, np.float32)
        self.ready: Frames = np.full(rig.lead_frames, rig.rest, np.float32)
        """What the model has answered and nobody has heard yet, at the device's rate."""

    def arrive(self, driven: Frames) -> None:
        """Take a block [frames] at the device's rate."""
        self.waiting = np.concatenate([self.waiting, self._up.process(driven, self._up_ratio)])

    def held_back(self, block: Frames) -> Frames:
        """Return what goes past the model [frames], as late as what comes out of it."""
        queue = np.concatenate([self._past, block])
        held, self._past = queue[: block.size], queue[block.size :]
        return held

    def take(self) -> Frames:
        """Return the next frames [MODEL_BLOCK_FRAMES] for the model."""
        piece = np.ascontiguousarray(self.waiting[:MODEL_BLOCK_FRAMES])
        self.waiting = self.waiting[MODEL_BLOCK_FRAMES:]
        return piece

    def give(self, frames: int) -> Frames:
        """Return the next frames [frames] at the device's rate."""
        answer, self.ready = self.ready[:frames], self.ready[frames:]
        return answer

    def answered(self, pieces: Sequence[Frames]) -> None:
        """Take what the model made of it."""
        if pieces:
            back = self._down.process(np.concatenate(pieces), self._down_ratio)
            self.ready = np.concatenate([self.ready, back])


def settle_frames(rate_hz: int, model_rate_hz: int) -> int:
    """Return how many frames at the model's rate are a whole number at the device's, and enough."""
    step = model_rate_hz // math.gcd(rate_hz, model_rate_hz)
    return step * math.ceil(_SETTLE_FRAMES / step)


@cache
def lead_and_latency(rate_hz: int, model_rate_hz: int, block_frames: int) -> tuple[int, int]:
    """Return how many frames must lie ready at the start, and the latency of the whole [frames].

    Found by streaming silence: the resamplers' counts depend on nothing but the two rates.
    """
    silent = CompiledResampledRig(
        parts=(), rate_hz=rate_hz, model_rate_hz=model_rate_hz, block_frames=block_frames,
        lead_frames=0, latency_frames=0, rest=0.0,
    )  # fmt: skip
    settled = settle_frames(rate_hz, model_rate_hz)
    probe = samplerate.Resampler(QUALITY, channels=1)
    produced = probe.process(np.zeros(settled, np.float32), rate_hz / model_rate_hz).size
    held = settled * rate_hz // model_rate_hz - produced
    crossing = Crossing(silent)
    block = np.zeros(block_frames, np.float32)
    lowest = taken = 0
    # Over two seconds every phase of the two rates against the blocks comes up.
    for _ in range(math.ceil(2.0 * rate_hz / block_frames)):
        crossing.arrive(block)
        pieces = []
        while crossing.waiting.size >= MODEL_BLOCK_FRAMES:
            pieces.append(crossing.take())
        crossing.answered(pieces)
        taken += block_frames
        lowest = min(lowest, crossing.ready.size - taken)
    return -lowest, held - lowest


def load_resampled(
    rig: CompiledResampledRig, programs: tuple[Program, Program, Program]
) -> LoadedRig:
    """Return the rig ready to be played; `programs` are those of its parts."""
    front, model, back = programs
    first = rig.parts[0].controls.size
    second = first + rig.parts[1].controls.size

    def call(
        weights: list[Any], controls: Frames, state: list[Any], block: Frames
    ) -> tuple[list[Any], Any]:
        before, inner, after, crossing = state
        before, driven = front.call(weights[0], controls[:first], before, block)
        crossing.arrive(np.asarray(driven))
        pieces = []
        while crossing.waiting.size >= MODEL_BLOCK_FRAMES:
            piece = crossing.take()
            inner, out = model.call(weights[1], controls[first:second], inner, piece)
            pieces.append(np.asarray(out))
        crossing.answered(pieces)
        both = np.stack([crossing.held_back(block), crossing.give(block.size)])
        after, sound = back.call(weights[2], controls[second:], after, both)
        return [before, inner, after, crossing], sound

    return LoadedRig(
        call=call,
        weights=[on_device(part.weights) for part in rig.parts],
        controls=np.concatenate([part.controls for part in rig.parts]),
        fresh=lambda: [*(on_device(part.state) for part in rig.parts), Crossing(rig)],
    )
