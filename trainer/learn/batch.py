"""A network over a batch: `nemod.fx.nn.network`'s kernel, its recurrences replaced by fast ones.

Signals are [frames, groups, channels, lanes]: a batch of groups times lanes, laid out as
`trainer.learn.recurrence` wants it. States have the groups as first axis and the lanes as last.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nemod.formats.network import Gru, Lstm, Network, Residual, Stack
from nemod.fx.nn.network import kernel
from trainer.learn import recurrence

Signal = NDArray[np.float32]
Process = Callable[[Any, Any, jax.Array], tuple[Any, jax.Array]]
"""(weights, state, inputs) -> (state, outputs)"""


LANES = 16
"""Float32 numbers of the widest vectors."""


def groups_of(batch: int) -> int:
    """Return into how many groups of lanes a batch falls: one, where it is no multiple of them."""
    return 1 if batch % LANES else batch // LANES


def arrange(signals: Signal) -> Signal:
    """Return signals [batch, frames, channels] as [frames, groups, channels, lanes].."""
    batch, frames, channels = signals.shape
    groups = groups_of(batch)
    grouped = signals.reshape(groups, batch // groups, frames, channels)
    return np.ascontiguousarray(grouped.transpose(2, 0, 3, 1))


def rest(network: Network, weights: Any, x: jax.Array) -> Any:
    """Return the state before the first frame, for a batch like `x`."""
    state = kernel(network).init(weights)
    groups, lanes = x.shape[1], x.shape[3]
    return jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf[None, ..., None], (groups, *leaf.shape, lanes)), state
    )


def plain(network: Network) -> Process:
    """Return the daemon's own kernel, mapped over the batch."""
    lanes = jax.vmap(kernel(network).process, in_axes=(None, -1, -1), out_axes=-1)
    mapped: Process = jax.vmap(lanes, in_axes=(None, 0, 1), out_axes=(0, 1))
    return mapped


@cache
def batched(network: Network) -> Process:
    """Return the fast form of `plain`: the same values and gradients up to rounding."""
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
    def process(weights: Any, state: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        states = []
        for layer, own, memory in zip(layers, weights, state, strict=True):
            after, x = layer(own, memory, x)
            states.append(after)
        return tuple(states), x

    return process


def _residual(body: Process) -> Process:
    def process(weights: Any, state: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        state, out = body(weights, state, x)
        return state, out + x[:, :, :1]

    return process


def in_pieces(process: Process, frames: int) -> Process:
    """Return the process cut into pieces, of which the backward pass recomputes one at a time.

    What a piece keeps then stays in the processor's cache. The length must be a multiple of
    `frames`.
    """
    inner: Process = jax.checkpoint(process)

    def run(weights: Any, state: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        def step(state: Any, piece: jax.Array) -> tuple[Any, jax.Array]:
            return inner(weights, state, piece)

        count, rest_ = divmod(x.shape[0], frames)
        assert rest_ == 0
        state, out = jax.lax.scan(step, state, x.reshape(count, frames, *x.shape[1:]))
        return state, out.reshape(x.shape[0], *out.shape[2:])

    return run
