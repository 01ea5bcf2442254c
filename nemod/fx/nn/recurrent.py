"""LSTM and GRU layers over a block: one `lax.scan`, explicit state.

The equations are those of PyTorch's `nn.LSTM` and `nn.GRU`. The input projection, which does not
depend on the state, is computed for the whole block before the loop.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from nemod.formats.network import Gru, Lstm
from nemod.formats.weights import GruWeights, LstmWeights
from nemod.fx.nn.activations import lstm_gates, sigmoid, tanh


class LstmState(NamedTuple):
    """The state of an LSTM layer."""

    h: jax.Array
    """[hidden]"""
    c: jax.Array
    """[hidden]"""


S = TypeVar("S")
"""The state of a layer: a pytree of arrays [hidden], or [taps, hidden] with taps."""


def past_states(start: S, taps: tuple[float, ...]) -> S:
    """Return the state of a recurrence that sees its last states through `taps`.

    Without taps it is `start`; with taps every leaf gets a leading axis [taps].
    """
    if not taps:
        return start
    past: S = jax.tree.map(lambda leaf: jnp.tile(leaf[None], (len(taps), *(1,) * leaf.ndim)), start)
    return past


def through_taps(
    step: Callable[[S, jax.Array], tuple[S, jax.Array]], taps: tuple[float, ...]
) -> Callable[[S, jax.Array], tuple[S, jax.Array]]:
    """Return the step, called with a weighted sum of its last states, the newest first."""
    if not taps:
        return step

    def delayed(past: S, x: jax.Array) -> tuple[S, jax.Array]:
        mixed: S = jax.tree.map(
            lambda leaf: sum(np.float32(tap) * leaf[back] for back, tap in enumerate(taps) if tap),
            past,
        )
        now, out = step(mixed, x)
        past = jax.tree.map(lambda old, new: jnp.concatenate([new[None], old[:-1]]), past, now)
        return past, out

    return delayed


def lstm_init(network: Lstm, weights: LstmWeights) -> LstmState:
    """Return the state before the first sample."""
    start = jnp.asarray(weights.start)
    return LstmState(*past_states((start[0], start[1]), network.taps))


def lstm_process(
    network: Lstm, weights: LstmWeights, state: LstmState, inputs: jax.Array
) -> tuple[LstmState, jax.Array]:
    """Return the state after a block [frames, inputs] and the hidden states [frames, hidden]."""
    # With the transposed layout XLA's matrix-vector code takes half the time at 40 units.
    transposed = weights.w_h.T

    def step(state: LstmState, x: jax.Array) -> tuple[LstmState, jax.Array]:
        recurrent = state.h @ transposed
        i, forgotten, g, o = jnp.split(lstm_gates(x + recurrent), 4)
        c = state.c + (i * g - forgotten * state.c)
        h = o * tanh(c)
        return LstmState(h, c), h

    return jax.lax.scan(
        through_taps(step, network.taps), state, inputs @ weights.w_x.T + weights.bias[None]
    )


def gru_init(network: Gru, weights: GruWeights) -> jax.Array:
    """Return the state before the first sample."""
    return past_states(jnp.asarray(weights.start), network.taps)


def gru_process(
    network: Gru, weights: GruWeights, state: jax.Array, inputs: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the state after a block [frames, inputs] and the hidden states [frames, hidden]."""
    gates = 2 * network.hidden
    sign = np.repeat(np.array([1.0, -1.0], np.float32), network.hidden)
    # With the transposed layout XLA's matrix-vector code takes half the time at 40 units.
    transposed = weights.w_h.T

    def step(h: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        recurrent = h @ transposed
        # The second half is 1 - z, which keeps its precision where z is nearly 1.
        r, update = jnp.split(sigmoid((x[:gates] + recurrent[:gates]) * sign), 2)
        n = tanh(x[gates:] + r * (recurrent[gates:] + weights.bias_n))
        h = h + update * (n - h)
        return h, h

    return jax.lax.scan(
        through_taps(step, network.taps), state, inputs @ weights.w_x.T + weights.bias[None]
    )
