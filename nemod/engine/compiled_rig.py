"""The compiled form of a rig, in which the builder ships it to the audio process, pickled."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HostArray = NDArray[np.float32] | NDArray[np.int32]
"""An array of the state, in the memory of the host."""


class Place(NamedTuple):
    """Where an array of the state lies in the arrays that a program takes."""

    array: int
    start: int
    """[numbers]"""
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Its numbers."""
        return math.prod(self.shape)

    @property
    def stop(self) -> int:
        """[numbers] Where it ends."""
        return self.start + self.size


class Exchange(NamedTuple):
    """What the first array of a state begins with: controls, block, sound, in this order.

    The caller writes controls and block there before a call and reads the sound after it, because
    arguments of their own would cost more than the arithmetic of a small model.
    """

    controls: int
    block: tuple[int, ...]
    """[frames], or [signals, frames]"""
    sound: int

    @property
    def inputs(self) -> int:
        """Numbers before the sound."""
        return self.controls + math.prod(self.block)

    @property
    def size(self) -> int:
        """Numbers of all three."""
        return self.inputs + self.sound


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRig:
    """A serialised program with its weights and a warmed-up state."""

    executable: bytes
    """The serialised program; see `nemod.engine.program`."""
    weights: list[HostArray]
    state: list[HostArray]
    """Packed; see `nemod.engine.packing`."""
    places: tuple[Place, ...]
    """Where the arrays of the effects lie in `state`."""
    exchange: Exchange
    controls: NDArray[np.float32]
    """[n] The controls of its warm-up."""
    tails: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Which of `places` the next rig continues, by effect; see `nemod.engine.tails`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledResampledRig:
    """A rig in parts, with the model at its own rate; see `nemod.engine.resampled`."""

    parts: tuple[CompiledRig, ...]
    """The part before the model, the model, with a cabinet its part, and the last one."""
    rate_hz: int
    model_rate_hz: int
    block_frames: int
    lead_frames: int
    """[frames at the device's rate] Output queued at the start, so that none is ever missing."""
    latency_frames: int
    """Latency of the model's path; the dry signal is delayed as much."""
    rest: float
    """Output of the model at rest, for silence."""


AnyCompiledRig = CompiledRig | CompiledResampledRig
