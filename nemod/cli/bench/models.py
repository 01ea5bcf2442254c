"""Untrained models of common architectures: the time of a block does not depend on the weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nemod.formats.model import Model
from nemod.formats.network import (
    Activation,
    Conv1d,
    Curve,
    Dense,
    Gru,
    Lstm,
    Network,
    Residual,
    Run,
    Scale,
    Stack,
    WaveNet,
    WaveNetArray,
    WaveNetLayer,
)
from nemod.formats.weights import (
    ConvWeights,
    DenseWeights,
    GruWeights,
    LstmWeights,
    ScaleWeights,
    WaveNetArrayWeights,
    WaveNetLayerWeights,
    WaveNetWeights,
)

RATE_HZ = 48_000
SPREAD = 0.2
"""Weights are uniform within +- this: small enough for a stable model."""

A1_FIRST = tuple(2**power for power in range(10))
A1_LITE_FIRST = tuple(2**power for power in range(7))
A1_LITE_SECOND = (128, 256, 512, *A1_FIRST)
_A2_CYCLE = (1, 3, 7, 17, 41, 101, 239)
A2_DILATIONS = (*_A2_CYCLE, *_A2_CYCLE, 1, 13, *_A2_CYCLE)
A2_KERNELS = (*(6,) * 14, 15, 15, *(6,) * 7)

Numbers = Callable[..., NDArray[np.float32]]


def recurrent(unit: str, hidden: int) -> Network:
    """Return an LSTM or a GRU with a dense head and the input added."""
    layer = Lstm(1, hidden) if unit == "LSTM" else Gru(1, hidden)
    return Residual(Stack((layer, Dense(hidden, 1))))


def a1(
    channels: int, first: tuple[int, ...] = A1_FIRST, second: tuple[int, ...] = A1_FIRST
) -> WaveNet:
    """Return NAM's first generation: two arrays, the second half as wide."""

    def array(inputs: int, width: int, dilations: tuple[int, ...], outputs: int) -> WaveNetArray:
        layers = tuple(WaveNetLayer(3, dilation, Curve("tanh")) for dilation in dilations)
        return WaveNetArray(inputs, width, width, layers, outputs)

    half = channels // 2
    return WaveNet((array(1, channels, first, half), array(channels, half, second, 1)))


def a2(channels: int) -> WaveNet:
    """Return NAM's second generation: one array of long kernels and a head of 16 taps."""
    curve = Curve("leaky_relu", (0.01,))
    sizes = zip(A2_KERNELS, A2_DILATIONS, strict=True)
    layers = tuple(WaveNetLayer(kernel, dilation, curve) for kernel, dilation in sizes)
    return WaveNet((WaveNetArray(1, channels, channels, layers, 1, head_kernel=16),))


def conv_net(channels: int) -> Stack:
    """Return NAM's ConvNet: kernels of two taps, batch norm, tanh."""
    layers: list[Network] = []
    width = 1
    for power in range(6):
        layers += [Conv1d(width, channels, 2, 2**power), Scale(channels)]
        layers.append(Activation(Curve("tanh"), channels))
        width = channels
    return Stack((*layers, Dense(channels, 1)))


MODELS: dict[str, Network] = {
    "LSTM 1x16": recurrent("LSTM", 16),
    "LSTM 1x40": recurrent("LSTM", 40),
    "GRU-64": recurrent("GRU", 64),
    "A1 nano": a1(4, A1_LITE_FIRST, A1_LITE_SECOND),
    "A1 feather": a1(8, A1_LITE_FIRST, A1_LITE_SECOND),
    "A1 standard": a1(16),
    "A2 Lite": a2(3),
    "A2 Full": a2(8),
    "ConvNet": conv_net(8),
}
"""What `nemod bench --models` measures."""


def random_model(network: Network, seed: int = 0) -> Model:
    """Return an untrained model of this network, at 48 kHz.

    Raises: TypeError for a network of another kind than those of `MODELS`.
    """
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> NDArray[np.float32]:
        return rng.uniform(-SPREAD, SPREAD, shape).astype(np.float32)

    weights = _weights(network, numbers)
    return Model(name="bench", dialect="", network=network, weights=weights, sample_rate=RATE_HZ)


def _weights(network: Network, numbers: Numbers) -> Any:
    match network:
        case Lstm(inputs=inputs, hidden=hidden):
            start = np.zeros((2, hidden), np.float32)
            w_x, w_h = numbers(4 * hidden, inputs), numbers(4 * hidden, hidden)
            return LstmWeights(w_x, w_h, numbers(4 * hidden), start)
        case Gru(inputs=inputs, hidden=hidden):
            still = np.zeros(hidden, np.float32)
            w_x, w_h = numbers(3 * hidden, inputs), numbers(3 * hidden, hidden)
            return GruWeights(w_x, w_h, numbers(3 * hidden), numbers(hidden), still)
        case Dense(inputs=inputs, outputs=outputs):
            return DenseWeights(numbers(outputs, inputs), numbers(outputs))
        case Conv1d(inputs=inputs, outputs=outputs, kernel=kernel):
            return ConvWeights(numbers(outputs, kernel * inputs), numbers(outputs))
        case Scale(channels=channels):
            return ScaleWeights(numbers(channels), numbers(channels))
        case Activation():
            return ()
        case Stack(layers=layers):
            return tuple(_weights(layer, numbers) for layer in layers)
        case Residual(body=body):
            return _weights(body, numbers)
        case WaveNet(arrays=arrays):
            each = tuple(_array_weights(array, numbers) for array in arrays)
            return WaveNetWeights(each, np.array(0.02, np.float32), (), ())
        case other:
            raise TypeError(f"no random weights for {type(other).__name__}")


def _array_weights(array: WaveNetArray, numbers: Numbers) -> WaveNetArrayWeights:
    def of(run: Run) -> WaveNetLayerWeights:
        count, width = len(run.dilations), array.bottleneck
        conv = numbers(count, width, run.layer.kernel * array.channels + 2)
        residual = numbers(count, array.channels, width + 1)
        return WaveNetLayerWeights(conv, None, residual, None, ())

    return WaveNetArrayWeights(
        numbers(array.channels, array.inputs + 1),
        tuple(of(run) for run in array.runs),
        numbers(array.head_outputs, array.head_kernel * array.head_inputs + 1),
    )
