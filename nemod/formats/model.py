"""The one thing that every model file becomes: nothing after the readers knows a dialect."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    """A short input with the output that the file's maker got, from the start state."""

    inputs: Array
    """[frames, 1 + knobs]: sound, then the knobs' values as the network takes them."""
    output: Array
    """[frames]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An architecture-neutral model: what to compute, with which weights, and what is known of it.

    `network` is hashable and holds sizes only; `weights` is the pytree of float32 arrays that it
    describes. Two models with equal networks share one compiled program.
    """

    name: str
    """The file's stem."""
    dialect: str
    """`guitarml`, ..."""
    network: Network
    weights: Any
    knobs: tuple[Knob, ...] = ()
    sample_rate: int = 44_100
    """[Hz]"""
    rate_stated: bool = False
    """Whether the file states the rate; if not, it is the dialect's convention."""
    rate_follows_device: bool = False
    """Whether the dialect's own programs play a file without a rate at the device's."""
    in_gain: float = 1.0
    """Amplitude ratio before the network that the file asks for."""
    out_gain: float = 1.0
    """Amplitude ratio after the network that the file asks for."""
    prewarm_frames: int = 0
    """[frames] Silence that the dialect's own engine plays before the first sample."""
    probe: Probe | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What else the file says (author, licence, ESR, gear, ...), JSON types."""


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
