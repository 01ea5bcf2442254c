"""One step of an LSTM and of a GRU, element by element, from the sums of their gates.

A cell with a long memory accumulates the error of its gates, always at the same point while the
input is silent. So what is added to a state is computed as one fraction: near rest it is the
difference of two nearly equal products, which is rounded relative to the products, however near to
1 a forget gate is. The fractions also share their divisions: two a unit instead of five or three.

The derivatives are those of the plain formulas.
"""

import jax

from nemod.fx.nn.activations import sigmoid, tanh
from nemod.fx.nn.exponential import one_plus_exp, tanh_fraction

Pair = tuple[jax.Array, jax.Array]


@jax.custom_jvp
def lstm_cell(i: jax.Array, f: jax.Array, g: jax.Array, o: jax.Array, c: jax.Array) -> Pair:
    """Return the cell state and the hidden state after a step; all arrays have one shape.

    `i`, `f`, `g`, `o` are the sums of the gates before their sigmoid or tanh, `c` is the cell state
    before the step. The absolute sum of a gate counts up to 40.
    """
    new = tanh_fraction(g)
    # i g = new.over / taken, and 1 - f = 1 / kept
    taken = one_plus_exp(i, -1.0) * new.under
    kept = one_plus_exp(f, 1.0)
    c = c + (new.over * kept - c * taken) / (taken * kept)
    out = tanh_fraction(c)
    return c, out.over / (one_plus_exp(o, -1.0) * out.under)


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
    new = tanh_fraction(n + inner / one_plus_exp(r, -1.0))
    # 1 - z = 1 / kept
    kept = one_plus_exp(z, 1.0)
    return h + (new.over - h * new.under) / (new.under * kept)


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
