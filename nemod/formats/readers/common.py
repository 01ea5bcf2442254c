"""What the readers share: limits, and building blocks of networks with their weights."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.formats.network import (
    Activation,
    Conv1d,
    Curve,
    Dense,
    Gru,
    Lstm,
    Network,
    Stack,
    WaveNet,
    WaveNetArray,
)
from nemod.formats.readers.document import Array, Node
from nemod.formats.weights import (
    DenseWeights,
    GruWeights,
    LstmWeights,
    WaveNetLayerWeights,
    Weights,
)
from nemod.parameters.table import MAX_KNOBS

MAX_HIDDEN = 1024
"""Most units of one recurrent layer; the largest released has 100."""
MAX_LAYERS = 64
"""Most layers of one model."""
MAX_INPUTS = 1 + MAX_KNOBS
"""Audio and knobs."""
MAX_OUTPUTS = 1024
"""Most output channels that are counted; a model with more than one is refused by its number."""
MAX_STATE = 4_000_000
"""Most numbers of state in a convolutional model; the largest released has 80,000."""


def single(value: float | NDArray[np.float64] | Array) -> Array:
    """Return float32, a number as an array without axes."""
    return np.asarray(value, np.float32)


class Layer(NamedTuple):
    """A network with its weights."""

    network: Network
    weights: Weights


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
    """Return a curve as a layer, or no layer for the identity."""
    return [] if curve.kind == "linear" else [Layer(Activation(curve, channels), ())]


def stack_runs(
    array: WaveNetArray, layers: list[WaveNetLayerWeights]
) -> tuple[WaveNetLayerWeights, ...]:
    """Return the weights of an array's layers, stacked run by run."""
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


def refuse_outputs(node: Node, outputs: int) -> None:
    """Raise ModelError, about `node`, for a model with another number of outputs than one."""
    if outputs != 1:
        node.fail(f"a model with {outputs} outputs, expected 1 (audio)")


def check_state(node: Node, network: Network) -> None:
    """Raise ModelError, about `node`, for a convolutional network with more state than any real."""
    numbers = _state_size(network)
    if numbers > MAX_STATE:
        node.fail(f"remembers {numbers} numbers between samples, at most {MAX_STATE} are kept")


def _state_size(network: Network) -> int:
    match network:
        case Stack():
            return sum(_state_size(layer) for layer in network.layers)
        case Conv1d():
            return network.past * network.inputs
        case WaveNet():
            inner = [part for part in (network.condition, network.head) if part]
            return sum(_state_size(part) for part in inner) + sum(
                array.past * array.channels + array.head_past * array.head_inputs
                for array in network.arrays
            )
        case _:
            return 0
