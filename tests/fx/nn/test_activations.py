"""Activation functions, compared with numpy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.fx.nn.activations import lstm_gates, sigmoid, tanh

GRID = np.linspace(-20.0, 20.0, 400_001).astype(np.float32)


def _sigmoid64(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x.astype(np.float64)))


def test_tanh_is_within_one_and_a_half_units_in_the_last_place() -> None:
    """In relative terms, so that values near 0 are accurate too."""
    expected = np.tanh(GRID.astype(np.float64))
    actual = np.asarray(jax.jit(tanh)(GRID))
    unit = np.spacing(np.abs(expected).astype(np.float32))
    assert np.abs((actual - expected) / unit).max() < 1.5


def test_sigmoid_near_one_is_rounded_as_well_as_float32_can() -> None:
    """Half a unit at 1 is 3e-8: a cell with a long memory accumulates any larger error."""
    x = GRID[(GRID > 3.0) & (GRID < 12.0)]
    error = np.asarray(jax.jit(sigmoid)(x)) - _sigmoid64(x)
    assert np.abs(error).max() < 3.6e-8
    assert abs(error.mean()) < 1e-9


def test_lstm_gates_are_sigmoid_and_tanh_of_the_rows() -> None:
    """Rows i, 1 - f, g, o."""
    rows = np.random.default_rng(1).normal(0.0, 3.0, (4, 50)).astype(np.float32)
    expected = np.stack(
        [_sigmoid64(rows[0]), 1.0 - _sigmoid64(rows[1]), np.tanh(rows[2]), _sigmoid64(rows[3])]
    )
    actual = np.asarray(lstm_gates(jnp.asarray(rows.ravel()))).reshape(4, 50)
    np.testing.assert_allclose(actual, expected, atol=1.5e-7)


@pytest.mark.parametrize("function", [tanh, sigmoid, lstm_gates])
def test_derivatives_are_correct_and_finite_far_out(function) -> None:
    """The closed form, compared with central differences of the same function in float64."""
    x = np.concatenate([np.linspace(-8.0, 8.0, 60), [-1e4, 1e4, -90.0, 90.0]]).astype(np.float32)

    def slow(x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float64)
        one = 0.5 + 0.5 * np.tanh(x / 2.0)
        if function is tanh:
            return np.tanh(x)
        if function is sigmoid:
            return one
        i, f, g, o = np.split(x, 4)
        forgotten = 0.5 - 0.5 * np.tanh(f / 2.0)
        i, o = (0.5 + 0.5 * np.tanh(row / 2.0) for row in (i, o))
        return np.concatenate([i, forgotten, np.tanh(g), o])

    step = 1e-6
    wide = x.astype(np.float64)
    expected = (slow_at(slow, wide + step) - slow_at(slow, wide - step)) / (2.0 * step)
    _, actual = jax.jvp(function, (jnp.asarray(x),), (jnp.ones(x.shape, jnp.float32),))
    np.testing.assert_allclose(np.asarray(actual), expected, atol=1e-6)


def slow_at(function, x: np.ndarray) -> np.ndarray:
    return function(x)
