"""Kernels: how each `Network` is computed, block by block, with explicit state.

The functions of a kernel are pure and compile for any block length; the output does not depend on
how the signal is cut into blocks. The trainer vectorises and differentiates these same functions.
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
from nemod.formats.weights import (
    DenseWeights,
    GainsWeights,
    PreluWeights,
    ScaleWeights,
    WaveNetWeights,
)
from nemod.fx.nn.conv import conv_init, conv_process
from nemod.fx.nn.curves import apply
from nemod.fx.nn.recurrent import arrange, gru_init, gru_process, lstm_init, lstm_process
from nemod.fx.nn.wavenet import PIECE_FRAMES, arrange_arrays, array_init, wavenet_arrays

Weights = Any
"""The pytree of float32 arrays that the class of the network describes."""
State = Any
"""Pytree of arrays, of a shape that depends on the network; every leaf has a buffer of its own."""

Process = Callable[[Weights, State, jax.Array], tuple[State, jax.Array]]


@dataclass(frozen=True, slots=True)
class Kernel:
    """The functions that compute a network."""

    init: Callable[[Weights], State]
    """weights -> state before the first sample: zeros, or the state that the file stores."""
    process: Process
    """(weights, state, inputs [frames, inputs]) -> (state, outputs [frames, outputs]), float32."""
    arrange: Callable[[Weights], Weights] = lambda weights: weights
    """weights -> the same in the form that is fastest to play, as numpy arrays. Both forms can be
    passed to `init` and `process`."""


@cache
def kernel(network: Network) -> Kernel:
    """Return the kernel of a network; equal networks share one kernel, and so one compilation."""
    match network:
        case Lstm():
            return Kernel(partial(lstm_init, network), partial(lstm_process, network), arrange)
        case Gru():
            return Kernel(partial(gru_init, network), partial(gru_process, network), arrange)
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


def _no_memory(_weights: Weights) -> State:
    return ()


def _dense(weights: DenseWeights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
    return state, inputs @ weights.w.T + weights.bias[None]


def _activation(
    network: Activation, weights: Weights, state: State, inputs: jax.Array
) -> tuple[State, jax.Array]:
    return state, apply(network.curve, inputs, channels_last=True)


def _prelu(weights: PreluWeights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
    return state, jnp.where(inputs > 0.0, inputs, weights.slopes[None] * inputs)


def _scale(weights: ScaleWeights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
    return state, inputs * weights.factor[None] + weights.offset[None]


def _wavenet(network: WaveNet) -> Kernel:
    condition = kernel(network.condition) if network.condition else None
    head = kernel(network.head) if network.head else None

    def init(weights: WaveNetWeights) -> State:
        return (
            condition.init(weights.condition) if condition else (),
            tuple(array_init(array) for array in network.arrays),
            head.init(weights.head) if head else (),
        )

    def piece(weights: WaveNetWeights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
        condition_state, array_states, head_state = state
        sound = inputs.T
        given = sound if network.conditioned else sound[:0]
        if condition:
            condition_state, out = condition.process(weights.condition, condition_state, inputs)
            given = out.T
        array_states, out = wavenet_arrays(network, weights.arrays, array_states, sound, given)
        outputs = jnp.asarray(weights.scale) * out.T
        if head:
            head_state, outputs = head.process(weights.head, head_state, outputs)
        return (condition_state, array_states, head_state), outputs

    def arrange_all(weights: WaveNetWeights) -> WaveNetWeights:
        # The kernel alone looks into what it has arranged.
        arranged: Any = arrange_arrays(weights.arrays)
        return weights._replace(
            arrays=arranged,
            condition=condition.arrange(weights.condition) if condition else (),
            head=head.arrange(weights.head) if head else (),
        )

    return Kernel(init, _in_pieces(piece, PIECE_FRAMES), arrange_all)


def _in_pieces(process: Process, frames: int) -> Process:
    """Return the process, called with at most `frames` at a time for blocks of any length."""

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

    def arrange_all(weights: Weights) -> Weights:
        return tuple(layer.arrange(own) for layer, own in zip(layers, weights, strict=True))

    return Kernel(init, process, arrange_all)


def _residual(body: Kernel) -> Kernel:
    def process(weights: Weights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
        state, outputs = body.process(weights, state, inputs)
        return state, outputs + inputs[:, :1]

    return Kernel(body.init, process, body.arrange)


def _gains(body: Kernel) -> Kernel:
    def init(weights: GainsWeights) -> State:
        return body.init(weights.body)

    def process(weights: GainsWeights, state: State, inputs: jax.Array) -> tuple[State, jax.Array]:
        inputs = inputs.at[:, 0].multiply(weights.before)
        state, outputs = body.process(weights.body, state, inputs)
        return state, outputs * weights.after

    def arrange_body(weights: GainsWeights) -> GainsWeights:
        return weights._replace(body=body.arrange(weights.body))

    return Kernel(init, process, arrange_body)
