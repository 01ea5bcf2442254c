"""Plays a model with PyTorch's layers, for comparison: numpy block in, numpy block out."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nemod.formats.model import Model
from nemod.formats.network import Activation, Conv1d, Dense, Gru, Lstm, Residual, Stack
from nemod.formats.weights import ConvWeights, GruWeights, LstmWeights

Block = NDArray[np.float32]
Player = Callable[[Block], Block]
"""Plays one block [frames] and keeps the state for the next."""
Layer = Callable[[Any], Any]
"""Tensor [1, frames, channels] in and out; keeps its own state."""


def load() -> Any | None:
    """Return the module, or None where it is not installed."""
    try:
        return importlib.import_module("torch")
    except ImportError:
        return None


@contextmanager
def one_thread(torch: Any) -> Iterator[None]:
    """Make torch compute on the calling thread only."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def player(torch: Any, model: Model) -> Player:
    """Return a player of torch's own layers, in eager mode, from a zero state.

    Raises: TypeError for a layer that the study does not have.
    """
    network = model.network
    body = network.body if isinstance(network, Residual) else network
    if not isinstance(body, Stack):
        raise TypeError(f"{type(body).__name__} is not compared")
    pairs = zip(body.layers, model.weights, strict=True)
    layers = [_layer(torch, layer, weights) for layer, weights in pairs]
    skip = body is not network

    def play(block: Block) -> Block:
        with torch.inference_mode():
            sound = out = torch.from_numpy(block).view(1, -1, 1)
            for layer in layers:
                out = layer(out)
            played: Block = (out + sound if skip else out).view(-1).numpy()
            return played

    return play


def _layer(torch: Any, layer: Any, weights: Any) -> Layer:
    match layer:
        case Lstm() | Gru():
            return _recurrent(torch, layer, weights)
        case Conv1d():
            return _convolution(torch, layer, weights)
        case Dense():
            made = torch.nn.Linear(layer.inputs, layer.outputs)
            _fill(torch, made, weight=weights.w, bias=weights.bias)
            dense: Layer = made
            return dense
        case Activation() if layer.curve.kind == "tanh":
            curve: Layer = torch.tanh
            return curve
        case other:
            raise TypeError(f"{type(other).__name__} is not compared")


def _recurrent(torch: Any, layer: Lstm | Gru, weights: LstmWeights | GruWeights) -> Layer:
    kind = torch.nn.LSTM if isinstance(layer, Lstm) else torch.nn.GRU
    made = kind(layer.inputs, layer.hidden, batch_first=True)
    second = np.zeros_like(weights.bias)
    if isinstance(weights, GruWeights):
        second[-layer.hidden :] = weights.bias_n
    _fill(
        torch,
        made,
        weight_ih_l0=weights.w_x,
        weight_hh_l0=weights.w_h,
        bias_ih_l0=weights.bias,
        bias_hh_l0=second,
    )
    state: Any = None

    def run(x: Any) -> Any:
        nonlocal state
        out, state = made(x, state)
        return out

    return run


def _convolution(torch: Any, layer: Conv1d, weights: ConvWeights) -> Layer:
    made = torch.nn.Conv1d(layer.inputs, layer.outputs, layer.kernel, dilation=layer.dilation)
    taps = weights.w.reshape(layer.outputs, layer.kernel, layer.inputs).transpose(0, 2, 1)
    _fill(torch, made, weight=taps, bias=weights.bias)
    past = torch.zeros(1, layer.inputs, layer.past)

    def run(x: Any) -> Any:
        nonlocal past
        signal = torch.cat([past, x.transpose(1, 2)], 2)
        past = signal[:, :, signal.shape[2] - layer.past :]
        return made(signal).transpose(1, 2)

    return run


def _fill(torch: Any, module: Any, **arrays: Any) -> None:
    with torch.no_grad():
        for name, array in arrays.items():
            getattr(module, name).copy_(torch.from_numpy(np.array(array, np.float32)))
