"""Activation functions, compared with numpy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.fx.nn.activations import quick_sigmoid, quick_tanh, sigmoid, tanh

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


@pytest.mark.parametrize(
    ("function", "expected"), [(quick_tanh, np.tanh), (quick_sigmoid, _sigmoid64)]
)
def test_quick_forms_are_within_three_units_in_the_last_place(function, expected) -> None:
    """In relative terms, down to the smallest values that a layer sees."""
    small = np.geomspace(1e-6, 1.0, 10_001).astype(np.float32)
    x = np.concatenate([GRID[np.abs(GRID) < 16.0], small, -small])
    exact = expected(x.astype(np.float64))
    unit = np.spacing(np.abs(exact).astype(np.float32))
    assert np.abs((np.asarray(jax.jit(function)(x)) - exact) / unit).max() < 3.0


@pytest.mark.parametrize("function", [quick_tanh, quick_sigmoid])
def test_quick_forms_end_where_the_function_does(function) -> None:
    """Far out and at infinity; the sign of a zero stays, and what is not a number."""
    low = -1.0 if function is quick_tanh else 0.0
    ends = np.asarray(function(np.array([-np.inf, -1e30, 1e30, np.inf], np.float32)))
    np.testing.assert_allclose(ends, [low, low, 1.0, 1.0], atol=1e-15)
    assert np.isnan(np.asarray(function(np.array([np.nan], np.float32))))
    if function is quick_tanh:
        assert np.signbit(np.asarray(function(np.array([-0.0], np.float32))))


@pytest.mark.parametrize("function", [tanh, sigmoid, quick_tanh, quick_sigmoid])
def test_derivatives_are_correct_and_finite_far_out(function) -> None:
    """The closed form, compared with central differences of the same function in float64."""
    x = np.concatenate([np.linspace(-8.0, 8.0, 60), [-1e4, 1e4, -90.0, 90.0]]).astype(np.float32)

    def slow(x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float64)
        one = 0.5 + 0.5 * np.tanh(x / 2.0)
        return np.tanh(x) if function in (tanh, quick_tanh) else one

    step = 1e-6
    wide = x.astype(np.float64)
    expected = (slow_at(slow, wide + step) - slow_at(slow, wide - step)) / (2.0 * step)
    _, actual = jax.jvp(function, (jnp.asarray(x),), (jnp.ones(x.shape, jnp.float32),))
    np.testing.assert_allclose(np.asarray(actual), expected, atol=1e-6)


def slow_at(function, x: np.ndarray) -> np.ndarray:
    return function(x)
