"""LSTM and GRU layers over a batch, with a custom backward pass.

The equations are those of `nemod.fx.nn.recurrent`; values and gradients are equal up to rounding.
Only the order of the operations differs.

Signals are [frames, groups, channels, lanes]: the batch is groups times lanes. The lanes of a group
fill one vector register, so that the state of a unit stays in a register while it is multiplied by
all rows of the weights. The matrix product of a step is written as a sum of products: XLA compiles
a loop without a dot operation into one function, and one with it costs some microseconds per step.
The forward loop saves gates and states; the backward loop computes only the gradients of the gates.
Those of the weights are one matrix product afterwards (J. Appleyard et al., "Optimizing performance
of recurrent neural networks on GPUs", 2016).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from nemod.formats.weights import Array, GruWeights, LstmWeights
from nemod.fx.nn.activations import sigmoid, tanh
from nemod.fx.nn.recurrent import LstmState

Matrix = jax.Array | Array
Index = int | jax.Array
BLOCK = 10
"""Columns of a product that are summed at once: the states of as many units fit the registers."""


def _product(w: Matrix, x: jax.Array) -> jax.Array:
    """Return w [rows, columns] times x [groups, columns, lanes], in blocks of `BLOCK` columns."""
    rows, columns = w.shape
    groups, _, lanes = x.shape
    blocks = columns // BLOCK
    if blocks < 2:
        return _sum_of_products(w, x)
    whole = blocks * BLOCK
    cut = w[:, :whole].reshape(rows, blocks, BLOCK).transpose(1, 0, 2)

    def add(block: jax.Array, total: jax.Array) -> jax.Array:
        part = lax.dynamic_slice_in_dim(x, block * BLOCK, BLOCK, axis=1)
        return total + _sum_of_products(_at(cut, block), part)

    total: jax.Array = lax.fori_loop(0, blocks, add, jnp.zeros((groups, rows, lanes), x.dtype))
    return total if whole == columns else total + _sum_of_products(w[:, whole:], x[:, whole:])


def _sum_of_products(w: Matrix, x: jax.Array) -> jax.Array:
    matrix = jnp.asarray(w)
    total = matrix[None, :, 0, None] * x[:, 0][:, None]
    for column in range(1, x.shape[1]):
        total = total + matrix[None, :, column, None] * x[:, column][:, None]
    return total


def _column(bias: Matrix) -> jax.Array:
    return jnp.asarray(bias)[None, :, None]


def _parts(gates: jax.Array) -> list[jax.Array]:
    """Return the four quarters of gates [groups, 4 hidden, lanes]."""
    return jnp.split(gates, 4, axis=1)


def _at(signal: Matrix, frame: Index) -> jax.Array:
    value: jax.Array = lax.dynamic_index_in_dim(signal, frame, 0, keepdims=False)
    return value


def _put(signal: jax.Array, value: jax.Array, frame: Index) -> jax.Array:
    after: jax.Array = lax.dynamic_update_index_in_dim(signal, value, frame, 0)
    return after


def _over_batch(left: jax.Array, right: jax.Array) -> jax.Array:
    """Return the sum over frames, groups and lanes of left's channels times right's, [i, j]."""
    return jnp.einsum("tgil,tgjl->ij", left, right)


def _to_inputs(w_x: Matrix, d_gates: jax.Array) -> jax.Array:
    """Return the gradient of the inputs."""
    return jnp.einsum("ij,tgil->tgjl", w_x, d_gates)


# LSTM


class _LstmKept(NamedTuple):
    """Values that the forward loop saves for the backward loop."""

    gates: jax.Array
    """[frames, groups, 4 hidden, lanes]: i, 1 - f, g, o"""
    h: jax.Array
    """[frames + 1, groups, hidden, lanes], from the state before the first frame on"""
    c: jax.Array
    """[frames + 1, groups, hidden, lanes]"""


_LstmSaved = tuple[LstmWeights, jax.Array, _LstmKept]


def _lstm_loop(weights: LstmWeights, state: LstmState, x: jax.Array) -> _LstmKept:
    frames, groups, _, lanes = x.shape
    hidden = weights.w_h.shape[1]

    def step(t: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        h, c, gates, hs, cs = carry
        outer = _product(weights.w_x, _at(x, t)) + _column(weights.bias)
        i, forgotten, g, o = _parts(outer + _product(weights.w_h, h))
        fresh = [sigmoid(i), sigmoid(-forgotten), tanh(g), sigmoid(o)]
        gates = _put(gates, jnp.concatenate(fresh, 1), t)
        # Read back, because the compiler would else compute them once for each use.
        i, forgotten, g, o = _parts(_at(gates, t))
        c = c + (i * g - forgotten * c)
        h = o * tanh(c)
        return h, c, gates, _put(hs, h, t + 1), _put(cs, c, t + 1)

    room = jnp.zeros((frames, groups, 4 * hidden, lanes), x.dtype)
    past = jnp.zeros((frames + 1, groups, hidden, lanes), x.dtype)
    start = (state.h, state.c, room, _put(past, state.h, 0), _put(past, state.c, 0))
    _, _, gates, hs, cs = lax.fori_loop(0, frames, step, start)
    return _LstmKept(gates, hs, cs)


@jax.custom_vjp
def lstm(weights: LstmWeights, state: LstmState, x: jax.Array) -> tuple[LstmState, jax.Array]:
    """Return the state after x [frames, groups, inputs, lanes], and all hidden states.

    States are [groups, hidden, lanes], their sequence is [frames, groups, hidden, lanes].
    """
    result: tuple[LstmState, jax.Array] = _lstm_forward(weights, state, x)[0]
    return result


def _lstm_forward(
    weights: LstmWeights, state: LstmState, x: jax.Array
) -> tuple[tuple[LstmState, jax.Array], _LstmSaved]:
    kept = _lstm_loop(weights, state, x)
    return (LstmState(kept.h[-1], kept.c[-1]), kept.h[1:]), (weights, x, kept)


def _lstm_backward(
    saved: _LstmSaved, gradients: tuple[LstmState, jax.Array]
) -> tuple[LstmWeights, LstmState, jax.Array]:
    weights, x, kept = saved
    (d_h, d_c), d_out = gradients
    frames = kept.gates.shape[0]
    transposed = weights.w_h.T

    def step(n: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        d_h, d_c, d_gates = carry
        t = frames - 1 - n
        i, forgotten, g, o = _parts(_at(kept.gates, t))
        squashed = tanh(_at(kept.c, t + 1))
        d_h = d_h + _at(d_out, t)
        d_c = d_c + d_h * o * (1.0 - squashed * squashed)
        d_z = jnp.concatenate(
            [
                d_c * g * i * (1.0 - i),
                d_c * _at(kept.c, t) * forgotten * (1.0 - forgotten),
                d_c * i * (1.0 - g * g),
                d_h * squashed * o * (1.0 - o),
            ],
            1,
        )
        d_gates = _put(d_gates, d_z, t)
        return _product(transposed, _at(d_gates, t)), d_c - d_c * forgotten, d_gates

    d_h, d_c, d_gates = lax.fori_loop(0, frames, step, (d_h, d_c, jnp.zeros_like(kept.gates)))
    d_weights: Any = (
        _over_batch(d_gates, x),
        _over_batch(d_gates, kept.h[:-1]),
        d_gates.sum((0, 1, 3)),
        jnp.zeros_like(weights.start),
    )
    return LstmWeights(*d_weights), LstmState(d_h, d_c), _to_inputs(weights.w_x, d_gates)


lstm.defvjp(_lstm_forward, _lstm_backward)


# GRU


class _GruKept(NamedTuple):
    """Values that the forward loop saves for the backward loop."""

    gates: jax.Array
    """[frames, groups, 3 hidden, lanes]: r, 1 - z, and the term that r multiplies"""
    n: jax.Array
    """[frames, groups, hidden, lanes]"""
    h: jax.Array
    """[frames + 1, groups, hidden, lanes], from the state before the first frame on"""


_GruSaved = tuple[GruWeights, jax.Array, _GruKept]


def _gru_loop(weights: GruWeights, state: jax.Array, x: jax.Array) -> _GruKept:
    frames, groups, _, lanes = x.shape
    hidden = weights.w_h.shape[1]

    def step(t: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        h, gates, news, hs = carry
        outer = _product(weights.w_x, _at(x, t)) + _column(weights.bias)
        inner = _product(weights.w_h, h)
        r, z = jnp.split(outer[:, : 2 * hidden] + inner[:, : 2 * hidden], 2, axis=1)
        reset = inner[:, 2 * hidden :] + _column(weights.bias_n)
        gates = _put(gates, jnp.concatenate([sigmoid(r), sigmoid(-z), reset], 1), t)
        # Read back, because the compiler would else compute them once for each use.
        r, taken, reset = jnp.split(_at(gates, t), 3, axis=1)
        news = _put(news, tanh(outer[:, 2 * hidden :] + r * reset), t)
        h = h + taken * (_at(news, t) - h)
        return h, gates, news, _put(hs, h, t + 1)

    room = jnp.zeros((frames, groups, 3 * hidden, lanes), x.dtype)
    news = jnp.zeros((frames, groups, hidden, lanes), x.dtype)
    past = _put(jnp.zeros((frames + 1, groups, hidden, lanes), x.dtype), state, 0)
    _, *kept = lax.fori_loop(0, frames, step, (state, room, news, past))
    return _GruKept(*kept)


@jax.custom_vjp
def gru(weights: GruWeights, state: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the state after x [frames, groups, inputs, lanes], and all hidden states.

    States are [groups, hidden, lanes], their sequence is [frames, groups, hidden, lanes].
    """
    result: tuple[jax.Array, jax.Array] = _gru_forward(weights, state, x)[0]
    return result


def _gru_forward(
    weights: GruWeights, state: jax.Array, x: jax.Array
) -> tuple[tuple[jax.Array, jax.Array], _GruSaved]:
    kept = _gru_loop(weights, state, x)
    return (kept.h[-1], kept.h[1:]), (weights, x, kept)


def _gru_backward(
    saved: _GruSaved, gradients: tuple[jax.Array, jax.Array]
) -> tuple[GruWeights, jax.Array, jax.Array]:
    weights, x, kept = saved
    d_h, d_out = gradients
    frames = kept.gates.shape[0]
    hidden = weights.w_h.shape[1]
    transposed = weights.w_h.T

    def step(k: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        d_h, d_gates, d_news = carry
        t = frames - 1 - k
        r, taken, reset = jnp.split(_at(kept.gates, t), 3, axis=1)
        n = _at(kept.n, t)
        d_h = d_h + _at(d_out, t)
        d_n = d_h * taken * (1.0 - n * n)
        d_z = d_h * (_at(kept.h, t) - n) * taken * (1.0 - taken)
        d_r = d_n * reset * r * (1.0 - r)
        d_gates = _put(d_gates, jnp.concatenate([d_r, d_z, d_n * r], 1), t)
        back = _product(transposed, _at(d_gates, t))
        return d_h - d_h * taken + back, d_gates, _put(d_news, d_n, t)

    rooms = jnp.zeros_like(kept.gates), jnp.zeros_like(kept.n)
    d_h, d_gates, d_news = lax.fori_loop(0, frames, step, (d_h, *rooms))
    # The gates r and z have one gradient for input and state. For n they differ: r multiplies the
    # term of the state, but not that of the input.
    outer = jnp.concatenate([d_gates[:, :, : 2 * hidden], d_news], 2)
    d_weights: Any = (
        _over_batch(outer, x),
        _over_batch(d_gates, kept.h[:-1]),
        outer.sum((0, 1, 3)),
        d_gates[:, :, 2 * hidden :].sum((0, 1, 3)),
        jnp.zeros_like(weights.start),
    )
    return GruWeights(*d_weights), d_h, _to_inputs(weights.w_x, outer)


gru.defvjp(_gru_forward, _gru_backward)
