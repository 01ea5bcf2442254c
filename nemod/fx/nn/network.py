"""Kernels: how each `Network` is computed, block by block, with its memory explicit.

A kernel's functions are pure and jit for any block length; the sound does not depend on how the
signal is cut. The trainer maps and differentiates these same functions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from nemod.formats.network import (
    Activation,
    Conv1d,
    Dense,
    Gains,
    Gru,
    Lstm,
    Network,
    Prelu,
    Residual,
    Scale,
    Stack,
    WaveNet,
)
from nemod.fx.nn.conv import conv_init, conv_process
from nemod.fx.nn.curves import apply
from nemod.fx.nn.recurrent import gru_init, gru_process, lstm_init, lstm_process
from nemod.fx.nn.wavenet import PIECE_FRAMES, array_init, wavenet_arrays

Weights = Any
"""The pytree of float32 arrays that the network's class describes."""
State = Any
"""Pytree of arrays: the same shapes in and out; every leaf has a buffer of its own."""


Process = Callable[[Weights, State, jax.Array], tuple[State, jax.Array]]


@dataclass(frozen=True, slots=True)
class Kernel:
    """How a network is computed.

    `init(weights)` is the state before the first sample: zeros, or what the file stores.
    `process(weights, state, inputs)` takes float32 [frames, inputs] and returns the state and
    float32 [frames, outputs].
    """

    init: Callable[[Weights], State]
    process: Process


@cache
def kernel(network: Network) -> Kernel:
    """Return the kernel of a network; equal networks get the same one, and so one compilation."""
    match network:
        case Lstm():
            return Kernel(partial(lstm_init, network), partial(lstm_process, network))
        case Gru():
            return Kernel(partial(gru_init, network), partial(gru_process, network))
        case Dense():
            return Kernel(_no_memory, _dense)
        case Activation():
            return Kernel(_no_memory, partial(_activation, network))
        case Prelu():
            return Kernel(_no_memory, _prelu)
        case Scale():
            return Kernel(_no_memory, _scale)
        case Conv1d():
            return Kernel(lambda _: conv_init(network), partial(conv_process, network))
        case WaveNet():
            return _wavenet(network)
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


def _activation(
    network: Activation, weights: Weights, state: State, inputs: jax.Array
) -> tuple[State, jax.Array]:
    return state, apply(network.curve, inputs, channels_last=True)


def _prelu(weights: Weights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
    return state, jnp.where(inputs > 0.0, inputs, weights.slopes[None] * inputs)


def _scale(weights: Weights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
    return state, inputs * weights.factor[None] + weights.offset[None]


def _wavenet(network: WaveNet) -> Kernel:
    condition = kernel(network.condition) if network.condition else None
    head = kernel(network.head) if network.head else None

    def init(weights: Weights) -> State:
        return (
            condition.init(weights.condition) if condition else (),
            tuple(array_init(array) for array in network.arrays),
            head.init(weights.head) if head else (),
        )

    def piece(weights: Weights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
        condition_state, array_states, head_state = state
        sound = inputs.T
        beside = sound if network.conditioned else sound[:0]
        if condition:
            condition_state, made = condition.process(weights.condition, condition_state, inputs)
            beside = made.T
        array_states, out = wavenet_arrays(network, weights.arrays, array_states, sound, beside)
        outputs = weights.scale * out.T
        if head:
            head_state, outputs = head.process(weights.head, head_state, outputs)
        return (condition_state, array_states, head_state), outputs

    return Kernel(init, _in_pieces(piece, PIECE_FRAMES))


def _in_pieces(process: Process, frames: int) -> Process:
    """Return the process fed at most `frames` at a time, whatever the length of the block."""

    def run(weights: Weights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
        whole, rest = divmod(inputs.shape[0], frames)
        if whole == 0 or (whole, rest) == (1, 0):
            return process(weights, state, inputs)

        def step(state: State, piece: jax.Array) -> tuple[State, jax.Array]:
            return process(weights, state, piece)

        cut = whole * frames
        pieces = inputs[:cut].reshape(whole, frames, inputs.shape[1])
        state, out = jax.lax.scan(step, state, pieces)
        out = out.reshape(cut, out.shape[2])
        if rest:
            state, tail = process(weights, state, inputs[cut:])
            out = jnp.concatenate([out, tail])
        return state, out

    return run


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
