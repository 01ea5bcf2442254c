"""What the readers share: limits, building blocks of recurrent models, and our own metadata."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.formats.document import Array, Node
from nemod.formats.model import Knob, Probe
from nemod.formats.network import (
    Activation,
    Conv1d,
    Curve,
    Dense,
    DenseWeights,
    Gru,
    GruWeights,
    Lstm,
    LstmWeights,
    Network,
    Stack,
    WaveNet,
    WaveNetArray,
    WaveNetLayerWeights,
)
from nemod.parameters.table import MAX_KNOBS

MAX_HIDDEN = 1024
"""Most units of one recurrent layer; the largest released has 100."""
MAX_LAYERS = 64
"""Most layers of one model."""
MAX_INPUTS = 1 + MAX_KNOBS
"""Sound and knobs."""
MAX_PROBE_FRAMES = 480_000
"""Longest probe."""
MAX_REMEMBERED = 4_000_000
"""Most numbers that a convolutional model may remember; the largest released keeps 80,000."""


def single(value: float | NDArray[np.float64] | Array) -> Array:
    """Return float32, a number as an array without axes."""
    return np.asarray(value, np.float32)


class Layer(NamedTuple):
    """A network with the arrays that fill it."""

    network: Network
    weights: Any


def lstm_layer(w_x: Array, w_h: Array, bias_x: Array, bias_h: Array) -> Layer:
    """Return an LSTM layer from PyTorch's tensors: rows i, f, g, o."""
    hidden = w_h.shape[1]
    start = np.zeros((2, hidden), np.float32)
    return Layer(Lstm(w_x.shape[1], hidden), LstmWeights(w_x, w_h, bias_x + bias_h, start))


def gru_layer(w_x: Array, w_h: Array, bias_x: Array, bias_h: Array) -> Layer:
    """Return a GRU layer from PyTorch's tensors: rows r, z, n."""
    hidden = w_h.shape[1]
    bias = bias_x.copy()
    bias[: 2 * hidden] += bias_h[: 2 * hidden]
    start = np.zeros(hidden, np.float32)
    weights = GruWeights(w_x, w_h, bias, bias_h[2 * hidden :].copy(), start)
    return Layer(Gru(w_x.shape[1], hidden), weights)


def dense_layer(w: Array, bias: Array) -> Layer:
    """Return an affine layer: `w` is [outputs, inputs]."""
    return Layer(Dense(w.shape[1], w.shape[0]), DenseWeights(w, bias))


def curve_layer(curve: Curve, channels: int) -> list[Layer]:
    """Return a curve as a layer, or no layer where it leaves its input as it is."""
    return [] if curve.kind == "linear" else [Layer(Activation(curve, channels), ())]


def stack_runs(
    array: WaveNetArray, layers: list[WaveNetLayerWeights]
) -> tuple[WaveNetLayerWeights, ...]:
    """Return the numbers of an array's layers, stacked run by run."""
    left = iter(layers)
    return tuple(_stacked([next(left) for _ in run.dilations]) for run in array.runs)


def _stacked(alike: list[Any]) -> Any:
    first = alike[0]
    if first is None:
        return None
    if isinstance(first, np.ndarray):
        return np.stack(alike)
    members = [_stacked(list(part)) for part in zip(*alike, strict=True)]
    return type(first)(*members) if hasattr(first, "_fields") else tuple(members)


def check_memory(node: Node, network: Network) -> None:
    """Raise ModelError where a convolutional network remembers more than any real one.

    `node` is the key that is blamed.
    """
    numbers = _remembered(network)
    if numbers > MAX_REMEMBERED:
        node.fail(f"remembers {numbers} numbers between samples, at most {MAX_REMEMBERED} are kept")


def _remembered(network: Network) -> int:
    match network:
        case Stack():
            return sum(_remembered(layer) for layer in network.layers)
        case Conv1d():
            return network.past * network.inputs
        case WaveNet():
            inner = [part for part in (network.condition, network.head) if part]
            return sum(_remembered(part) for part in inner) + sum(
                array.past * array.channels + array.head_past * array.head_inputs
                for array in network.arrays
            )
        case _:
            return 0


class Knowledge(NamedTuple):
    """What a file says of its model beside the numbers."""

    knobs: tuple[Knob, ...]
    sample_rate: int | None
    probe: Probe | None
    metadata: dict[str, Any]


def knowledge(root: Node, knobs: int) -> Knowledge:
    """Return the top-level `metadata` and `probe` of this project's own layout, where present."""
    metadata = root.optional("metadata")
    node = metadata.optional("knobs") if metadata else None
    rate = metadata.optional("sample_rate") if metadata else None
    probe = root.optional("probe")
    return Knowledge(
        knobs=_knobs(node, knobs) if node else unnamed_knobs(knobs),
        sample_rate=rate.integer(8_000, 384_000) if rate else None,
        probe=_probe(probe, knobs) if probe else None,
        metadata={
            name: metadata.child(name).plain()
            for name in metadata.mapping()
            if name not in ("knobs", "sample_rate")
        }
        if metadata
        else {},
    )


def unnamed_knobs(count: int) -> tuple[Knob, ...]:
    """Return knobs of a file that gives them no names: their numbers, from 1."""
    return tuple(Knob(str(number)) for number in range(1, count + 1))


def _knobs(node: Node, count: int) -> tuple[Knob, ...]:
    knobs = []
    for member in node.sequence(count, count):
        low = member.optional("low")
        high = member.optional("high")
        default = member.optional("default")
        knob = Knob(
            name=member.child("name").text(),
            low=low.number() if low else 0.0,
            high=high.number() if high else 1.0,
            default=default.number(0.0, 1.0) if default else 0.5,
        )
        if high and knob.high == knob.low:
            high.fail(f"{knob.high:g}, expected another value than 'low'")
        knobs.append(knob)
    return tuple(knobs)


def _probe(node: Node, knobs: int) -> Probe:
    inputs = node.child("input")
    output = node.child("output").vector(MAX_PROBE_FRAMES)
    frames = len(inputs.sequence(1, MAX_PROBE_FRAMES))
    if frames != output.size:
        node.child("output").fail(f"{output.size} samples, but the input has {frames}")
    if knobs:
        return Probe(inputs.array(frames, 1 + knobs), output)
    if isinstance(inputs.value[0], list):
        return Probe(inputs.array(frames, 1), output)
    return Probe(inputs.array(frames)[:, np.newaxis], output)
