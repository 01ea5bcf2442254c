"""The compiled form of a rig, in which the builder ships it to the audio process, pickled."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

HostArray = NDArray[np.float32] | NDArray[np.int32]
"""An array of the state, in the memory of the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRig:
    """A serialised program with its weights and a warmed-up state."""

    executable: bytes
    """The serialised program; see `nemod.engine.program`."""
    weights: list[NDArray[np.float32]]
    state: list[HostArray]
    controls: NDArray[np.float32]
    """[n] The controls of its warm-up."""
    tails: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Which arrays of the state the next rig continues, by effect; see `nemod.engine.tails`."""


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
