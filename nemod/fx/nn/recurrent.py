"""LSTM and GRU layers over a block: one `lax.scan`, explicit state.

The equations are PyTorch's `nn.LSTM` and `nn.GRU`. What does not depend on the state (the input
projection) is computed for the whole block before the loop.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.formats.network import Gru, GruWeights, Lstm, LstmWeights
from nemod.fx.nn.activations import lstm_gates, sigmoid, tanh


class LstmState(NamedTuple):
    """What an LSTM layer remembers."""

    h: jax.Array
    """[hidden]"""
    c: jax.Array
    """[hidden]"""


Step = Callable[[Any, jax.Array], tuple[Any, jax.Array]]


def past_states(start: Any, taps: tuple[float, ...]) -> Any:
    """Return the memory of a recurrence that looks further back than one frame.

    Without taps it is the state itself; with them every leaf gets a leading axis [taps].
    """
    if not taps:
        return start
    return jax.tree.map(lambda leaf: jnp.tile(leaf[None], (len(taps), *(1,) * leaf.ndim)), start)


def through_taps(step: Step, taps: tuple[float, ...]) -> Step:
    """Return the step fed with a weighted sum of its last states, the newest first."""
    if not taps:
        return step

    def delayed(past: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        seen = jax.tree.map(
            lambda leaf: sum(np.float32(tap) * leaf[back] for back, tap in enumerate(taps) if tap),
            past,
        )
        now, out = step(seen, x)
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
    # Stored the other way round, XLA's matrix-vector code takes half the time at 40 units.
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
    state: jax.Array = past_states(jnp.asarray(weights.start), network.taps)
    return state


def gru_process(
    network: Gru, weights: GruWeights, state: jax.Array, inputs: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the state after a block [frames, inputs] and the hidden states [frames, hidden]."""
    gates = 2 * network.hidden
    sign = np.repeat(np.array([1.0, -1.0], np.float32), network.hidden)
    # Stored the other way round, XLA's matrix-vector code takes half the time at 40 units.
    transposed = weights.w_h.T

    def step(h: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        recurrent = h @ transposed
        # The second half is 1 - z, which keeps its precision where z is nearly 1.
        r, taken = jnp.split(sigmoid((x[:gates] + recurrent[:gates]) * sign), 2)
        n = tanh(x[gates:] + r * (recurrent[gates:] + weights.bias_n))
        h = h + taken * (n - h)
        return h, h

    return jax.lax.scan(
        through_taps(step, network.taps), state, inputs @ weights.w_x.T + weights.bias[None]
    )
