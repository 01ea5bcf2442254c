"""One step of an LSTM and of a GRU, element by element, from the sums of their gates.

A cell with a long memory accumulates the error of its gates, always at the same point while the
input is silent. So what is added to a state is computed as one fraction: near rest it is the
difference of two nearly equal products, which is rounded relative to the products, however near to
1 a forget gate is. The fractions also share their divisions: two a unit instead of five or three.

The derivatives are those of the plain formulas.
"""

import jax
import numpy as np

from nemod.fx.nn.activations import sigmoid, tanh
from nemod.fx.nn.exponential import exponential, tanh_parts

Pair = tuple[jax.Array, jax.Array]
_ONE = np.float32(1.0)


@jax.custom_jvp
def lstm_cell(i: jax.Array, f: jax.Array, g: jax.Array, o: jax.Array, c: jax.Array) -> Pair:
    """Return the cell state and the hidden state after a step; all arrays have one shape.

    `i`, `f`, `g`, `o` are the sums of the gates before their sigmoid or tanh, `c` is the cell state
    before the step. The absolute sum of a gate counts up to 40.
    """
    new, e_g = tanh_parts(g)
    # sigmoid(i) tanh(g) = new / taken, and 1 - sigmoid(f) = 1 / kept
    taken = _product(exponential(i, -1.0), e_g)
    kept = _ONE + exponential(f, 1.0)
    c = c + (new * kept - c * taken) / (taken * kept)
    out, e_c = tanh_parts(c)
    return c, out / _product(exponential(o, -1.0), e_c)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return (1 + a) (1 + b), rounded once where both are small."""
    return _ONE + (b + (a + a * b))


@lstm_cell.defjvp
def _lstm_cell_jvp(
    primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[Pair, Pair]:
    result: tuple[Pair, Pair] = jax.jvp(_plain_lstm_cell, primals, tangents)
    return result


def _plain_lstm_cell(i: jax.Array, f: jax.Array, g: jax.Array, o: jax.Array, c: jax.Array) -> Pair:
    c = c + (sigmoid(i) * tanh(g) - sigmoid(-f) * c)
    return c, sigmoid(o) * tanh(c)


@jax.custom_jvp
def gru_cell(r: jax.Array, z: jax.Array, n: jax.Array, inner: jax.Array, h: jax.Array) -> jax.Array:
    """Return the hidden state after a step; all arrays have one shape.

    `r`, `z` are the sums of the gates before their sigmoid, `n` is what the inputs add to the new
    state, `inner` what the state adds to it through r; `h` is the state before the step.
    """
    new, e_n = tanh_parts(n + inner / (_ONE + exponential(r, -1.0)))
    # tanh(...) = new / under, and 1 - sigmoid(z) = 1 / kept
    under = _ONE + e_n
    kept = _ONE + exponential(z, 1.0)
    return h + (new - h * under) / (under * kept)


@gru_cell.defjvp
def _gru_cell_jvp(
    primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
    result: tuple[jax.Array, jax.Array] = jax.jvp(_plain_gru_cell, primals, tangents)
    return result


def _plain_gru_cell(
    r: jax.Array, z: jax.Array, n: jax.Array, inner: jax.Array, h: jax.Array
) -> jax.Array:
    return h + sigmoid(-z) * (tanh(n + sigmoid(r) * inner) - h)
