"""Kernels: how each `Network` is computed, block by block, with its memory explicit.

A kernel's functions are pure and jit for any block length; the sound does not depend on how the
signal is cut. The trainer maps and differentiates these same functions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax

from nemod.formats.network import Dense, Gains, Gru, Lstm, Network, Residual, Stack
from nemod.fx.recurrent import gru_init, gru_process, lstm_init, lstm_process

Weights = Any
"""The pytree of float32 arrays that the network's class describes."""
State = Any
"""Pytree of arrays: the same shapes in and out; every leaf has a buffer of its own."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """How a network is computed.

    `init(weights)` is the state before the first sample: zeros, or what the file stores.
    `process(weights, state, inputs)` takes float32 [frames, inputs] and returns the state and
    float32 [frames, outputs].
    """

    init: Callable[[Weights], State]
    process: Callable[[Weights, State, jax.Array], tuple[State, jax.Array]]


@cache
def kernel(network: Network) -> Kernel:
    """Return the kernel of a network; equal networks get the same one, and so one compilation."""
    match network:
        case Lstm():
            return Kernel(lstm_init, partial(lstm_process, network))
        case Gru():
            return Kernel(gru_init, partial(gru_process, network))
        case Dense():
            return Kernel(_no_memory, _dense)
        case Stack():
            return _stack(tuple(kernel(layer) for layer in network.layers))
        case Residual():
            return _residual(kernel(network.body))
        case Gains():
            return _gains(kernel(network.body))


def _no_memory(weights: Weights) -> State:
    return ()


def _dense(weights: Weights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
    return state, inputs @ weights.w.T + weights.bias[None]


def _stack(layers: tuple[Kernel, ...]) -> Kernel:
    def init(weights: Weights) -> State:
        return tuple(layer.init(own) for layer, own in zip(layers, weights, strict=True))

    def process(weights: Weights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
        states = []
        for layer, own, memory in zip(layers, weights, state, strict=True):
            after, inputs = layer.process(own, memory, inputs)
            states.append(after)
        return tuple(states), inputs

    return Kernel(init, process)


def _residual(body: Kernel) -> Kernel:
    def process(weights: Weights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
        state, outputs = body.process(weights, state, inputs)
        return state, outputs + inputs[:, :1]

    return Kernel(body.init, process)


def _gains(body: Kernel) -> Kernel:
    def init(weights: Weights) -> State:
        return body.init(weights.body)

    def process(weights: Weights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
        inputs = inputs.at[:, 0].multiply(weights.before)
        state, outputs = body.process(weights.body, state, inputs)
        return state, outputs * weights.after

    return Kernel(init, process)
