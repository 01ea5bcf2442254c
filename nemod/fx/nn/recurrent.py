"""LSTM and GRU layers over a block: one `lax.scan`, explicit state.

The equations are those of PyTorch's `nn.LSTM` and `nn.GRU`. The product with the state is XLA's own
matrix-vector code, which is fast for a matrix that lies column by column and whose rows fill vector
registers; `arrange` brings the weights into that form once, before they are played. A few inputs,
audio and knobs, are multiplied within the loop, so that no array of all frames is written and read
again; the many of a second layer before it, as one matrix product.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from nemod.common.xla import vector_lanes
from nemod.formats.network import Gru, Lstm
from nemod.formats.weights import Array, GruWeights, LstmWeights
from nemod.fx.nn.cells import gru_cell, lstm_cell

FEW_INPUTS = 4
"""Up to this number, the inputs are multiplied within the loop."""
Matrix = jax.Array | Array


class ArrangedWeights(NamedTuple):
    """Weights of a layer as they are played; gates in the order of `LstmWeights`, `GruWeights`."""

    w_x: Matrix
    """[inputs, gates hidden]"""
    w_h: Matrix
    """[hidden, rows]: as many rows as gates, then zeros."""
    bias: Matrix
    """[gates hidden]"""
    bias_n: Matrix
    """[hidden], of a GRU; of an LSTM [0]"""
    start: Matrix
    """As in the plain weights."""


def arrange(weights: LstmWeights | GruWeights) -> ArrangedWeights:
    """Return the weights as they are played, as numpy arrays."""
    fill = -weights.w_h.shape[0] % vector_lanes()
    return ArrangedWeights(
        np.ascontiguousarray(weights.w_x.T),
        np.ascontiguousarray(np.pad(weights.w_h, ((0, fill), (0, 0))).T),
        weights.bias,
        weights.bias_n if isinstance(weights, GruWeights) else np.zeros(0, np.float32),
        weights.start,
    )


def _arranged(weights: ArrangedWeights | LstmWeights | GruWeights) -> ArrangedWeights:
    """Return weights as they are played, also those of the trainer, which change as it learns."""
    if isinstance(weights, ArrangedWeights):
        return weights
    bias_n = weights.bias_n if isinstance(weights, GruWeights) else np.zeros(0, np.float32)
    return ArrangedWeights(weights.w_x.T, weights.w_h.T, weights.bias, bias_n, weights.start)


def _sequence(weights: ArrangedWeights, inputs: jax.Array) -> jax.Array:
    """Return what the loop over the frames takes frame by frame: see `_with_inputs`."""
    if inputs.shape[1] <= FEW_INPUTS:
        return inputs
    return inputs @ weights.w_x + weights.bias[None]


def _with_inputs(weights: ArrangedWeights, sums: jax.Array, given: jax.Array) -> jax.Array:
    """Return sums [gates hidden] and what the inputs of a frame add to them."""
    if weights.w_x.shape[0] > FEW_INPUTS:
        return sums + given
    total = sums
    for channel in range(weights.w_x.shape[0]):
        total = total + given[channel] * weights.w_x[channel]
    return total + weights.bias


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


def lstm_init(network: Lstm, weights: ArrangedWeights | LstmWeights) -> LstmState:
    """Return the state before the first sample."""
    start = jnp.asarray(weights.start)
    return LstmState(*past_states((start[0], start[1]), network.taps))


def lstm_process(
    network: Lstm, weights: ArrangedWeights | LstmWeights, state: LstmState, inputs: jax.Array
) -> tuple[LstmState, jax.Array]:
    """Return the state after a block [frames, inputs] and the hidden states [frames, hidden]."""
    own = _arranged(weights)
    rows = 4 * network.hidden

    def step(state: LstmState, given: jax.Array) -> tuple[LstmState, jax.Array]:
        sums = _with_inputs(own, (state.h @ own.w_h)[:rows], given)
        c, h = lstm_cell(*jnp.split(sums, 4), state.c)
        return LstmState(h, c), h

    return jax.lax.scan(through_taps(step, network.taps), state, _sequence(own, inputs))


def gru_init(network: Gru, weights: ArrangedWeights | GruWeights) -> jax.Array:
    """Return the state before the first sample."""
    return past_states(jnp.asarray(weights.start), network.taps)


def gru_process(
    network: Gru, weights: ArrangedWeights | GruWeights, state: jax.Array, inputs: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the state after a block [frames, inputs] and the hidden states [frames, hidden]."""
    own = _arranged(weights)
    rows = 3 * network.hidden

    def step(h: jax.Array, given: jax.Array) -> tuple[jax.Array, jax.Array]:
        nothing = jnp.zeros(rows, jnp.float32)
        r_x, z_x, n_x = jnp.split(_with_inputs(own, nothing, given), 3)
        r_h, z_h, n_h = jnp.split((h @ own.w_h)[:rows], 3)
        h = gru_cell(r_x + r_h, z_x + z_h, n_x, n_h + own.bias_n, h)
        return h, h

    return jax.lax.scan(through_taps(step, network.taps), state, _sequence(own, inputs))
