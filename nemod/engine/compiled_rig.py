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
class Conversion:
    """How a model plays at its own rate between two resamplers; see `nemod.engine.resampled`."""

    rate_hz: int
    model_rate_hz: int
    lead_frames: int
    """[frames at the device's rate] Output queued at the start, so that none is ever missing."""
    rest: float
    """Output of the model at rest, for silence."""


class Tap(NamedTuple):
    """A signal that a step takes."""

    signal: int
    """0 is the input of the rig, n + 1 the output of its step n."""
    delay_frames: int = 0
    """So that the signals of a step are aligned where models on their ways have latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledStep:
    """One of the programs of a rig; see `nemod.engine.steps`."""

    program: CompiledRig
    inputs: tuple[Tap, ...]
    controls: tuple[int, ...]
    """Numbers of its controls among those of the rig; -1 is a control that stays at 1."""
    conversion: Conversion | None = None
    """For a model at its own rate; None at the device's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledSteps:
    """A rig of several programs, which are called one after the other."""

    steps: tuple[CompiledStep, ...]
    block_frames: int
    controls: NDArray[np.float32]
    """[n] The controls of its warm-up."""


AnyCompiledRig = CompiledRig | CompiledSteps
