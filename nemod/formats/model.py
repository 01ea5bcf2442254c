"""`Model`: what every model file becomes. Nothing after the readers depends on a dialect."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.formats.info import ModelInfo
from nemod.formats.network import Gains, Network

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Knob:
    """A conditioning input of a model. Position 0..1 maps linearly to `low`..`high`."""

    name: str
    low: float = 0.0
    high: float = 1.0
    default: float = 0.5
    """Position, 0..1."""


class Probe(NamedTuple):
    """A short input with the output that the file's author got for it, from the start state."""

    inputs: Array
    """[frames, 1 + knobs]: audio, then the knobs' values as the network takes them."""
    output: Array
    """[frames]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An architecture-neutral model: a network, its weights, and what the file says about it.

    `network` is hashable and holds sizes only; `weights` is the pytree of float32 arrays that it
    describes. Two models with equal networks share one compiled program.
    """

    name: str
    """The file's stem."""
    dialect: str
    """Name of the file's dialect, to be shown: `guitarml`, ..."""
    network: Network
    weights: Any
    """`network.Weights`; untyped, because which of its classes it is follows from `network`."""
    knobs: tuple[Knob, ...] = ()
    sample_rate: int = 44_100
    """[Hz]"""
    rate_stated: bool = False
    """Whether the file states the rate; if not, it is the dialect's convention."""
    rate_follows_device: bool = False
    """Whether the model plays at the device's rate, because its file states none."""
    in_gain: float = 1.0
    """Amplitude ratio before the network that the file asks for."""
    out_gain: float = 1.0
    """Amplitude ratio after the network that the file asks for."""
    prewarm_frames: int = 0
    """[frames] Silence that the reference player processes before the first sample."""
    probe: Probe | None = None
    sizes: int = 1
    """How many sizes of the model its file holds; this is one of them."""
    info: ModelInfo = field(default_factory=ModelInfo)
    size_starts: tuple[float, ...] = ()
    """From which requested size (0..1) on each size of the file is played, rising; empty where it
    holds one size."""

    @property
    def rate_source(self) -> str:
        """Where the sample rate comes from, in words."""
        return "the file" if self.rate_stated else f"assumed, as {self.dialect} files are played"


def without_gains(model: Model) -> Model:
    """Return the model without the gains that its file asks for, and without its probe."""
    if not isinstance(model.network, Gains):
        return model
    return replace(
        model,
        network=model.network.body,
        weights=model.weights.body,
        in_gain=1.0,
        out_gain=1.0,
        probe=None,
    )
