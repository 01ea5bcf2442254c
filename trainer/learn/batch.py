"""Runs a network over a batch: the kernel of `nemod.fx.nn.network` with faster recurrences.

Signals are [frames, groups, channels, lanes]: a batch is groups times lanes, the layout of
`trainer.learn.recurrence`. States have the groups as first axis and the lanes as last.
"""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nemod.formats.network import Gru, Lstm, Network, Residual, Stack
from nemod.fx.nn.network import State, Weights, kernel
from trainer.learn import recurrence

Signal = NDArray[np.float32]
Process = Callable[[Weights, State, jax.Array], tuple[State, jax.Array]]
"""(weights, state, inputs) -> (state, outputs)"""


LANES = 16
"""Float32 values in the widest vector registers."""


def groups_of(batch: int) -> int:
    """Return the number of groups of lanes in a batch: 1 if it is not a multiple of `LANES`."""
    return 1 if batch % LANES else batch // LANES


def arrange(signals: Signal) -> Signal:
    """Return signals [batch, frames, channels] as [frames, groups, channels, lanes]."""
    batch, frames, channels = signals.shape
    groups = groups_of(batch)
    grouped = signals.reshape(groups, batch // groups, frames, channels)
    return np.ascontiguousarray(grouped.transpose(2, 0, 3, 1))


def initial_state(network: Network, weights: Weights, x: jax.Array) -> State:
    """Return the initial state for a batch with the shape of `x`."""
    state = kernel(network).init(weights)
    groups, lanes = x.shape[1], x.shape[3]
    return jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf[None, ..., None], (groups, *leaf.shape, lanes)), state
    )


def plain(network: Network) -> Process:
    """Return the kernel of the audio process, mapped over the batch."""
    lanes = jax.vmap(kernel(network).process, in_axes=(None, -1, -1), out_axes=-1)
    mapped: Process = jax.vmap(lanes, in_axes=(None, 0, 1), out_axes=(0, 1))
    return mapped


@cache
def batched(network: Network) -> Process:
    """Return the fast equivalent of `plain`: equal values and gradients up to rounding."""
    match network:
        case Lstm(taps=()):
            return recurrence.lstm
        case Gru(taps=()):
            return recurrence.gru
        case Stack():
            return _stack([batched(layer) for layer in network.layers])
        case Residual():
            return _residual(batched(network.body))
        case _:
            return plain(network)


def _stack(layers: list[Process]) -> Process:
    def process(weights: Weights, state: State, x: jax.Array) -> tuple[State, jax.Array]:
        states = []
        for layer, own, before in zip(layers, weights, state, strict=True):
            after, x = layer(own, before, x)
            states.append(after)
        return tuple(states), x

    return process


def _residual(body: Process) -> Process:
    def process(weights: Weights, state: State, x: jax.Array) -> tuple[State, jax.Array]:
        state, out = body(weights, state, x)
        return state, out + x[:, :, :1]

    return process


def in_pieces(process: Process, frames: int) -> Process:
    """Return the process in pieces of `frames`, which the backward pass recomputes one by one.

    The residuals of a piece then fit the cache. The length must be a multiple of `frames`.
    """
    inner: Process = jax.checkpoint(process)

    def run(weights: Weights, state: State, x: jax.Array) -> tuple[State, jax.Array]:
        def step(state: State, piece: jax.Array) -> tuple[State, jax.Array]:
            return inner(weights, state, piece)

        count, remainder = divmod(x.shape[0], frames)
        assert remainder == 0
        state, out = jax.lax.scan(step, state, x.reshape(count, frames, *x.shape[1:]))
        return state, out.reshape(x.shape[0], *out.shape[2:])

    return run
